import type { FileHandle } from 'node:fs/promises';

/** Bytes a system call moves: enough that no device waits for the next. */
export const CHUNK = 4 << 20;
const WASM_PAGE = 64 << 10;
/** Node's types have none of it. */
const { WebAssembly } = globalThis as unknown as {
  WebAssembly: { Memory: new (pages: { initial: number }) => { buffer: ArrayBuffer } };
};

/** What is copied: its bytes, and how many of them the device moves at once. */
interface Extent {
  size: number;
  block: number;
}

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
 * Copies the first bytes of a file to a device opened with O_DIRECT; the last block is filled up with zeros. Reads a
 * chunk while the one before is written.
 * @throws RawError for the device, the system's own error for the file
 */
export async function copyToDevice(
  file: FileHandle,
  device: FileHandle,
  { size, block }: Extent,
  wrote: (done: number) => void,
): Promise<void> {
  const buffers = twoBuffers();
  const take = async (at: number) => {
    const length = Math.max(0, Math.min(CHUNK, size - at));
    const buffer = buffers[(at / CHUNK) % 2] as Buffer;
    await fill(file, buffer.subarray(0, length), at);
    return buffer.fill(0, length).subarray(0, roundUp(length, block));
  };
  let chunk = await take(0);
  for (let at = 0; at < size; at += CHUNK) {
    const [following] = await Promise.all([take(at + CHUNK), drain(device, chunk, at)]);
    wrote(Math.min(at + CHUNK, size));
    chunk = following;
  }
}

/**
 * Reads a device opened with O_DIRECT, so from the medium and not from memory, and compares it with a file.
 * @returns the first byte that is another; undefined: all is the same
 * @throws RawError for the device, the system's own error for the file
 */
export async function findDifference(
  file: FileHandle,
  device: FileHandle,
  { size, block }: Extent,
  read: (done: number) => void,
): Promise<number | undefined> {
  const [wanted, found] = twoBuffers();
  for (let at = 0; at < size; at += CHUNK) {
    const length = Math.min(CHUNK, size - at);
    const [right, got] = [wanted.subarray(0, length), found.subarray(0, length)];
    await Promise.all([fill(file, right, at), fillFrom(device, found.subarray(0, roundUp(length, block)), at)]);
    if (!got.equals(right)) return at + got.findIndex((byte, index) => byte !== right[index]);
    read(at + length);
  }
  return undefined;
}

async function fillFrom(device: FileHandle, buffer: Buffer, at: number): Promise<void> {
  try {
    await fill(device, buffer, at);
  } catch (error) {
    throw new RawError(at, error);
  }
}

/** @throws Error `ENODATA` where it ends before the buffer is full */
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
