import { lstatSync } from 'node:fs';
import { start } from '../builder/run.ts';
import type { Trouble } from '../contract/archive-set.ts';
import { MindiError } from '../contract/error.ts';
import { isBelow, type Roots } from './roots.ts';
import type { ArchiveSettings } from './settings.ts';
import { SNAPSHOT_NAME } from './snapshots/kind.ts';
import type { ReadFrom } from './snapshots/read-from.ts';

/** A file as find tells it. */
export interface Found {
  /** `find -printf %y`: f, d, l, p, s, c, b. */
  type: string;
  links: number;
  /** Bytes it takes in a tar archive, about. */
  size: number;
  /** Of a file. */
  bytes: number;
  /** mtime and ctime, as find tells them; only when asked for. */
  times?: string;
  /** The last 15 digits of it. */
  inode: number;
  /** Of what has several names: device and inode. */
  identity: string;
  /** Of a directory. */
  device: string;
  /** Without `/` in front; latin1, a character for each byte. */
  path: string;
}

/** Somebody to tell of what is not in the set as it should be. Paths as in `Found`. */
export type Tell = (path: string, trouble: Trouble, detail?: string) => void;

/** Type, links, bytes, blocks of 512 bytes, device, inode and path; with times before the path. */
const FORMAT = '%y %n %s %b %D %i %p\\0';
const FORMAT_WITH_TIMES = '%y %n %s %b %D %i %T@ %C@ %p\\0';

/** How a walk goes. */
export interface WalkOptions {
  /** Paths of this run's own, which are left out. */
  own: readonly string[];
  from: ReadFrom;
  /** `times` are wanted. */
  times: boolean;
}

/** Every file below the starts, directories before what is in them. */
export async function* walk(
  settings: ArchiveSettings,
  roots: Roots,
  options: WalkOptions,
  tell: Tell,
): AsyncGenerator<Found[]> {
  const { root } = options.from;
  const starts = distinct(roots.starts.map((path) => root + path));
  const find = start('find', findArguments(settings, { ...roots, starts }, options));
  const parse = (record: string) => parseFound(record, root.length, options.times);
  find.stdin.end();
  let rest = '';
  let last = '';
  let whole = false;
  try {
    for await (const chunk of find.stdout) {
      const records = (rest + (chunk as Buffer).toString('latin1')).split('\0');
      rest = records.pop() ?? '';
      const found = records.map(parse);
      last = found.at(-1)?.path ?? last;
      yield found;
    }
    whole = true;
  } finally {
    if (!whole) find.kill();
  }
  const { exitCode, stderr } = await find.ended;
  for (const line of stderr.split('\n').filter(Boolean)) {
    const [, path, detail] = /^find: '(.*)': (.*)$/.exec(line) ?? [];
    if (path !== undefined) tell(unquoted(path).slice(root.length).replace(/^\/+/, ''), goneOrNot(detail), detail);
  }
  if (exitCode === 0 || exitCode === 1) return;
  throw new MindiError(`find ended in the middle of its work, at /${last}: ${stderr.trim()}`, {
    code: 'archive.find',
    exitCode: 70,
  });
}

const goneOrNot = (detail = ''): Trouble => (/No such file/.test(detail) ? 'vanished' : 'unreadable');

/** A start below another one is walked by that, unless it is on another file system. */
function distinct(starts: readonly string[]): string[] {
  const device = (path: string) => lstatSync(path).dev;
  return starts.filter(
    (path) => !starts.some((other) => other !== path && isBelow(path, other) && device(path) === device(other)),
  );
}

function findArguments(
  settings: ArchiveSettings,
  { starts, binds }: Roots,
  { own, from, times }: WalkOptions,
): string[] {
  const { root } = from;
  const print = ['-printf', times ? FORMAT_WITH_TIMES : FORMAT];
  const left = leftOut(settings, own, root);
  const whole = binds.flatMap((path) => ['-path', escaped(root + path), '-prune', ...print, '-o']);
  return [
    ...starts,
    '-xdev',
    '(',
    ...left.flatMap((test, n) => (n === 0 ? test : ['-o', ...test])),
    ')',
    '-prune',
    '-o',
    ...whole,
    ...print,
  ];
}

/** Tests of find for what is not archived. In its globs `*` matches `/`, too. */
function leftOut(settings: ArchiveSettings, own: readonly string[], root: string): string[][] {
  const { excludeLargerThan, excludeOlderThan } = settings;
  const tests = [['-name', `.${SNAPSHOT_NAME}*`], ...own.map((path) => ['-path', escaped(root + path)])];
  for (const glob of settings.exclude)
    tests.push(glob.includes('/') ? ['-path', escaped(root) + glob] : ['-name', glob]);
  if (excludeLargerThan !== null) tests.push(['-type', 'f', '-size', `+${excludeLargerThan}c`]);
  if (excludeOlderThan !== null) tests.push(['-type', 'f', '-mmin', `+${excludeOlderThan}`]);
  return tests;
}

const escaped = (path: string) => path.replaceAll(/[\\*?[\]]/g, '\\$&');

/** Bytes of a member's headers: an extended one, its records, its own. */
const HEADERS = 1536;

/**
 * A record of find's. There are millions: numbers are read where they stand, texts are made only of what is asked for.
 * @param prefix letters in front of the path that are not its own
 */
function parseFound(record: string, prefix: number, withTimes: boolean): Found {
  const type = record[0] as string;
  let at = 2;
  const number = () => {
    let value = 0;
    for (let digit = record.charCodeAt(at) - ZERO; digit >= 0; digit = record.charCodeAt(at) - ZERO) {
      value = value * 10 + digit;
      at += 1;
    }
    at += 1;
    return value;
  };
  const links = number();
  const size = number();
  const blocks = number();
  const device = at;
  number();
  const start = at;
  const inode = number();
  const end = at - 1;
  if (withTimes) at = record.indexOf(' ', record.indexOf(' ', at) + 1) + 1;
  const bytes = type === 'f' ? size : 0;
  // What takes fewer blocks than it has bytes has holes, which are not archived.
  const stored = bytes > 1 << 20 ? Math.min(bytes, 512 * blocks) : bytes;
  return {
    type,
    links,
    size: HEADERS + 512 * Math.ceil(stored / 512),
    bytes,
    inode: end - start > INODE_DIGITS ? lastDigits(record.slice(start, end)) : inode,
    identity: links > 1 && type !== 'd' ? record.slice(device, end) : '',
    device: type === 'd' ? record.slice(device, start - 1) : '',
    path: relativePath(record, at + prefix),
    ...(withTimes ? { times: record.slice(end + 1, at - 1) } : null),
  };
}

const ZERO = 0x30;
const INODE_DIGITS = 15;
/** Enough of an inode's number to tell two apart, and exact as a number of JavaScript's. */
export const lastDigits = (inode: string) => Number(inode.slice(-INODE_DIGITS));

/** `/` itself is `.`. */
const relativePath = (record: string, start: number) => record.slice(record[start] === '/' ? start + 1 : start) || '.';

/** A name as programs quote it in messages, in the C locale: `\n`, `\\`, `\'`, `\303`. */
export function unquoted(text: string): string {
  const letters: Record<string, string> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', v: '\v', f: '\f' };
  return text.replaceAll(/\\([0-7]{3}|.)/gs, (_, code: string) =>
    code.length === 3 ? String.fromCharCode(Number.parseInt(code, 8)) : (letters[code] ?? code),
  );
}
