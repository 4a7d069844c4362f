import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { CATALOG_SCHEMA, SET_FORMAT, type Trouble } from '../contract/archive-set.ts';
import type { TarHeader } from '../contract/tar.ts';
import type { FinishedArchive } from './archive-file.ts';
import type { Failure } from './members.ts';
import type { Piece, Placed } from './packer.ts';

/** Milliseconds a writer waits for another one. */
const PATIENCE = 600_000;
/** KiB of memory a connection keeps of the file. */
const CACHE = 2048;

/** Opens the catalog of a set that is being written; several threads may at once. */
export function openCatalog(path: string): DatabaseSync {
  const catalog = new DatabaseSync(path, { timeout: PATIENCE });
  catalog.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -${CACHE}`);
  return catalog;
}

export function createCatalog(path: string, facts: Record<string, string>): DatabaseSync {
  const catalog = openCatalog(path);
  catalog.exec(CATALOG_SCHEMA);
  setFacts(catalog, { format: String(SET_FORMAT), ...facts });
  return catalog;
}

export function setFacts(catalog: DatabaseSync, facts: Record<string, string>): void {
  const insert = catalog.prepare('INSERT OR REPLACE INTO facts VALUES (?, ?)');
  for (const [name, value] of Object.entries(facts)) insert.run(name, value);
}

/** Writes on which volume each archive is. */
export function setVolumes(catalog: DatabaseSync, places: ReadonlyMap<number, number>): void {
  const update = catalog.prepare('UPDATE archives SET volume = ? WHERE number = ?');
  catalog.exec('BEGIN');
  for (const [archive, volume] of places) update.run(volume, archive);
  catalog.exec('COMMIT');
}

/** Makes one file of it, without what SQLite keeps beside it. */
export function closeCatalog(catalog: DatabaseSync): void {
  catalog.exec('PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE');
  catalog.close();
}

/** What the rows of members need beside what their headers say. */
export interface MemberFacts {
  inode: number;
  trouble: Trouble | null;
  flags: string | null;
}

/**
 * The rows a thread writes. Those of members wait in a table in its memory until the archives that hold them are complete:
 * SQLite keeps them in less room than JavaScript would, and nobody has to collect them.
 */
export class Rows {
  readonly #catalog: DatabaseSync;
  readonly #insert: StatementSync;
  #waiting = 0;
  /** Of members that were cut: the place of the row among those that wait. */
  #sliced: [number, readonly Piece[]][] = [];

  constructor(catalog: DatabaseSync) {
    this.#catalog = catalog;
    catalog.exec('PRAGMA temp_store = MEMORY; CREATE TEMP TABLE waiting AS SELECT * FROM members WHERE FALSE');
    this.#insert = catalog.prepare(INSERT_WAITING);
    // What waits is written in the transaction at whose end it is in the catalog: one for each row would cost as much again.
    catalog.exec('BEGIN');
  }

  add(header: TarHeader, { archive, start, length, sha256, slices }: Placed, facts: MemberFacts): void {
    const { path, type, mode, uid, gid, size, mtime, ctime, target, device } = header;
    const attributes = header.attributes ? Buffer.from(header.attributes, 'latin1') : null;
    // biome-ignore format: one row
    this.#insert.run(
      path, type, mode, uid, gid, size, mtime, ctime, target, device, sha256, attributes, facts.flags, facts.trouble,
      archive, start, length, slices?.length ?? 1, facts.inode,
    );
    if (slices) this.#sliced.push([this.#waiting, slices]);
    this.#waiting += 1;
  }

  /** Something went wrong with a member whose row waits. */
  setTrouble({ path, trouble }: Failure): void {
    this.#catalog.prepare('UPDATE waiting SET trouble = ? WHERE path = ?').run(trouble, Buffer.from(path, 'latin1'));
  }

  /** All that waits, at once or not at all: after a crash the catalog has whole archives only. */
  write(archives: readonly FinishedArchive[], failures: readonly Failure[]): void {
    try {
      recordArchives(this.#catalog, archives);
      this.#writeMembers();
      recordTroubles(this.#catalog, failures);
      this.#catalog.exec('COMMIT');
    } catch (error) {
      // Of a full disk SQLite has done it by itself.
      if (this.#catalog.isTransaction) this.#catalog.exec('ROLLBACK');
      throw error;
    }
    this.#catalog.exec('BEGIN; DELETE FROM waiting');
    this.#waiting = 0;
    this.#sliced = [];
  }

  #writeMembers(): void {
    const { lastInsertRowid } = this.#catalog.prepare('INSERT INTO members SELECT * FROM waiting ORDER BY rowid').run();
    if (this.#sliced.length === 0) return;
    const slice = insertInto(this.#catalog, 'slices', 5);
    for (const [place, slices] of this.#sliced) {
      const member = Number(lastInsertRowid) - this.#waiting + 1 + place;
      for (const [n, { archive, start, length }] of slices.entries()) slice.run(member, n + 1, archive, start, length);
    }
  }
}

/** Hashes come as hex: making bytes of them here takes less time than in JavaScript. */
const INSERT_WAITING = `INSERT INTO waiting VALUES (
  NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, unhex(?), ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL
)`;

function recordArchives(catalog: DatabaseSync, archives: readonly FinishedArchive[]): void {
  const archive = insertInto(catalog, 'archives', 5);
  const frame = insertInto(catalog, 'frames', 6);
  for (const { number, size, length, sha256, frames } of archives) {
    archive.run(number, null, size, length, sha256);
    for (let at = 0; at < frames.length; at += 5) frame.run(number, ...(frames.slice(at, at + 5) as number[]));
  }
}

export function recordTroubles(catalog: DatabaseSync, failures: readonly Failure[]): void {
  // find and tar may both tell of one.
  const insert = catalog.prepare('INSERT OR IGNORE INTO troubles VALUES (?, ?, ?)');
  for (const { path, trouble, detail } of failures) insert.run(Buffer.from(path, 'latin1'), trouble, detail);
}

function insertInto(catalog: DatabaseSync, table: string, columns: number): StatementSync {
  return catalog.prepare(`INSERT INTO ${table} VALUES (${Array(columns).fill('?').join(', ')})`);
}

/** How many files had which trouble. */
export function countTroubles(catalog: DatabaseSync): Partial<Record<Trouble, number>> {
  const rows = catalog.prepare('SELECT trouble, count(*) AS count FROM troubles GROUP BY trouble').all();
  return Object.fromEntries(rows.map(({ trouble, count }) => [trouble, count]));
}

/** Rows as `Shape` says; only the person who wrote the statement knows. */
export function* rows<Shape>(catalog: DatabaseSync, sql: string, ...values: SQLInputValue[]): Generator<Shape> {
  for (const row of catalog.prepare(sql).iterate(...values)) yield row as Shape;
}
