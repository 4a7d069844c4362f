import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MountlistEntry } from '../../contract/mountlist.ts';
import { parseMountlist } from '../../contract/mountlist-file.ts';
import { PATHS } from '../../contract/rescue-config.ts';
import { mountedAt, mountWritable } from '../mount.ts';
import { busybox, complaint } from '../process.ts';
import { bringStorageUp, lookAtStorage } from '../storage/bring-up.ts';
import type { StorageContext } from '../storage/context.ts';
import { GuardError } from '../storage/guard.ts';
import { makeWritable } from '../storage/writable.ts';
import { type Match, type Matches, matchMountlist, mountable } from './match.ts';

/**
 * The file systems of the medium's mountlist that nothing is mounted for yet, as far as they are there. Nothing is written.
 * @throws MindiError where the mountlist is damaged
 */
export async function findTarget(storage: StorageContext): Promise<Matches> {
  const { devices } = await bringStorageUp(storage);
  const entries = ownEntries().filter(({ mountpoint }) => !mountedAt(placeOf(mountpoint)));
  return matchMountlist(entries, devices);
}

/** @throws MindiError where the mountlist is damaged */
function ownEntries(): MountlistEntry[] {
  if (!existsSync(PATHS.mountlist)) return [];
  const { entries } = parseMountlist(readFileSync(PATHS.mountlist, 'utf8'), PATHS.mountlist);
  return mountable(entries);
}

/**
 * Mounts the file systems of the mountlist, to be written to, under /mnt/RESTORING. For now those that are there: none is
 * made. What is mounted there already stays. Where the mountlist has none, the place is empty and read-only, so that
 * nothing is restored into memory by mistake.
 * @returns what is not mounted and why, one sentence each
 * @throws MindiError where the mountlist is damaged
 */
export async function prepareTarget(storage: StorageContext): Promise<string[]> {
  mkdirSync(PATHS.target, { recursive: true });
  if (ownEntries().length === 0) return closeOff();
  const { found, missing } = await findTarget(storage);
  const ready = found.filter(({ entry }) => !missing.some((gap) => isBelow(entry.mountpoint, gap.entry.mountpoint)));
  const failures: string[] = [];
  // All of them first: letting a volume be written to starts its whole group again.
  for (const match of ready) failures.push(...(await openForWriting(storage, match)));
  if (failures.length === 0) for (const match of ready) failures.push(...(await mountMatch(storage, match)));
  return [...missing.map(({ why }) => why), ...failures];
}

const isBelow = (path: string, above: string) => path.startsWith(above.replace(/\/?$/, '/'));

const placeOf = (mountpoint: string) => join(PATHS.target, mountpoint).replace(/\/$/, '');

async function closeOff(): Promise<string[]> {
  if (mountedAt(PATHS.target)) return [];
  const result = await busybox(['mount', '-t', 'tmpfs', '-o', 'ro,size=4k', 'nothing', PATHS.target]);
  return result.code === 0 ? [] : [`${PATHS.target} cannot be made read-only: ${complaint(result)}.`];
}

async function openForWriting(storage: StorageContext, match: Match): Promise<string[]> {
  const { device } = match.device;
  try {
    const [now] = (await lookAtStorage(storage.excluded)).devices.filter((one) => one.device === device);
    if (!now || now.writable) return [];
    const left = await makeWritable(storage, now, `restore of ${match.entry.mountpoint}`);
    return left ? [left.trim()] : [];
  } catch (error) {
    if (!(error instanceof GuardError)) throw error;
    return [error.message];
  }
}

async function mountMatch({ modules }: StorageContext, { entry, device: { device } }: Match): Promise<string[]> {
  const failure = await mountWritable(device, entry.format, modules, placeOf(entry.mountpoint));
  return failure ? [`The file system for ${entry.mountpoint} on ${device} cannot be mounted: ${failure}.`] : [];
}
