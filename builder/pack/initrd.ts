import { closeSync, openSync, writeSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import pLimit from 'p-limit';
import type { Entry } from '../../contract/manifest.ts';
import { piecesOf, writeBeside } from '../cache.ts';
import { joined, type Source } from './content.ts';
import { align, writeCpio } from './cpio.ts';

/**
 * A compressed cpio segment is a row of whole archives of about this many bytes, each one zstd frame: they are
 * compressed side by side and the bytes do not depend on how many cores do it. (node:zlib's own worker threads,
 * ZSTD_c_nbWorkers, lose output in Node 24: its binding ends before the encoder has flushed.) The archives must be
 * whole because the kernel says "junk at the end of compressed archive" otherwise (init/initramfs.c, unpack_to_rootfs).
 */
const FRAME_BYTES = 12 << 20;
/** libuv's pool has four threads; two are left to read files. */
const COMPRESSORS = 2;

export interface CpioOptions {
  /** zstd level, or null to store. */
  level: number | null;
  /** Seconds since 1970, the time of every file. */
  epoch: number;
  /** Reads some of the entries, in order. */
  read: (entries: readonly Entry[]) => Source;
  size: (entry: Entry) => number;
}

/** Writes the entries as one part of an initrd: a plain cpio, or zstd frames of cpio archives. */
export async function writeCpioSegment(entries: readonly Entry[], target: string, options: CpioOptions): Promise<void> {
  const { level, epoch, read, size } = options;
  const file = await open(target, 'wx');
  try {
    if (level === null) {
      for await (const chunk of joined(writeCpio(read(entries), epoch))) await file.appendFile(chunk);
    } else {
      const archives = frames(entries, size).map((part) => writeCpio(read(part), epoch));
      await writeCompressed(file, archives, level);
    }
  } finally {
    await file.close();
  }
}

/** The entries in parts of about FRAME_BYTES. */
function frames(entries: readonly Entry[], size: (entry: Entry) => number): Entry[][] {
  const parts: Entry[][] = [[]];
  let bytes = 0;
  for (const entry of entries) {
    if (bytes >= FRAME_BYTES) {
      parts.push([]);
      bytes = 0;
    }
    parts.at(-1)?.push(entry);
    bytes += size(entry);
  }
  return parts;
}

async function writeCompressed(
  file: FileHandle,
  archives: readonly AsyncIterable<Uint8Array>[],
  level: number,
): Promise<void> {
  const limit = pLimit(COMPRESSORS);
  const pending = archives.map((archive) => limit(async () => compressed(await collected(archive), level)));
  for (const frame of pending) frame.catch(() => limit.clearQueue());
  for (const frame of pending) await file.appendFile(await frame);
}

/** One zstd frame with its checksum, which the kernel verifies. */
function compressed(bytes: Uint8Array, level: number): Promise<Uint8Array> {
  return promisify(zstdCompress)(bytes, {
    params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 },
  });
}

async function collected(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const held: Uint8Array[] = [];
  for await (const piece of pieces) held.push(piece);
  return Buffer.concat(held);
}

/** Joins initrd segments, each padded to four bytes: the kernel looks for a plain archive only there. */
export async function concatenate(paths: readonly string[], target: string): Promise<void> {
  await writeBeside(target, async (temporary) => {
    const file = openSync(temporary, 'wx');
    try {
      for (const path of paths) {
        let size = 0;
        for (const piece of piecesOf(path)) size += writeSync(file, piece);
        writeSync(file, Buffer.alloc(align(size) - size));
      }
    } finally {
      closeSync(file);
    }
  });
}
