import { BLOCK, padded } from './tar.ts';

/**
 * Headers of files, directories and symbolic links that have no extended attributes, in the pax interchange format as
 * contract/tar.ts reads it. There are millions of them: they are written in place, without strings and objects.
 */
export interface PlainMember {
  type: 'file' | 'directory' | 'symlink';
  /** Bytes, without `/` at either end. */
  path: Buffer;
  /** Of a symbolic link. */
  target: Buffer | null;
  mode: number;
  uid: number;
  gid: number;
  /** Names of the owners; empty: none. */
  user: string;
  group: string;
  size: number;
  /** Seconds since 1970, and billionths of one. */
  seconds: number;
  nanoseconds: number;
}

const FLAGS = { file: 0x30, directory: 0x35, symlink: 0x32 };
/** What fits into fields of 7 and 11 octal digits. */
const MOST_ID = 0o7777777;
const MOST_SIZE = 0o77777777777;
const NAME = 100;

/** Bytes that headers take at most beside path and target. */
export const PLAIN_HEADERS = 4 * BLOCK;

/** Writes the headers at the beginning of `into`. Returns how many bytes they have. */
export function writePlain(into: Buffer, member: PlainMember): number {
  const records = writeRecords(into, 2 * BLOCK, member);
  // Without records the header comes first; else they follow a header of their own.
  if (records === 0) return writeUstar(into, 0, member);
  const body = padded(records);
  extendedHeader(records).copy(into, 0);
  into.copyWithin(BLOCK, 2 * BLOCK, 2 * BLOCK + records);
  into.fill(0, BLOCK + records, BLOCK + body);
  return writeUstar(into, BLOCK + body, member);
}

function writeRecords(into: Buffer, start: number, member: PlainMember): number {
  const { path, target, uid, gid, size, seconds, nanoseconds, type } = member;
  let at = start;
  if (nanoseconds !== 0 || seconds < 0 || seconds > MOST_SIZE) at = timeRecord(into, at, seconds, nanoseconds);
  if (path.length + (type === 'directory' ? 1 : 0) > NAME) at = record(into, at, 'path', path, type === 'directory');
  if (target !== null && target.length > NAME) at = record(into, at, 'linkpath', target);
  if (uid > MOST_ID) at = record(into, at, 'uid', Buffer.from(String(uid)));
  if (gid > MOST_ID) at = record(into, at, 'gid', Buffer.from(String(gid)));
  if (size > MOST_SIZE) at = record(into, at, 'size', Buffer.from(String(size)));
  return at - start;
}

/** `29 mtime=1700000000.123456789`, as all have it. */
function timeRecord(into: Buffer, at: number, seconds: number, nanoseconds: number): number {
  const text = timeText(seconds, nanoseconds);
  if (text.length !== USUAL_TIME) return record(into, at, 'mtime', Buffer.from(text));
  return at + into.write(`30 mtime=${text}\n`, at, 'latin1');
}
const USUAL_TIME = '1700000000.123456789'.length;

/** Seconds as GNU tar writes them, without zeros at the end; before 1970 the fraction counts away from it. */
export function timeText(seconds: number, nanoseconds: number): string {
  if (nanoseconds === 0) return String(seconds);
  if (seconds < 0) return `-${-seconds - 1}.${fraction(1e9 - nanoseconds)}`;
  return `${seconds}.${fraction(nanoseconds)}`;
}

function fraction(nanoseconds: number): string {
  const digits = String(nanoseconds).padStart(9, '0');
  return nanoseconds % 10 === 0 ? digits.replace(/0+$/, '') : digits;
}

function record(into: Buffer, at: number, key: string, value: Buffer, slash = false): number {
  const bare = key.length + value.length + (slash ? 1 : 0) + 3;
  let length = bare + String(bare).length;
  length = bare + String(length).length;
  let end = at + into.write(`${length} ${key}=`, at, 'latin1');
  end += value.copy(into, end);
  if (slash) into[end++] = SLASH;
  into[end++] = NEWLINE;
  return end;
}
const SLASH = 0x2f;
const NEWLINE = 0x0a;

/** One for each length: all else in it is the same. */
const extendedHeaders = new Map<number, Buffer>();
function extendedHeader(length: number): Buffer {
  let header = extendedHeaders.get(length);
  if (header) return header;
  header = Buffer.alloc(BLOCK);
  header.write('PaxHeaders/mindi', 0, 'latin1');
  for (const [at, digits] of [
    [100, 0o644],
    [108, 0],
    [116, 0],
  ] as const)
    octal(header, at, 7, digits);
  octal(header, 124, 11, length);
  octal(header, 136, 11, 0);
  header[156] = 0x78;
  header.write('ustar\x0000', 257, 'latin1');
  checksum(header, 0);
  if (extendedHeaders.size < 1000) extendedHeaders.set(length, header);
  return header;
}

function writeUstar(into: Buffer, at: number, member: PlainMember): number {
  const { type, path, target, mode, uid, gid, size, seconds } = member;
  into.fill(0, at, at + BLOCK);
  const name = path.copy(into, at, 0, NAME);
  if (type === 'directory' && name < NAME) into[at + name] = SLASH;
  octal(into, at + 100, 7, mode & 0o7777);
  octal(into, at + 108, 7, uid > MOST_ID ? 0 : uid);
  octal(into, at + 116, 7, gid > MOST_ID ? 0 : gid);
  octal(into, at + 124, 11, size > MOST_SIZE ? 0 : size);
  octal(into, at + 136, 11, seconds < 0 || seconds > MOST_SIZE ? 0 : seconds);
  into[at + 156] = FLAGS[type];
  target?.copy(into, at + 157, 0, NAME);
  into.write('ustar\x0000', at + 257, 'latin1');
  into.write(member.user, at + 265, 31);
  into.write(member.group, at + 297, 31);
  checksum(into, at);
  return at + BLOCK;
}

/** Digits and a NUL, which is there already. */
function octal(into: Buffer, at: number, digits: number, value: number): void {
  let left = value;
  for (let i = at + digits - 1; i >= at; i -= 1) {
    into[i] = 0x30 + (left % 8);
    left = Math.floor(left / 8);
  }
}

/** All bytes added up, the checksum's own eight as blanks. */
function checksum(into: Buffer, at: number): void {
  let sum = 8 * 0x20;
  for (let i = at; i < at + 345; i += 1) sum += into[i] as number;
  octal(into, at + 148, 6, sum);
  into[at + 155] = 0x20;
}
