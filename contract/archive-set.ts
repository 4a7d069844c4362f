/**
 * A set: what one run of `mindi archive` wrote. A directory of volumes, each with whole archives; docs/archive-format.md
 * has the format for people.
 */
export const SET_FORMAT = 1;

/** A set's directory has this at its end until everything is written. */
export const INCOMPLETE = '.incomplete';
/** And this when it is being removed: what is in it is not whole. */
export const REMOVING = '.removing';
export const README = 'README';
export const SHA256SUMS = 'SHA256SUMS';
/** On the last volume. */
export const CATALOG = 'catalog.sqlite.zst';
/** Of files that are encrypted by age: what their names end in. */
export const SEALED = '.age';
export const SEALED_CATALOG = `${CATALOG}${SEALED}`;
/** What par2 repairs a volume with, and the list of its own sums. */
export const PARITY = 'parity.par2';
export const PARITY_SUMS = 'SHA256SUMS.parity';
/** The set's own secret key, encrypted by a passphrase, on each volume of a set that has one. */
export const IDENTITY = 'identity.age';
/** The catalog while the set is being written, in the run's working place. */
export const OPEN_CATALOG = 'catalog.sqlite';
/** A file too big for one archive is cut; its slices have this and a number of six digits after its name. */
export const SLICE = '.mindi-slice-';

/** Levels of the methods archives are compressed by. */
export const LEVELS = {
  zstd: { least: 1, most: 19, usual: 3 },
  gzip: { least: 1, most: 9, usual: 6 },
  xz: { least: 0, most: 9, usual: 6 },
  lzo: { least: 1, most: 9, usual: 3 },
  none: { least: 0, most: 0, usual: 0 },
} as const;
export type MethodName = keyof typeof LEVELS;

const sixDigits = (number: number) => String(number).padStart(6, '0');

/** A set that a differential one takes files from: the fact `bases` of its catalog is a list of these as JSON, the nearest first. */
export interface BaseSet {
  id: string;
  /** Its directory's. */
  name: string;
  /** ISO 8601 */
  created: string;
}

/** Reads that fact; what is no such list is an empty one. */
export function parseBases(text = '[]'): BaseSet[] {
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) && list.every(isBase) ? list : [];
  } catch {
    return [];
  }
}

const isBase = (value: unknown): value is BaseSet =>
  ['id', 'name', 'created'].every((key) =>
    /^[\x21-\x7e]{1,200}$/.test(String((value as Record<string, unknown>)?.[key])),
  );

/** `web1-000042`; the numbers only ever grow, whatever the clock says. */
export const setName = (name: string, number: number) => `${name}-${sixDigits(number)}`;
export const volumeName = (number: number) => `volume-${sixDigits(number).slice(3)}`;
export const archiveName = (number: number, suffix: string) => `${sixDigits(number)}.tar${suffix}`;
export const sliceName = (number: number) => `${SLICE}${sixDigits(number)}`;

/** Beside the sets on a server that may not list what it has: the name of the newest complete one. */
export const NEWEST_SET = 'newest-set';

/** Reads a set's name; null of anything else. */
export function parseSetName(text: string): { name: string; number: number; complete: boolean } | null {
  const [, name, number, incomplete] = /^(.+)-(\d{6,})(\.incomplete)?$/.exec(text) ?? [];
  return name && number ? { name, number: Number(number), complete: incomplete === undefined } : null;
}

/** What can be wrong with a file of the machine while it is archived, and whether it is missing in the set therefore. */
export const TROUBLES = {
  changed: { missing: false, words: 'changed while it was read' },
  vanished: { missing: false, words: 'vanished before it was read' },
  unreadable: { missing: true, words: 'could not be read' },
  'too-long': { missing: true, words: 'has a path longer than programs can open' },
  socket: { missing: false, words: 'is a socket, which whoever listens makes anew' },
  'other-file-system': { missing: false, words: 'is another file system, left out' },
} as const;
export type Trouble = keyof typeof TROUBLES;

/**
 * The catalog, SQLite. Paths are bytes without `/` in front. `start` and `length` of members and frames count bytes of
 * the tar archive, `offset` and `size` those of its compressed file. `inode`: the last 15 decimal digits of it.
 * `base`: null of what the set holds itself; n of what the n-th of its bases (fact `bases`) does, as member `base_member`.
 */
export const CATALOG_SCHEMA = `
  CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT);
  CREATE TABLE archives (
    number INTEGER PRIMARY KEY, volume INTEGER, size INTEGER, length INTEGER, sha256 BLOB
  );
  CREATE TABLE frames (
    archive INTEGER, start INTEGER, length INTEGER, offset INTEGER, size INTEGER, crc32 INTEGER,
    PRIMARY KEY (archive, start)
  ) WITHOUT ROWID;
  CREATE TABLE members (
    id INTEGER PRIMARY KEY, path BLOB, type TEXT, mode INTEGER, uid INTEGER, gid INTEGER, size INTEGER, mtime TEXT,
    ctime TEXT, target BLOB, device TEXT, sha256 BLOB, attributes BLOB, flags TEXT, trouble TEXT,
    archive INTEGER, start INTEGER, length INTEGER, slices INTEGER,
    inode INTEGER, base INTEGER, base_member INTEGER
  );
  CREATE TABLE slices (
    member INTEGER, number INTEGER, archive INTEGER, start INTEGER, length INTEGER, PRIMARY KEY (member, number)
  ) WITHOUT ROWID;
  CREATE TABLE deleted (path BLOB);
  CREATE TABLE troubles (path BLOB, trouble TEXT, detail TEXT, PRIMARY KEY (path, trouble)) WITHOUT ROWID;
`;
