import { GPT_TAIL, SECTOR } from './partition-tables.ts';

export type PartitionTable = 'mbr' | 'gpt';

/** A disk with one FAT32 partition, in sectors of 512 bytes. */
export interface DiskLayout {
  /** Of the whole disk. */
  sectors: number;
  fat: { start: number; sectors: number; clusterSectors: number };
}

const MIB = 1024 ** 2;
/** Where partitions begin: 1 MiB is whole blocks of every flash chip. */
const START = MIB / SECTOR;
/** FAT32 has at least 65,525 clusters, else it would be FAT16: 32 MiB and the tables. */
const SMALLEST = 40;
/** Bytes in the biggest file of FAT32. */
export const LARGEST_FILE = 4 * 1024 ** 3 - 1;
/** Sectors of a cluster by the file system's size in MiB, as Microsoft's format chooses them. */
const CLUSTERS: readonly [upTo: number, sectors: number][] = [
  [64, 1],
  [128, 2],
  [256, 4],
  [8 * 1024, 8],
  [16 * 1024, 16],
  [32 * 1024, 32],
  [Number.POSITIVE_INFINITY, 64],
];
const RESERVED_SECTORS = 32;
/** Bytes of a folder: room for 30 files with long names. */
const FOLDER = 4096;

/** @param size MiB of the whole disk */
export function diskLayout(size: number, table: PartitionTable): DiskLayout {
  const sectors = (size * MIB) / SECTOR;
  const fatSectors = sectors - START - (table === 'gpt' ? GPT_TAIL : 0);
  const [, clusterSectors] = CLUSTERS.find(([upTo]) => fatSectors * SECTOR <= upTo * MIB) as [number, number];
  return { sectors, fat: { start: START, sectors: fatSectors, clusterSectors } };
}

/**
 * The smallest disk, in MiB, that holds so many folders and files of these sizes.
 * @param sizes bytes of each file
 */
export function smallestDisk(sizes: readonly number[], folders: number, table: PartitionTable): number {
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  let size = Math.max(SMALLEST, Math.ceil(bytes / MIB));
  while (!holds(diskLayout(size, table).fat, sizes, folders)) size += 1;
  return size;
}

function holds({ sectors, clusterSectors }: DiskLayout['fat'], sizes: readonly number[], folders: number): boolean {
  const clusters = (bytes: number) => Math.ceil(bytes / (clusterSectors * SECTOR));
  const tables = 2 * Math.ceil(((sectors / clusterSectors + 2) * 4) / SECTOR);
  const room = Math.floor((sectors - RESERVED_SECTORS - tables) / clusterSectors);
  const needed = sizes.reduce((sum, size) => sum + clusters(size), (folders + 1) * clusters(FOLDER));
  return needed <= room;
}
