import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { scratch } from '../../builder/scratch.ts';
import type { Backup, Engine, Snapshot, SnapshotEntry, Store } from './engine.ts';
import { shortTime } from './entry.ts';
import { completeOnes, keptOnes, MARK, nextId } from './numbered.ts';
import { ask, type Call, FULL, follow, lines, type Meaning } from './program.ts';
import { eachStar, isName, type Source, unknown } from './source.ts';

/**
 * rsync: each snapshot is a directory with the files as they are, those that did not change as hard links to the
 * snapshot before; on a disk, over SSH, or by rsync's own server, and with nothing but rsync at either end.
 */
export const rsync: Engine = {
  unable: (source) => unknown('rsync', source, ['excludeTagged', 'excludeOlderThan']),
  init: async (store) => {
    await using empty = await scratch('rsync');
    await ask(callOf(store), ['-r', '--mkpath', `${empty.path}/`, `${store.repository}/`]);
  },
  backup,
  snapshots,
  verify: async (store, id) => {
    const { stdout } = await ask(callOf(store), ['--list-only', at(store, `${id}/`)]);
    return stdout.trim().split('\n').length > 1 ? [] : [`${at(store, id)} is empty`];
  },
  list,
  extract: async (store, id, paths, to) => {
    const wanted = paths.map((path) => at(store, `${id}/./${path.replace(/^\/+/, '')}`));
    const sources = wanted.length > 0 ? ['--relative', ...wanted] : [at(store, `${id}/`)];
    const { stderr } = await ask(callOf(store), [...KEEPING, ...sources, `${to}/`], PARTLY);
    return said(stderr);
  },
  prune: async (store, keep) => {
    const there = await snapshots(store);
    const kept = keptOnes(store.name, store.machine, there, keep);
    const removed = there.map(({ id }) => id).filter((id) => !kept.has(id));
    for (const id of removed) await remove(store, id);
    return removed;
  },
  onMedium: (store, id) => ({
    sets: [],
    command:
      id === null
        ? ['sh', '-c', NEWEST, 'sh', store.repository, store.name]
        : ['rsync', ...KEEPING, at(store, `${id}/`), '/mnt/RESTORING/'],
    environment: { ...store.environment },
    // 24: files vanished on the server meanwhile.
    warningCodes: [24],
  }),
};

/** Everything that a file has. */
const KEEPING = ['-aHAXS', '--numeric-ids'];
/** The directory whose mark is the last one. */
const NEWEST = `newest=$(rsync --list-only "$1/" | sed -n "s/.* \\($2-[0-9]*\\)\\.json\\$/\\1/p" | sort | tail -n 1) &&
exec rsync ${KEEPING.join(' ')} "$1/$newest/" /mnt/RESTORING/`;
/** Exit codes: some files could not be transferred; some vanished. rsync(1) */
const PARTLY = [23, 24];

const MEANINGS: Meaning[] = [
  FULL,
  {
    pattern: /(change_dir|mkdir|link_stat) .*failed: No such file or directory/i,
    message: 'there is no such directory',
    hint: 'Correct archive.to.repository, or make it: `mindi archive PROFILE --init`.',
  },
  {
    pattern: /Permission denied \(publickey|Host key verification failed|Connection refused|Could not resolve/i,
    message: 'the server does not let rsync in',
    hint: 'Try `ssh -o BatchMode=yes USER@SERVER true`; a key of your own goes into archive.to.environment, RSYNC_RSH.',
  },
];

const callOf = (store: Store): Call => ({
  program: 'rsync',
  env: { RSYNC_RSH: 'ssh -o BatchMode=yes', TZ: 'UTC', ...store.environment },
  where: store.repository,
  meanings: MEANINGS,
});

const at = ({ repository }: Store, name: string) => `${repository.replace(/\/+$/, '')}/${name}`;

async function backup(store: Store, source: Source, progress: (what: string) => void): Promise<Backup> {
  const there = await snapshots(store);
  const before = there.at(-1);
  const id = nextId(store.name, there);
  const largest = source.excludeLargerThan;
  const options = [
    ...[...KEEPING, '--relative', '--one-file-system', '--delete', '--delete-excluded', '--stats', '--info=progress2'],
    // What was begun and not finished is gone on with.
    ...(before ? [`--link-dest=../${before.id}`] : []),
    ...source.exclude.map((pattern) => `--exclude=${isName(pattern) ? pattern : eachStar(pattern, '**')}`),
    ...(largest === null ? [] : [`--max-size=${largest}`]),
  ];
  const stats: string[] = [];
  const hear = (line: string) => {
    const [, bytes, share] = /^ +([\d,]+) +(\d+)%/.exec(line) ?? [];
    if (bytes) progress(`${(number(bytes) / 1e6).toFixed(0)} MB, ${share} % of what is known`);
    else stats.push(line);
  };
  const words = [...options, '--', ...source.roots, at(store, `${id}/`)];
  const { exitCode, stderr } = await follow(callOf(store), words, PARTLY, hear);
  const snapshot = { id, created: new Date().toISOString() };
  await mark(store, snapshot, source);
  const value = (name: string) => number(stats.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2));
  return {
    snapshot: id,
    files: value('Number of files'),
    bytes: value('Total file size'),
    added: value('Total transferred file size'),
    problems: said(stderr),
    missing: exitCode === 23,
  };
}

/** `1,234 (reg: 1,000, dir: 234)` is 1234. */
const number = (text = '') => Number(/^[\d,]+/.exec(text)?.[0].replaceAll(',', '') ?? 0);

const said = (stderr: string) =>
  stderr.split('\n').filter((line) => line !== '' && !/^rsync error: some files/.test(line));

async function mark(store: Store, { id, created }: Snapshot, { roots }: Source): Promise<void> {
  await using work = await scratch('rsync');
  const file = join(work.path, `${id}${MARK}`);
  await writeFile(file, `${JSON.stringify({ id, created, machine: store.machine, roots }, null, 2)}\n`);
  await ask(callOf(store), ['--times', file, at(store, '')]);
}

/** The mark first: what is left when that is interrupted looks like no snapshot. */
async function remove(store: Store, id: string): Promise<void> {
  await using empty = await scratch('rsync');
  for (const name of [`${id}${MARK}`, id])
    await ask(callOf(store), [
      '-r',
      '--delete',
      `--include=/${name}`,
      `--include=/${name}/**`,
      '--exclude=*',
      `${empty.path}/`,
      at(store, ''),
    ]);
}

/** `drwxr-xr-x          4,096 2026/01/31 12:00:00 name`, with ` -> target` of a symlink. */
const LINE = /^(\S{10}) +([\d,]+) (\d{4})\/(\d\d)\/(\d\d) (\d\d:\d\d:\d\d) (.*)$/;

async function snapshots(store: Store): Promise<Snapshot[]> {
  const { stdout } = await ask(callOf(store), ['--list-only', at(store, '')]);
  const files = stdout.split('\n').flatMap((line) => {
    const [, , , year, month, day, time, name] = LINE.exec(line) ?? [];
    return name ? { name, time: `${year}-${month}-${day}T${time}.000Z` } : [];
  });
  return completeOnes(store.name, files);
}

async function* list(store: Store, id: string): AsyncGenerator<SnapshotEntry> {
  for await (const line of lines(callOf(store), ['--list-only', '--links', '-r', at(store, `${id}/`)])) {
    const [, mode = '', size, year, month, day, time, name = '.'] = LINE.exec(line) ?? [];
    if (name === '.') continue;
    const [path = '', target] = mode.startsWith('l') ? name.split(' -> ') : [name];
    yield {
      path: `/${path}`,
      mode,
      owner: '',
      size: number(size),
      time: shortTime(`${year}-${month}-${day}T${time}Z`),
      ...(target ? { target } : {}),
    };
  }
}
