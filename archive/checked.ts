import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { CATALOG_SCHEMA } from '../contract/archive-set.ts';
import { MindiError, messageOf } from '../contract/error.ts';

/** What a value of the catalog may be. A catalog from a medium can hold anything. */
export type Kind = (value: unknown) => boolean;

export const count: Kind = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
export const upTo =
  (most: number): Kind =>
  (value) =>
    count(value) && (value as number) <= most;
export const bytes =
  (most: number): Kind =>
  (value) =>
    value instanceof Uint8Array && value.length <= most;
export const text =
  (pattern: RegExp): Kind =>
  (value) =>
    typeof value === 'string' && pattern.test(value);
export const oneOf = (values: readonly string[]): Kind => {
  const known = new Set<unknown>(values);
  return (value) => known.has(value);
};
export const orNull =
  (kind: Kind): Kind =>
  (value) =>
    value === null || kind(value);

/**
 * Rows of a catalog that somebody else may have written, each column looked at.
 * @throws MindiError `set.catalog` at the first one that is not as `columns` says
 */
export function* checked<Shape>(
  catalog: DatabaseSync,
  columns: { readonly [Column in keyof Shape]: Kind },
  sql: string,
  ...values: SQLInputValue[]
): Generator<Shape> {
  const kinds = Object.entries<Kind>(columns);
  try {
    for (const row of catalog.prepare(sql).iterate(...values)) {
      const wrong = kinds.find(([column, kind]) => !kind(row[column]));
      if (wrong) throw spoiled(`a row has a wrong value in ${wrong[0]}`);
      yield row as Shape;
    }
  } catch (error) {
    throw (error as { code?: string }).code?.startsWith('ERR_') ? spoiled(messageOf(error)) : error;
  }
}

/**
 * Whether the database is of the tables of mindi's catalogs, and nothing in it computes anything by itself.
 * @throws MindiError `set.catalog`
 */
export function checkSchema(catalog: DatabaseSync): void {
  trustNothing(catalog);
  const own = new DatabaseSync(':memory:');
  own.exec(CATALOG_SCHEMA);
  const known = new Set(tablesOf(own));
  own.close();
  const strange = tablesOf(catalog).find((sql) => !known.has(sql));
  if (strange !== undefined) throw spoiled('it has other tables');
}

function trustNothing(catalog: DatabaseSync): void {
  try {
    catalog.exec('PRAGMA trusted_schema = OFF');
  } catch (error) {
    throw spoiled(messageOf(error));
  }
}

/** Indexes and statistics of SQLite's own change nothing. */
const tablesOf = (database: DatabaseSync) =>
  [...checked<{ sql: string }>(database, { sql: text(/^/) }, SCHEMA)].map(({ sql }) => sql);
const SCHEMA =
  "SELECT coalesce(sql, '') AS sql FROM sqlite_schema WHERE type != 'index' AND name NOT GLOB 'sqlite_stat*'";

export const spoiled = (what: string) =>
  new MindiError(`the catalog is none of mindi's: ${what}`, {
    code: 'set.catalog',
    hint: 'Its archives can be restored by hand, as the README on each volume says.',
    exitCode: 1,
  });
