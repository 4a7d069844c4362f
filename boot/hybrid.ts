import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

/**
 * The partition tables that make an ISO 9660 image start from a disk: MBR and GPT in the 32 KiB that the file system
 * leaves free, the second GPT at the image's end. Laid out as `xorriso -isohybrid-gpt-basdat` does it, which is what the
 * discs of the large distributions have: partition 1 is the whole image, partition 2 the EFI image inside it.
 */
export interface HybridFacts {
  /** isohdpfx.bin: syslinux's code for the MBR, 432 bytes. */
  bootCode: Uint8Array;
  /** Where isolinux.bin lies, in sectors of 512 bytes. */
  loaderStart: number;
  /** The EFI image, in sectors of 512 bytes. */
  efi: { start: number; sectors: number };
  /** Size of the image, in sectors of 512 bytes; a multiple of a cylinder. */
  sectors: number;
  /** Hex digest the disk's and partitions' ids come from. */
  id: string;
}

export const SECTOR = 512;
/** Old BIOSes want whole cylinders: 64 heads of 32 sectors, 1 MiB. */
export const CYLINDER = 64 * 32 * SECTOR;
const HEADS = 64;
const SECTORS_PER_TRACK = 32;
const GPT_ENTRIES = 128;
const GPT_ENTRY_SIZE = 128;
const GPT_TABLE_SECTORS = (GPT_ENTRIES * GPT_ENTRY_SIZE) / SECTOR;
/** Sectors at the end of the image: the second table and its header. */
export const GPT_TAIL = GPT_TABLE_SECTORS + 1;
/** "Microsoft basic data", as it lies on disk: the type that Macs and Windows leave alone. */
const BASIC_DATA = Buffer.from('a2a0d0ebe5b9334487c068b6b72699c7', 'hex');
const READ_ONLY = 1n << 60n;
const REQUIRED = 1n;

/** @returns the bytes for the image's start (MBR, GPT header and table) and for its last GPT_TAIL sectors */
export function hybridTables(facts: HybridFacts): { head: Buffer; tail: Buffer } {
  const table = gptTable(facts);
  const last = facts.sectors - 1;
  const primary = gptHeader(facts, table, { self: 1, other: last, table: 2 });
  const backup = gptHeader(facts, table, { self: last, other: 1, table: last - GPT_TABLE_SECTORS });
  return { head: Buffer.concat([mbr(facts), primary, table]), tail: Buffer.concat([table, backup]) };
}

function mbr({ bootCode, loaderStart, efi, sectors, id }: HybridFacts): Buffer {
  const block = Buffer.alloc(SECTOR);
  block.set(bootCode.subarray(0, 432));
  block.writeUInt32LE(loaderStart, 432);
  block.set(digest(id, 'mbr').subarray(0, 4), 440);
  partition(block, 446, { active: true, type: 0, start: 0, sectors });
  partition(block, 462, { active: false, type: 0xef, ...efi });
  block.writeUInt16LE(0xaa55, 510);
  return block;
}

interface Partition {
  active: boolean;
  type: number;
  start: number;
  sectors: number;
}

function partition(block: Buffer, at: number, { active, type, start, sectors }: Partition): void {
  block[at] = active ? 0x80 : 0;
  block.set(cylinderHeadSector(start), at + 1);
  block[at + 4] = type;
  block.set(cylinderHeadSector(start + sectors - 1), at + 5);
  block.writeUInt32LE(start, at + 8);
  block.writeUInt32LE(sectors, at + 12);
}

/** The three bytes of an MBR address; what lies beyond cylinder 1023 is written as the last one. */
function cylinderHeadSector(sector: number): [number, number, number] {
  const cylinder = Math.floor(sector / (HEADS * SECTORS_PER_TRACK));
  if (cylinder > 1023) return [HEADS - 1, SECTORS_PER_TRACK | 0xc0, 0xff];
  const head = Math.floor(sector / SECTORS_PER_TRACK) % HEADS;
  return [head, ((sector % SECTORS_PER_TRACK) + 1) | ((cylinder >> 8) << 6), cylinder & 0xff];
}

function gptTable({ efi, sectors, id }: HybridFacts): Buffer {
  const table = Buffer.alloc(GPT_TABLE_SECTORS * SECTOR);
  entry(table, 0, { name: 'mindi', start: 0, end: sectors - GPT_TAIL - 1, guid: guid(id, 'image') });
  entry(table, 1, { name: 'EFI', start: efi.start, end: efi.start + efi.sectors - 1, guid: guid(id, 'efi') });
  return table;
}

function entry(table: Buffer, index: number, part: { name: string; start: number; end: number; guid: Buffer }): void {
  const at = index * GPT_ENTRY_SIZE;
  table.set(BASIC_DATA, at);
  table.set(part.guid, at + 16);
  table.writeBigUInt64LE(BigInt(part.start), at + 32);
  table.writeBigUInt64LE(BigInt(part.end), at + 40);
  table.writeBigUInt64LE(READ_ONLY | REQUIRED, at + 48);
  table.write(part.name, at + 56, 'utf16le');
}

function gptHeader(
  { sectors, id }: HybridFacts,
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

function digest(id: string, use: string): Buffer {
  return createHash('sha256').update(`${id} ${use}`).digest();
}

/** A GUID as it lies on disk, version 8 (RFC 9562: made by a rule of our own). */
function guid(id: string, use: string): Buffer {
  const bytes = digest(id, use).subarray(0, 16);
  bytes[7] = ((bytes[7] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes;
}
