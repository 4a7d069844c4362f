import { randomUUID } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { hashFile } from '../builder/cache.ts';
import { parseMountinfo } from '../builder/mountlist/mounts.ts';
import {
  archiveName,
  CATALOG,
  INCOMPLETE,
  OPEN_CATALOG,
  parseSetName,
  setName,
  type Trouble,
} from '../contract/archive-set.ts';
import { MindiError } from '../contract/error.ts';
import { closeCatalog, countTroubles, createCatalog, recordTroubles, rows, setFacts } from './catalog.ts';
import { METHODS } from './compression.ts';
import { storageProblem } from './failures.ts';
import type { Failure } from './members.ts';
import { pack } from './pack.ts';
import { chooseRoots, isBelow, type Roots } from './roots.ts';
import { type ArchiveSettings, archiveLimit, volumeLimit } from './settings.ts';
import { compressFile } from './shrink.ts';
import { unitsOf } from './units.ts';
import { Volumes } from './volumes.ts';
import { walk } from './walk.ts';

/** What a run tells while it works. */
export interface ArchiveTeller {
  step: (name: 'read' | 'finish') => void;
  progress: (what: string, done: number, total: number) => void;
  note: (text: string) => void;
}

export interface ArchiveResult {
  /** The set's directory. */
  set: string;
  id: string;
  files: number;
  /** Of the files, and of the archives. */
  bytes: number;
  stored: number;
  archives: number;
  volumes: number;
  troubles: Partial<Record<Trouble, number>>;
}

/**
 * Archives the chosen files of this machine into a new set. Until the set is whole its directory ends in `.incomplete`;
 * sets that are there are not touched.
 * @throws MindiError when something that is to be archived is not there, or the set cannot be written
 */
export async function archive(settings: ArchiveSettings, teller: ArchiveTeller): Promise<ArchiveResult> {
  checkIncluded(settings.include);
  try {
    const run = await begin(settings, teller);
    teller.step('read');
    await readAll(run, settings, teller);
    teller.step('finish');
    return await finish(run, settings, teller);
  } catch (error) {
    throw storageProblem(error, directoryOf(settings)) ?? error;
  }
}

interface Run {
  /** Where the set will be, and where it is until then. */
  final: string;
  folder: string;
  id: string;
  created: string;
  catalog: DatabaseSync;
  volumes: Volumes;
}

function checkIncluded(paths: readonly string[]): void {
  const problems = paths
    .filter((path) => !lstatSync(path, { throwIfNoEntry: false }))
    .map(
      (path) =>
        new MindiError('there is nothing to archive', {
          code: 'archive.nothing',
          where: path,
          hint: 'Correct archive.include.',
        }),
    );
  if (problems.length > 0) throw MindiError.all(problems, 'these are not there', 'archive.nothing');
}

async function begin(settings: ArchiveSettings, { note }: ArchiveTeller): Promise<Run> {
  const { name, volume, method } = settings;
  const directory = directoryOf(settings);
  await mkdir(directory, { recursive: true });
  const sets = readdirSync(directory)
    .map(parseSetName)
    .filter((set) => set?.name === name);
  for (const set of sets)
    if (set && !set.complete)
      note(
        `${join(directory, setName(name, set.number))}${INCOMPLETE} was never finished; remove it if you need the room`,
      );
  const number = Math.max(0, ...sets.map((set) => set?.number ?? 0)) + 1;
  const final = join(directory, setName(name, number));
  const folder = `${final}${INCOMPLETE}`;
  await mkdir(folder, { mode: 0o700 });
  const id = randomUUID();
  const created = new Date().toISOString();
  const facts = { set: id, name, machine: hostname(), created, method, settings: JSON.stringify(settings) };
  const catalog = createCatalog(join(folder, OPEN_CATALOG), facts);
  return { final, folder, id, created, catalog, volumes: new Volumes({ folder, volume, method }) };
}

async function readAll(run: Run, settings: ArchiveSettings, teller: ArchiveTeller): Promise<void> {
  const roots = chooseRoots(settings, parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8')));
  const troubles: Failure[] = [];
  const tell = (path: string, trouble: Trouble, detail = '') => {
    troubles.push({ path, trouble, detail });
    if (troubles.length >= TROUBLES_AT_ONCE) recordTroubles(run.catalog, troubles.splice(0));
  };
  const limits = { ...whereTo(roots), bytes: archiveLimit(settings.volume), scratch: run.folder };
  const units = unitsOf(walk(settings, roots, ownPaths(run, settings, roots), tell), settings, limits, tell);
  const placed = run.catalog.prepare('UPDATE archives SET volume = ? WHERE number = ?');
  const options = {
    folder: run.folder,
    set: run.id,
    limit: archiveLimit(settings.volume),
    method: settings.method,
    level: settings.level,
  };
  let files = 0;
  let bytes = 0;
  await pack(
    units,
    { ...options, catalog: join(run.folder, OPEN_CATALOG) },
    {
      progress: (moreFiles, moreBytes) => {
        files += moreFiles;
        bytes += moreBytes;
        teller.progress(`${files} files, ${(bytes / 1e6).toFixed(0)} MB`, 0, 0);
      },
      archive: (number, size) => {
        for (const { number: one, volume } of run.volumes.add(number, size)) placed.run(volume, one);
      },
    },
  );
  recordTroubles(run.catalog, troubles);
}

const TROUBLES_AT_ONCE = 1000;

/** @throws MindiError where sets go anywhere else */
function directoryOf({ to }: ArchiveSettings): string {
  if ('directory' in to) return to.directory;
  throw new MindiError('sets are written to directories only', {
    code: 'archive.target',
    hint: 'archive: { to: { directory: /bkp } }',
  });
}

/** Where sets are written to; where that directory itself is included, only the set at hand. */
function ownPaths(run: Run, settings: ArchiveSettings, { starts }: Roots): string[] {
  const directory = directoryOf(settings);
  const chosen = starts.some((path) => path === directory || isBelow(path, directory));
  return [chosen ? run.folder : directory];
}

function whereTo({ starts, pseudo }: Roots) {
  return {
    devices: new Set(starts.map((path) => String(lstatSync(path).dev))),
    pseudo: new Set(pseudo.map((path) => Buffer.from(path.slice(1)).toString('latin1'))),
  };
}

/** The catalog onto the last volume, sums and README onto all; then the set gets its name. */
async function finish(run: Run, settings: ArchiveSettings, { note }: ArchiveTeller): Promise<ArchiveResult> {
  const { catalog, folder, volumes } = run;
  const [counted] = rows<{ files: number; bytes: number | null }>(
    catalog,
    'SELECT count(*) AS files, sum(size) AS bytes FROM members',
  );
  const [kept] = rows<{ archives: number; stored: number | null }>(
    catalog,
    'SELECT count(*) AS archives, sum(size) AS stored FROM archives',
  );
  const troubles = countTroubles(catalog);
  const sums = new Map<string, string>();
  const suffix = METHODS[settings.method].suffix;
  for (const { number, sha256 } of rows<{ number: number; sha256: Uint8Array }>(
    catalog,
    'SELECT number, sha256 FROM archives',
  ))
    sums.set(archiveName(number, suffix), Buffer.from(sha256).toString('hex'));
  setFacts(catalog, { finished: new Date().toISOString() });
  closeCatalog(catalog);
  await compressFile(join(folder, OPEN_CATALOG), join(folder, CATALOG));
  await rm(join(folder, OPEN_CATALOG));
  const { size } = await stat(join(folder, CATALOG));
  const limit = volumeLimit(settings.volume, volumes.count + 1);
  if (limit !== null && size > limit)
    note(`the catalog has ${size} bytes: the last volume is bigger than archive.volume says`);
  volumes.place(CATALOG, size, (await hashFile(join(folder, CATALOG))).sha256);
  await volumes.seal({ format: 1, set: run.id, machine: hostname(), created: run.created }, sums);
  if (existsSync(run.final))
    throw new MindiError('a set of that name has come while this one was written', {
      code: 'archive.twice',
      where: run.final,
      exitCode: 1,
    });
  await rename(folder, run.final);
  return {
    set: run.final,
    id: run.id,
    files: counted?.files ?? 0,
    bytes: counted?.bytes ?? 0,
    stored: kept?.stored ?? 0,
    archives: kept?.archives ?? 0,
    volumes: volumes.count,
    troubles,
  };
}
