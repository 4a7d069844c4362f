import { closeSync, openSync, readSync } from 'node:fs';
import { BLOCK, volumeOf } from '../../boot/iso9660.ts';

/** What a medium, or an image of one, calls itself. */
export interface Volume {
  format: 'ISO 9660' | 'FAT32';
  name: string;
  /** Seconds since 1970; 0 where it does not say. */
  epoch: number;
  /** Bytes that must be there for it to be whole; 0 where it does not say. */
  size: number;
  /** Made by `mindi build`. */
  ours: boolean;
}

/** boot/medium.ts gives every volume such a name. */
const OURS = /^MINDI_/;
const SECTOR = 512;
const TYPE_GPT = 0xee;

/** The ISO 9660 volume a device or file holds, else the FAT32 of its first partition; undefined: neither, or unreadable. */
export function volumeAt(path: string): Volume | undefined {
  const read = reader(path);
  if (!read) return undefined;
  try {
    return iso(read) ?? fat(read);
  } catch {
    return undefined;
  } finally {
    read.close();
  }
}

interface Read {
  (offset: number, length: number): Buffer;
  close: () => void;
}

function reader(path: string): Read | undefined {
  try {
    const file = openSync(path, 'r');
    const read = (offset: number, length: number) => {
      const bytes = Buffer.alloc(length);
      return bytes.subarray(0, readSync(file, bytes, 0, length, offset));
    };
    return Object.assign(read, { close: () => closeSync(file) });
  } catch {
    return undefined;
  }
}

function iso(read: Read): Volume | undefined {
  const start = read(0, 17 * BLOCK);
  if (start.toString('latin1', 16 * BLOCK + 1, 16 * BLOCK + 6) !== 'CD001') return undefined;
  const { name, epoch, blocks } = volumeOf(start);
  return { format: 'ISO 9660', name, epoch, size: blocks * BLOCK, ours: OURS.test(name) };
}

/** FAT specification 3.3 and 6: the root directory's first entry is the label, with the time it was made. */
function fat(read: Read): Volume | undefined {
  const start = firstPartition(read) * SECTOR;
  const boot = read(start, SECTOR);
  if (start === 0 || boot.toString('latin1', 82, 87) !== 'FAT32') return undefined;
  const tables = boot.readUInt16LE(14) + (boot[16] ?? 0) * boot.readUInt32LE(36);
  const clusters = (boot.readUInt32LE(44) - 2) * (boot[13] ?? 0);
  const entry = read(start + (tables + clusters) * boot.readUInt16LE(11), 32);
  const labelled = entry[11] === 0x08;
  const name = (labelled ? entry : boot.subarray(71)).toString('latin1', 0, 11).trim();
  const epoch = labelled ? dosTime(entry.readUInt16LE(24), entry.readUInt16LE(22)) : 0;
  return { format: 'FAT32', name, epoch, size: start + boot.readUInt32LE(32) * SECTOR, ours: OURS.test(name) };
}

/** Its first sector; 0: there is none. */
function firstPartition(read: Read): number {
  const mbr = read(0, SECTOR);
  if (mbr.readUInt16LE(510) !== 0xaa55) return 0;
  return mbr[450] === TYPE_GPT ? Number(read(2 * SECTOR, 128).readBigUInt64LE(32)) : mbr.readUInt32LE(454);
}

function dosTime(date: number, time: number): number {
  const day = [1980 + (date >> 9), ((date >> 5) & 15) - 1, date & 31] as const;
  return Date.UTC(...day, time >> 11, (time >> 5) & 63, (time & 31) * 2) / 1000;
}

/** `MINDI_WEB1 (ISO 9660), made by mindi 2026-11-24T06:00:00Z`. */
export function describeVolume({ format, name, epoch, ours }: Volume): string {
  const when = epoch > 0 ? ` ${new Date(epoch * 1000).toISOString().replace('.000', '')}` : '';
  return `${name || 'without a name'} (${format})${ours ? `, made by mindi${when}` : ''}`;
}
