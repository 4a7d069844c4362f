import { hash } from 'node:crypto';
import { closeSync, existsSync, fstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { INCOMPLETE, parseSetName, SHA256SUMS, setName } from '../contract/archive-set.ts';
import { MindiError, messageOf } from '../contract/error.ts';
import { parseSums, type Sum } from '../contract/sums.ts';
import { parseVolume, VOLUME_FILE, VOLUME_FILE_LIMIT, type Volume } from '../contract/volume.ts';
import { openRegular } from './stored-file.ts';

/** A volume that is there. */
export interface PresentVolume {
  folder: string;
  volume: Volume;
  sums: Sum[];
  /** Lines of the list of sums that are none, from 1. */
  badLines: number[];
  /** Hash of the list of sums, which the next volume knows. */
  list: string;
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

export const volumeFolders = (folder: string) =>
  readFolder(folder)
    .filter((name) => /^volume-\d+$/.test(name))
    .map((name) => join(folder, name));

export const presentVolumes = (folder: string) => volumeFolders(folder).flatMap((one) => presentVolume(one) ?? []);

/** What a directory says of itself; null when it is no volume, or that is damaged. */
export function presentVolume(folder: string): PresentVolume | null {
  const volume = parseVolume(readText(join(folder, VOLUME_FILE), VOLUME_FILE_LIMIT));
  const list = readText(join(folder, SHA256SUMS), SUMS_LIMIT);
  return volume && { folder, volume, ...parseSums(list), list: hash('sha256', list) };
}

/** What the first volume of a set that is there says; null where none is. */
export function firstVolume(folder: string): Volume | null {
  for (const one of volumeFolders(folder)) {
    const volume = presentVolume(one)?.volume;
    if (volume) return volume;
  }
  return null;
}

/** Bytes of a list of sums: some hundred thousand files. */
const SUMS_LIMIT = 64 << 20;

/** Empty when it is no regular file of so few bytes. */
export function readText(path: string, limit: number): string {
  const file = openRegular(path);
  if (file === null) return '';
  try {
    return fstatSync(file).size <= limit ? readFileSync(file, 'utf8') : '';
  } catch {
    return '';
  } finally {
    closeSync(file);
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
  const numbers = own.map(({ volume }) => volume.number).sort((one, other) => one - other);
  for (const [index, next] of [...numbers, (of ?? 0) + 1].entries()) {
    const [first, last] = [(numbers[index - 1] ?? 0) + 1, next - 1];
    if (first === last) problems.push(`volume ${first} of ${of} of ${machine} is missing`);
    if (first < last) problems.push(`volumes ${first} to ${last} of ${of} of ${machine} are missing`);
  }
  for (const { folder, badLines } of own)
    if (badLines.length > 0) problems.push(`${join(folder, SHA256SUMS)} is damaged in line ${badLines.join(', ')}`);
  for (const { folder, volume } of own) {
    const before = own.find((one) => one.volume.number === volume.number - 1);
    if (before && typeof volume.previous === 'string' && volume.previous !== before.list)
      problems.push(`${join(before.folder, SHA256SUMS)} is not the one that ${folder} was written after`);
  }
  return problems;
}
