import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { crc32, inflateRaw, type ZlibOptions, type ZstdOptions, zstdDecompress } from 'node:zlib';
import { MindiError, messageOf } from '../../contract/error.ts';
import { run } from '../run.ts';

export type Compression = 'zstd' | 'gzip' | 'xz';

/** One compressed stream in an initrd. */
export interface Stream {
  compression: Compression;
  /** Where the next thing may begin. */
  end: number;
  plain: Promise<Buffer>;
}

/** No initrd is bigger than this unpacked; what claims to be would only fill the memory. */
const MOST_BYTES = 2 ** 31 - 1;

const MAGICS: [Compression, number[]][] = [
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['gzip', [0x1f, 0x8b]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
];
const OTHERS: [string, number[]][] = [
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['lz4', [0x02, 0x21, 0x4c, 0x18]],
  ['lzma', [0x5d, 0x00, 0x00]],
  ['lzo', [0x89, 0x4c, 0x5a, 0x4f]],
];

/**
 * The compressed stream that begins at `start`, or undefined when none does.
 * @param scratch a directory for what an external program unpacks
 * @throws MindiError `initrd.truncated`, `initrd.damaged`, `initrd.compression`
 */
export async function streamAt(bytes: Buffer, start: number, scratch: string): Promise<Stream | undefined> {
  const begins = ([, magic]: [unknown, number[]]) => magic.every((byte, i) => bytes[start + i] === byte);
  const compression = MAGICS.find(begins)?.[0];
  if (compression === 'zstd') return zstdStream(bytes, start);
  if (compression === 'gzip') return gzipStream(bytes, start);
  if (compression === 'xz') return xzStream(bytes, start, scratch);
  const other = OTHERS.find(begins)?.[0];
  if (!other) return undefined;
  throw new MindiError(`it is compressed with ${other}, which mindi does not read`, {
    code: 'initrd.compression',
    hint: `Decompress it with ${other} first.`,
  });
}

/** Walks the block headers of one frame, so that its end is known before anything is decompressed. RFC 8878, 3.1.1. */
function zstdStream(bytes: Buffer, start: number): Stream {
  const descriptor = byteAt(bytes, start + 4);
  const single = (descriptor >> 5) & 1;
  const sizeBytes = [single, 2, 4, 8][descriptor >> 6] as number;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] as number;
  let at = start + 5 + (1 - single) + dictionaryBytes + sizeBytes;
  for (let last = false; !last; ) {
    const header = byteAt(bytes, at) | (byteAt(bytes, at + 1) << 8) | (byteAt(bytes, at + 2) << 16);
    last = (header & 1) === 1;
    const type = (header >> 1) & 3;
    if (type === 3) throw damaged('zstd', 'a block of no known kind');
    at += 3 + (type === 1 ? 1 : header >> 3);
  }
  const end = at + ((descriptor >> 2) & 1) * 4;
  if (end > bytes.length) throw truncated('zstd');
  const unpack = promisify<Buffer, ZstdOptions, Buffer>(zstdDecompress);
  const plain = unpack(bytes.subarray(start, end), { maxOutputLength: MOST_BYTES }).catch((error) => {
    throw damaged('zstd', messageOf(error));
  });
  return { compression: 'zstd', end, plain: handled(plain) };
}

/** One gzip member. RFC 1952. */
async function gzipStream(bytes: Buffer, start: number): Promise<Stream> {
  const flags = byteAt(bytes, start + 3);
  let at = start + 10;
  if (flags & 4) at += 2 + byteAt(bytes, at) + (byteAt(bytes, at + 1) << 8);
  for (const named of [8, 16]) if (flags & named) at = bytes.indexOf(0, at) + 1 || bytes.length;
  if (flags & 2) at += 2;
  const inflate = promisify<Buffer, ZlibOptions, { buffer: Buffer; engine: { bytesWritten: number } }>(
    inflateRaw as never,
  );
  try {
    const { buffer, engine } = await inflate(bytes.subarray(at), { maxOutputLength: MOST_BYTES, info: true });
    const end = at + engine.bytesWritten + 8;
    if (end > bytes.length) throw truncated('gzip');
    if (bytes.readUInt32LE(end - 8) !== crc32(buffer)) throw damaged('gzip', 'its checksum is wrong');
    return { compression: 'gzip', end, plain: Promise.resolve(buffer) };
  } catch (error) {
    if (error instanceof MindiError) throw error;
    throw (error as NodeJS.ErrnoException).code === 'Z_BUF_ERROR'
      ? truncated('gzip')
      : damaged('gzip', messageOf(error));
  }
}

/** One xz stream; its end is where a footer fits an index that fits. https://tukaani.org/xz/xz-file-format.txt */
async function xzStream(bytes: Buffer, start: number, scratch: string): Promise<Stream> {
  for (let magic = bytes.indexOf('YZ', start + 12); magic >= 0; magic = bytes.indexOf('YZ', magic + 1)) {
    const end = magic + 2;
    const footer = end - 12;
    const index = footer - (bytes.readUInt32LE(footer + 4) + 1) * 4;
    if ((end - start) % 4 !== 0 || index < start + 12 || bytes[index] !== 0) continue;
    if (bytes.readUInt32LE(footer) !== crc32(bytes.subarray(footer + 4, footer + 10))) continue;
    if (bytes.readUInt32LE(footer - 4) !== crc32(bytes.subarray(index, footer - 4))) continue;
    if (unpackedSize(bytes.subarray(index + 1, footer - 4)) > MOST_BYTES)
      throw damaged('xz', 'it unpacks to more than 2 GiB');
    return { compression: 'xz', end, plain: handled(unxz(bytes.subarray(start, end), start, scratch)) };
  }
  throw truncated('xz');
}

/** The sum of the uncompressed sizes in an xz index. */
function unpackedSize(index: Buffer): number {
  let at = 0;
  const integer = () => {
    let value = 0;
    for (let shift = 0; shift < 63; shift += 7) {
      const byte = byteAt(index, at++);
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return Number.POSITIVE_INFINITY;
  };
  let sum = 0;
  for (let records = integer(); records > 0 && at < index.length; records--) {
    integer();
    sum += integer();
  }
  return sum;
}

async function unxz(bytes: Buffer, start: number, scratch: string): Promise<Buffer> {
  const [packed, plain] = [join(scratch, `${start}.xz`), join(scratch, `${start}.plain`)];
  await writeFile(packed, bytes);
  try {
    await run('xz', ['--decompress', '--stdout', '--', packed], { stdoutFile: plain, package: 'xz-utils' });
  } catch (error) {
    if (error instanceof MindiError && error.code === 'tool.failed') throw damaged('xz', error.message);
    throw error;
  }
  return readFile(plain);
}

/** A failure is reported where the stream is awaited, however much later that is. */
function handled<T>(work: Promise<T>): Promise<T> {
  work.catch(() => {});
  return work;
}

function byteAt(bytes: Buffer, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw truncated('compressed');
  return byte;
}

function truncated(what: string): MindiError {
  return new MindiError(`the ${what} data end too early`, {
    code: 'initrd.truncated',
    hint: 'The file is not whole: copy or build it again.',
  });
}

function damaged(what: string, why: string): MindiError {
  return new MindiError(`damaged ${what} data: ${why}`, {
    code: 'initrd.damaged',
    hint: 'The file is damaged: copy or build it again.',
  });
}
