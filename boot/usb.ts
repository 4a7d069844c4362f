import { open, readFile, truncate, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../builder/run.ts';
import { scratch } from '../builder/scratch.ts';
import { MindiError } from '../contract/error.ts';
import { biosMenu, commonFiles, GRUB_FILES, MENU_FILES } from './contents.ts';
import { type DiskLayout, diskLayout, LARGEST_FILE, type PartitionTable, smallestDisk } from './disk-layout.ts';
import { efiFiles } from './efi.ts';
import { type Fat, folders, makeFolders, mtools, mtoolsEnvironment, writeFiles } from './fat.ts';
import { findLoaders, type Loaders } from './loaders.ts';
import { type MediumParts, type Source, sizeOf, writeMedium } from './medium.ts';
import { digest, GPT_LEGACY_BOOT, gpt, mbr, SECTOR } from './partition-tables.ts';
import { fileSums, listBytes, type Sums, sumLists, sumsOf } from './sums.ts';

const LOADER_FILES = ['diskMbr', 'gptMbr', ...MENU_FILES, ...GRUB_FILES] as const;
const README = fileURLToPath(new URL('../templates/usb-readme.txt', import.meta.url));
/** What nearly every BIOS makes of a stick. */
const GEOMETRY = { heads: 255, sectorsPerTrack: 63 };
/** FAT32 whose sectors are counted, not its cylinders. */
const TYPE_FAT32 = 0x0c;
const TYPE_GPT = 0xee;
/** FAT32's copy of the first sector. */
const BACKUP_BOOT_SECTOR = 6;
/** What the installer adds, and room for it. */
const INSTALLED = ['syslinux/ldlinux.sys', 'syslinux/ldlinux.c32'] as const;
const SYSLINUX_BYTES = 256 * 1024;
/** MiB left free where the profile names no size: for a keymap, a key, some notes. */
const SPARE = 16;

/** The profile's `usb:`. */
export interface UsbOptions {
  /** MiB of the whole image; null: what it holds and a little more. */
  size: number | null;
  table: PartitionTable;
}

/**
 * Writes NAME.img for a USB stick: one FAT32 partition that starts by syslinux on BIOS and by GRUB on UEFI, under an MBR
 * or a GPT, with room for restore data. What is free takes no room on this disk: the image is sparse.
 */
export async function makeUsb(parts: MediumParts, options: UsbOptions): Promise<undefined> {
  const loaders = findLoaders(LOADER_FILES);
  const files = await filesOf(parts, loaders);
  const { table } = options;
  const disk = await planDisk(files, options, parts.out);
  const sums = await sumsOf(files, parts.identities);
  await writeMedium(parts.out, async (temporary) => {
    await writeFile(temporary, '');
    await truncate(temporary, disk.sectors * SECTOR);
    await format(temporary, disk, parts);
    await makeFolders(fatOf(temporary, disk), files, parts.epoch);
    // Before the big files: old BIOSes reach the beginning of a disk only.
    await installLoader(temporary, disk, parts.epoch);
    const whole = new Map([...sums, ...(await installedSums(temporary, disk))]);
    await writeFiles(fatOf(temporary, disk), new Map([...files, ...sumLists(whole)]), parts.epoch);
    await writeTables(temporary, disk, table, parts.id, loaders);
  });
}

/**
 * Writes an image for a stick that starts nothing: one FAT32 partition as big as the files need.
 * @param parts `out`, `volumeId`, `epoch` and `id` as of every medium
 */
export async function makeDataStick(files: Map<string, Source>, parts: DataParts): Promise<void> {
  const disk = await planDisk(files, { size: null, table: 'mbr' }, parts.out);
  await writeMedium(parts.out, async (temporary) => {
    await writeFile(temporary, '');
    await truncate(temporary, disk.sectors * SECTOR);
    await format(temporary, disk, parts);
    await makeFolders(fatOf(temporary, disk), files, parts.epoch);
    await writeFiles(fatOf(temporary, disk), files, parts.epoch);
    await writeMbr(temporary, disk, parts.id, Buffer.alloc(0));
  });
}

type DataParts = Pick<MediumParts, 'out' | 'volumeId' | 'epoch' | 'id'>;

type UsbLoaders = Loaders<(typeof LOADER_FILES)[number]>;

/** Everything on the medium but what syslinux's installer adds, by path. */
async function filesOf(parts: MediumParts, loaders: UsbLoaders): Promise<Map<string, Source>> {
  return new Map<string, Source>([
    ...(await biosMenu('syslinux', parts, loaders)),
    ...(await efiFiles(loaders, parts.signed)),
    ['mindi/README.txt', README],
    ...(await commonFiles(parts, loaders)),
  ]);
}

/** @throws MindiError `usb.too-small`, `usb.file-too-big` */
async function planDisk(files: Map<string, Source>, { size, table }: UsbOptions, out: string): Promise<DiskLayout> {
  const sizes = await Promise.all([...files.values()].map(sizeOf));
  const tooBig = [...files.keys()].find((_, index) => (sizes[index] ?? 0) > LARGEST_FILE);
  if (tooBig) {
    throw new MindiError(`${tooBig} has 4 GiB or more, and FAT32 holds no such file`, {
      code: 'usb.file-too-big',
      where: out,
      hint: 'Put less on the medium, or build the ISO: it holds files of any size, and `dd` writes it to a stick.',
    });
  }
  const smallest = smallestDisk([...sizes, SYSLINUX_BYTES, listBytes(sizes)], folders(files).length, table);
  if (size !== null && size < smallest) {
    throw new MindiError(`usb.size is ${size} MiB, but what is on the stick needs ${smallest} MiB`, {
      code: 'usb.too-small',
      where: out,
      hint: `Set usb.size to ${smallest} at least, or to null for what is needed and ${SPARE} MiB more.`,
    });
  }
  return diskLayout(size ?? smallest + SPARE, table);
}

const fatOf = (image: string, { fat }: DiskLayout): Fat => ({ image, offset: fat.start * SECTOR });

async function format(image: string, disk: DiskLayout, { id, epoch, volumeId }: Omit<DataParts, 'out'>): Promise<void> {
  const { start, sectors, clusterSectors } = disk.fat;
  const { heads, sectorsPerTrack } = GEOMETRY;
  const size = ['-F', '-c', clusterSectors, '-T', sectors, '-h', heads, '-s', sectorsPerTrack, '-H', start].map(String);
  const serial = digest(id, 'fat').toString('hex', 0, 4);
  const name = ['-N', serial, '-v', volumeId.slice(0, 11)];
  await mtools('mformat', fatOf(image, disk), [...size, ...name, '::'], { epoch });
}

/** syslinux into the partition. It leaves FAT32's copy of the first sector as it was. */
async function installLoader(image: string, { fat }: DiskLayout, epoch: number): Promise<void> {
  const offset = fat.start * SECTOR;
  const install = ['--install', '--offset', String(offset), '--directory', 'syslinux', basename(image)];
  await run('syslinux', install, { cwd: dirname(resolve(image)), env: mtoolsEnvironment(epoch) });
  const file = await open(image, 'r+');
  try {
    const { buffer } = await file.read(Buffer.alloc(SECTOR), 0, SECTOR, offset);
    await file.write(buffer, 0, SECTOR, offset + BACKUP_BOOT_SECTOR * SECTOR);
  } finally {
    await file.close();
  }
}

/** Of what the installer made of its own. */
async function installedSums(image: string, disk: DiskLayout): Promise<Sums> {
  const sums: Sums = new Map();
  await using work = await scratch('usb');
  for (const path of INSTALLED) {
    const copy = join(work.path, basename(path));
    await mtools('mcopy', fatOf(image, disk), [`::/${path}`, copy]);
    sums.set(path, await fileSums(copy));
  }
  return sums;
}

/** @param code what the BIOS starts; empty: nothing */
async function writeMbr(image: string, { fat }: DiskLayout, id: string, code: Buffer): Promise<void> {
  const partition = { active: code.length > 0, type: TYPE_FAT32, start: fat.start, sectors: fat.sectors };
  const file = await open(image, 'r+');
  try {
    await file.write(mbr(code, id, [partition], GEOMETRY), 0, SECTOR, 0);
  } finally {
    await file.close();
  }
}

/** The partition table, and the code that leads from it to the partition. */
async function writeTables(
  image: string,
  disk: DiskLayout,
  table: PartitionTable,
  id: string,
  loaders: UsbLoaders,
): Promise<void> {
  if (table === 'mbr') return writeMbr(image, disk, id, await readFile(loaders.diskMbr));
  const { sectors, fat } = disk;
  const file = await open(image, 'r+');
  try {
    const whole = { active: false, type: TYPE_GPT, start: 1, sectors: sectors - 1 };
    const partition = { name: 'mindi', start: fat.start, sectors: fat.sectors, attributes: GPT_LEGACY_BOOT };
    const { head, tail } = gpt(id, sectors, [partition]);
    await file.write(mbr(await readFile(loaders.gptMbr), id, [whole], GEOMETRY), 0, SECTOR, 0);
    await file.write(head, 0, head.length, SECTOR);
    await file.write(tail, 0, tail.length, sectors * SECTOR - tail.length);
  } finally {
    await file.close();
  }
}
