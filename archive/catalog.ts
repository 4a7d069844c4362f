import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { CATALOG_SCHEMA, SET_FORMAT, type Trouble } from '../contract/archive-set.ts';
import type { FinishedArchive } from './archive-file.ts';
import type { Failure } from './members.ts';
import type { Packed } from './packer.ts';

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

/** Everything a unit gave, at once or not at all: after a crash the catalog has whole archives only. */
export function record(
  catalog: DatabaseSync,
  archives: readonly FinishedArchive[],
  packed: readonly Packed[],
  failures: readonly Failure[],
): void {
  catalog.exec('BEGIN IMMEDIATE');
  try {
    recordArchives(catalog, archives);
    recordMembers(catalog, packed);
    recordTroubles(catalog, failures);
    catalog.exec('COMMIT');
  } catch (error) {
    catalog.exec('ROLLBACK');
    throw error;
  }
}

function recordArchives(catalog: DatabaseSync, archives: readonly FinishedArchive[]): void {
  const archive = insertInto(catalog, 'archives', 5);
  const frame = insertInto(catalog, 'frames', 6);
  for (const { number, size, length, sha256, frames } of archives) {
    archive.run(number, null, size, length, sha256);
    for (let at = 0; at < frames.length; at += 5) frame.run(number, ...(frames.slice(at, at + 5) as number[]));
  }
}

function recordMembers(catalog: DatabaseSync, packed: readonly Packed[]): void {
  const member = insertInto(catalog, 'members', 22);
  const slice = insertInto(catalog, 'slices', 5);
  for (const { header, sha256, pieces, trouble, flags, inode } of packed) {
    const [first] = pieces;
    const attributes = header.attributes ? Buffer.from(header.attributes, 'latin1') : null;
    const { lastInsertRowid } = member.run(
      ...[null, header.path, header.type, header.mode, header.uid, header.gid, header.size, header.mtime, header.ctime],
      ...[header.target, header.device, sha256, attributes, flags, trouble],
      ...([first?.archive, first?.start, first?.length, pieces.length, inode] as number[]),
      ...[null, null],
    );
    if (pieces.length === 1) continue;
    for (const [index, piece] of pieces.entries())
      slice.run(lastInsertRowid, index + 1, piece.archive, piece.start, piece.length);
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
