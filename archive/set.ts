import { closeSync, createReadStream, existsSync, openSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Decrypter } from 'age-encryption';
import { hashFile } from '../builder/cache.ts';
import { type Scratch, scratch } from '../builder/scratch.ts';
import {
  archiveName,
  CATALOG,
  IDENTITY,
  type MethodName,
  OPEN_CATALOG,
  SEALED,
  SET_FORMAT,
  volumeName,
} from '../contract/archive-set.ts';
import { MindiError } from '../contract/error.ts';
import { type OpenBase, openBases } from './bases.ts';
import { checked, text } from './checked.ts';
import { archiveSuffix, METHODS } from './compression.ts';
import { decrypterOf, type Keys, NO_KEYS } from './encryption/keys.ts';
import { SealedFile } from './encryption/sealed-file.ts';
import { findSet, type PresentVolume, presentVolumes, problemsOf } from './find-set.ts';
import { shownPath } from './selection.ts';
import { expandFile } from './shrink.ts';
import { type FetchedSet, fetchSet } from './sources/fetched.ts';
import { openSource, type SourceOptions } from './sources/open.ts';

const SEALED_CATALOG = `${CATALOG}${SEALED}`;

/** A set that is open for reading. */
export interface ArchiveSet extends AsyncDisposable {
  folder: string;
  id: string;
  machine: string;
  created: string;
  method: MethodName;
  catalog: DatabaseSync;
  /** A copy of this process's own. */
  catalogPath: string;
  /** Of a differential set: number n of `members.base` is the n-th. */
  bases: OpenBase[];
  /** Of an encrypted set. */
  decrypter: Decrypter | null;
  volumes: PresentVolume[];
  /** How many volumes the set has. */
  of: number;
  /** What is wrong with volumes, a sentence each. */
  problems: string[];
  /** Where an archive must lie; its file may be missing. */
  archivePath: (number: number, volume: number) => string;
  /** The same, once it is there to be read: until the next one is asked for. */
  fetchArchive: (number: number, volume: number) => Promise<string>;
}

/**
 * Opens a set: its directory, one of its volumes, or a directory of sets, of which the newest complete one is meant; its
 * ISO files, a drive, an address.
 * @param options.withBases what a differential set takes files from is opened, too
 * @throws MindiError when there is none, or its catalog is missing or damaged; `set.sealed` when a key is needed
 */
export async function openSet(
  path: string,
  keys: Keys = NO_KEYS,
  { withBases = true, ...options }: Partial<SourceOptions> & { withBases?: boolean } = {},
): Promise<ArchiveSet> {
  const work = await scratch('set');
  let fetched: FetchedSet | undefined;
  const close = async () => {
    await fetched?.[Symbol.asyncDispose]();
    await work[Symbol.asyncDispose]();
  };
  try {
    const source = await openSource(path, { scratch: work.path, ...options });
    fetched = source && (await fetchSet(source, work.path));
    const set = await openFolder(fetched?.folder ?? findSet(resolve(path)), keys, work);
    const open = withBases ? (base: string) => openSet(base, keys, { withBases: false }) : null;
    const bases = await openBases(set.baseFact, set.folder, open);
    const there = fetched;
    const archivePath: ArchiveSet['archivePath'] = (number, volume) => {
      const path = set.archivePath(number, volume);
      return there ? join(there.folder, volumeName(volume), basename(path)) : path;
    };
    return {
      ...set,
      bases,
      folder: there?.name ?? set.folder,
      // Others are asked for when they are needed.
      problems: source?.next ? [] : set.problems,
      archivePath,
      fetchArchive: async (number, volume) => {
        const path = archivePath(number, volume);
        await there?.fetch(volume, basename(path));
        return path;
      },
      [Symbol.asyncDispose]: async () => {
        for (const base of bases) await base.set?.[Symbol.asyncDispose]();
        set.catalog.close();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Opens a directory of volumes. */
async function openFolder(
  folder: string,
  keys: Keys,
  work: Scratch,
): Promise<Omit<ArchiveSet, 'bases' | 'fetchArchive' | typeof Symbol.asyncDispose> & { baseFact: string | undefined }> {
  const there = presentVolumes(folder);
  const { volume, folder: last } = withCatalog(folder, there);
  const volumes = there.filter((one) => one.volume.set === volume.set);
  const sealed = existsSync(join(last, SEALED_CATALOG));
  const decrypter = sealed ? await unlock(last, keys) : null;
  const catalog = await openCatalogOf(last, volumes, work, decrypter);
  const facts = Object.fromEntries(
    [...checked<Fact>(catalog, FACT, 'SELECT * FROM facts')].map(({ name, value }) => [name, value]),
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
    catalogPath: join(work.path, OPEN_CATALOG),
    baseFact: facts.bases,
    decrypter,
    volumes,
    of: volume.of ?? volumes.length,
    problems: problemsOf(there, volume),
    archivePath: (number, one) =>
      join(folders.get(one) ?? join(folder, 'missing'), archiveName(number, archiveSuffix(method, sealed))),
  };
}

interface Fact {
  name: string;
  value: string;
}
const FACT = { name: text(/^/), value: text(/^/) };

function checkFacts(facts: Record<string, string>, folder: string): void {
  if (Number(facts.format) === SET_FORMAT && Object.hasOwn(METHODS, facts.method ?? '')) return;
  throw new MindiError(
    `the set's format is ${shown(facts.format)}, compressed by ${shown(facts.method)}; this mindi knows format ${SET_FORMAT}`,
    {
      code: 'set.format',
      where: folder,
      hint: 'Use a newer mindi, or restore by hand as the README on the volumes says.',
    },
  );
}

const shown = (text = 'unknown') => shownPath(Buffer.from(text));

const hasCatalog = (folder: string) => [CATALOG, SEALED_CATALOG].some((name) => existsSync(join(folder, name)));

/** The volume with the catalog; of several sets (a volume of another one among them) the one most volumes are of. */
function withCatalog(folder: string, volumes: readonly PresentVolume[]): PresentVolume {
  const count = (set: string) => volumes.filter(({ volume }) => volume.set === set).length;
  const [found] = volumes
    .filter(({ folder: path }) => hasCatalog(path))
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

async function unlock(folder: string, keys: Keys): Promise<Decrypter> {
  const own = join(folder, IDENTITY);
  const decrypter = await decrypterOf(keys, existsSync(own) ? readFileSync(own) : null);
  if (decrypter) return decrypter;
  throw new MindiError('the set is encrypted', {
    code: 'set.sealed',
    where: folder,
    hint: existsSync(own)
      ? '--passphrase-file FILE, or --identity FILE with a secret key.'
      : '--identity FILE with a secret key of age.',
  });
}

async function openCatalogOf(
  folder: string,
  volumes: readonly PresentVolume[],
  work: Scratch,
  decrypter: Decrypter | null,
): Promise<DatabaseSync> {
  const name = decrypter ? SEALED_CATALOG : CATALOG;
  const file = join(folder, name);
  const expected = volumes.find((one) => one.folder === folder)?.sums.find(({ path }) => path === name)?.sha256;
  if ((await hashFile(file)).sha256 !== expected) {
    throw new MindiError('the catalog is damaged', {
      code: 'set.catalog',
      where: file,
      hint: 'Its archives can be restored by hand, as the README on each volume says; `sha256sum -c SHA256SUMS` tells which are whole.',
      exitCode: 1,
    });
  }
  const copy = join(work.path, OPEN_CATALOG);
  await expandCatalog(file, copy, decrypter);
  return new DatabaseSync(copy, { readOnly: true });
}

async function expandCatalog(file: string, to: string, decrypter: Decrypter | null): Promise<void> {
  if (!decrypter) return expandFile(createReadStream(file), to);
  const descriptor = openSync(file, 'r');
  try {
    const sealed = await SealedFile.open(descriptor, decrypter);
    await expandFile(sealed.all(), to);
  } finally {
    closeSync(descriptor);
  }
}
