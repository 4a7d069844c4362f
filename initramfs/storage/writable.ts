import type { StorageDevice } from '../../contract/storage.ts';
import { complaint, findProgram, run } from '../process.ts';
import { lookAtStorage } from './bring-up.ts';
import type { StorageContext } from './context.ts';
import { liftGuard } from './guard.ts';
import { restartGroup } from './lvm.ts';

/** What a person should know before they let a device be written to. */
export function warning({ device, kind, content }: StorageDevice): string {
  const more = {
    disk: 'All of the disk, with every partition on it, can then be written to.',
    partition: 'The disk it is on can then be written to as well; its other partitions stay read-only.',
    array: 'The array then marks its disks as in use, and resyncs them if they need it.',
    volume: 'Its whole volume group is stopped and started again, and its disks can be written to.',
    encrypted: 'The disk it is on can then be written to as well.',
    path: 'All of the disk can then be written to, whichever path is used.',
    mapped: '',
  }[kind];
  const what = content?.type && kind !== 'encrypted' ? ` (${content.type})` : '';
  return `${device}${what} is read-only, as all disks are until they are to be changed. ${more} Shall it be written to?`;
}

/**
 * Lets a device be written to, and starts what it is again, so that it can be.
 * @param why for the log: who asked, and for what
 * @returns null, or what is left to do, a sentence
 * @throws GuardError
 */
export async function makeWritable(
  storage: StorageContext,
  device: StorageDevice,
  why: string,
): Promise<string | null> {
  await liftGuard([device.device], why);
  const { devices } = await lookAtStorage(storage.excluded);
  if (device.kind === 'array') return startWritable(device.device);
  if (device.kind === 'volume') return restartVolume(storage, device, devices);
  return null;
}

async function startWritable(array: string): Promise<string | null> {
  const result = await run(findProgram('mdadm') ?? 'mdadm', ['--readwrite', array]);
  return result.code === 0 ? null : `${array} stays read-only: ${complaint(result)}.\n`;
}

async function restartVolume(
  storage: StorageContext,
  { device }: StorageDevice,
  devices: readonly StorageDevice[],
): Promise<string | null> {
  const group = device.split('/')[2] ?? '';
  return (await restartGroup(storage, group, devices)) ? null : `Unmount what is on ${group} and try again.\n`;
}
