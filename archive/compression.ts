import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { filterSync } from '../builder/run.ts';
import { type MethodName, SEALED } from '../contract/archive-set.ts';

/** How archives are compressed. A frame is complete in itself; frames one after the other are a file of the method. */
export interface Method {
  suffix: string;
  /** What unpacks an archive by hand: `zstd -d < 000001.tar.zst`. */
  byHand: string;
  compress: (raw: Buffer, level: number) => Buffer;
  /** A frame of bytes as they are, for what does not get smaller. Without it such bytes are compressed all the same. */
  store?: (raw: Buffer) => Buffer;
  /** @param size bytes it becomes. */
  decompress: (frame: Buffer, size: number) => Buffer;
}

export const METHODS: Record<MethodName, Method> = {
  zstd: {
    suffix: '.zst',
    byHand: 'zstd -d',
    compress: (raw, level) =>
      zstdCompressSync(raw, {
        params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 },
        pledgedSrcSize: raw.length,
      }),
    store: storedZstd,
    decompress: (frame, size) => zstdDecompressSync(frame, { maxOutputLength: size }),
  },
  gzip: {
    suffix: '.gz',
    byHand: 'gzip -d',
    compress: (raw, level) => gzipSync(raw, { level }),
    store: (raw) => gzipSync(raw, { level: 0 }),
    decompress: (frame, size) => gunzipSync(frame, { maxOutputLength: size }),
  },
  xz: {
    suffix: '.xz',
    byHand: 'xz -d',
    compress: (raw, level) => filterSync('xz', [`-${level}`, '--threads=1', '--stdout'], raw),
    decompress: (frame) => filterSync('xz', ['--decompress', '--stdout'], frame),
  },
  lzo: {
    suffix: '.lzo',
    byHand: 'lzop -d',
    compress: (raw, level) => filterSync('lzop', [`-${level}`, '--stdout'], raw),
    decompress: (frame) => filterSync('lzop', ['--decompress', '--stdout'], frame),
  },
  none: {
    suffix: '',
    byHand: 'cat',
    compress: (raw) => Buffer.from(raw),
    decompress: (frame) => frame,
  },
};

/** Of an archive's name, behind `.tar`. */
export const archiveSuffix = (method: MethodName, sealed: boolean) => METHODS[method].suffix + (sealed ? SEALED : '');

const MAGIC = 0xfd2fb528;
/** Four bytes of content size, a single segment, no checksum: Frame_Header_Descriptor of RFC 8878, 3.1.1.1.1. */
const SIZED_SEGMENT = 0xa0;
const HEADER = 9;
/** Block_Maximum_Size, 3.1.1.2.4. */
const MOST = 128 << 10;

/** A zstd frame of raw blocks, RFC 8878. node:zlib writes none when asked. */
function storedZstd(raw: Buffer): Buffer {
  const blocks = Math.max(1, Math.ceil(raw.length / MOST));
  const frame = Buffer.allocUnsafe(HEADER + 3 * blocks + raw.length);
  frame.writeUInt32LE(MAGIC, 0);
  frame[4] = SIZED_SEGMENT;
  frame.writeUInt32LE(raw.length, 5);
  let at = HEADER;
  for (let block = 0; block < blocks; block += 1) {
    const bytes = raw.subarray(block * MOST, (block + 1) * MOST);
    frame.writeUIntLE((bytes.length << 3) | (block === blocks - 1 ? 1 : 0), at, 3);
    at += 3 + bytes.copy(frame, at + 3);
  }
  return frame;
}
