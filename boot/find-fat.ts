import { closeSync, openSync, readSync } from 'node:fs';
import type { Fat } from './fat.ts';
import { SECTOR } from './partition-tables.ts';

/** A FAT file system that was found on a disk image. */
export interface FoundFat extends Fat {
  /** What partitions the disk; null: the file system is all there is. */
  table: 'mbr' | 'gpt' | null;
  /** Bytes, as the file system itself says. */
  size: number;
  /** Bytes from the image's start to cluster 2, the first with data. */
  dataOffset: number;
  clusterSize: number;
}

const MBR_ENTRIES = [446, 462, 478, 494];
const TYPE_GPT = 0xee;
/** More than anyone has; a table that says more is damaged. */
const MOST_GPT_ENTRIES = 1024;

/**
 * The first FAT file system of a disk image: what a stick starts from. Undefined when there is none.
 * @param base where in the file the disk begins, in bytes
 */
export function findFat(image: string, base = 0): FoundFat | undefined {
  const file = openSync(image, 'r');
  const read = (offset: number, length: number) => {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(file, bytes, 0, length, base + offset));
  };
  try {
    const first = read(0, SECTOR);
    if (!isBootSector(first)) return undefined;
    const places = [{ start: 0, table: null }, ...partitions(first, read)];
    for (const { start, table } of places) {
      const facts = fatFacts(read(start * SECTOR, SECTOR));
      if (!facts) continue;
      const offset = base + start * SECTOR;
      return { image, offset, table, ...facts, dataOffset: offset + facts.dataOffset };
    }
    return undefined;
  } finally {
    closeSync(file);
  }
}

type Read = (offset: number, length: number) => Buffer;

const isBootSector = (sector: Buffer) => sector.length === SECTOR && sector.readUInt16LE(510) === 0xaa55;

/** Where partitions begin, in sectors. */
function partitions(sector: Buffer, read: Read): { start: number; table: 'mbr' | 'gpt' }[] {
  const entries = MBR_ENTRIES.map((at) => ({ type: sector[at + 4] ?? 0, start: sector.readUInt32LE(at + 8) }));
  if (entries.some(({ type }) => type === TYPE_GPT)) return gptPartitions(read);
  return entries.filter(({ type }) => type !== 0).map(({ start }) => ({ start, table: 'mbr' }));
}

function gptPartitions(read: Read): { start: number; table: 'gpt' }[] {
  const header = read(SECTOR, SECTOR);
  if (header.length < SECTOR || header.toString('latin1', 0, 8) !== 'EFI PART') return [];
  const [table, count, size] = [header.readBigUInt64LE(72), header.readUInt32LE(80), header.readUInt32LE(84)];
  if (count > MOST_GPT_ENTRIES || size < 128 || size > 4096 || table > 2n ** 40n) return [];
  const bytes = read(Number(table) * SECTOR, count * size);
  const starts = Array.from({ length: Math.floor(bytes.length / size) }, (_, i) =>
    bytes.readBigUInt64LE(i * size + 32),
  );
  return starts
    .filter((start) => start > 0n && start < 2n ** 40n)
    .map((start) => ({ start: Number(start), table: 'gpt' }));
}

/** What a FAT's first sector says of it (FAT specification 3.1 to 3.3); undefined when it is none. */
function fatFacts(sector: Buffer): Pick<FoundFat, 'size' | 'dataOffset' | 'clusterSize'> | undefined {
  if (!isBootSector(sector)) return undefined;
  const text = (at: number, length: number) => sector.toString('latin1', at, at + length);
  if (!text(54, 3).startsWith('FAT') && text(82, 5) !== 'FAT32') return undefined;
  const sectorSize = sector.readUInt16LE(11);
  const clusterSize = (sector[13] ?? 0) * sectorSize;
  if (![512, 1024, 2048, 4096].includes(sectorSize) || clusterSize === 0) return undefined;
  const tableSectors = sector.readUInt16LE(22) || sector.readUInt32LE(36);
  const rootSectors = Math.ceil((sector.readUInt16LE(17) * 32) / sectorSize);
  const before = sector.readUInt16LE(14) + (sector[16] ?? 0) * tableSectors + rootSectors;
  const sectors = sector.readUInt16LE(19) || sector.readUInt32LE(32);
  return { size: sectors * sectorSize, dataOffset: before * sectorSize, clusterSize };
}
