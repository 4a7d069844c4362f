import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseSetName } from '../../contract/archive-set.ts';
import type { Volume } from '../../contract/volume.ts';
import { firstVolume } from '../find-set.ts';

/** A set of ours in a directory. */
export interface StoredSet {
  folder: string;
  /** Its directory's name. */
  directory: string;
  /** The profile's name. */
  name: string;
  number: number;
  complete: boolean;
  /** What its first volume that is there says; null of one that is not complete. */
  volume: Volume | null;
}

/** The sets in a directory, the newest first: by number, whatever the clock said. What is no set of ours is not among them. */
export function storedSets(directory: string): StoredSet[] {
  if (!existsSync(directory)) return [];
  const sets = readdirSync(directory).flatMap((entry): StoredSet[] => {
    const parsed = parseSetName(entry);
    const folder = join(directory, entry);
    if (!parsed || !lstatSync(folder).isDirectory()) return [];
    const volume = parsed.complete ? firstVolume(folder) : null;
    return parsed.complete && !volume ? [] : [{ folder, directory: entry, ...parsed, volume }];
  });
  return sets.sort((one, other) => other.number - one.number);
}

/** The newest complete one of a profile; with `full` it takes nothing from another. */
export function newestSet(sets: readonly StoredSet[], name: string, { full = false, until = Infinity } = {}) {
  return sets.find(
    (set) => set.name === name && set.volume && !(full && set.volume.base) && Date.parse(set.volume.created) <= until,
  );
}
