import { existsSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hashFile } from '../../builder/cache.ts';
import { MindiError } from '../../contract/error.ts';
import type { Backup, Engine, Snapshot, SnapshotEntry, Store } from './engine.ts';
import { completeOnes, keptOnes, MARK, nextId } from './numbered.ts';
import { ask, type Call, FULL, failure, follow, lines } from './program.ts';
import { isName, type Source, unknown } from './source.ts';

/** GNU tar: each snapshot is one compressed archive in a directory, which may be a mounted server's. */
export const tar: Engine = {
  unable: (source) => unknown('tar', source, ['excludeLargerThan']),
  init: async ({ repository }) => void (await mkdir(repository, { recursive: true })),
  backup,
  snapshots,
  verify: async (store, id) => {
    const { file, sha256 } = await record(store, id);
    if (!existsSync(join(store.repository, file))) return [`${file} is missing`];
    const found = (await hashFile(join(store.repository, file))).sha256;
    return found === sha256 ? [] : [`${file} is damaged: its SHA-256 is not the one it was written with`];
  },
  list,
  extract: async (store, id, paths, to) => {
    const wanted = paths.map((path) => path.replace(/^\/+/, ''));
    const { file } = await record(store, id);
    const archive = `--file=${join(store.repository, file)}`;
    const { stderr } = await ask(callOf(store), [...EXTRACT, archive, `--directory=${to}`, '--', ...wanted], [2]);
    return said(stderr);
  },
  prune: async (store, keep) => {
    const there = await snapshots(store);
    const kept = keptOnes(store.name, store.machine, there, keep);
    const removed = there.map(({ id }) => id).filter((id) => !kept.has(id));
    for (const id of removed) {
      const { file } = await record(store, id);
      // The mark first: an archive without one counts as none.
      await rm(join(store.repository, `${id}${MARK}`));
      await rm(join(store.repository, file), { force: true });
    }
    return removed;
  },
  onMedium: ({ repository, name, environment }, id) => ({
    sets: [],
    // Of several the newest; what is being written has another ending.
    command: ['sh', '-c', NEWEST, 'sh', `${repository}/${id ?? `${name}-[0-9]*`}.tar*`, ...EXTRACT],
    environment: { ...environment },
    warningCodes: [],
  }),
};

const KEEPING = ['--numeric-owner', '--xattrs', '--acls'];
const EXTRACT = ['--extract', '--auto-compress', '--preserve-permissions', ...KEEPING, '--xattrs-include=*'];
const NEWEST = 'for newest in $1; do :; done; shift; exec tar "$@" --file="$newest"';
/** While it is written. */
const PART = '.part';

const callOf = (store: Store): Call => ({
  program: 'tar',
  env: { ...store.environment },
  where: store.repository,
  meanings: [FULL],
});

interface TarRecord extends Snapshot {
  machine: string;
  file: string;
  sha256: string;
}

async function record({ repository }: Store, id: string): Promise<TarRecord> {
  return JSON.parse(await readFile(join(repository, `${id}${MARK}`), 'utf8')) as TarRecord;
}

const PROGRAMS = {
  zstd: ['zstd -T0', '.zst'],
  gzip: ['gzip', '.gz'],
  xz: ['xz -T0', '.xz'],
  lzo: ['lzop', '.lzo'],
} as const;

async function backup(store: Store, source: Source, progress: (what: string) => void): Promise<Backup> {
  const there = await snapshots(store);
  const id = nextId(store.name, there);
  const [program, suffix] = source.compression === 'none' ? [null, ''] : PROGRAMS[source.compression];
  const file = `${id}.tar${suffix}`;
  const part = join(store.repository, `${file}${PART}`);
  const words = [
    ...['--create', `--file=${part}`, '--format=pax', '--sparse', '--one-file-system', '--totals', ...KEEPING],
    ...(program ? [`--use-compress-program=${program}${source.level === null ? '' : ` -${source.level}`}`] : []),
    ...source.exclude.flatMap(exclusion),
    ...source.excludeTagged.map((tag) => (tag === 'CACHEDIR.TAG' ? '--exclude-caches' : `--exclude-tag=${tag}`)),
    ...newerThan(source.excludeOlderThan),
  ];
  let files = 0;
  const hear = () => {
    files += 1;
    if (files % 1000 === 0) progress(`${files} files`);
  };
  // 1: files changed while they were read; 2: some could not be read, or the archive not be written.
  const { exitCode, stderr } = await follow(
    callOf(store),
    [...words, '--verbose', '--', ...source.roots],
    [1, 2],
    hear,
  );
  if (exitCode === 2 && NOT_WRITTEN.test(stderr)) {
    await rm(part, { force: true });
    throw failure(callOf(store), stderr, exitCode);
  }
  const snapshot = { id, created: new Date().toISOString() };
  await complete(store, part, { ...snapshot, machine: store.machine, file });
  return {
    snapshot: id,
    files,
    bytes: Number(/^Total bytes written: (\d+)/m.exec(stderr)?.[1] ?? 0),
    added: (await stat(join(store.repository, file))).size,
    problems: said(stderr),
    missing: exitCode === 2,
  };
}

const NOT_WRITTEN = /Cannot write|Wrote only|No space left|Child returned status|Cannot open: .*\n?.*not recoverable/i;

/** For names in any directory, or for whole paths, in which `*` matches `/` as for find. */
function exclusion(pattern: string): string[] {
  const how = isName(pattern)
    ? ['--no-anchored', '--no-wildcards-match-slash']
    : ['--anchored', '--wildcards-match-slash'];
  return ['--wildcards', ...how, `--exclude=${pattern}`];
}

const newerThan = (minutes: number | null) =>
  minutes === null ? [] : [`--newer-mtime=@${Math.floor(Date.now() / 1000) - 60 * minutes}`];

/** Gives the archive its name, and its mark, when all of it is on the disk. */
async function complete({ repository }: Store, part: string, facts: Omit<TarRecord, 'sha256'>): Promise<void> {
  const handle = await open(part, 'r');
  await handle.sync();
  await handle.close();
  const { sha256 } = await hashFile(part);
  await rename(part, join(repository, facts.file));
  const mark = join(repository, `${facts.id}${MARK}`);
  await writeFile(`${mark}${PART}`, `${JSON.stringify({ ...facts, sha256 }, null, 2)}\n`, { flush: true });
  await rename(`${mark}${PART}`, mark);
}

const said = (stderr: string) => stderr.split('\n').filter((line) => line !== '' && !TALK.test(line));
/** What tar says of every run. */
const TALK =
  /time stamp .* in the future|implausibly old time stamp|^Total bytes|Removing leading|Exiting with failure status|: socket ignored$|file is on a different filesystem/;

async function snapshots({ repository, name }: Store): Promise<Snapshot[]> {
  const files = await readdir(repository).catch(() => {
    throw new MindiError('there is no such directory', {
      code: 'engine.refused',
      where: repository,
      hint: 'Mount it, or correct archive.to.repository, or make it: `mindi archive PROFILE --init`.',
      exitCode: 1,
    });
  });
  const marks = files.filter((file) => file.endsWith(MARK));
  const times = await Promise.all(marks.map(async (file) => (await stat(join(repository, file))).mtime.toISOString()));
  return completeOnes(
    name,
    marks.map((file, index) => ({ name: file, time: times[index] ?? '' })),
  );
}

/** `-rw-r--r-- 0/0 5 2026-01-31 12:00 path -> target`, or ` link to target`. */
const LINE = /^(\S{10,11}) (\d+\/\d+) +([\d,]+) (\d{4}-\d\d-\d\d \d\d:\d\d) (.*)$/;

async function* list(store: Store, id: string): AsyncGenerator<SnapshotEntry> {
  const { file } = await record(store, id);
  const words = ['--list', '--verbose', '--numeric-owner', '--utc', `--file=${join(store.repository, file)}`];
  for await (const line of lines(callOf(store), words)) {
    const [, mode = '', owner = '', size = '', time = '', rest = ''] = LINE.exec(line) ?? [];
    if (mode === '') continue;
    const arrow = mode.startsWith('l') ? ' -> ' : mode.startsWith('h') ? ' link to ' : undefined;
    const [path = '', target] = arrow ? rest.split(arrow) : [rest];
    const bytes = size.includes(',') ? 0 : Number(size);
    yield {
      path: `/${path.replace(/^\.\//, '').replace(/\/$/, '')}`,
      mode,
      owner,
      size: bytes,
      time,
      ...(target ? { target } : {}),
    };
  }
}
