import { createWriteStream, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { PARITY_SUMS, volumeName } from '../../contract/archive-set.ts';
import { parseSums } from '../../contract/sums.ts';
import type { Volume } from '../../contract/volume.ts';
import { type SetSource, TEXT_LIMIT, TEXTS, textOf, type VolumeSource } from './source.ts';

/** A set that lies elsewhere, as a directory of volumes whose archives are fetched one at a time. */
export interface FetchedSet extends AsyncDisposable {
  folder: string;
  /** For people. */
  name: string;
  /** Copies an archive to its place in the folder, and removes the one before. Nothing happens when it cannot be had. */
  fetch: (volume: number, file: string) => Promise<void>;
  /** Copies all files of a volume, its parity too; they stay. */
  fetchVolume: (volume: number) => Promise<void>;
}

/** Archives, and what mends them, are fetched when they are needed. */
const LATER = /^\d+\.tar|\.par2$/;

/**
 * Copies what tells about the volumes, and the catalog, into a directory of `work`. Where the last volume is not among
 * them it is asked for.
 */
export async function fetchSet(source: SetSource, work: string): Promise<FetchedSet> {
  const folder = join(work, 'set');
  const have = new Map<number, VolumeSource>();
  const take = async (volume: VolumeSource) => {
    if (source.next) have.clear();
    have.set(volume.volume.number, volume);
    await copyTexts(volume, join(folder, volumeName(volume.volume.number)));
  };
  for (const volume of newestSet(source.volumes)) await take(volume);
  const isLast = ({ volume: { of } }: VolumeSource) => of !== null;
  if (source.next && ![...have.values()].some(isLast)) await take(await source.next(null));
  let last = '';
  const whole = new Set<number>();
  return {
    folder,
    name: source.name,
    async fetch(number, file) {
      if (source.next && !have.has(number)) await take(await source.next(number));
      const place = join(folder, volumeName(number), file);
      if (place === last || whole.has(number)) return;
      if (last) rmSync(last, { force: true });
      last = place;
      await copy(have.get(number), file, place);
    },
    async fetchVolume(number) {
      const volume = have.get(number);
      if (!volume || whole.has(number)) return;
      whole.add(number);
      last = '';
      const parity = parseSums(await textOf(await volume.stream(PARITY_SUMS), TEXT_LIMIT)).sums;
      for (const { path } of [...volume.sums, ...parity])
        if (LATER.test(path)) await copy(volume, path, join(folder, volumeName(number), path));
    },
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}

async function copyTexts(volume: VolumeSource, folder: string): Promise<void> {
  const files = volume.sums.map(({ path }) => path).filter((path) => !LATER.test(path));
  for (const file of new Set([...TEXTS, ...files])) await copy(volume, file, join(folder, file));
}

/** What breaks off is as long as it is: its sum tells. */
async function copy(volume: VolumeSource | undefined, file: string, to: string): Promise<void> {
  const stream = await volume?.stream(file);
  if (!stream) return;
  mkdirSync(dirname(to), { recursive: true });
  await pipeline(stream, createWriteStream(to, { mode: 0o600 })).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOSPC') throw error;
  });
}

/** Of volumes of several sets those of the one made last; one without its last volume, a stray one maybe, comes behind all others. */
export function newestSet<T extends { volume: Volume }>(volumes: readonly T[]): T[] {
  const whole = new Set(volumes.flatMap(({ volume: { of, set } }) => (of === null ? [] : [set])));
  const rank = ({ volume: { set, created } }: T) => (whole.has(set) ? 1e15 : 0) + Date.parse(created);
  const newest = volumes.toSorted((one, other) => rank(other) - rank(one))[0];
  return volumes.filter(({ volume }) => volume.set === newest?.volume.set);
}
