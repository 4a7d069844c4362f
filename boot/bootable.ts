import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { run } from '../builder/run.ts';
import { MindiError } from '../contract/error.ts';
import { writeCdView } from './cd-view.ts';
import { mtools } from './fat.ts';
import { findFat } from './find-fat.ts';
import { ON_MEDIUM } from './menu.ts';
import { demandBootable } from './obdr-rules.ts';
import type { Attachment } from './qemu.ts';
import { isSimh, readSimh } from './simh.ts';

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
 * What a machine sees of an image: of a tape the disc that its drive would show, written into `folder`.
 * @throws MindiError `tape.rules` when a drive would not
 */
export async function discOf(image: string, folder: string): Promise<string> {
  if (!isSimh(image)) return image;
  demandBootable(readSimh(image), image);
  const disc = join(folder, 'disc.iso');
  await writeCdView(image, disc);
  return disc;
}

/**
 * Takes kernel and initrd out of an image.
 * @throws MindiError `image.unbootable` when the image has none where mindi puts them
 */
export async function takeKernel(image: string, folder: string): Promise<{ kernel: string; initrd: string }> {
  const [kernel, initrd] = [join(folder, 'vmlinuz'), join(folder, 'initrd.img')];
  const wanted = [
    [`/${ON_MEDIUM.kernel}`, kernel],
    [`/${ON_MEDIUM.initrd}`, initrd],
  ] as const;
  const [natural] = attachments(image);
  try {
    if (natural === 'cdrom') await takeFromIso(image, wanted);
    else await takeFromFat(image, wanted);
  } catch (error) {
    if (!(error instanceof MindiError) || error.code !== 'tool.failed') throw error;
    throw noKernel(image, error);
  }
  return { kernel, initrd };
}

type Wanted = readonly (readonly [path: string, to: string])[];

async function takeFromIso(image: string, wanted: Wanted): Promise<void> {
  const extract = wanted.flatMap(([path, to]) => ['-extract', path, to]);
  await run('osirrox', ['-no_rc', '-indev', `stdio:${image}`, ...extract], { package: 'xorriso' });
}

async function takeFromFat(image: string, wanted: Wanted): Promise<void> {
  const fat = findFat(image);
  if (!fat) throw noKernel(image);
  for (const [path, to] of wanted) await mtools('mcopy', fat, [`::${path}`, resolve(to)]);
}

function noKernel(image: string, cause?: unknown): MindiError {
  return new MindiError(`it holds no /${ON_MEDIUM.kernel} and /${ON_MEDIUM.initrd}`, {
    code: 'image.unbootable',
    where: image,
    hint: 'Parameters can be given to images that `mindi build` made; boot others without --append.',
    cause,
  });
}
