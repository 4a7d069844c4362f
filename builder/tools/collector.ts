import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { posix } from 'node:path';
import type { Contents, Entry, Reason } from '../../contract/manifest.ts';
import type { Piece } from '../piece.ts';
import { type Followed, type Link, merged, Tree } from './follow.ts';
import type { FileHashes } from './hashes.ts';
import { type Closure, Libraries } from './libraries.ts';

/** Interpreters the medium has anyway: busybox. */
const PROVIDED = ['/bin/sh', '/usr/bin/sh'];
/** What the kernel reads of a script's first line. linux/binfmts.h, BINPRM_BUF_SIZE */
const FIRST_LINE = 256;

/** What came of asking for one path. */
export interface Taken {
  /** False: there is nothing at that path. */
  found: boolean;
  /** Libraries and interpreters it needs that this machine lacks; nothing of it was taken then. */
  missing: string[];
}

const NOTHING: Taken = { found: false, missing: [] };

type FileItem = Followed & { why: Reason[] };

/** Gathers files of this machine with everything they need to run, each path once and with all its reasons. */
export class Collector {
  readonly #libraries: Libraries;
  readonly #hashes: FileHashes;
  readonly #tree: Tree;
  readonly #files = new Map<string, FileItem>();
  readonly #others = new Map<string, Entry>();
  readonly #taken = new Map<string, Taken>();
  readonly #directories = new Set<string>();

  constructor(root: string, hashes: FileHashes) {
    this.#tree = new Tree(root);
    this.#libraries = new Libraries(this.#tree);
    this.#hashes = hashes;
  }

  /** Whether a path leads to a file. */
  has(path: string): boolean {
    return this.#tree.follow(path)?.stats.isFile() ?? false;
  }

  /** Whether a path leads to a file that can be run. */
  isProgram(path: string): boolean {
    return this.has(path) && ((this.#tree.follow(path)?.stats.mode ?? 0) & 0o111) !== 0;
  }

  /**
   * Takes a file, or a directory with all that is in it: links, libraries, interpreters. Once for each rule.
   * @param at another place on the medium, where it replaces what is there
   * @throws MindiError for damaged or unreadable files.
   */
  take(path: string, why: Reason, at?: string): Taken {
    const key = `${why.rule}\n${path}\n${at}`;
    const before = this.#taken.get(key);
    if (before) return before;
    const taken = this.#take(path, why, at);
    this.#taken.set(key, taken);
    return taken;
  }

  #take(path: string, why: Reason, at?: string): Taken {
    const found = this.#tree.follow(path);
    if (!found) return NOTHING;
    const followed = at === undefined ? found : { ...found, path: merged(at), links: [] };
    if (followed.stats.isDirectory()) return this.#directory(followed, path, why, at);
    if (!followed.stats.isFile()) return NOTHING;
    const needs = this.#libraries.of(path);
    const interpreters = this.#interpreters(followed.source);
    const absent = interpreters.filter((interpreter) => !this.has(interpreter));
    const missing = [...needs.missing.map(({ soname }) => soname), ...absent];
    if (missing.length > 0) return { found: true, missing };
    if (at !== undefined) this.#files.delete(followed.path);
    this.#file(followed, path, why);
    this.#closure(needs, why);
    const via = [...(why.via ?? []), path];
    for (const interpreter of interpreters) this.take(interpreter, { ...why, via, kind: 'hard' });
    return { found: true, missing: [] };
  }

  #file(followed: Followed, asked: string, why: Reason): void {
    const kind = followed.links.length > 0 ? 'symlink' : (why.kind ?? 'named');
    const via = [...(why.via ?? []), ...(kind === 'symlink' ? [asked] : [])];
    const reason = { ...why, ...(via.length > 0 ? { via } : {}), kind };
    const there = this.#files.get(followed.path);
    if (there) addReason(there.why, reason);
    else this.#files.set(followed.path, { ...followed, why: [reason] });
    for (const link of followed.links) this.#link(link, why);
  }

  #closure(needs: Closure, { rule, via: above = [] }: Reason): void {
    for (const { path, source, via } of needs.files) {
      const reason: Reason = { rule, via: [...above, ...via], kind: 'library' };
      const there = this.#files.get(path);
      if (there) addReason(there.why, reason);
      else {
        const followed = this.#tree.follow(this.#tree.inside(source));
        if (followed) this.#files.set(path, { ...followed, why: [reason] });
      }
    }
    for (const { via, ...link } of needs.links) this.#link(link, { rule, via: [...above, ...via], kind: 'library' });
  }

  #link({ path, target }: Link, why: Reason): void {
    this.#other({ type: 'symlink', path, target, mode: 0o777, uid: 0, gid: 0, why: [why] });
  }

  #directory(followed: Followed, path: string, why: Reason, at?: string): Taken {
    for (const link of followed.links) this.#link(link, why);
    const key = `${why.rule}\n${followed.path}`;
    if (this.#directories.has(key)) return { found: true, missing: [] };
    this.#directories.add(key); // before what is in it, which may be a link back to it
    const mode = followed.stats.mode & 0o7777;
    this.#other({ type: 'directory', path: followed.path, mode, uid: 0, gid: 0, why: [why] });
    const missing = readdirSync(followed.source)
      .sort()
      .flatMap((name) => this.take(posix.join(path, name), why, at && posix.join(at, name)).missing);
    return { found: true, missing };
  }

  #other(entry: Entry): void {
    const there = this.#others.get(entry.path);
    if (there) for (const reason of entry.why) addReason(there.why, reason);
    else this.#others.set(entry.path, entry);
  }

  /** `#!/usr/bin/env bash` needs both. */
  #interpreters(source: string): string[] {
    const line = firstLine(source);
    const [program, argument] = /^#! *(\S+)(?: +(\S+))?/.exec(line)?.slice(1) ?? [];
    if (!program || PROVIDED.includes(program)) return [];
    if (posix.basename(program) !== 'env' || !argument || argument.startsWith('-')) return [program];
    return [program, ...(argument === 'sh' ? [] : [this.find(argument) ?? argument])];
  }

  /** Where a program is, by its name; a path is that path if something is there. */
  find(name: string): string | undefined {
    const candidates = name.includes('/') ? [name] : PROGRAM_DIRECTORIES.map((directory) => `${directory}/${name}`);
    return candidates.find((path) => this.has(path));
  }

  /** All that was taken, each file hashed. */
  async finish(): Promise<Piece> {
    const contents: Contents = new Map();
    const files = await Promise.all(
      [...this.#files.values()].map(async ({ path, source, stats, why }): Promise<Entry> => {
        const { sha256, size } = await this.#hashes.of(source);
        contents.set(sha256, { from: 'file', path: source });
        const mode = stats.mode & 0o7777;
        return { type: 'file', path, mode, uid: 0, gid: 0, why, size, sha256, origin: this.#tree.inside(source) };
      }),
    );
    return { entries: [...files, ...this.#others.values()], contents };
  }
}

/** Where programs are looked for, in order. */
const PROGRAM_DIRECTORIES = ['/usr/sbin', '/usr/bin', '/sbin', '/bin', '/usr/local/sbin', '/usr/local/bin'];

/** The first reason of each rule is enough. */
function addReason(reasons: Reason[], reason: Reason): void {
  if (!reasons.some(({ rule }) => rule === reason.rule)) reasons.push(reason);
}

function firstLine(path: string): string {
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(FIRST_LINE);
    const length = readSync(file, buffer, 0, FIRST_LINE, 0);
    return buffer.toString('latin1', 0, length).split('\n', 1)[0] ?? '';
  } finally {
    closeSync(file);
  }
}
