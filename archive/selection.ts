import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { TROUBLES, type Trouble } from '../contract/archive-set.ts';
import { HEADERS_LIMIT, MEMBER_TYPES, type MemberType } from '../contract/tar.ts';
import { bytes, checked, count, type Kind, oneOf, orNull, text } from './checked.ts';
import { ancestors } from './units.ts';

/** A member as the catalog has it. */
export interface MemberRow {
  id: number;
  path: Uint8Array;
  type: MemberType;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtime: string;
  target: Uint8Array | null;
  device: string | null;
  sha256: Uint8Array | null;
  attributes: Uint8Array | null;
  flags: string | null;
  trouble: Trouble | null;
  archive: number;
  start: number;
  length: number;
  slices: number;
  inode: number;
  /** Null: its bytes are in this set. Else which of the set's bases has them, counted from 1, as which member. */
  base: number | null;
  base_member: number | null;
}

/** Bytes of a path: slices have more than the file they are of. */
const LONGEST = 8192;
const MEMBER_ROW: { [Column in keyof MemberRow]: Kind } = {
  ...{ id: count, path: bytes(LONGEST), type: oneOf(MEMBER_TYPES), mode: count, uid: count, gid: count, size: count },
  mtime: text(/^-?\d{1,18}(\.\d*)?$/),
  target: orNull(bytes(LONGEST)),
  device: orNull(text(/^\d+:\d+$/)),
  sha256: orNull(bytes(32)),
  attributes: orNull(bytes(HEADERS_LIMIT)),
  flags: orNull(text(/^[A-Za-z]{1,32}$/)),
  trouble: orNull(oneOf(Object.keys(TROUBLES))),
  ...{ archive: count, start: count, length: count, slices: count, inode: count },
  ...{ base: orNull(count), base_member: orNull(count) },
};

/** Members of a set's catalog. `rest` begins with WHERE. */
export const membersOf = (catalog: DatabaseSync, rest: string, ...values: SQLInputValue[]) =>
  checked<MemberRow>(catalog, MEMBER_ROW, `SELECT * FROM members ${rest}`, ...values);

/** What a differential set's base had and is gone. */
export const deletedOf = (catalog: DatabaseSync) =>
  checked<{ path: Uint8Array }>(catalog, { path: bytes(LONGEST) }, 'SELECT path FROM deleted ORDER BY path');

/** What a hard link is a link to, by its path. */
export const CONTENTS_OF = "WHERE path = ? AND type != 'link'";

/** A file's trouble with its path. */
export interface TroubleRow {
  path: Uint8Array;
  trouble: Trouble;
  detail: string;
}

export const troublesOf = (catalog: DatabaseSync) =>
  checked<TroubleRow>(
    catalog,
    { path: bytes(LONGEST), trouble: oneOf(Object.keys(TROUBLES)), detail: text(/^/) },
    'SELECT * FROM troubles',
  );

export interface Condition {
  /** For WHERE. */
  sql: string;
  values: SQLInputValue[];
}

/** What lies below a path is between `path/` and `path0`, the byte behind `/`. */
const BELOW = `id IN (SELECT one.id FROM json_each(?) AS wanted
  JOIN members AS one ON one.path >= CAST(wanted.value AS BLOB) AND one.path < CAST(wanted.value || '0' AS BLOB)
  WHERE one.path = CAST(wanted.value AS BLOB) OR one.path > CAST(wanted.value || '/' AS BLOB))`;

/** The files a person named: each path itself and all below it. None named: everything. */
export function below(paths: readonly string[]): Condition {
  const wanted = paths.map(relative);
  if (wanted.length === 0 || wanted.includes('')) return { sql: 'TRUE', values: [] };
  return { sql: BELOW, values: [JSON.stringify(wanted)] };
}

/** Those of the paths that are not in the set, nor anything below them. */
export function missingIn(catalog: DatabaseSync, paths: readonly string[]): string[] {
  const wanted = paths.map(relative);
  const missing = checked<{ key: number }>(catalog, { key: count }, MISSING, JSON.stringify(wanted));
  return [...missing].map(({ key }) => paths[key] as string).filter((path) => relative(path) !== '');
}

const MISSING = `SELECT wanted.key FROM json_each(?) AS wanted WHERE NOT EXISTS (
  SELECT 1 FROM members WHERE path = CAST(wanted.value AS BLOB)
  OR (path > CAST(wanted.value || '/' AS BLOB) AND path < CAST(wanted.value || '0' AS BLOB)))`;

/** Directories above these paths. */
export function above(paths: readonly string[]): Condition {
  const folders = [...new Set(paths.flatMap((path) => ancestors(relative(path))))];
  const sql = 'path IN (SELECT CAST(value AS BLOB) FROM json_each(?))';
  return { sql, values: [JSON.stringify(folders)] };
}

/** A glob: with a `/` of the whole path, else of the last name. `*` stands for anything, as for find(1). */
export function matching(glob: string): Condition {
  const path = 'CAST(path AS TEXT)';
  if (glob.includes('/')) return { sql: `${path} GLOB ?`, values: [relative(glob)] };
  return {
    sql: `(${path} GLOB ? AND instr(path, x'2f') = 0) OR ${path} GLOB ? AND ${lastName} GLOB ?`,
    values: [glob, `*/${glob}`, glob],
  };
}

/** What follows the last `/`. */
const lastName = "replace(CAST(path AS TEXT), rtrim(CAST(path AS TEXT), replace(CAST(path AS TEXT), '/', '')), '')";

/** Without `/` at either end, nor `./` in front. */
const relative = (path: string) =>
  path
    .replace(/^(\.?\/)+/, '')
    .replace(/\/+$/, '')
    .replace(/^\.$/, '');

/** A path for a terminal: what would move its cursor, hide or turn round what stands there, or is no UTF-8, as backslash codes. */
export function shownPath(path: Uint8Array): string {
  const name = Buffer.from(path);
  const decoded = name.toString();
  const isText = Buffer.from(decoded).equals(name);
  const plain = (isText ? decoded : name.toString('latin1')).replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return plain.replaceAll(isText ? /[\p{C}\u2028\u2029]/gu : /[\p{Cc}\x80-\xff]/gu, isText ? octal : octalByte);
}

const octalByte = (letter: string) => `\\${letter.charCodeAt(0).toString(8).padStart(3, '0')}`;
/** Its bytes in UTF-8. */
const octal = (letter: string) => Buffer.from(letter).toString('latin1').replaceAll(/./gs, octalByte);
