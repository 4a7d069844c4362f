import { MindiError } from '../../contract/error.ts';
import { didYouMean } from '../../contract/settings/suggest.ts';
import { readHardware } from '../drivers/hardware-file.ts';
import { machinesOf } from '../drivers/machines.ts';
import { loadDriverSets } from '../drivers/sets.ts';
import { openImage } from '../inspect/image.ts';
import { resolveKernel } from '../kernel/source.ts';
import type { Profile } from '../profile/load.ts';
import { scratch } from '../scratch.ts';
import { type CoverageFile, readCoverage } from './file.ts';
import { imageMedium } from './image.ts';
import { type FetchOptions, kernelMetadata } from './kernels.ts';
import { coverageOf, type NamedMachine } from './matrix.ts';
import { profileMedia } from './media.ts';
import type { Kernel } from './schema.ts';
import type { Coverage } from './types.ts';

export interface CoverageOptions extends FetchOptions {
  /** Hardware files of machines. */
  hardware?: readonly string[];
  /** A coverage file; mindi's own when neither it nor machines are named. */
  kernels?: string;
  /** Of its kernels only these. */
  only?: readonly string[];
}

/**
 * Which devices a profile's media drive: the required hardware on every kernel of the coverage file; with hardware files
 * alone, the devices of those machines with the profile's own kernel; with both, all of it on every kernel.
 * @throws MindiError for what is wrong with the files; a kernel that cannot be had is an answer
 */
export async function profileCoverage(profile: Profile, options: CoverageOptions): Promise<Coverage> {
  const machines = await machinesIn(options.hardware);
  // What is wrong with the profile is wrong with every kernel: told before any is fetched.
  await loadDriverSets(profile.drivers.sets, undefined, (i) => profile.where(['drivers', 'sets', i]));
  await machinesOf(profile.drivers, profile.where);
  const subject = profile.name;
  if (machines.length > 0 && options.kernels === undefined && options.only === undefined) {
    const kernels = await profileMedia(profile, [OWN], [await ownKernel(profile, options)]);
    return await coverageOf(kernels, { subject, machines, hardware: [], exceptions: [] });
  }
  const file = await readCoverage(options.kernels);
  const chosen = chosenKernels(file, options.only);
  const found = await kernelMetadata(chosen, file.hardware, options);
  const kernels = await profileMedia(profile, chosen, found);
  return await coverageOf(kernels, { ...file, subject, machines });
}

/** Which devices a finished image drives: those of the machines, else the required hardware. */
export async function imageCoverage(image: string, hardware: readonly string[] = []): Promise<Coverage> {
  const machines = await machinesIn(hardware);
  await using work = await scratch('coverage');
  const medium = await imageMedium(await openImage(image, work.path), image, work.path);
  const table = machines.length > 0 ? [] : (await readCoverage()).hardware;
  return await coverageOf([medium], { subject: image, machines, hardware: table, exceptions: [] });
}

const OWN: Kernel = { name: 'profile', title: 'the profile’s kernel', package: 'own' };

async function ownKernel(profile: Profile, { say, refresh }: FetchOptions) {
  const where = profile.where(['kernel']);
  return await resolveKernel(profile.kernel, { where, ...(say ? { say } : {}), ...(refresh ? { refresh } : {}) });
}

async function machinesIn(files: readonly string[] = []): Promise<NamedMachine[]> {
  if (files.length === 0) return [];
  const machines = (await machinesOf({ scope: 'hardware-files', hardware: [...files] }, () => '')) ?? [];
  return await Promise.all(
    machines.map(async (machine, i) => {
      const same = machines.slice(0, i).filter(({ name }) => name === machine.name).length;
      const name = same > 0 ? `${machine.name} (${same + 1})` : machine.name;
      return { ...machine, name, names: await deviceNames(files[i] ?? '') };
    }),
  );
}

/** What a hardware file calls its devices, by modalias: its list `devices` may have names. */
async function deviceNames(file: string): Promise<Map<string, string>> {
  const { devices } = await readHardware(file);
  // In a file that says no format, the list may be anything.
  const list = Array.isArray(devices) ? (devices as { modalias?: unknown; name?: unknown }[]) : [];
  return new Map(
    list.flatMap(({ modalias, name }) =>
      typeof modalias === 'string' && typeof name === 'string' && name !== '' ? [[modalias, name]] : [],
    ),
  );
}

function chosenKernels({ kernels }: CoverageFile, only: readonly string[] | undefined): CoverageFile['kernels'] {
  if (only === undefined) return kernels;
  const names = kernels.map(({ name }) => name);
  const problems = only
    .filter((name) => !names.includes(name))
    .map(
      (name) =>
        new MindiError(`there is no kernel ${JSON.stringify(name)} in the coverage file`, {
          code: 'coverage.unknown-kernel',
          hint: didYouMean(name, names) ?? `Its kernels are ${names.join(', ')}.`,
        }),
    );
  if (problems.length > 0) throw MindiError.all(problems, '--only:', 'coverage.unknown-kernel');
  return kernels.filter(({ name }) => only.includes(name));
}
