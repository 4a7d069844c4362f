import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { StorageDevice } from '../../contract/storage.ts';
import { findProgram, run } from '../process.ts';
import { assembleArrays, tellDegraded } from './arrays.ts';
import { blockDevices, diskOf } from './block-devices.ts';
import { readContents } from './contents.ts';
import type { StorageContext } from './context.ts';
import { guardAll } from './guard.ts';
import { activateVolumes } from './lvm.ts';
import { joinPaths } from './paths.ts';

/** Everything that is there, and the disks that do not answer. */
export interface Storage {
  devices: StorageDevice[];
  silent: string[];
}

/** Arrays and volumes may lie on each other; deeper than this nobody builds. */
const MOST_LAYERS = 8;

/**
 * Looks at all storage without starting anything. Disks that are to be left alone are not in it.
 * @param before what an earlier look found, which is not read again
 */
export async function lookAtStorage(
  excluded: readonly string[],
  before: readonly StorageDevice[] = [],
): Promise<Storage> {
  const left = new Set(excluded.map((name) => name.replace(/^\/dev\//, '')));
  const isLeft = ({ name }: StorageDevice): boolean => left.has(name) || left.has(diskOf(name));
  return readContents(
    blockDevices().filter((one) => !isLeft(one)),
    before,
  );
}

/** Starts everything that lies on disks, read-only and without writing a byte. Locked disks stay locked. */
export async function bringStorageUp(storage: StorageContext): Promise<Storage> {
  await guardAll();
  let now = await lookAtStorage(storage.excluded);
  if (await joinPaths(storage, now.devices)) now = await lookAtStorage(storage.excluded, now.devices);
  const [seen, seenByLvm] = [new Set<string>(), new Set<string>()];
  for (let layer = 0; layer < MOST_LAYERS; layer += 1) {
    // A group of volumes may need arrays that are not there yet.
    const started =
      (await assembleArrays(storage, fresh(now.devices, seen))) ||
      (!storage.noLvm && (await activateVolumes(storage, now.devices, fresh(now.devices, seenByLvm))));
    if (!started) break;
    now = await lookAtStorage(storage.excluded, now.devices);
  }
  tellDegraded(storage, now.devices);
  for (const device of now.silent) storage.problem(`The disk ${device} does not answer; it is left alone.`);
  await scanBtrfs(storage, now.devices);
  link(now.devices);
  return now;
}

/** Those that were not there before. */
function fresh(devices: readonly StorageDevice[], seen: Set<string>): StorageDevice[] {
  const found = devices.filter(({ name }) => !seen.has(name));
  for (const { name } of found) seen.add(name);
  return found;
}

/** The kernel must have seen all disks of a btrfs before it mounts one. */
async function scanBtrfs(storage: StorageContext, devices: readonly StorageDevice[]): Promise<void> {
  const parts = devices.filter(({ content }) => content?.type === 'btrfs');
  const btrfs = findProgram('btrfs');
  if (parts.length === 0 || !btrfs) return;
  await storage.modules.loadAll(['fs-btrfs']);
  await run(btrfs, ['device', 'scan', ...parts.map(({ device }) => device)]);
}

/** /dev/disk/by-uuid and the like, as fstab and boot loaders name file systems. Of copies with one name the first has it. */
function link(devices: readonly StorageDevice[]): void {
  rmSync('/dev/disk', { recursive: true, force: true });
  for (const { device, content } of devices) {
    if (!content || /_member$/.test(content.type)) continue;
    const { uuid, label, partitionUuid, partitionLabel } = content;
    const names = { 'by-uuid': uuid, 'by-label': label, 'by-partuuid': partitionUuid, 'by-partlabel': partitionLabel };
    for (const [folder, name] of Object.entries(names)) makeLink(folder, name, device);
  }
}

function makeLink(folder: string, name: string, device: string): void {
  if (!name) return;
  mkdirSync(join('/dev/disk', folder), { recursive: true });
  try {
    // As udev does: no slash and no blank in a file's name.
    symlinkSync(
      device,
      join(
        '/dev/disk',
        folder,
        name.replaceAll(/[/\s]/g, (one) => `\\x${one.charCodeAt(0).toString(16)}`),
      ),
    );
  } catch {
    // There is one of that name.
  }
}
