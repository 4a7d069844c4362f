import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../builder/run.ts';
import { MindiError } from '../contract/error.ts';
import { ON_MEDIUM } from './menu.ts';
import type { Attachment } from './qemu.ts';

/**
 * How a machine can start from an image: the ways to attach it, the natural one first.
 * @throws MindiError `image.missing`, `image.empty` or `image.unbootable`, naming the image
 */
export function attachments(path: string): Attachment[] {
  const start = firstBytes(path, 17 * 2048 + 64);
  if (start.length === 0) throw unbootable(path, 'is empty', 'image.empty');
  const iso = text(start, 16 * 2048 + 1, 5) === 'CD001';
  if (iso && text(start, 17 * 2048 + 7, 23) !== 'EL TORITO SPECIFICATION')
    throw unbootable(path, 'is an ISO 9660 image without a boot record (El Torito)');
  const disk = start.length >= 512 && start.readUInt16LE(510) === 0xaa55;
  if (!iso && !disk) throw unbootable(path, 'is neither an ISO 9660 image nor a disk image with a boot sector');
  return [...(iso ? ['cdrom' as const] : []), ...(disk ? ['usb' as const] : [])];
}

function firstBytes(path: string, length: number): Buffer {
  try {
    if (!statSync(path).isFile()) throw unbootable(path, 'is not a file');
    const file = openSync(path, 'r');
    const bytes = Buffer.alloc(length);
    try {
      return bytes.subarray(0, readSync(file, bytes, 0, length, 0));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (error instanceof MindiError) throw error;
    const absent = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw new MindiError(absent ? 'there is no such file' : `cannot be read: ${String(error)}`, {
      code: 'image.missing',
      where: path,
      hint: 'Name an image that `mindi build` made.',
      cause: error,
    });
  }
}

function text(bytes: Buffer, at: number, length: number): string {
  return bytes.toString('latin1', at, at + length);
}

function unbootable(path: string, what: string, code = 'image.unbootable'): MindiError {
  return new MindiError(`it ${what}, so no machine starts from it`, {
    code,
    where: path,
    hint: 'Name an image that `mindi build` made.',
  });
}

/**
 * Takes kernel and initrd out of an ISO image.
 * @throws MindiError `image.unbootable` when the image has none where mindi puts them
 */
export async function takeKernel(image: string, folder: string): Promise<{ kernel: string; initrd: string }> {
  const [kernel, initrd] = [join(folder, 'vmlinuz'), join(folder, 'initrd.img')];
  const wanted = ['-extract', `/${ON_MEDIUM.kernel}`, kernel, '-extract', `/${ON_MEDIUM.initrd}`, initrd];
  try {
    await run('osirrox', ['-no_rc', '-indev', `stdio:${image}`, ...wanted], { package: 'xorriso' });
  } catch (error) {
    if (!(error instanceof MindiError) || error.code !== 'tool.failed') throw error;
    throw new MindiError(`it holds no /${ON_MEDIUM.kernel} and /${ON_MEDIUM.initrd}`, {
      code: 'image.unbootable',
      where: image,
      hint: 'Parameters can be given to images that `mindi build` made; boot others without --append.',
      cause: error,
    });
  }
  return { kernel, initrd };
}
