import { MindiError } from './error.ts';

/**
 * Headers of tar members in the pax interchange format (POSIX.1-2001: ustar and extended headers) as GNU tar writes it,
 * sparse files in its format 1.0 included. Names are bytes: Linux knows no encoding of them.
 * https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13
 */
export const BLOCK = 512;

/** Extended headers of a member may be this big: no file system keeps more attributes of a file. */
export const HEADERS_LIMIT = 4 << 20;

export const MEMBER_TYPES = ['file', 'link', 'symlink', 'char', 'block', 'directory', 'fifo'] as const;
export type MemberType = (typeof MEMBER_TYPES)[number];

export interface TarHeader {
  /** Bytes of all headers of the member. */
  headers: number;
  /** Bytes of data behind them, without padding. */
  data: number;
  type: MemberType;
  /** Without a `/` at its end. */
  path: Buffer;
  /** Of hard and symbolic links. */
  target: Buffer | null;
  mode: number;
  uid: number;
  gid: number;
  /** Bytes the file has when it is restored; `data` has fewer of a sparse one. */
  size: number;
  /** Seconds since 1970, with as many digits after the point as there are: `1700000000.123456789`. */
  mtime: string;
  ctime: string;
  /** `major:minor` */
  device: string | null;
  /** Extended attributes, ACLs and labels as they stand in the extended header; latin1. Empty: none. */
  attributes: string;
}

const TYPES: Record<string, MemberType> = {
  '0': 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};

type Records = Map<string, string>;
const NO_RECORDS: Records = new Map();

/**
 * Reads the headers of the member that starts at `start`. Any bytes give an answer or an error.
 * @returns `more` when they go on after `end`, `end` at the end of the archive.
 * @throws MindiError `tar.header`
 */
export function readHeader(bytes: Buffer, start: number, end: number): TarHeader | 'more' | 'end' {
  let at = start;
  let records = NO_RECORDS;
  for (;;) {
    if (at + BLOCK > end) return 'more';
    const flag = String.fromCharCode(bytes[at + 156] as number);
    if (flag === '\0' && bytes[at] === 0) return 'end';
    if (bytes.toString('latin1', at + 257, at + 262) !== 'ustar') throw broken('no header where one must be');
    if (flag !== 'x') return member(bytes, at, at + BLOCK - start, flag, records);
    // A second one would say something else to another program.
    if (at > start) throw broken('two extended headers of one member');
    const size = number(bytes, at + 124, 12);
    if (size > HEADERS_LIMIT) throw broken('an extended header without end');
    const next = at + BLOCK + padded(size);
    if (next > end) return 'more';
    records = readRecords(bytes.toString('latin1', at + BLOCK, at + BLOCK + size));
    at = next;
  }
}

/** Whether the sums of a member's headers are right: at one that is not a tar program looks for another header behind it. */
export function hasRightSums(bytes: Buffer, { headers }: TarHeader): boolean {
  const own = headers - BLOCK;
  return [0, own].every((at) => {
    const header = Buffer.from(bytes.subarray(at, at + BLOCK));
    return number(header, 148, 8) === number(summed(header), 148, 8);
  });
}

/** Bytes that blocks take for `size` bytes. */
export const padded = (size: number) => Math.ceil(size / BLOCK) * BLOCK;

function member(bytes: Buffer, at: number, headers: number, flag: string, records: Records): TarHeader {
  const type = TYPES[flag];
  if (!type) throw broken(`a member of the unknown type ${JSON.stringify(flag)}`);
  const stored = records.has('size') ? whole(records.get('size')) : number(bytes, at + 124, 12);
  const sparse = records.get('GNU.sparse.realsize');
  const linked = type === 'link' || type === 'symlink';
  return {
    headers,
    data: type === 'file' ? stored : 0,
    type,
    path: pathOf(bytes, at, records),
    target: linked ? (value(records.get('linkpath')) ?? text(bytes, at + 157, 100)) : null,
    mode: number(bytes, at + 100, 8) & 0o7777,
    uid: records.has('uid') ? whole(records.get('uid')) : number(bytes, at + 108, 8),
    gid: records.has('gid') ? whole(records.get('gid')) : number(bytes, at + 116, 8),
    size: type === 'file' ? (sparse === undefined ? stored : whole(sparse)) : 0,
    mtime: time(records.get('mtime') ?? String(number(bytes, at + 136, 12))),
    ctime: time(records.get('ctime') ?? '0'),
    device: flag === '3' || flag === '4' ? `${number(bytes, at + 329, 8)}:${number(bytes, at + 337, 8)}` : null,
    attributes: attributes(records),
  };
}

function pathOf(bytes: Buffer, at: number, records: Records): Buffer {
  const path = value(records.get('GNU.sparse.name') ?? records.get('path')) ?? ustarPath(bytes, at);
  const end = path.at(-1) === SLASH ? path.findLastIndex((byte) => byte !== SLASH) + 1 : path.length;
  if (end === 0 || path.includes(0)) throw broken('a member without a name');
  return end < path.length ? path.subarray(0, end) : path;
}

const SLASH = 0x2f;
const value = (record: string | undefined) => (record === undefined ? undefined : Buffer.from(record, 'latin1'));

function ustarPath(bytes: Buffer, at: number): Buffer {
  const name = text(bytes, at, 100);
  if (bytes[at + 345] === 0) return name;
  return Buffer.concat([text(bytes, at + 345, 155), Buffer.from('/'), name]);
}

/** A copy of a field up to its NUL. */
function text(bytes: Buffer, at: number, width: number): Buffer {
  const end = bytes.indexOf(0, at);
  return Buffer.from(bytes.subarray(at, end < 0 || end > at + width ? at + width : end));
}

/** Octal digits, or base 256 with the first bit set. */
function number(bytes: Buffer, at: number, width: number): number {
  let result = 0;
  const first = bytes[at] as number;
  const binary = first >= 0x80;
  for (let i = at; i < at + width; i += 1) {
    const byte = bytes[i] as number;
    if (binary) result = result * 256 + (i === at ? first & 0x7f : byte);
    else if (byte >= 0x30 && byte <= 0x37) result = result * 8 + byte - 0x30;
    else if (byte !== 0x20 || result > 0) break;
  }
  if (!Number.isSafeInteger(result)) throw broken('a number that is too big');
  return result;
}

/** `LENGTH KEYWORD=VALUE\n`, LENGTH being that of the whole record. */
function readRecords(data: string): Records {
  const records: Records = new Map();
  for (let at = 0; at < data.length; ) {
    const blank = data.indexOf(' ', at);
    const length = Number(data.slice(at, blank));
    const equals = data.indexOf('=', blank);
    const next = at + length;
    if (blank < 0 || equals < 0 || equals >= next || next > data.length || data[next - 1] !== '\n')
      throw broken('an extended header that is none');
    records.set(data.slice(blank + 1, equals), data.slice(equals + 1, next - 1));
    at = next;
  }
  return records;
}

function whole(digits = ''): number {
  const result = Number(digits);
  if (!/^\d+$/.test(digits) || !Number.isSafeInteger(result)) throw broken('a number that is none');
  return result;
}

/** `1700000000.123456789`, `-5.5`: seconds since 1970 as extended headers have them. */
function time(seconds: string): string {
  if (!/^-?\d{1,18}(\.\d*)?$/.test(seconds)) throw broken('a time that is none');
  return seconds;
}

const IS_ATTRIBUTE = /^(SCHILY\.(xattr|acl)\.|RHT\.security\.)/;

function attributes(records: Records): string {
  const found: string[] = [];
  for (const [key, attribute] of records) if (IS_ATTRIBUTE.test(key)) found.push(`${key}=${attribute}`);
  return found.sort().join('\n');
}

function broken(what: string): MindiError {
  return new MindiError(`this is no tar archive of mindi's: ${what}`, { code: 'tar.header', exitCode: 1 });
}

/** What a header of our own says: a slice of a file, or a link. Root's, mode 600: it is for restoring by hand. */
interface Own {
  path: Buffer;
  size?: number;
  target?: Buffer;
}

/** Headers of a member. */
export function writeHeader({ path, size = 0, target }: Own): Buffer {
  const records = [...(path.length > 100 ? [record('path', path)] : [])];
  if (target && target.length > 100) records.push(record('linkpath', target));
  const header = ustar(path, size, target ? '1' : '0', target);
  return records.length > 0 ? Buffer.concat([extended(Buffer.concat(records)), header]) : header;
}

/** The headers of a member with another path, all else as it is. */
export function renamed(headers: Buffer, path: Buffer): Buffer {
  const kept: Buffer[] = [record('path', path)];
  let at = 0;
  for (; headers[at + 156] === X; at += BLOCK + padded(number(headers, at + 124, 12))) {
    const size = number(headers, at + 124, 12);
    for (const [key, text] of readRecords(headers.toString('latin1', at + BLOCK, at + BLOCK + size))) {
      const name = key === 'GNU.sparse.name';
      if (key !== 'path') kept.push(record(key, name ? path : Buffer.from(text, 'latin1')));
    }
  }
  const header = Buffer.from(headers.subarray(at, at + BLOCK));
  return Buffer.concat([extended(Buffer.concat(kept)), summed(header)]);
}

/** A line at the head of an archive that says what it is; tar programs pass it over. */
export function comment(words: string): Buffer {
  return extended(record('comment', Buffer.from(words)), 'g');
}

const X = 'x'.charCodeAt(0);

function extended(records: Buffer, flag = 'x'): Buffer {
  const name = Buffer.from(flag === 'x' ? 'PaxHeaders/mindi' : 'GlobalHead/mindi');
  const padding = Buffer.alloc(padded(records.length) - records.length);
  return Buffer.concat([ustar(name, records.length, flag), records, padding]);
}

function record(key: string, data: Buffer): Buffer {
  const bare = key.length + data.length + 3;
  let length = bare + String(bare).length;
  length = bare + String(length).length;
  return Buffer.concat([Buffer.from(`${length} ${key}=`), data, Buffer.from('\n')]);
}

function ustar(path: Buffer, size: number, flag: string, target?: Buffer): Buffer {
  const header = Buffer.alloc(BLOCK);
  path.copy(header, 0, 0, 100);
  header.write('0000600\0', 100);
  header.write('0000000\0'.repeat(2), 108);
  header.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write(flag, 156);
  target?.copy(header, 157, 0, 100);
  header.write('ustar\x0000', 257, 'latin1');
  return summed(header);
}

/** The header with its checksum: all bytes added up, the checksum's own as blanks. */
function summed(header: Buffer): Buffer {
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}
