import type { Entry } from '../../contract/manifest.ts';
import type { Source } from './content.ts';

/**
 * GNU tar's dialect (https://www.gnu.org/software/tar/manual/html_node/Standard.html), because mksquashfs 4.5.1 drops
 * the leading `/` of a symbolic link's target that comes in a pax header.
 */
const BLOCK = 512;
const NAME_ROOM = 100;
const TYPE_FLAGS: Record<Entry['type'], string> = {
  file: '0',
  segment: '0',
  config: '0',
  symlink: '2',
  char: '3',
  block: '4',
  directory: '5',
};
const LONG_NAME = 'L';
const LONG_TARGET = 'K';

/** A tar stream of the entries in the order given, every time `mtime` (seconds since 1970). */
export async function* writeTar(source: Source, mtime: number): AsyncGenerator<Uint8Array> {
  for await (const { entry, size, bytes } of source) {
    yield* headers(entry, size, mtime);
    for await (const chunk of bytes) yield chunk;
    if (size % BLOCK > 0) yield Buffer.alloc(BLOCK - (size % BLOCK));
  }
  yield Buffer.alloc(2 * BLOCK);
}

function* headers(entry: Entry, size: number, mtime: number): Generator<Uint8Array> {
  const path = entry.path.slice(1) + (entry.type === 'directory' ? '/' : '');
  const target = entry.type === 'symlink' ? entry.target : '';
  yield* long(LONG_TARGET, target);
  yield* long(LONG_NAME, path);
  const { major, minor } = entry.type === 'char' || entry.type === 'block' ? entry : { major: 0, minor: 0 };
  const { mode, uid, gid } = entry;
  yield header({ path, mode, uid, gid, size, mtime, type: TYPE_FLAGS[entry.type], target, major, minor });
}

/** What is too long for its field comes before the header, as the data of a header of its own. */
function* long(type: string, text: string): Generator<Uint8Array> {
  const bytes = Buffer.from(`${text}\0`);
  if (bytes.length <= NAME_ROOM) return;
  const none = { mode: 0o644, uid: 0, gid: 0, mtime: 0, target: '', major: 0, minor: 0 };
  yield header({ ...none, path: '././@LongLink', size: bytes.length, type });
  yield Buffer.concat([bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)]);
}

interface Header {
  path: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtime: number;
  type: string;
  target: string;
  major: number;
  minor: number;
}

function header(fields: Header): Buffer {
  const out = Buffer.alloc(BLOCK);
  out.write(fields.path, 0, NAME_ROOM);
  number(out, fields.mode, 100, 8);
  number(out, fields.uid, 108, 8);
  number(out, fields.gid, 116, 8);
  number(out, fields.size, 124, 12);
  number(out, fields.mtime, 136, 12);
  out.fill(' ', 148, 156);
  out.write(fields.type, 156);
  out.write(fields.target, 157, NAME_ROOM);
  out.write('ustar  \0', 257, 'latin1');
  number(out, fields.major, 329, 8);
  number(out, fields.minor, 337, 8);
  const sum = out.reduce((total, byte) => total + byte, 0);
  number(out, sum, 148, 7);
  return out;
}

/** Octal digits and a NUL, or base 256 with the first bit set where they do not fit. */
function number(out: Buffer, value: number, at: number, width: number): void {
  const digits = value.toString(8);
  if (digits.length < width) {
    out.write(`${digits.padStart(width - 1, '0')}\0`, at, 'latin1');
    return;
  }
  out[at] = 0x80;
  out.writeUIntBE(value, at + width - 6, 6);
}
