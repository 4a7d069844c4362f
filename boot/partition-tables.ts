import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

export const SECTOR = 512;
const GPT_ENTRIES = 128;
const GPT_ENTRY_SIZE = 128;
const GPT_TABLE_SECTORS = (GPT_ENTRIES * GPT_ENTRY_SIZE) / SECTOR;
/** Sectors at the end of a disk with a GPT: the second table and its header. */
export const GPT_TAIL = GPT_TABLE_SECTORS + 1;
/** "Microsoft basic data", as it lies on disk: the type that Macs and Windows leave alone. */
const BASIC_DATA = Buffer.from('a2a0d0ebe5b9334487c068b6b72699c7', 'hex');

/** Bits of a GPT partition (UEFI 5.3.3, and for basic data Windows' own). */
export const GPT_REQUIRED = 1n;
/** The firmware's, or gptmbr.bin's, mark of what BIOS starts from. */
export const GPT_LEGACY_BOOT = 1n << 2n;
export const GPT_READ_ONLY = 1n << 60n;

/** What a BIOS takes the disk for when it counts cylinders. */
export interface Geometry {
  heads: number;
  sectorsPerTrack: number;
}

/** Where a partition lies, in sectors of 512 bytes. */
interface Extent {
  start: number;
  sectors: number;
}

export interface MbrPartition extends Extent {
  active: boolean;
  type: number;
}

export interface GptPartition extends Extent {
  /** Its name for people, and what its id is made from. */
  name: string;
  attributes: bigint;
}

/** @param code at most 440 bytes, what BIOS runs; @param id hex digest the disk's id comes from */
export function mbr(code: Uint8Array, id: string, partitions: readonly MbrPartition[], geometry: Geometry): Buffer {
  const block = Buffer.alloc(SECTOR);
  block.set(code.subarray(0, 440));
  block.set(digest(id, 'mbr').subarray(0, 4), 440);
  for (const [index, { active, type, start, sectors }] of partitions.entries()) {
    const at = 446 + index * 16;
    block[at] = active ? 0x80 : 0;
    block.set(cylinderHeadSector(start, geometry), at + 1);
    block[at + 4] = type;
    block.set(cylinderHeadSector(start + sectors - 1, geometry), at + 5);
    block.writeUInt32LE(start, at + 8);
    block.writeUInt32LE(sectors, at + 12);
  }
  block.writeUInt16LE(0xaa55, 510);
  return block;
}

/** The three bytes of an MBR address; what lies beyond cylinder 1023 is written as the last one. */
function cylinderHeadSector(sector: number, { heads, sectorsPerTrack }: Geometry): [number, number, number] {
  const cylinder = Math.floor(sector / (heads * sectorsPerTrack));
  if (cylinder > 1023) return [heads - 1, sectorsPerTrack | 0xc0, 0xff];
  const head = Math.floor(sector / sectorsPerTrack) % heads;
  return [head, ((sector % sectorsPerTrack) + 1) | ((cylinder >> 8) << 6), cylinder & 0xff];
}

/**
 * A GPT with its second copy.
 * @param id hex digest the GUIDs come from
 * @param sectors of the whole disk
 * @returns `head` for the disk's second sector on, `tail` for its last GPT_TAIL sectors
 */
export function gpt(id: string, sectors: number, partitions: readonly GptPartition[]): { head: Buffer; tail: Buffer } {
  const table = Buffer.alloc(GPT_TABLE_SECTORS * SECTOR);
  for (const [index, partition] of partitions.entries()) {
    const at = index * GPT_ENTRY_SIZE;
    table.set(BASIC_DATA, at);
    table.set(guid(id, partition.name), at + 16);
    table.writeBigUInt64LE(BigInt(partition.start), at + 32);
    table.writeBigUInt64LE(BigInt(partition.start + partition.sectors - 1), at + 40);
    table.writeBigUInt64LE(partition.attributes, at + 48);
    table.write(partition.name, at + 56, 'utf16le');
  }
  const last = sectors - 1;
  const primary = gptHeader(id, sectors, table, { self: 1, other: last, table: 2 });
  const backup = gptHeader(id, sectors, table, { self: last, other: 1, table: last - GPT_TABLE_SECTORS });
  return { head: Buffer.concat([primary, table]), tail: Buffer.concat([table, backup]) };
}

function gptHeader(
  id: string,
  sectors: number,
  table: Buffer,
  at: { self: number; other: number; table: number },
): Buffer {
  const header = Buffer.alloc(SECTOR);
  header.write('EFI PART', 0, 'latin1');
  header.writeUInt32LE(0x10000, 8);
  header.writeUInt32LE(92, 12);
  header.writeBigUInt64LE(BigInt(at.self), 24);
  header.writeBigUInt64LE(BigInt(at.other), 32);
  header.writeBigUInt64LE(BigInt(2 + GPT_TABLE_SECTORS), 40);
  header.writeBigUInt64LE(BigInt(sectors - GPT_TAIL - 1), 48);
  header.set(guid(id, 'disk'), 56);
  header.writeBigUInt64LE(BigInt(at.table), 72);
  header.writeUInt32LE(GPT_ENTRIES, 80);
  header.writeUInt32LE(GPT_ENTRY_SIZE, 84);
  header.writeUInt32LE(crc32(table), 88);
  header.writeUInt32LE(crc32(header.subarray(0, 92)), 16);
  return header;
}

/** Bytes of an id, made from the medium's: the same medium has the same, and each `use` another. */
export function digest(id: string, use: string): Buffer {
  return createHash('sha256').update(`${id} ${use}`).digest();
}

/** A GUID as it lies on disk, version 8 (RFC 9562: made by a rule of our own). */
function guid(id: string, use: string): Buffer {
  const bytes = digest(id, use).subarray(0, 16);
  bytes[7] = ((bytes[7] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes;
}
