import { closeSync, createReadStream, existsSync, openSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Decrypter } from 'age-encryption';
import { type Scratch, scratch } from '../builder/scratch.ts';
import {
  archiveName,
  CATALOG,
  IDENTITY,
  type MethodName,
  OPEN_CATALOG,
  SEALED_CATALOG,
  SET_FORMAT,
  volumeName,
} from '../contract/archive-set.ts';
import { MindiError } from '../contract/error.ts';
import { type OpenBase, openBases } from './bases.ts';
import { checked, checkSchema, text } from './checked.ts';
import { archiveSuffix, METHODS } from './compression.ts';
import { decrypterOf, type Keys, NO_KEYS } from './encryption/keys.ts';
import { SealedFile } from './encryption/sealed-file.ts';
import { findSet, problemsOf } from './find-set.ts';
import { Mender } from './parity/mender.ts';
import { shownPath } from './selection.ts';
import { type ReadVolume, SetVolumes } from './set-volumes.ts';
import { expandFile } from './shrink.ts';
import { type FetchedSet, fetchSet } from './sources/fetched.ts';
import { openSource, type SourceOptions } from './sources/open.ts';
import type { SetSource } from './sources/source.ts';

/** A set that is open for reading. */
export interface ArchiveSet extends AsyncDisposable {
  folder: string;
  id: string;
  machine: string;
  created: string;
  /** ISO 8601: as old as what it shows is at least. */
  at: string;
  method: MethodName;
  catalog: DatabaseSync;
  /** A copy of this process's own. */
  catalogPath: string;
  /** Of a differential set: number n of `members.base` is the n-th. */
  bases: OpenBase[];
  /** MachineRecord as JSON; empty where it was not kept. */
  record: string;
  /** Of an encrypted set. */
  decrypter: Decrypter | null;
  volumes: ReadVolume[];
  /** How many volumes the set has. */
  of: number;
  /** What is wrong with volumes, a sentence each. */
  problems: string[];
  /** Where an archive must lie; its file may be missing. */
  archivePath: (number: number, volume: number) => string;
  /** The same, once it is there to be read: until the next one is asked for. */
  fetchArchive: (number: number, volume: number) => Promise<string>;
  /** All files of a volume are there to be read. */
  fetchVolume: (volume: number) => Promise<void>;
  /** Where it is whole as its volume's parity repairs it; null when that cannot. The volume stays as it is. */
  mendArchive: (number: number, volume: number) => Promise<string | null>;
  /** Directories of volumes that were repaired so. */
  repaired: readonly string[];
}

export interface OpenOptions extends Partial<SourceOptions> {
  withBases?: boolean;
  /** Where it lies, opened already. */
  source?: SetSource;
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
  { withBases = true, source: given, ...options }: OpenOptions = {},
): Promise<ArchiveSet> {
  const work = await scratch('set');
  let fetched: FetchedSet | undefined;
  const close = async () => {
    await fetched?.[Symbol.asyncDispose]();
    await work[Symbol.asyncDispose]();
  };
  try {
    const source = given ?? (await openSource(path, { scratch: work.path, ...options }));
    fetched = source && (await fetchSet(source, work.path));
    const mender = new Mender(work.path);
    const set = await openFolder(fetched?.folder ?? findSet(resolve(path)), keys, work, mender);
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
      fetchVolume: async (volume) => there?.fetchVolume(volume),
      mendArchive: async (number, volume) => {
        const path = archivePath(number, volume);
        await there?.fetchVolume(volume);
        const whole = await mender.whole(dirname(path));
        return whole && join(whole, basename(path));
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
  mender: Mender,
): Promise<
  Omit<ArchiveSet, 'bases' | 'fetchArchive' | 'fetchVolume' | 'mendArchive' | typeof Symbol.asyncDispose> & {
    baseFact: string | undefined;
  }
> {
  const there = new SetVolumes(folder, mender);
  const { volume, from } = await there.withCatalog();
  const volumes = there.of(volume.set);
  const sealed = existsSync(join(from, SEALED_CATALOG));
  const decrypter = sealed ? await unlock(from, keys) : null;
  const copy = join(work.path, OPEN_CATALOG);
  await expandCatalog(join(from, sealed ? SEALED_CATALOG : CATALOG), copy, decrypter);
  const catalog = new DatabaseSync(copy, { readOnly: true });
  checkSchema(catalog);
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
    at: facts.at ?? volume.created,
    record: facts.machine_record ?? '',
    method,
    catalog,
    catalogPath: copy,
    baseFact: facts.bases,
    decrypter,
    volumes,
    of: volume.of ?? volumes.length,
    problems: [...there.problems, ...problemsOf(there.there, volume)],
    repaired: mender.repaired,
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

async function expandCatalog(file: string, to: string, decrypter: Decrypter | null): Promise<void> {
  const { size } = statSync(file);
  if (!decrypter) return expandFile(createReadStream(file), size, to);
  const descriptor = openSync(file, 'r');
  try {
    const sealed = await SealedFile.open(descriptor, decrypter);
    await expandFile(sealed.all(), size, to);
  } finally {
    closeSync(descriptor);
  }
}
