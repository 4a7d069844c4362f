import { DatabaseSync } from 'node:sqlite';
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

/**
 * Members of a catalog that a run compares what it finds with. `has` is asked of every file; what was kept and what was
 * seen is a bit for each member.
 */
export class KnownFiles {
  readonly #catalog: DatabaseSync;
  readonly #created: number;
  readonly #known;
  readonly #seen: Bits;
  readonly #kept: Bits;

  /**
   * @param path the catalog; it gets an index
   * @param at when its files were read; later changes are changes. ISO 8601
   */
  constructor(path: string, at: string) {
    this.#created = Date.parse(at);
    this.#catalog = new DatabaseSync(path);
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

  /** Whether a file is as it is known. What is so is kept unless it has several names: see `keep`. */
  has(file: Found): 'contents' | 'link' | null {
    const row = this.#row(file.path);
    if (!row) return null;
    this.#seen.set(row.id);
    if (!this.#isSame(row, file)) return null;
    if (file.links === 1 || file.type === 'd') this.#kept.set(row.id);
    return row.type === 'link' ? 'link' : 'contents';
  }

  /** The member of that path is kept. */
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

  isKept(id: number): boolean {
    return this.#kept.has(id);
  }

  isSeen(id: number): boolean {
    return this.#seen.has(id);
  }

  close(): void {
    if (this.#catalog.isOpen) this.#catalog.close();
  }
}

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
