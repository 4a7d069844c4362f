import { existsSync } from 'node:fs';
import { start } from '../builder/run.ts';
import type { Trouble } from '../contract/archive-set.ts';
import { MindiError } from '../contract/error.ts';
import { BLOCK, HEADERS_LIMIT, readHeader, type TarHeader } from '../contract/tar.ts';
import { unquoted } from './walk.ts';
import { Window } from './window.ts';

/** Of this thread; one list is read at a time. */
const window = new Window(2 << 20);

const ARGUMENTS = [
  '--create',
  '--file=-',
  '--format=pax',
  '--blocking-factor=128',
  '--xattrs',
  '--acls',
  '--sparse',
  '--no-recursion',
  '--null',
  '--no-unquote',
  '--files-from=-',
  '--quoting-style=escape',
];
/** Asked of every file where the kernel knows labels; a system call a file. */
const SELINUX = '/sys/fs/selinux/enforce';

export interface Failure {
  path: string;
  trouble: Trouble;
  detail: string;
}

/** What becomes of a member while it passes by. */
export interface Visitor {
  /**
   * Takes the member's bytes, headers first, out of the window: `headers`, data, padding.
   * @param index the path's place in the list.
   */
  member: (header: TarHeader, index: number, window: Window) => Promise<void> | void;
}

/**
 * Has GNU tar read the files of a list (paths without `/` in front, a NUL behind each) and shows each member.
 * @param root the directory they are in; empty: /
 * @returns what tar said of files, and which of the list it did not give; paths in latin1.
 * @throws MindiError `archive.tar` when tar ended before its work did.
 */
export async function readMembers(list: Buffer, visitor: Visitor, root = ''): Promise<Failure[]> {
  const tar = start('tar', [`--directory=${root}/`, ...ARGUMENTS, ...(existsSync(SELINUX) ? ['--selinux'] : [])]);
  try {
    tar.stdin.end(list);
    const expected = new Expected(list);
    window.open(tar.stdout);
    for (let header = await next(window); header; header = await next(window)) {
      await visitor.member(header, expected.find(header.path), window);
    }
    await window.drain();
    const { exitCode, stderr } = await tar.ended;
    if (exitCode === null || exitCode > 2) throw ended(stderr);
    return expected.failures(complaints(stderr));
  } finally {
    tar.kill();
  }
}

async function next(window: Window): Promise<TarHeader | null> {
  for (let wanted = BLOCK; ; wanted = window.length + BLOCK) {
    if (wanted > HEADERS_LIMIT * 2 || !(await window.fill(wanted))) throw ended('');
    const header = readHeader(window.bytes, window.start, window.end);
    if (header === 'end') return null;
    if (header !== 'more') return header;
  }
}

const ended = (stderr: string) =>
  new MindiError(`tar ended in the middle of its work${stderr && `: ${stderr.trim()}`}`, {
    code: 'archive.tar',
    hint: 'Was it killed, or is the machine out of memory?',
    exitCode: 70,
  });

/** The list, in whose order tar gives members. */
class Expected {
  readonly #list: Buffer;
  #at = 0;
  #index = 0;
  readonly #missing: string[] = [];

  constructor(list: Buffer) {
    this.#list = list;
  }

  /** The index of a path; those before it that never came are noted. */
  find(path: Buffer): number {
    for (;;) {
      if (this.#at >= this.#list.length) {
        throw new MindiError(`tar gave ${path}, which it was not asked for`, { code: 'archive.tar', exitCode: 70 });
      }
      const end = this.#list.indexOf(0, this.#at);
      const found = this.#list.compare(path, 0, path.length, this.#at, end) === 0;
      if (!found) this.#missing.push(this.#list.toString('latin1', this.#at, end));
      this.#at = end + 1;
      this.#index += 1;
      if (found) return this.#index - 1;
    }
  }

  failures(said: Map<string, Failure>): Failure[] {
    const rest = this.#list.toString('latin1', this.#at).split('\0').slice(0, -1);
    for (const path of [...this.#missing, ...rest]) {
      const known = said.get(path);
      const trouble = known && known.trouble !== 'changed' ? known.trouble : 'vanished';
      said.set(path, { path, trouble, detail: known?.detail ?? '' });
    }
    return [...said.values()];
  }
}

/** What GNU tar says of a file, and what that means. */
const COMPLAINTS: [RegExp, Trouble][] = [
  [/: (file changed as we read it)$/, 'changed'],
  [/: (File shrank by \d+ bytes?; padding with zeros)$/, 'changed'],
  [/: (File removed before we read it)$/, 'vanished'],
  [/: Cannot \w+: (No such file or directory)$/, 'vanished'],
  [/: (socket ignored)$/, 'socket'],
  [/: Warning: (Cannot \w+: .*)$/, 'unreadable'],
  [/: (Cannot \w+: .*)$/, 'unreadable'],
  [/: (Read error at byte .*)$/, 'unreadable'],
];

function complaints(stderr: string): Map<string, Failure> {
  const found = new Map<string, Failure>();
  for (const line of stderr.split('\n')) {
    for (const [pattern, trouble] of COMPLAINTS) {
      const match = pattern.exec(line);
      if (!match?.[1] || !line.startsWith('tar: ')) continue;
      const path = unquoted(line.slice('tar: '.length, match.index));
      found.set(path, { path, trouble, detail: match[1] });
      break;
    }
  }
  return found;
}
