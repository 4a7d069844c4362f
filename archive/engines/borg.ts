import type { Backup, Engine, Snapshot, SnapshotEntry, Store } from './engine.ts';
import { shortTime } from './entry.ts';
import { ask, type Call, FULL, follow, keepOptions, lines, type Meaning } from './program.ts';
import { eachStar, escaped, isName, type Source, unknown } from './source.ts';

/** BorgBackup: deduplicated and encrypted archives, on disks and over SSH. https://borgbackup.readthedocs.io */
export const borg: Engine = {
  unable: (source) => unknown('borg', source, ['excludeLargerThan', 'excludeOlderThan']),
  init: async (store) => {
    const encryption = store.passwordFile ? 'repokey-blake2' : 'none';
    await ask(callOf(store), ['init', '--make-parent-dirs', `--encryption=${encryption}`]);
  },
  backup,
  snapshots,
  verify: async (store, id) => {
    const { exitCode, stderr } = await ask(callOf(store), ['check', `::${id}`], [1]);
    return exitCode === 0 ? [] : said(stderr);
  },
  list,
  extract: async (store, id, paths, to) => {
    const wanted = paths.map((path) => path.replace(/^\/+/, ''));
    const { stderr } = await ask(callOf(store), ['extract', '--numeric-ids', `::${id}`, ...wanted], [1], to);
    return said(stderr);
  },
  prune: async (store, keep) => {
    const before = await snapshots(store);
    await ask(callOf(store), ['prune', `--glob-archives=${glob(store)}`, ...keepOptions(keep)]);
    const left = new Set((await snapshots(store)).map(({ id }) => id));
    const removed = before.map(({ id }) => id).filter((id) => !left.has(id));
    if (removed.length > 0) await ask(callOf(store), ['compact']);
    return removed;
  },
  onMedium: (store, id) => ({
    sets: ['borg'],
    // It starts in /mnt/RESTORING, where borg extracts to.
    command: extractCommand(store, id),
    environment: {
      ...environmentOf(store),
      // Borg is compiled at its start: once for both of them.
      PYTHONPYCACHEPREFIX: '/tmp/python',
      // The repository is known to no cache of the rescue system.
      BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes',
      BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes',
    },
    warningCodes: [1],
  }),
};

function extractCommand({ repository, ...store }: Store, id: string | null): string[] {
  // What is mounted read-only takes no lock.
  const locking = repository.startsWith('/') ? ['--bypass-lock'] : [];
  const words = ['borg', ...locking, 'extract', '--numeric-ids'];
  if (id !== null) return [...words, `::${id}`];
  const newest = ['borg', ...locking, 'list', '--last=1', '--short', `--glob-archives='${glob(store)}'`];
  return ['sh', '-c', `exec ${words.join(' ')} "::$(${newest.join(' ')})"`];
}

const MEANINGS: Meaning[] = [
  FULL,
  {
    pattern: /Repository .* does not exist|is not a valid repository/i,
    message: 'there is no borg repository',
    hint: 'Correct archive.to.repository, or make it: `mindi archive PROFILE --init`.',
  },
  {
    pattern: /passphrase supplied in .* is incorrect|passphrase .* is incorrect/i,
    message: 'the password is not that of the repository',
    hint: 'Name the file with it: archive.to.passwordFile.',
  },
  {
    pattern: /A repository already exists/i,
    message: 'there is a borg repository already',
    hint: 'Leave --init out.',
  },
  {
    pattern: /Failed to create\/acquire the lock/i,
    message: 'another run of borg writes there',
    hint: 'Wait until it is done. If none runs any more: `borg break-lock`.',
  },
];

function environmentOf({ repository, passwordFile, environment }: Store): Record<string, string> {
  const quoted = passwordFile && `'${passwordFile.replaceAll("'", `'"'"'`)}'`;
  return {
    BORG_REPO: repository,
    // Whoever says no password means a repository without one.
    ...(quoted ? { BORG_PASSCOMMAND: `cat ${quoted}` } : { BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes' }),
    ...environment,
  };
}

const callOf = (store: Store): Call => ({
  program: 'borg',
  env: environmentOf(store),
  where: store.repository,
  meanings: MEANINGS,
});

/** Archives of a profile and machine begin so; a date follows. */
const prefix = ({ name, machine }: Pick<Store, 'name' | 'machine'>) => `${machine}-${name}-`;
const DATE = '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]';
const glob = (store: Pick<Store, 'name' | 'machine'>) => `${escaped(prefix(store))}${DATE}`;

async function backup(store: Store, source: Source, progress: (what: string) => void): Promise<Backup> {
  const id = `${prefix(store)}${new Date().toISOString().slice(0, 19)}`;
  const options = [
    ...['create', '--json', '--one-file-system', '--numeric-ids'],
    ...source.exclude.map((pattern) => `--exclude=${excludePattern(pattern)}`),
    ...source.excludeTagged.map((tag) => (tag === 'CACHEDIR.TAG' ? '--exclude-caches' : `--exclude-if-present=${tag}`)),
    ...(source.excludeTagged.length > 0 ? ['--keep-exclude-tags'] : []),
    ...compression(source),
  ];
  progress(`snapshot ${id}`);
  let text = '';
  const { stderr } = await follow(callOf(store), [...options, `::${id}`, ...source.roots], [1], (line) => {
    text += line;
  });
  const { archive } = JSON.parse(text) as { archive: { stats: Record<string, number> } };
  const problems = said(stderr);
  return {
    snapshot: id,
    files: archive.stats.nfiles ?? 0,
    bytes: archive.stats.original_size ?? 0,
    added: archive.stats.deduplicated_size ?? null,
    problems,
    missing: problems.some((line) => !/file changed while we/.test(line)),
  };
}

/** fm: matches `*` with `/` as find does. */
function excludePattern(pattern: string): string {
  // Borg escapes by brackets.
  const own = eachStar(pattern, '*', (pair) => `[${pair.slice(1)}]`);
  if (isName(pattern)) return `fm:*/${own}`;
  return /[*?[\]]/.test(own) ? `fm:${own}` : `pp:${own}`;
}

function compression({ compression: method, level }: Source): string[] {
  if (method === 'none') return ['--compression=none'];
  // Borg has zlib and lzma instead of gzip and xz, lz4 in the place of lzo.
  const name = { zstd: 'zstd', gzip: 'zlib', xz: 'lzma', lzo: 'lz4' }[method];
  return [`--compression=${name}${level === null || name === 'lz4' ? '' : `,${level}`}`];
}

const said = (stderr: string) => stderr.split('\n').filter((line) => line.trim() !== '');

/** Borg writes times of this machine, without saying so. */
const instant = (time: string) => new Date(time).toISOString();

async function snapshots(store: Store): Promise<Snapshot[]> {
  const { stdout } = await ask(callOf(store), ['list', '--json', `--glob-archives=${glob(store)}`]);
  const { archives } = JSON.parse(stdout) as { archives: { name: string; start: string }[] };
  return archives.map(({ name, start }) => ({ id: name, created: instant(start) }));
}

interface Item {
  mode: string;
  uid: number;
  gid: number;
  size: number;
  isomtime: string;
  path: string;
  source?: string;
}

async function* list(store: Store, id: string): AsyncGenerator<SnapshotEntry> {
  const format = '--format={mode}{uid}{gid}{size}{isomtime}{path}{source}';
  for await (const line of lines(callOf(store), ['list', '--json-lines', format, `::${id}`])) {
    const { mode, uid, gid, size, isomtime, path, source } = JSON.parse(line) as Item;
    const time = shortTime(isomtime);
    yield { path: `/${path}`, mode, owner: `${uid}/${gid}`, size, time, ...(source ? { target: source } : {}) };
  }
}
