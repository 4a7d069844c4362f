import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
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

export const spoiled = (what: string) =>
  new MindiError(`the catalog is none of mindi's: ${what}`, {
    code: 'set.catalog',
    hint: 'Its archives can be restored by hand, as the README on each volume says.',
    exitCode: 1,
  });
