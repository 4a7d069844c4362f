import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { INCOMPLETE, parseSetName, SHA256SUMS, setName } from '../contract/archive-set.ts';
import { MindiError, messageOf } from '../contract/error.ts';
import { parseSums, type Sum } from '../contract/sums.ts';
import { parseVolume, VOLUME_FILE, type Volume } from '../contract/volume.ts';

/** A volume that is there. */
export interface PresentVolume {
  folder: string;
  volume: Volume;
  sums: Sum[];
}

/** The directory of a set: itself, that of one of its volumes, or the newest complete one in a directory of sets. */
export function findSet(path: string): string {
  const entries = readFolder(path);
  if (entries.some((name) => /^volume-\d+$/.test(name))) {
    if (path.endsWith(INCOMPLETE)) throw unfinished(path);
    return path;
  }
  if (existsSync(join(path, VOLUME_FILE))) return dirname(path);
  const sets = entries.map(parseSetName).filter((set) => set !== null);
  const complete = sets.filter((set) => set.complete);
  const names = [...new Set(complete.map(({ name }) => name))];
  if (names.length > 1) {
    throw new MindiError(`sets of several profiles are there: ${names.join(', ')}`, {
      code: 'set.several',
      where: path,
      hint: `Name one of them: ${join(path, setName(names[0] as string, complete[0]?.number ?? 1))}`,
    });
  }
  const newest = complete.toSorted((one, other) => other.number - one.number)[0];
  if (newest) return join(path, setName(newest.name, newest.number));
  if (sets.length > 0 || parseSetName(basename(path))?.complete === false) throw unfinished(path);
  throw new MindiError('there is no set', {
    code: 'set.none',
    where: path,
    hint: 'Name the directory of a set, or the one `archive.to` says.',
  });
}

const unfinished = (where: string) =>
  new MindiError('this set was never finished', {
    code: 'set.incomplete',
    where,
    hint: 'Its archives can be restored by hand with tar; take an older set, or archive again.',
  });

function readFolder(path: string): string[] {
  try {
    if (statSync(path).isDirectory()) return readdirSync(path).sort();
  } catch (error) {
    throw new MindiError(`there is no set: ${messageOf(error)}`, {
      code: 'set.none',
      where: path,
      hint: 'Check the spelling.',
    });
  }
  throw new MindiError('a set is a directory', {
    code: 'set.none',
    where: path,
    hint: 'Name the directory with the volumes.',
  });
}

export function presentVolumes(folder: string): PresentVolume[] {
  return readFolder(folder)
    .filter((name) => /^volume-\d+$/.test(name))
    .flatMap((name) => {
      const path = join(folder, name);
      const volume = parseVolume(readText(join(path, VOLUME_FILE)));
      return volume ? [{ folder: path, volume, sums: parseSums(readText(join(path, SHA256SUMS))).sums }] : [];
    });
}

/** What the first volume of a set that is there says; null where none is. */
export function firstVolume(folder: string): Volume | null {
  for (const name of readFolder(folder).filter((one) => /^volume-\d+$/.test(one))) {
    const volume = parseVolume(readText(join(folder, name, VOLUME_FILE)));
    if (volume) return volume;
  }
  return null;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** What is wrong with the volumes that are there of a set, a sentence each. */
export function problemsOf(there: readonly PresentVolume[], { set, of, machine }: Volume): string[] {
  const problems: string[] = [];
  for (const { folder, volume } of there) {
    if (volume.set !== set)
      problems.push(
        `${folder} is a volume of another set: number ${volume.number}, of ${volume.machine}, ${volume.created}`,
      );
  }
  const own = there.filter(({ volume }) => volume.set === set);
  for (let number = 1; number <= (of ?? 0); number += 1) {
    if (!own.some(({ volume }) => volume.number === number))
      problems.push(`volume ${number} of ${of} of ${machine} is missing`);
  }
  return problems;
}
