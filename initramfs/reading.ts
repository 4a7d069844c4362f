import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import { attribute } from './devices.ts';
import { SUPERBLOCK_BYTES } from './superblock.ts';

/**
 * Reading from devices that may be slow, or hang. How long something may take is never said for the whole, only for a
 * time in which nothing at all comes: a virtual disc behind a slow line takes hours and is fine.
 */

/** Seconds a device may take for its first bytes: a CD drive spins up, a broken one never answers. */
const FIRST_BYTES = 30;
/** Seconds a device may be silent in the midst of a file. */
const NEXT_BYTES = 60;

/**
 * Changes with every piece a block device (`/dev/sr0`) gives. Of its `stat` (Documentation/block/stat.rst) only what has
 * ended counts: times go on while a request hangs.
 */
export function progressOf(device: string | null): () => string {
  if (device === null) return () => '';
  return () => attribute('/sys/class/block', basename(device), 'stat').split(/\s+/).slice(0, 3).join();
}

/**
 * The work's result; throws when so many seconds go by in which neither it ends nor `progress` tells anything new. The
 * work itself cannot be stopped.
 */
export async function inTime<T>(work: Promise<T>, seconds: number, progress: () => string = () => ''): Promise<T> {
  const tooLate = Promise.withResolvers<never>();
  let last = progress();
  const timer = setInterval(() => {
    const now = progress();
    if (now === last) tooLate.reject(new Error(`no answer within ${seconds} seconds`));
    last = now;
  }, seconds * 1000);
  try {
    return await Promise.race([work, tooLate.promise]);
  } finally {
    clearInterval(timer);
  }
}

/** The device's first bytes, or why there are none. A device that hangs is left behind. */
export async function firstBytes(device: string): Promise<Buffer | NodeJS.ErrnoException> {
  try {
    return await inTime(readStart(device), FIRST_BYTES, progressOf(device));
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
}

async function readStart(device: string): Promise<Buffer> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(device);
    const buffer = Buffer.alloc(SUPERBLOCK_BYTES);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle?.close();
  }
}

interface ChunkOptions {
  /** Bytes that are passed over. */
  offset?: number;
  /** Of the device the file is on. */
  progress?: () => string;
}

/** A file in pieces through one buffer, each valid until the next. */
export async function* chunks(file: string, { offset = 0, progress }: ChunkOptions = {}): AsyncGenerator<Uint8Array> {
  const handle = await open(file);
  const buffer = Buffer.allocUnsafe(1 << 20);
  try {
    for (let at = offset; ; ) {
      const { bytesRead } = await inTime(handle.read(buffer, 0, buffer.length, at), NEXT_BYTES, progress);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  } finally {
    // Closing waits for a read that never ends, so it has its limit too.
    await inTime(handle.close(), 1).catch(() => {});
  }
}
