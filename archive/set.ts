import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { hashFile } from '../builder/cache.ts';
import { type Scratch, scratch } from '../builder/scratch.ts';
import {
  archiveName,
  CATALOG,
  INCOMPLETE,
  type MethodName,
  parseSetName,
  SET_FORMAT,
  SHA256SUMS,
  setName,
} from '../contract/archive-set.ts';
import { MindiError, messageOf } from '../contract/error.ts';
import { parseSums, type Sum } from '../contract/sums.ts';
import { parseVolume, VOLUME_FILE, type Volume } from '../contract/volume.ts';
import { rows } from './catalog.ts';
import { METHODS } from './compression.ts';
import { expandFile } from './shrink.ts';

/** A volume that is there. */
export interface PresentVolume {
  folder: string;
  volume: Volume;
  sums: Sum[];
}

/** A set that is open for reading. */
export interface ArchiveSet extends AsyncDisposable {
  folder: string;
  id: string;
  machine: string;
  created: string;
  method: MethodName;
  catalog: DatabaseSync;
  volumes: PresentVolume[];
  /** How many volumes the set has. */
  of: number;
  /** What is wrong with volumes, a sentence each. */
  problems: string[];
  /** Where an archive must lie; its file may be missing. */
  archivePath: (number: number, volume: number) => string;
}

/**
 * Opens a set: its directory, one of its volumes, or a directory of sets, of which the newest complete one is meant.
 * @throws MindiError when there is none, or its catalog is missing or damaged
 */
export async function openSet(path: string): Promise<ArchiveSet> {
  const folder = findSet(resolve(path));
  const there = presentVolumes(folder);
  const { volume, folder: last } = withCatalog(folder, there);
  const volumes = there.filter((one) => one.volume.set === volume.set);
  const work = await scratch('set');
  const close = async () => work[Symbol.asyncDispose]();
  try {
    const catalog = await openCatalogOf(last, volumes, work);
    const facts = Object.fromEntries(
      [...rows<{ name: string; value: string }>(catalog, 'SELECT * FROM facts')].map(({ name, value }) => [
        name,
        value,
      ]),
    );
    checkFacts(facts, folder);
    const method = facts.method as MethodName;
    const folders = new Map(volumes.map((one) => [one.volume.number, one.folder]));
    return {
      folder,
      id: volume.set,
      machine: volume.machine,
      created: volume.created,
      method,
      catalog,
      volumes,
      of: volume.of ?? volumes.length,
      problems: problemsOf(there, volume),
      archivePath: (number, one) =>
        join(folders.get(one) ?? join(folder, 'missing'), archiveName(number, METHODS[method].suffix)),
      [Symbol.asyncDispose]: async () => {
        catalog.close();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function checkFacts(facts: Record<string, string>, folder: string): void {
  if (Number(facts.format) === SET_FORMAT && Object.hasOwn(METHODS, facts.method ?? '')) return;
  throw new MindiError(
    `the set's format is ${facts.format}, compressed by ${facts.method}; this mindi knows format ${SET_FORMAT}`,
    {
      code: 'set.format',
      where: folder,
      hint: 'Use a newer mindi, or restore by hand as the README on the volumes says.',
    },
  );
}

function findSet(path: string): string {
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

function presentVolumes(folder: string): PresentVolume[] {
  return readFolder(folder)
    .filter((name) => /^volume-\d+$/.test(name))
    .flatMap((name) => {
      const path = join(folder, name);
      const volume = parseVolume(readText(join(path, VOLUME_FILE)));
      return volume ? [{ folder: path, volume, sums: parseSums(readText(join(path, SHA256SUMS))).sums }] : [];
    });
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** The volume with the catalog; of several sets (a volume of another one among them) the one most volumes are of. */
function withCatalog(folder: string, volumes: readonly PresentVolume[]): PresentVolume {
  const count = (set: string) => volumes.filter(({ volume }) => volume.set === set).length;
  const [found] = volumes
    .filter(({ folder: path }) => existsSync(join(path, CATALOG)))
    .toSorted((one, other) => count(other.volume.set) - count(one.volume.set));
  if (found) return found;
  const numbers = volumes.map(({ volume }) => volume.number).join(', ');
  const there = numbers ? `the volumes ${numbers}` : 'none';
  throw new MindiError(`the volume with the catalog, the last one, is missing; there are ${there}`, {
    code: 'set.no-catalog',
    where: folder,
    hint: 'Put it beside the others. Without it archives are restored by hand, as the README on each volume says.',
    exitCode: 1,
  });
}

function problemsOf(there: readonly PresentVolume[], { set, of, machine }: Volume): string[] {
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

async function openCatalogOf(folder: string, volumes: readonly PresentVolume[], work: Scratch): Promise<DatabaseSync> {
  const file = join(folder, CATALOG);
  const expected = volumes.find((one) => one.folder === folder)?.sums.find(({ path }) => path === CATALOG)?.sha256;
  if ((await hashFile(file)).sha256 !== expected) {
    throw new MindiError('the catalog is damaged', {
      code: 'set.catalog',
      where: file,
      hint: 'Its archives can be restored by hand, as the README on each volume says; `sha256sum -c SHA256SUMS` tells which are whole.',
      exitCode: 1,
    });
  }
  const copy = join(work.path, 'catalog.sqlite');
  await expandFile(file, copy);
  return new DatabaseSync(copy, { readOnly: true });
}
