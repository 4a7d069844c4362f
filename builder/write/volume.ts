import { closeSync, openSync, readSync } from 'node:fs';
import { findFat } from '../../boot/find-fat.ts';
import { BLOCK, volumeOf } from '../../boot/iso9660.ts';

/** What a medium, or an image of one, calls itself. */
export interface Volume {
  format: 'ISO 9660' | 'FAT';
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

/** The ISO 9660 volume a device or file holds, else its first FAT; undefined: neither, or unreadable. */
export function volumeAt(path: string): Volume | undefined {
  const read = reader(path);
  if (!read) return undefined;
  try {
    return iso(read) ?? fat(path, read);
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

/** FAT specification 6: the root directory's first entry is the label, with the time it was made. */
function fat(path: string, read: Read): Volume | undefined {
  const found = findFat(path);
  if (!found) return undefined;
  const entry = read(found.dataOffset, 32);
  const labelled = entry[11] === 0x08;
  const name = labelled ? entry.toString('latin1', 0, 11).trim() : '';
  const epoch = labelled ? dosTime(entry.readUInt16LE(24), entry.readUInt16LE(22)) : 0;
  return { format: 'FAT', name, epoch, size: found.offset + found.size, ours: OURS.test(name) };
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
