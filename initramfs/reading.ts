import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { attribute } from './devices.ts';
import { BUSYBOX, complaint } from './process.ts';
import { SUPERBLOCK_BYTES } from './superblock.ts';

/**
 * Reading from devices that may be slow, or hang. How long something may take is never said for the whole, only for a
 * time in which nothing at all comes: a virtual disc behind a slow line takes hours and is fine.
 */

/** Seconds a device may take for its first bytes: a CD drive spins up, a broken one never answers. */
const FIRST_BYTES = 30;
/** Seconds a device may be silent in the midst of a file. */
const NEXT_BYTES = 60;
/** Bytes read at a time. */
const PIECE = 128 * 1024;

/**
 * Changes with every piece a block device (`/dev/sr0`) gives. Of its `stat` (Documentation/block/stat.rst) only what has
 * ended counts: times go on while a request hangs.
 */
export function progressOf(device: string): () => string {
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

interface PieceOptions {
  /** The device the file is, or is on: `/dev/sdb1`. */
  device: string;
  /** Bytes that are passed over, and how many are read at most. */
  offset?: number;
  length?: number;
  /** Seconds the device may be silent. */
  silence?: number;
}

/**
 * A file or device in pieces. A process of its own reads it, so that a device that hangs keeps neither this process
 * from ending nor its other files from being read.
 */
export async function* pieces(file: string, options: PieceOptions): AsyncGenerator<Buffer> {
  const { device, offset = 0, length, silence = NEXT_BYTES } = options;
  const count = length === undefined ? [] : [`count=${length}`];
  const words = [
    `if=${file}`,
    `bs=${PIECE}`,
    'iflag=skip_bytes,count_bytes',
    `skip=${offset}`,
    ...count,
    'status=none',
  ];
  const child = spawn(BUSYBOX, ['dd', ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = Promise.withResolvers<number>();
  child.on('close', (code) => ended.resolve(code ?? 1)).on('error', ended.reject);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const output: AsyncIterator<Buffer> = child.stdout[Symbol.asyncIterator]();
  const progress = progressOf(device);
  try {
    for (;;) {
      const { done, value } = await inTime(output.next(), silence, progress);
      if (done) break;
      yield value;
    }
    const code = await inTime(ended.promise, silence, progress);
    if (code !== 0) throw new Error(complaint({ code, stdout: '', stderr }));
  } finally {
    ended.promise.catch(() => {});
    child.kill('SIGKILL');
    child.stdout.destroy();
    child.stderr.destroy();
    child.unref();
  }
}

/** The device's first bytes, or why there are none. A device that hangs is left behind. */
export async function firstBytes(device: string): Promise<Buffer | Error> {
  const parts: Buffer[] = [];
  try {
    const options = { device, length: SUPERBLOCK_BYTES, silence: FIRST_BYTES };
    for await (const piece of pieces(device, options)) parts.push(piece);
    return Buffer.concat(parts);
  } catch (error) {
    return error as Error;
  }
}

/** A file in pieces through one buffer, each valid until the next: for those that are big and needed soon. */
export async function* chunks(file: string): AsyncGenerator<Uint8Array> {
  const handle = await open(file);
  const buffer = Buffer.allocUnsafe(1 << 20);
  try {
    while (true) {
      const { bytesRead } = await inTime(handle.read(buffer, 0, buffer.length), NEXT_BYTES);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    // Closing waits for a read that never ends, so it has its limit too.
    await inTime(handle.close(), 1).catch(() => {});
  }
}
