import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { piecesOf } from '../builder/cache.ts';
import { run } from '../builder/run.ts';
import { scratch } from '../builder/scratch.ts';
import { MindiError } from '../contract/error.ts';
import { SUMS } from '../contract/sums.ts';
import { biosMenu, commonFiles, GRUB_FILES, MENU_FILES } from './contents.ts';
import { efiImage, signedConfigs } from './efi.ts';
import { CYLINDER, hybridTables } from './hybrid.ts';
import { BLOCK, bootImages, isoFiles, pointTo, setVolumeSize } from './iso9660.ts';
import { findLoaders, type Loaders } from './loaders.ts';
import { type MediumParts, type MediumWriter, type Source, sizeOf, writeMedium } from './medium.ts';
import { loopbackConfig } from './menu.ts';
import { GPT_TAIL, SECTOR } from './partition-tables.ts';
import { fileSums, type Sums, sumLists, sumsOf, unknownSums } from './sums.ts';

/** Smaller files go through xorriso; those of 4 GiB and more too, which splits them. */
const APPENDED = { from: 256 * 1024, below: 4 * 1024 ** 3 - BLOCK };
/** The EFI image is one of the boot catalog's, so xorriso has to know it; the lists of sums are entered into xorriso's image. */
const NEVER_APPENDED: readonly string[] = ['boot/grub/efi.img', SUMS.list, SUMS.regions];
const LOADER_FILES = ['isolinux', 'hybridMbr', 'core', ...MENU_FILES, ...GRUB_FILES] as const;
/** Their bytes are known when xorriso is done: it writes into the loader where that lies, and makes the catalog. */
const MADE_BY_XORRISO = { loader: 'isolinux/isolinux.bin', catalog: 'isolinux/boot.cat' } as const;

/**
 * Writes NAME.iso: starts from CD and, written to a stick by `dd`, from USB, on BIOS (isolinux) and UEFI (GRUB).
 *
 * xorriso lays out the file system and the boot records around placeholders for the big files; these are then appended
 * and their directory records corrected. xorriso alone moves 2 KiB a system call: 1 s for 120 MB instead of 0.25 s. The
 * lists of sums are blank at first: while xorriso works, which mostly waits, the sums are made.
 */
export const makeIso: MediumWriter = async (parts) => {
  let sha256: string | undefined;
  const loaders = findLoaders(LOADER_FILES);
  const files = await filesOf(parts, loaders);
  const blank = await blankLists(files);
  await using work = await scratch('iso');
  await writeMedium(parts.out, async (temporary) => {
    const { appended, grafts } = await layOut(new Map([...files, ...blank]), work.path);
    const [, sums] = await Promise.all([xorriso(temporary, grafts, parts), sumsOf(files, parts.identities)]);
    const facts = { bootCode: await readFile(loaders.hybridMbr), loaderSize: await sizeOf(loaders.isolinux) };
    sha256 = await finish(temporary, appended, facts, { blank, sums }, parts.id);
  });
  return sha256;
};

/** Makes what takes long and needs nothing but the loaders, while the segments are packed. */
export async function prepareIso(signed: MediumParts['signed']): Promise<void> {
  await efiImage(findLoaders(LOADER_FILES), signed);
}

/** Everything on the medium, by path. */
async function filesOf(
  parts: MediumParts,
  loaders: Loaders<(typeof LOADER_FILES)[number]>,
): Promise<Map<string, Source>> {
  return new Map<string, Source>([
    ['isolinux/isolinux.bin', loaders.isolinux],
    ['isolinux/ldlinux.c32', loaders.core],
    ...(await biosMenu('isolinux', parts, loaders)),
    ['boot/grub/efi.img', await efiImage(loaders, parts.signed)],
    // On a disc GRUB looks for them in the disc's own file system.
    ...(parts.signed ? await signedConfigs(parts.signed) : []),
    ['boot/grub/loopback.cfg', Buffer.from(await loopbackConfig())],
    ...(await commonFiles(parts, loaders)),
  ]);
}

/** The lists as long as they will be, for xorriso to find a place for them. */
async function blankLists(files: ReadonlyMap<string, Source>): Promise<Map<string, Buffer>> {
  const sizes = new Map<string, number>([[MADE_BY_XORRISO.catalog, BLOCK]]);
  for (const [path, source] of files) sizes.set(path, await sizeOf(source));
  return sumLists(unknownSums(sizes));
}

interface Appended {
  source: Source;
  size: number;
}

/** What xorriso is to take from where; a placeholder stands for each big file. Returns those in the order of theirs. */
async function layOut(files: ReadonlyMap<string, Source>, work: string) {
  const appended: Appended[] = [];
  const grafts: string[] = [];
  for (const [path, source] of files) {
    const size = await sizeOf(source);
    const big = size >= APPENDED.from && size < APPENDED.below && !NEVER_APPENDED.includes(path);
    const from = big ? placeholder(appended.push({ source, size }) - 1) : source;
    const onDisk = typeof from === 'string' ? from : join(work, String(grafts.length));
    if (typeof from !== 'string') await writeFile(onDisk, from);
    grafts.push(`/${escapeGraft(path)}=${escapeGraft(onDisk)}`);
  }
  return { appended, grafts };
}

/** What is in the place of a big file until it is appended; its index makes it unlike every other. */
function placeholder(index: number): Buffer {
  return Buffer.from(`mindi: this file is appended: ${String(index).padStart(8, '0')}\n`);
}

/** In a graft point `=` parts the two paths. */
function escapeGraft(path: string): string {
  return path.replace(/[\\=]/g, '\\$&');
}

async function xorriso(image: string, grafts: string[], { volumeId, epoch, secret }: MediumParts): Promise<void> {
  const date = new Date(epoch * 1000).toISOString().replace(/\D/g, '').slice(0, 16);
  const identity = ['-V', volumeId, `--modification-date=${date}`, '--set_all_file_dates', `=${epoch}`];
  const [file, directory] = secret ? ['0400', '0500'] : ['0444', '0555'];
  const rights = ['-r', '-file-mode', file, '-dir-mode', directory];
  // isolinux first: a tape drive that starts a disc image keeps its first 250 KB only.
  const order = ['--sort-weight', '30', '/isolinux/isolinux.bin', '--sort-weight', '20', '/isolinux'];
  const bios = ['-b', 'isolinux/isolinux.bin', '-c', 'isolinux/boot.cat', '-no-emul-boot'];
  const biosLoad = ['-boot-load-size', '4', '-boot-info-table'];
  const uefi = ['-eltorito-alt-boot', '-e', 'boot/grub/efi.img', '-no-emul-boot'];
  await run(
    'xorriso',
    [
      ...['-no_rc', '-as', 'mkisofs', '-o', image, '-iso-level', '3', '-no-pad', '-quiet'],
      ...[...identity, ...rights, ...order, ...bios, ...biosLoad, ...uefi, '-graft-points', ...grafts],
    ],
    { package: 'xorriso', env: { SOURCE_DATE_EPOCH: String(epoch), TZ: 'UTC' } },
  );
}

interface LoaderFacts {
  /** isohdpfx.bin. */
  bootCode: Uint8Array;
  /** isolinux.bin, in bytes. */
  loaderSize: number;
}

interface Lists {
  /** As they lie in xorriso's image. */
  blank: ReadonlyMap<string, Buffer>;
  /** But for what xorriso made. */
  sums: Sums;
}

/** Makes the image whole cylinders, writes the partition tables and the lists of sums, and appends the big files. Returns its SHA-256. */
async function finish(
  path: string,
  appended: Appended[],
  loader: LoaderFacts,
  { blank, sums }: Lists,
  id: string,
): Promise<string> {
  const image = await readFile(path);
  let end = align(image.length);
  const starts = placeholders(image, appended.length).map((record, index) => {
    const { size } = appended[index] as Appended;
    const start = end;
    pointTo(image, record, start / BLOCK, size);
    end += align(size);
    return start;
  });
  const bytes = Math.ceil((end + GPT_TAIL * SECTOR) / CYLINDER) * CYLINDER;
  setVolumeSize(image, bytes / BLOCK);
  const boot = bootImages(image);
  sums.set(MADE_BY_XORRISO.loader, await fileSums(fileAt(image, boot.bios, loader.loaderSize)));
  sums.set(MADE_BY_XORRISO.catalog, await fileSums(fileAt(image, boot.catalog, BLOCK)));
  enterLists(image, blank, sumLists(sums));
  const { head, tail } = hybridTables({
    bootCode: loader.bootCode,
    loaderStart: boot.bios * (BLOCK / SECTOR),
    efi: { start: boot.uefi.block * (BLOCK / SECTOR), sectors: boot.uefi.sectors },
    sectors: bytes / SECTOR,
    id,
  });
  head.copy(image);
  const pieces: [start: number, source: Source][] = [[0, image]];
  for (const [index, start] of starts.entries()) pieces.push([start, (appended[index] as Appended).source]);
  return writePieces(path, [...pieces, [bytes - tail.length, tail]]);
}

/** Puts the lists where the blank ones lie, which are as long. */
function enterLists(image: Buffer, blank: ReadonlyMap<string, Buffer>, lists: ReadonlyMap<string, Buffer>): void {
  for (const [name, bytes] of blank) {
    const list = lists.get(name);
    const at = image.indexOf(bytes);
    if (at < 0 || list?.length !== bytes.length)
      throw new MindiError(`xorriso lost ${name}`, { code: 'iso.malformed', exitCode: 70 });
    list.copy(image, at);
  }
}

const align = (size: number) => Math.ceil(size / BLOCK) * BLOCK;

const fileAt = (image: Buffer, block: number, size: number) => image.subarray(block * BLOCK, block * BLOCK + size);

/** The directory record of each placeholder; its one block is wiped. */
function placeholders(image: Buffer, count: number): number[] {
  const files = isoFiles(image);
  return Array.from({ length: count }, (_, index) => {
    const text = placeholder(index);
    const found = files.find(({ block, size }) => {
      const start = block * BLOCK;
      return size === text.length && text.equals(image.subarray(start, start + size));
    });
    if (!found) throw new MindiError('xorriso lost a file', { code: 'iso.malformed', exitCode: 70 });
    image.fill(0, found.block * BLOCK, found.block * BLOCK + found.size);
    return found.record;
  });
}

/**
 * Writes the pieces, in the order of their places, over what the file holds; zeros lie between them. Returns the SHA-256
 * of the whole. Synchronous, because it is one memory copy after another: five times as fast as a thread pool on a busy
 * machine.
 */
function writePieces(path: string, pieces: readonly [start: number, source: Source][]): string {
  const hash = createHash('sha256');
  const file = openSync(path, 'r+');
  let position = 0;
  try {
    for (const [start, source] of pieces) {
      hash.update(Buffer.alloc(start - position));
      position = start;
      for (const bytes of typeof source === 'string' ? piecesOf(source) : [source]) {
        writeSync(file, bytes, 0, bytes.length, position);
        hash.update(bytes);
        position += bytes.length;
      }
    }
  } finally {
    closeSync(file);
  }
  return hash.digest('hex');
}
