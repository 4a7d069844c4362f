import { DatabaseSync } from 'node:sqlite';
import type { BaseSet } from '../contract/archive-set.ts';
import type { ArchiveSet } from './set.ts';
import type { Found } from './walk.ts';

/** Letters of `find -printf %y` and what the catalog calls them; each name of a file with several may be a link there. */
const TYPES: Record<string, string> = {
  f: 'file',
  d: 'directory',
  l: 'symlink',
  p: 'fifo',
  c: 'char',
  b: 'block',
};
/** Milliseconds in which a second change leaves the times as the first one set them: the kernel's tick, and more. */
const TICK = 20;
/** The same on file systems that keep no fractions of seconds. */
const COARSE_TICK = 2000;

interface KnownRow {
  id: number;
  type: string;
  size: number;
  mtime: string;
  ctime: string;
  inode: number;
  trouble: string | null;
}

/** What a differential set compares with and refers to. */
export class Base {
  /** The set, its own base, and so on. */
  readonly chain: readonly BaseSet[];
  readonly #catalog: DatabaseSync;
  readonly #path: string;
  readonly #created: number;
  readonly #known;
  /** A bit for each member of the base: found by the walk; the same now as then. */
  readonly #seen: Bits;
  readonly #kept: Bits;

  /** @param set stays open as long as this is used */
  constructor(set: ArchiveSet, name: string) {
    this.chain = [
      { id: set.id, name, created: set.created },
      ...set.bases.map(({ id, name, created }) => ({ id, name, created })),
    ];
    this.#path = set.catalogPath;
    this.#created = Date.parse(set.at);
    this.#catalog = new DatabaseSync(this.#path);
    this.#catalog.exec(
      'PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; CREATE INDEX IF NOT EXISTS by_path ON members (path)',
    );
    this.#known = this.#catalog.prepare(
      'SELECT id, type, size, mtime, ctime, inode, trouble FROM members WHERE path = ?',
    );
    const most = this.#catalog.prepare('SELECT max(id) AS most FROM members').get()?.most;
    this.#seen = new Bits(Number(most ?? 0));
    this.#kept = new Bits(Number(most ?? 0));
  }

  /** Whether the base has the file as it is now. What is so is kept unless it has several names: see `keep`. */
  has(file: Found): 'contents' | 'link' | null {
    const row = this.#row(file.path);
    if (!row) return null;
    this.#seen.set(row.id);
    if (!this.#isSame(row, file)) return null;
    if (file.links === 1 || file.type === 'd') this.#kept.set(row.id);
    return row.type === 'link' ? 'link' : 'contents';
  }

  /** The base's member of that path is this set's, too. */
  keep(path: string): void {
    const row = this.#row(path);
    if (row) this.#kept.set(row.id);
  }

  /** A directory the walk does not find, because it is above what is archived. */
  see(path: string): void {
    const row = this.#row(path);
    if (row) this.#seen.set(row.id);
  }

  #row(path: string): KnownRow | undefined {
    return this.#known.get(Buffer.from(path, 'latin1')) as KnownRow | undefined;
  }

  /** Whoever writes to a file, renames it or changes its mode, owner or attributes changes its ctime, and cannot set that. */
  #isSame(row: KnownRow, file: Found): boolean {
    const { type, bytes, times } = file;
    const [mtime = '', ctime = ''] = (times ?? '').split(' ').map(trimmed);
    if (row.trouble !== null || row.ctime !== ctime || row.mtime !== mtime || row.inode !== file.inode) return false;
    if (row.type !== 'link' && (row.type !== TYPES[type] || (type === 'f' && row.size !== bytes))) return false;
    const tick = ctime.includes('.') ? TICK : COARSE_TICK;
    return Number(ctime) * 1000 < this.#created - tick;
  }

  /** Writes into the new set's catalog what it takes from the base, and what of that is gone. Returns how many of each. */
  copyInto(catalog: DatabaseSync): { kept: number; deleted: number } {
    this.#catalog.close();
    catalog.function('is_kept', (id) => (this.#kept.has(Number(id)) ? 1 : 0));
    catalog.function('is_seen', (id) => (this.#seen.has(Number(id)) ? 1 : 0));
    catalog.prepare('ATTACH ? AS base').run(this.#path);
    const kept = catalog.prepare(KEEP).run().changes;
    const deleted = catalog
      .prepare('INSERT INTO deleted SELECT path FROM base.members WHERE NOT is_seen(id)')
      .run().changes;
    catalog.exec('DETACH base');
    return { kept: Number(kept), deleted: Number(deleted) };
  }

  close(): void {
    if (this.#catalog.isOpen) this.#catalog.close();
  }
}

const FACTS = `path, type, mode, uid, gid, size, mtime, ctime, target, device, sha256, attributes, flags, trouble,
  archive, start, length, slices, inode`;
const KEEP = `INSERT INTO members (${FACTS}, base, base_member)
  SELECT ${FACTS}, coalesce(base, 0) + 1, coalesce(base_member, id) FROM base.members WHERE is_kept(id)`;

/** find writes ten digits after the point, tar as many as there are. */
const trimmed = (time: string) => (time.includes('.') ? time.replace(/\.?0*$/, '') : time);

class Bits {
  readonly #bytes: Uint8Array;

  /** @param most the highest number */
  constructor(most: number) {
    this.#bytes = new Uint8Array((most >> 3) + 1);
  }

  set(bit: number): void {
    this.#bytes[bit >> 3] = (this.#bytes[bit >> 3] ?? 0) | (1 << (bit & 7));
  }

  has(bit: number): boolean {
    return (((this.#bytes[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 1;
  }
}
