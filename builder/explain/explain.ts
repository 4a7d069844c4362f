import type { FirmwareFate } from '../drivers/firmware.ts';
import { firmwareOf, selectionOf } from '../drivers/pieces.ts';
import { openKernelTree } from '../drivers/tree.ts';
import { filesystemsOf, mountlistFor } from '../gather.ts';
import type { KernelModules } from '../kernel/argument.ts';
import type { Profile } from '../profile/load.ts';
import { FileHashes } from '../tools/hashes.ts';
import { explainFile, explainMissingFile, mediaFiles } from './file.ts';
import { absent, type Finding } from './finding.ts';
import { explainChosenFirmware, explainOtherFirmware, firmwareName } from './firmware.ts';
import { type DriverInputs, explainModule, nearestModule } from './module.ts';

export interface ExplainOptions {
  /** Hears what takes long, and what could not be looked at. */
  say?: (text: string) => void;
}

/**
 * Everything a name stands for on a profile's media: modules by name, path, alias or device, firmware, files, programs.
 * What is not there comes with what would bring it. Never empty.
 * @throws MindiError what is wrong with the drivers of the profile or with the kernel
 */
export async function explain(
  name: string,
  profile: Profile,
  kernel: KernelModules,
  options: ExplainOptions = {},
): Promise<Finding[]> {
  const inputs = await driverInputs(profile, kernel);
  const modules = await explainModule(name, inputs);
  const firmware =
    modules.length === 0 ? explainChosenFirmware(name, await fatesOf(name, inputs, options), inputs) : [];
  const drivers = [...modules, ...firmware];
  if (name.includes(':') || drivers.some(({ path }) => path === name)) return drivers;
  const findings = [...drivers, ...explainFile(name, await mediaFiles(profile, options))];
  if (findings.length > 0) return findings;
  const missing = [...(await explainOtherFirmware(name, inputs)), ...(await explainMissingFile(name, profile))];
  return missing.length > 0 ? missing : [unknown(name, inputs)];
}

async function driverInputs(profile: Profile, { release, modulesDir }: KernelModules): Promise<DriverInputs> {
  const tree = await openKernelTree(modulesDir);
  const filesystems = async () => filesystemsOf(await mountlistFor(profile));
  return { profile, release, tree, selection: await selectionOf(profile, modulesDir, filesystems) };
}

async function fatesOf(
  name: string,
  { profile, selection, release }: DriverInputs,
  { say }: ExplainOptions,
): Promise<readonly FirmwareFate[]> {
  if (firmwareName(name) === undefined) return [];
  const options = { release, hashes: new FileHashes(), where: profile.where, say };
  return (await firmwareOf({ ...profile.drivers, microcode: 'none' }, selection, options)).fates;
}

function unknown(name: string, { tree }: DriverInputs): Finding {
  const near = nearestModule(name, tree);
  const notes = ['no module of this kernel, firmware, program or file of the media is called so'];
  return absent('nothing', name, notes, near === undefined ? [] : [near]);
}
