import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import type { Backup, Engine, Snapshot, SnapshotEntry, Store } from './engine.ts';
import { modeText, shortTime } from './entry.ts';
import { ask, type Call, FULL, follow, keepOptions, lines, type Meaning } from './program.ts';
import { eachStar, isName, type Source, unknown } from './source.ts';

/** restic: deduplicated and encrypted snapshots, on disks, SFTP, REST and S3. https://restic.readthedocs.io */
export const restic: Engine = {
  unable: (source) => unknown('restic', source, ['excludeOlderThan']),
  init: async (store) => void (await ask(callOf(store), ['init'])),
  backup,
  snapshots,
  verify: async (store, _id) => {
    const { exitCode, stdout, stderr } = await ask(callOf(store), ['check'], [1]);
    return exitCode === 0
      ? []
      : `${stdout}\n${stderr}`.split('\n').filter((line) => /^(error|Fatal|pack|tree)/i.test(line));
  },
  list,
  extract: async (store, id, paths, to) => {
    const include = paths.map((path) => `--include=${escapedPath(path)}`);
    const { exitCode, stderr } = await ask(callOf(store), ['restore', id, `--target=${to}`, ...include], [1]);
    // What is not in the snapshot, restic does not tell.
    const absent = paths.filter((path) => !lstatSync(join(to, path), { throwIfNoEntry: false }));
    return [...(exitCode === 0 ? [] : said(stderr)), ...absent.map((path) => `${path} did not come back`)];
  },
  prune: async (store, keep) => {
    const answer = await ask(callOf(store), [
      'forget',
      '--json',
      ...own(store),
      '--group-by=host',
      ...keepOptions(keep),
    ]);
    const groups = JSON.parse(answer.stdout || '[]') as { remove: { id: string }[] | null }[];
    const removed = groups.flatMap(({ remove }) => remove ?? []).map(({ id }) => id);
    if (removed.length > 0) await ask(callOf(store), ['prune']);
    return removed;
  },
  onMedium: (store, id) => ({
    sets: ['restic'],
    command: [
      'restic',
      'restore',
      ...(id === null ? ['latest', ...own(store)] : [id]),
      '--target',
      '/mnt/RESTORING',
      '--no-cache',
      // What is mounted read-only takes no lock.
      ...(store.repository.startsWith('/') ? ['--no-lock'] : []),
    ],
    environment: environmentOf(store),
    warningCodes: [],
  }),
};

const MEANINGS: Meaning[] = [
  FULL,
  {
    pattern: /Is there a repository at the following location|repository does not exist/i,
    message: 'there is no restic repository',
    hint: 'Correct archive.to.repository, or make it: `mindi archive PROFILE --init`.',
  },
  {
    pattern: /wrong password|no key found/i,
    message: 'the password is not that of the repository',
    hint: 'Name the file with it: archive.to.passwordFile.',
  },
  {
    pattern: /config file already exists|already initialized/i,
    message: 'there is a restic repository already',
    hint: 'Leave --init out.',
  },
  {
    pattern: /Resolving password failed|password is required|empty password|an empty password/i,
    message: 'restic wants a password',
    hint: 'Name the file with it: archive.to.passwordFile.',
  },
];

function environmentOf({ repository, passwordFile, environment }: Store): Record<string, string> {
  return {
    RESTIC_REPOSITORY: repository,
    ...(passwordFile ? { RESTIC_PASSWORD_FILE: passwordFile } : {}),
    ...environment,
  };
}

const callOf = (store: Store): Call => ({
  program: 'restic',
  // Lines of progress on a pipe, too.
  env: { ...environmentOf(store), RESTIC_PROGRESS_FPS: '1' },
  where: store.repository,
  meanings: MEANINGS,
});

/** Which snapshots are mindi's, of this profile and machine. */
const own = ({ name, machine }: Store) => [`--host=${machine}`, `--tag=mindi-${name}`];

interface Message {
  message_type?: string;
  files_done?: number;
  bytes_done?: number;
  snapshot_id?: string;
  total_files_processed?: number;
  total_bytes_processed?: number;
  data_added?: number;
}

async function backup(store: Store, source: Source, progress: (what: string) => void): Promise<Backup> {
  const { excludeLargerThan: largest } = source;
  const options = [
    ...['backup', '--json', '--one-file-system', ...own(store)],
    ...source.exclude.flatMap(globs).map((glob) => `--exclude=${glob}`),
    ...source.excludeTagged.map((tag) => (tag === 'CACHEDIR.TAG' ? '--exclude-caches' : `--exclude-if-present=${tag}`)),
    ...(largest === null ? [] : [`--exclude-larger-than=${largest}`]),
  ];
  let summary: Message = {};
  const hear = (line: string) => {
    const message = parsed(line);
    if (message.message_type === 'summary') summary = message;
    if (message.message_type === 'status')
      progress(`${message.files_done ?? 0} files, ${((message.bytes_done ?? 0) / 1e6).toFixed(0)} MB`);
  };
  // 3: not everything could be read, the snapshot is there.
  const { exitCode, stderr } = await follow(callOf(store), [...options, '--', ...source.roots], [3], hear);
  return {
    snapshot: summary.snapshot_id ?? '',
    files: summary.total_files_processed ?? 0,
    bytes: summary.total_bytes_processed ?? 0,
    added: summary.data_added ?? null,
    problems: said(stderr),
    missing: exitCode === 3,
  };
}

function parsed(line: string): Message {
  try {
    return JSON.parse(line) as Message;
  } catch {
    return {};
  }
}

/** Complaints, which are JSON where restic speaks it. */
function said(stderr: string): string[] {
  return stderr
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const { item, error } = parsed(line) as { item?: string; error?: { message?: string; Err?: string } };
      return item ? `${item}: ${error?.message ?? JSON.stringify(error)}` : line;
    });
}

async function snapshots(store: Store): Promise<Snapshot[]> {
  const { stdout } = await ask(callOf(store), ['snapshots', '--json', ...own(store)]);
  const all = (JSON.parse(stdout || '[]') ?? []) as { id: string; time: string }[];
  return all
    .map(({ id, time }) => ({ id, created: new Date(time).toISOString() }))
    .sort((one, other) => one.created.localeCompare(other.created));
}

interface Node {
  struct_type?: string;
  path: string;
  type: string;
  mode: number;
  uid: number;
  gid: number;
  size?: number;
  mtime: string;
  linktarget?: string;
}

/** Kinds of restic's nodes that are not what their mode says: Go has bits of its own there. */
const LETTERS: Record<string, string> = { dir: 'd', symlink: 'l', dev: 'b', chardev: 'c', fifo: 'p', socket: 's' };

async function* list(store: Store, id: string): AsyncGenerator<SnapshotEntry> {
  for await (const line of lines(callOf(store), ['ls', '--json', id])) {
    const node = JSON.parse(line) as Node;
    if (node.struct_type !== 'node') continue;
    const { path, type, mode, uid, gid, size = 0, mtime, linktarget } = node;
    yield {
      path,
      mode: modeText(LETTERS[type] ?? '-', mode),
      owner: `${uid}/${gid}`,
      size,
      time: shortTime(mtime),
      ...(linktarget ? { target: linktarget } : {}),
    };
  }
}

/** A `$` means a variable to restic in files of patterns only; a `!` at the beginning means the opposite. */
const escapedPath = (path: string) => path.replaceAll(/[\\*?[\]]/g, '\\$&');

/**
 * Restic's globs for one of find's, in which `*` matches `/`, too: `X*Y` is `X*Y` and, over directories, `X*` and
 * below it `*Y`.
 */
export function globs(pattern: string): string[] {
  const own = pattern.replace(/^!/, '\\!');
  if (isName(own)) return [own];
  return own
    .split('/')
    .map(variants)
    .reduce((all, parts) => all.flatMap((left) => parts.map((part) => `${left}/${part}`)));
}

/** Of what lies between two slashes: each `*` within it, or over directories. */
function variants(part: string): string[] {
  const [first = '', ...rest] = eachStar(part, STAR).split(STAR);
  return rest.reduce((all, text) => all.flatMap((left) => [`${left}*${text}`, `${left}*/**/*${text}`]), [first]);
}

/** Stands for a `*` that is one: no path has it. */
const STAR = '\0';
