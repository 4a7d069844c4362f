import type { SQLInputValue } from 'node:sqlite';
import type { Trouble } from '../contract/archive-set.ts';
import type { MemberType } from '../contract/tar.ts';
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

/** What a hard link is a link to, by its path. */
export const CONTENTS_OF = "SELECT * FROM members WHERE path = ? AND type != 'link'";

export interface Condition {
  /** For WHERE. */
  sql: string;
  values: SQLInputValue[];
}

/** The files a person named: each path itself and all below it. None named: everything. */
export function below(paths: readonly string[]): Condition {
  const wanted = paths.map(relative);
  if (wanted.length === 0 || wanted.includes('')) return { sql: 'TRUE', values: [] };
  return {
    sql: wanted.map(() => '(path = ? OR (path > ? AND path < ?))').join(' OR '),
    values: wanted.flatMap((path) => [path, `${path}/`, `${path}0`].map((text) => Buffer.from(text))),
  };
}

/** Directories above these paths. */
export function above(paths: readonly string[]): Condition {
  const folders = [...new Set(paths.flatMap((path) => ancestors(relative(path))))];
  if (folders.length === 0) return { sql: 'FALSE', values: [] };
  return { sql: `path IN (${folders.map(() => '?').join(', ')})`, values: folders.map((path) => Buffer.from(path)) };
}

/** A glob: with a `/` of the whole path, else of the last name. `*` stands for anything, as for find(1). */
export function matching(glob: string): Condition {
  const text = 'CAST(path AS TEXT)';
  if (glob.includes('/')) return { sql: `${text} GLOB ?`, values: [relative(glob)] };
  return {
    sql: `(${text} GLOB ? AND instr(path, x'2f') = 0) OR ${text} GLOB ? AND ${lastName} GLOB ?`,
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

/** A path for a terminal: what would move its cursor or is no UTF-8 as backslash codes. */
export function shownPath(path: Uint8Array): string {
  const bytes = Buffer.from(path);
  const text = bytes.toString();
  const isText = Buffer.from(text).equals(bytes);
  const plain = (isText ? text : bytes.toString('latin1')).replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return plain.replaceAll(isText ? /\p{Cc}/gu : /[\p{Cc}\x80-\xff]/gu, octal);
}

const octal = (letter: string) => `\\${letter.charCodeAt(0).toString(8).padStart(3, '0')}`;
