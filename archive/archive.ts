import { randomUUID } from 'node:crypto';
import { lstatSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { hashFile } from '../builder/cache.ts';
import type { Profile } from '../builder/profile/load.ts';
import { CATALOG, SEALED_CATALOG, type Trouble } from '../contract/archive-set.ts';
import { MindiError } from '../contract/error.ts';
import { parseMountinfo } from '../contract/mounts.ts';
import { closeCatalog, countTroubles, createCatalog, recordTroubles, rows, setFacts, setVolumes } from './catalog.ts';
import type { Base } from './differential.ts';
import { type SetKeys, setKeys } from './encryption/keys.ts';
import { storageProblem } from './failures.ts';
import type { Failure } from './members.ts';
import { pack } from './pack.ts';
import { bytesInUse, Progress } from './progress.ts';
import { ResumedFiles, type Unfinished, wholeArchives } from './resume.ts';
import { chooseRoots, isBelow, type Roots } from './roots.ts';
import { type ArchiveSettings, archiveLimit, nameOf, volumeLimit } from './settings.ts';
import { compressFile } from './shrink.ts';
import { LIVE, type ReadFrom } from './snapshots/read-from.ts';
import { openTarget } from './targets/index.ts';
import type { Target, TargetContext } from './targets/target.ts';
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
  /** Of each file system how it was read. */
  read: NonNullable<ReadFrom['told']>;
  /** Of a differential set: its base's name, how many files it takes from there, and how many of that are gone. */
  base?: string;
  kept?: number;
  deleted?: number;
}

/** What a run may need beside its settings. */
export interface ArchiveOptions {
  /** With media the first volume boots. */
  profile?: Profile;
  /** Asks the person at the terminal; without it nobody is there. */
  ask?: ((question: string) => Promise<string>) | undefined;
  /** The machine as it is when nothing is said. */
  from?: ReadFrom;
  /** What it has is not archived again: the set refers to it. */
  base?: Base | null;
  /** What the machine is, for `mindi check`: MachineRecord as JSON. */
  record?: string;
  /** The set that is gone on with; null: a new one. */
  resume?: Unfinished | null;
  /** Begins the set somewhere else than the settings say. */
  open?: (context: TargetContext) => Promise<Target>;
}

/**
 * Archives the chosen files of this machine into a new set. Until the set is whole it is marked as incomplete; sets that
 * are there are not touched.
 * @throws MindiError when something that is to be archived is not there, or the set cannot be written
 */
export async function archive(
  settings: ArchiveSettings,
  teller: ArchiveTeller,
  options: ArchiveOptions = {},
): Promise<ArchiveResult> {
  const { profile, ask = unanswered, from = LIVE, base = null, record = '', open = openTarget } = options;
  const { resume = null } = options;
  checkIncluded(settings.include);
  const keys = settings.encryption ? await setKeys(settings.encryption) : NOBODY;
  const work = [settings.scratch];
  try {
    await using target = await open({
      ...{ settings, profile: profile ?? null, note: teller.note, ask, resume: resume?.folder },
    });
    work.unshift(dirname(target.catalog));
    const run = await begin(settings, target, keys, { from, base, record, resume });
    // Closed already when all went well.
    using _catalog = run.catalog;
    teller.step('read');
    await readAll(run, settings, teller);
    await from.check?.();
    teller.step('finish');
    return await finish(run, settings, teller);
  } catch (error) {
    throw storageProblem(error, nameOf(settings.to), work) ?? error;
  }
}

const NOBODY: SetKeys = { recipients: [], identity: null };

const unanswered = async (question: string): Promise<string> => {
  throw new MindiError(`nobody is there to answer: ${question}`, {
    code: 'archive.unanswered',
    hint: 'Run it at a terminal.',
    exitCode: 1,
  });
};

interface Run {
  target: Target;
  keys: SetKeys;
  id: string;
  catalog: DatabaseSync;
  volumes: Volumes;
  /** Of each archive its volume. */
  places: ReadonlyMap<number, number>;
  from: ReadFrom;
  base: Base | null;
  /** What is in the set already, and the number of the last archive. */
  resumed: ResumedFiles | null;
  lastArchive: number;
  /** How many files it took from the base, and how many of that are gone. */
  kept: number;
  deleted: number;
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

async function begin(
  settings: ArchiveSettings,
  target: Target,
  keys: SetKeys,
  { from, base, record, resume }: Pick<Run, 'from' | 'base'> & { record: string; resume: Unfinished | null },
): Promise<Run> {
  const { name, volume, method, parity } = settings;
  const facts = {
    set: resume?.facts.set ?? randomUUID(),
    machine: hostname(),
    created: resume?.facts.created ?? new Date().toISOString(),
  };
  const more = { name, method, settings: JSON.stringify(settings), bases: JSON.stringify(base?.chain ?? []) };
  const read = { read: JSON.stringify(from.told ?? []), at: from.at ?? facts.created, machine_record: record };
  if (resume) setFacts(resume.catalog, { ...facts, ...more, ...read });
  const catalog = resume?.catalog ?? createCatalog(target.catalog, { ...facts, ...more, ...read });
  const places = new Map<number, number>();
  const placed = (number: number, archives: readonly number[]) => {
    for (const archive of archives) places.set(archive, number);
  };
  const volumes = new Volumes({ target, volume, method, keys, parity, facts: { ...facts, ...baseOf(base) }, placed });
  const run = { target, keys, id: facts.set, catalog, volumes, places, from, base, kept: 0, deleted: 0 };
  if (!resume) return { ...run, resumed: null, lastArchive: 0 };
  const archives = await wholeArchives(resume);
  await volumes.resume(archives);
  return { ...run, resumed: new ResumedFiles(resume), lastArchive: archives.at(-1)?.number ?? 0 };
}

const baseOf = (base: Base | null) => (base?.chain[0] ? { base: base.chain[0].id } : {});

async function readAll(run: Run, settings: ArchiveSettings, teller: ArchiveTeller): Promise<void> {
  const roots = chooseRoots(settings, parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8')));
  const troubles: Failure[] = [];
  const tell = (path: string, trouble: Trouble, detail = '') => {
    troubles.push({ path, trouble, detail });
    if (troubles.length >= TROUBLES_AT_ONCE) recordTroubles(run.catalog, troubles.splice(0));
  };
  const { target, volumes } = run;
  const limit = archiveLimit(settings.volume);
  const { root } = run.from;
  const limits = { ...whereTo(roots, root), bytes: limit, scratch: dirname(target.catalog), root };
  const known = run.base ?? run.resumed;
  const walking = { own: ownPaths(target, roots), from: run.from, times: known !== null };
  const units = unitsOf(walk(settings, roots, walking, tell), settings, limits, tell, known);
  const { method, level } = settings;
  const { recipients } = run.keys;
  const options = { folder: target.work, root, catalog: target.catalog, set: run.id, limit, method, level, recipients };
  // A differential set reads what changed: nobody knows how much that is.
  const expected = known === null ? bytesInUse(roots.starts.map((path) => root + path)) : null;
  const read = new Progress(expected, performance.now());
  await pack(
    units,
    options,
    { last: run.lastArchive, mayBegin: volumes.mayBegin },
    {
      progress: (moreFiles, moreBytes) => {
        read.add(moreFiles, moreBytes);
        teller.progress(read.words(volumes.count, performance.now()), 0, 0);
      },
      archive: async (archive) => {
        await volumes.add(archive);
        return volumes.mayBegin;
      },
    },
  );
  await volumes.settle();
  recordTroubles(run.catalog, troubles);
  if (run.base) Object.assign(run, run.base.copyInto(run.catalog));
  await run.resumed?.removeOthers(run.catalog);
}

const TROUBLES_AT_ONCE = 1000;

/** What this run writes, and where other sets lie; where such a directory itself is included, only what this run writes. */
function ownPaths({ own }: Target, { starts }: Roots): string[] {
  const chosen = (folder: string) => starts.some((path) => path === folder || isBelow(path, folder));
  return [...own.mine, ...own.others.filter((folder) => !chosen(folder))];
}

function whereTo({ starts, pseudo }: Roots, root: string) {
  return {
    devices: new Set(starts.map((path) => String(lstatSync(root + path).dev))),
    pseudo: new Set(pseudo.map((path) => Buffer.from(path.slice(1)).toString('latin1'))),
  };
}

/** The catalog onto the last volume, sums and README onto all; then the set gets its name. */
async function finish(run: Run, settings: ArchiveSettings, { note }: ArchiveTeller): Promise<ArchiveResult> {
  const { catalog, target, keys, volumes } = run;
  const name = keys.recipients.length > 0 ? SEALED_CATALOG : CATALOG;
  const [counted] = rows<{ files: number; bytes: number | null }>(
    catalog,
    'SELECT count(*) AS files, sum(size) AS bytes FROM members WHERE base IS NULL',
  );
  const [kept] = rows<{ archives: number; stored: number | null }>(
    catalog,
    'SELECT count(*) AS archives, sum(size) AS stored FROM archives',
  );
  const troubles = countTroubles(catalog);
  setVolumes(catalog, run.places);
  setFacts(catalog, { finished: new Date().toISOString() });
  closeCatalog(catalog);
  const path = join(target.work, name);
  await compressFile(target.catalog, path, keys.recipients);
  await rm(target.catalog);
  const { sha256, size } = await hashFile(path);
  const limit = volumeLimit(settings.volume, volumes.count + 1);
  if (limit !== null && size > limit)
    note(`the catalog has ${size} bytes: the last volume is bigger than archive.volume says`);
  await volumes.finish({ name, path, size, sha256 });
  return {
    set: target.set,
    id: run.id,
    files: counted?.files ?? 0,
    bytes: counted?.bytes ?? 0,
    stored: kept?.stored ?? 0,
    archives: kept?.archives ?? 0,
    volumes: volumes.count,
    troubles,
    read: run.from.told ?? [],
    ...(run.base ? { base: run.base.chain[0]?.name ?? '', kept: run.kept, deleted: run.deleted } : {}),
  };
}
