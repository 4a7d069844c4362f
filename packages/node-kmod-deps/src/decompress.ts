import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip, type InputType, zstdDecompress } from 'node:zlib';
import { KmodError } from './error.ts';
import { xzContentSize } from './xz.ts';

/** The largest module of any distribution is far below this; more is a decompression bomb. */
export const MAX_MODULE_BYTES = 256 * 1024 * 1024;

type Format = 'gzip' | 'xz' | 'zstd';
const MAGIC: readonly [Format, readonly number[]][] = [
  ['gzip', [0x1f, 0x8b]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
];

/** What the first bytes of a file say of its compression; null for none known. */
export function compressionOf(head: Uint8Array): Format | null {
  return MAGIC.find(([, magic]) => magic.every((byte, i) => head[i] === byte))?.[0] ?? null;
}

/**
 * A file's bytes, decompressed when it is gzip, xz or zstd.
 * @throws KmodError module.unreadable, module.compression, module.too-big
 */
export async function readDecompressed(path: string, maxBytes: number = MAX_MODULE_BYTES): Promise<Buffer> {
  const bytes = await readFile(path).catch((error: Error) => {
    throw new KmodError('module.unreadable', `cannot read ${path}: ${error.message}`, { where: path, cause: error });
  });
  const format = compressionOf(bytes);
  if (format === null) return bytes;
  try {
    return await decompress(bytes, format, path, maxBytes);
  } catch (error) {
    if (error instanceof KmodError) throw error;
    if (isTooLarge(error)) throw tooBig(path, maxBytes);
    throw new KmodError('module.compression', `${path} is broken ${format} data`, {
      hint: 'Install the kernel package again.',
      where: path,
      cause: error,
    });
  }
}

/**
 * Bytes a module has when decompressed, as its compressed file says, without decompressing it.
 * @throws KmodError module.unreadable, module.compression, module.too-big
 */
export async function moduleSize(path: string): Promise<number> {
  const bytes = await readFile(path).catch((error: Error) => {
    throw new KmodError('module.unreadable', `cannot read ${path}: ${error.message}`, { where: path, cause: error });
  });
  const format = compressionOf(bytes);
  if (format === null) return bytes.length;
  const size = format === 'xz' ? xzContentSize(bytes, MAX_MODULE_BYTES) : null;
  return size ?? (await readDecompressed(path)).length;
}

async function decompress(bytes: Buffer, format: Format, path: string, maxBytes: number): Promise<Buffer> {
  const options = { maxOutputLength: maxBytes };
  if (format === 'gzip') return await promisify<InputType, object, Buffer>(gunzip)(bytes, options);
  if (format === 'zstd') return await promisify<InputType, object, Buffer>(zstdDecompress)(bytes, options);
  const size = xzContentSize(bytes, maxBytes);
  if (size === null) return await xzProgram(path, maxBytes);
  if (size > maxBytes) throw tooBig(path, maxBytes);
  const { xz } = await import('@napi-rs/lzma');
  return await xz.decompress(bytes);
}

/** For what the library cannot do: several streams, the x86 filter. */
async function xzProgram(path: string, maxBytes: number): Promise<Buffer> {
  const options = { encoding: 'buffer', maxBuffer: maxBytes } as const;
  const { stdout } = await promisify(execFile)('xz', ['--decompress', '--stdout', '--', path], options);
  return stdout;
}

function isTooLarge(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code === 'ERR_BUFFER_TOO_LARGE' || code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER';
}

function tooBig(path: string, maxBytes: number): KmodError {
  return new KmodError('module.too-big', `${path} is more than ${maxBytes} bytes when decompressed`, {
    hint: 'No kernel module is that big; the file is damaged or hostile.',
    where: path,
  });
}
