import { existsSync, lstatSync, mkdirSync } from 'node:fs';
import { basename } from 'node:path';
import { type Running, start } from '../builder/run.ts';
import { MindiError } from '../contract/error.ts';
import { BLOCK, hasRightSums, padded, readHeader, renamed, type TarHeader, writeHeader } from '../contract/tar.ts';
import { holderOf } from './bases.ts';
import { checked, count } from './checked.ts';
import { drained } from './drained.ts';
import { setFlags } from './flags.ts';
import { FrameReader, piecesOf } from './frames.ts';
import { above, below, CONTENTS_OF, type MemberRow, membersOf, missingIn, shownPath } from './selection.ts';
import type { ArchiveSet } from './set.ts';
import { ancestors } from './units.ts';
import { unquoted } from './walk.ts';

export interface ExtractOptions {
  /** Paths of files and directories; none: everything. */
  paths: readonly string[];
  /** Directory below which files come with their full paths. */
  to: string;
  /** Replace what is there. */
  overwrite: boolean;
  /** Of a differential set only what itself holds. */
  own?: boolean;
}

export interface ExtractResult {
  files: number;
  bytes: number;
  /** There already, and left as they are. */
  existing: string[];
  /** Not restored, or not as they were: a sentence each. */
  failed: string[];
  /** Volumes that were damaged, and read as their parity repaired them. */
  repaired: string[];
}

const ARGUMENTS = [
  '--extract',
  '--file=-',
  '--preserve-permissions',
  '--numeric-owner',
  '--xattrs',
  '--xattrs-include=*',
  '--acls',
  '--delay-directory-restore',
  '--quoting-style=escape',
  '--warning=no-timestamp',
];
/** What tar says of a full disk; of one that gets full in the middle of a write it only tells how far it came. */
const NO_ROOM = /No space left on device|Disk quota exceeded|: Wrote only \d+ of \d+ bytes/;
const SELINUX = '/sys/fs/selinux/enforce';

/**
 * Restores files of a set with all they had. Nothing is written outside `to`, nothing replaced unless asked for.
 * @throws MindiError `extract.nothing` when the set has none of the paths, `set.base` when they need a set that is missing, `extract.space` when the disk is full
 */
export async function extract(
  set: ArchiveSet,
  options: ExtractOptions,
  progress: (done: number) => void,
): Promise<ExtractResult> {
  checkPaths(set, options);
  mkdirSync(options.to, { recursive: true });
  const how = options.overwrite ? [] : ['--skip-old-files'];
  const selinux = existsSync(SELINUX) ? ['--selinux'] : [];
  const tar = start('tar', [...ARGUMENTS, ...how, ...selinux, `--directory=${options.to}`]);
  tar.stdout.resume();
  const run = new Extraction(set, options, tar);
  try {
    await run.feed(progress);
    const { stderr } = await tar.ended;
    await run.finish(stderr);
    return { ...run.result, repaired: set.repaired.map((folder) => basename(folder)) };
  } finally {
    tar.kill();
    run.close();
  }
}

function checkPaths(set: ArchiveSet, { paths, own = false }: ExtractOptions): void {
  const problems = missingIn(set.catalog, paths).map(
    (where) =>
      new MindiError('the set does not have this', {
        code: 'extract.nothing',
        where,
        hint: '`mindi list SET --find NAME` looks for it.',
      }),
  );
  if (problems.length > 0) throw MindiError.all(problems, 'the set does not have these', 'extract.nothing');
  if (own) return;
  const { sql, values } = below(paths);
  const needed = `SELECT DISTINCT base FROM members WHERE (${sql}) AND base IS NOT NULL`;
  for (const { base } of checked<{ base: number }>(set.catalog, { base: count }, needed, ...values))
    holderOf(set, base);
}

/** Undefined when there is none, or it is none of mindi's. */
function headerIn(bytes: Buffer): TarHeader | undefined {
  try {
    const header = readHeader(bytes, 0, bytes.length);
    return header === 'more' || header === 'end' ? undefined : header;
  } catch {
    return undefined;
  }
}

class Extraction {
  readonly result: ExtractResult = { files: 0, bytes: 0, existing: [], failed: [], repaired: [] };
  readonly #set: ArchiveSet;
  readonly #options: ExtractOptions;
  readonly #tar: Running;
  readonly #reader: FrameReader;
  /** Directories that were looked at: whether a file may be put there. */
  readonly #folders = new Map<string, boolean>([['', true]]);
  /** Files given to tar, by path in latin1: what hard links of this run can be links to. */
  readonly #targets = new Map<string, string>();
  /** Those of them that are not what they were: how, completing "… is damaged". */
  readonly #damaged = new Map<string, string>();
  readonly #flagged: [string, string][] = [];

  constructor(set: ArchiveSet, options: ExtractOptions, tar: Running) {
    this.#set = set;
    this.#options = options;
    this.#tar = tar;
    this.#reader = new FrameReader(set, { mends: true });
    // One that ends early takes no more.
    void tar.ended.catch(() => {}).then(() => tar.stdin.destroy());
  }

  async feed(progress: (done: number) => void): Promise<void> {
    const { paths, own = false } = this.#options;
    // Directories first: what lies in one may be in an archive with a lower number.
    const [folders, chosen] = [above(paths), below(paths)];
    const members = membersOf(
      this.#set.catalog,
      `WHERE ((type = 'directory' AND ${folders.sql}) OR ${chosen.sql}) ${own ? 'AND base IS NULL' : ''}
       ORDER BY type != 'directory', iif(type = 'directory', path, NULL), base, archive, start`,
      ...[...folders.values, ...chosen.values],
    );
    for (const member of members) {
      await this.#member(member);
      progress(this.result.bytes);
    }
    await this.#write(Buffer.alloc(2 * BLOCK));
    this.#tar.stdin.end();
  }

  close(): void {
    this.#reader.close();
  }

  async #member(member: MemberRow): Promise<void> {
    const path = Buffer.from(member.path).toString('latin1');
    if (!this.#mayWrite(path, member)) return;
    if (member.type === 'link') return this.#link(member, path);
    await this.#contents(member, path, member.path);
  }

  /** Nothing outside the target: no path that leads out, by itself or by a symbolic link that is there. */
  #mayWrite(path: string, member: MemberRow): boolean {
    const leadsOut = path.startsWith('/') || path.split('/').includes('..');
    if (leadsOut || !ancestors(path).every((folder) => this.#isFolder(folder))) {
      this.result.failed.push(`${shownPath(member.path)} leads out of the target: left out`);
      return false;
    }
    const there = lstatSync(this.#at(path), { throwIfNoEntry: false });
    // What this run puts there is no way to anywhere, a link that the set itself has least of all.
    if (member.type !== 'directory') this.#folders.set(path, false);
    if (!there || this.#options.overwrite || (member.type === 'directory' && there.isDirectory())) return true;
    this.result.existing.push(shownPath(member.path));
    return false;
  }

  #isFolder(folder: string): boolean {
    const known = this.#folders.get(folder);
    if (known !== undefined) return known;
    const there = lstatSync(this.#at(folder), { throwIfNoEntry: false });
    const fits = !there || there.isDirectory();
    this.#folders.set(folder, fits);
    return fits;
  }

  #at = (path: string) => Buffer.concat([Buffer.from(`${this.#options.to}/`), Buffer.from(path, 'latin1')]);

  /** A link to a file of this run is one again; else the first of them gets the contents. */
  async #link(member: MemberRow, path: string): Promise<void> {
    const target = Buffer.from(member.target ?? []).toString('latin1');
    const given = this.#targets.get(target);
    if (given !== undefined) {
      await this.#write(writeHeader({ path: Buffer.from(member.path), target: Buffer.from(given, 'latin1') }));
      this.result.files += 1;
      this.#tellDamage(member.path, given);
      return;
    }
    const [source] = membersOf(this.#set.catalog, CONTENTS_OF, member.target);
    if (!source)
      return void this.result.failed.push(`${shownPath(member.path)} is a link to a file the set does not have`);
    await this.#contents(source, path, member.path);
    if (this.#targets.has(path)) this.#targets.set(target, path);
  }

  async #contents(member: MemberRow, path: string, name: Uint8Array): Promise<void> {
    const pieces = piecesOf(this.#set, member);
    let header: TarHeader | undefined;
    let lost = 0;
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    for (const piece of pieces) {
      for await (const { bytes, length: some } of this.#reader.read(piece)) {
        if (!header) {
          header = this.#headerOf(bytes, member, length);
          if (!header || !bytes) return void this.result.failed.push(`${shownPath(name)} is damaged: not restored`);
          const own = bytes.subarray(0, header.headers);
          await this.#write(Buffer.from(member.path).equals(name) ? own : renamed(Buffer.from(own), Buffer.from(name)));
          await this.#write(bytes.subarray(header.headers));
        } else {
          if (!bytes) lost += some;
          await this.#write(bytes ?? Buffer.alloc(some));
        }
      }
    }
    if (!header) return void this.result.failed.push(`${shownPath(name)} is damaged: not restored`);
    if (lost > 0) this.#damaged.set(path, `${lost} bytes of it are zeros now`);
    this.#tellDamage(name, path);
    this.#targets.set(path, path);
    this.#count(member, path);
  }

  /** @param given the path under which tar got the contents, in latin1 */
  #tellDamage(name: Uint8Array, given: string): void {
    const how = this.#damaged.get(given);
    if (how) this.result.failed.push(`${shownPath(name)} is damaged: ${how}`);
  }

  /** The header, when it is the member's own and announces all the bytes that follow: tar must not see another member there. */
  #headerOf(bytes: Buffer | null, member: MemberRow, length: number): TarHeader | undefined {
    if (!bytes) return undefined;
    const header = headerIn(bytes);
    if (!header?.path.equals(member.path) || header.type !== member.type) return undefined;
    return header.headers + padded(header.data) === length && hasRightSums(bytes, header) ? header : undefined;
  }

  #count(member: MemberRow, path: string): void {
    this.result.files += 1;
    this.result.bytes += member.size;
    if (member.flags) this.#flagged.push([member.flags, path]);
  }

  async #write(bytes: Buffer): Promise<void> {
    const { stdin } = this.#tar;
    if (!stdin.destroyed && !stdin.write(Buffer.from(bytes))) await drained(stdin);
  }

  /** What tar said, and the flags, which would have been in its way. */
  async finish(stderr: string): Promise<void> {
    if (NO_ROOM.test(stderr)) {
      throw new MindiError('there is no room left', {
        code: 'extract.space',
        where: this.#options.to,
        hint: 'Make room, and extract again: what is there already is left out.',
        exitCode: 1,
      });
    }
    for (const line of stderr.split('\n').filter(Boolean)) {
      if (/Exiting with failure status/.test(line)) continue;
      this.result.failed.push(shownPath(Buffer.from(unquoted(line.replace(/^tar: /, '')), 'latin1')));
    }
    const byFlags = Map.groupBy(this.#flagged, ([flags]) => flags);
    for (const [flags, files] of byFlags) {
      const said = await setFlags(
        flags,
        files.map(([, path]) => this.#at(path).toString('latin1')),
      );
      if (said) this.result.failed.push(said);
    }
  }
}
