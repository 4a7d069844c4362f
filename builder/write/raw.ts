import { hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';

/** Bytes a system call moves: enough that no device waits for the next. */
export const CHUNK = 4 << 20;
const WASM_PAGE = 64 << 10;
/** Node's types have none of it. */
const { WebAssembly } = globalThis as unknown as {
  WebAssembly: { Memory: new (pages: { initial: number }) => { buffer: ArrayBuffer } };
};

/** A place in what is copied, and the system's error there. */
export class RawError extends Error {
  /** Bytes that were right before it. */
  readonly done: number;
  constructor(done: number, cause: unknown) {
    super('a system call on a device failed', { cause });
    this.done = done;
  }
}

/**
 * Buffers for O_DIRECT must begin at a multiple of the device's block size, and Node's do not; the memory of WebAssembly
 * begins at a page.
 */
export function alignedBuffer(bytes: number): Buffer {
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / WASM_PAGE) });
  return Buffer.from(memory.buffer, 0, bytes);
}

const roundUp = (bytes: number, block: number) => Math.ceil(bytes / block) * block;
const twoBuffers = () => [alignedBuffer(CHUNK), alignedBuffer(CHUNK)] as const;

/**
 * Copies the first `size` bytes of a file to a device opened with O_DIRECT; the last block is filled up with zeros. Reads
 * and hashes a chunk while the one before is written.
 * @returns the SHA-256 of every chunk
 * @throws RawError for the device, the system's own error for the file
 */
export async function copyToDevice(
  file: FileHandle,
  device: FileHandle,
  { size, block }: { size: number; block: number },
  wrote: (done: number) => void,
): Promise<string[]> {
  const buffers = twoBuffers();
  const digests: string[] = [];
  const take = async (at: number) => {
    const length = Math.max(0, Math.min(CHUNK, size - at));
    const buffer = buffers[digests.length % 2] as Buffer;
    if (length === 0) return buffer.subarray(0, 0);
    await fill(file, buffer.subarray(0, length), at);
    digests.push(hash('sha256', buffer.subarray(0, length)));
    return buffer.fill(0, length).subarray(0, roundUp(length, block));
  };
  let chunk = await take(0);
  for (let at = 0; at < size; at += CHUNK) {
    const [following] = await Promise.all([take(at + CHUNK), drain(device, chunk, at)]);
    wrote(Math.min(at + CHUNK, size));
    chunk = following;
  }
  return digests;
}

/** The digests that `copyToDevice` would give, for what something else has written. */
export async function digestChunks(file: FileHandle, size: number): Promise<string[]> {
  const digests: string[] = [];
  const buffer = Buffer.allocUnsafe(CHUNK);
  for (let at = 0; at < size; at += CHUNK) {
    const chunk = buffer.subarray(0, Math.min(CHUNK, size - at));
    await fill(file, chunk, at);
    digests.push(hash('sha256', chunk));
  }
  return digests;
}

/** @throws Error `ENODATA` when the file has become shorter */
async function fill(file: FileHandle, buffer: Buffer, at: number): Promise<void> {
  for (let done = 0; done < buffer.length; ) {
    const { bytesRead } = await file.read(buffer, done, buffer.length - done, at + done);
    if (bytesRead === 0) throw Object.assign(new Error('it ends early'), { code: 'ENODATA' });
    done += bytesRead;
  }
}

/** What a write leaves over is tried again, so that the system says why. */
async function drain(device: FileHandle, chunk: Buffer, at: number): Promise<void> {
  let done = 0;
  try {
    while (done < chunk.length) done += (await device.write(chunk, done, chunk.length - done, at + done)).bytesWritten;
  } catch (error) {
    throw new RawError(at + done, error);
  }
}

/**
 * Reads a device opened with O_DIRECT, so from the medium and not from memory, and compares it with the digests that
 * `copyToDevice` gave. Reads a chunk while the one before is hashed.
 * @returns where the first chunk is that holds something else; undefined: all is the same
 * @throws RawError
 */
export async function findDifference(
  device: FileHandle,
  digests: readonly string[],
  { size, block }: { size: number; block: number },
  read: (done: number) => void,
): Promise<{ from: number; to: number } | undefined> {
  const buffers = twoBuffers();
  const take = async (index: number) => {
    const length = Math.max(0, Math.min(CHUNK, size - index * CHUNK));
    const chunk = (buffers[index % 2] as Buffer).subarray(0, roundUp(length, block));
    try {
      await fill(device, chunk, index * CHUNK);
    } catch (error) {
      throw new RawError(index * CHUNK, error);
    }
    return chunk.subarray(0, length);
  };
  let chunk = await take(0);
  for (const [index, digest] of digests.entries()) {
    const following = take(index + 1);
    const [same, next] = await Promise.all([sameAs(chunk, digest), following]);
    const [from, to] = [index * CHUNK, Math.min((index + 1) * CHUNK, size)];
    if (!same) return { from, to };
    read(to);
    chunk = next;
  }
  return undefined;
}

const sameAs = async (chunk: Buffer, digest: string) => hash('sha256', chunk) === digest;
