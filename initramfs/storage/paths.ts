import type { StorageDevice } from '../../contract/storage.ts';
import { attribute } from '../devices.ts';
import { BLOCK, partitionsOf } from './block-devices.ts';
import type { StorageContext } from './context.ts';
import { dmsetup, saidByMapper } from './mapper.ts';

/** A disk as one of its paths shows it: the kernel's name, and the world wide name, empty where it has none. */
export interface PathDisk {
  name: string;
  wwid: string;
}

/** Disks that are one disk, reached over several paths: told by their world wide name. */
export function samePaths(disks: readonly PathDisk[]): PathDisk[][] {
  const known = disks.filter(({ wwid }) => wwid !== '');
  return [...Map.groupBy(known, ({ wwid }) => wwid).values()].filter((some) => some.length > 1);
}

/** The name multipath-tools gives a disk: kind of the number, then the number (SPC-4, 7.8.6). */
export function pathName(wwid: string): string {
  const [, kind = '', number = ''] = /^(naa|eui|t10)\.(.*)$/s.exec(wwid) ?? [];
  const digit = { naa: '3', eui: '2', t10: '1' }[kind] ?? '0';
  return digit + (number || wwid).trim().replaceAll(/[^\w.+-]+/g, '_');
}

/**
 * Joins the paths to one disk by the kernel's multipath: one is used, the next when it fails. Read-only, as all disks.
 * From then on only the joined disk is a disk, with its partitions beside it.
 * @returns whether there was anything to join
 */
export async function joinPaths(storage: StorageContext, devices: readonly StorageDevice[]): Promise<boolean> {
  const disks = devices
    .filter(({ kind }) => kind === 'disk')
    .map(({ name }) => ({ name, wwid: attribute(BLOCK, name, 'device/wwid') || attribute(BLOCK, name, 'wwid') }));
  const groups = samePaths(disks);
  if (groups.length > 0) await storage.modules.loadAll(['dm_mod', 'dm_multipath', 'dm_round_robin']);
  for (const paths of groups) await join(storage, paths);
  return groups.length > 0;
}

async function join(storage: StorageContext, paths: readonly PathDisk[]): Promise<void> {
  const [{ name: first, wwid } = { name: '', wwid: '' }] = paths;
  const name = pathName(wwid);
  // A group of its own for each path: they are used one after the other, which every controller bears.
  const groups = paths.map((path) => `round-robin 0 1 0 /dev/${path.name}`).join(' ');
  const table = `0 ${attribute(BLOCK, first, 'size')} multipath 0 0 ${paths.length} 1 ${groups}`;
  const wrong = await map(name, `mpath-${name}`, table);
  if (wrong) {
    const names = paths.map((path) => `/dev/${path.name}`);
    storage.problem(
      `${names.join(' and ')} are paths to one disk, which are not joined: ${wrong}. Use one of them; excludedevs=${names.slice(1).join(',')} hides the rest.`,
    );
    return;
  }
  for (const partition of partitionsOf(first)) {
    const [number, start, size] = ['partition', 'start', 'size'].map((fact) => attribute(BLOCK, partition, fact));
    const failed = await map(
      `${name}-part${number}`,
      `part${number}-mpath-${name}`,
      `0 ${size} linear /dev/mapper/${name} ${start}`,
    );
    if (failed) storage.problem(`Partition ${number} of /dev/mapper/${name} cannot be used: ${failed}.`);
  }
}

/** Returns what went wrong, or null. */
async function map(name: string, uuid: string, table: string): Promise<string | null> {
  const result = await dmsetup(['create', name, '--uuid', uuid, '--readonly', '--table', table]);
  return result.code === 0 ? null : saidByMapper(result);
}
