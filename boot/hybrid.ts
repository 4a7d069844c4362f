import { GPT_READ_ONLY, GPT_REQUIRED, GPT_TAIL, gpt, mbr, SECTOR } from './partition-tables.ts';

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

/** Old BIOSes want whole cylinders of 1 MiB. */
const GEOMETRY = { heads: 64, sectorsPerTrack: 32 };
export const CYLINDER = GEOMETRY.heads * GEOMETRY.sectorsPerTrack * SECTOR;
const ATTRIBUTES = GPT_READ_ONLY | GPT_REQUIRED;

/** @returns the bytes for the image's start (MBR, GPT header and table) and for its last GPT_TAIL sectors */
export function hybridTables({ bootCode, loaderStart, efi, sectors, id }: HybridFacts): { head: Buffer; tail: Buffer } {
  const code = Buffer.alloc(440);
  code.set(bootCode.subarray(0, 432));
  code.writeUInt32LE(loaderStart, 432);
  const record = mbr(
    code,
    id,
    [
      { active: true, type: 0, start: 0, sectors },
      { active: false, type: 0xef, ...efi },
    ],
    GEOMETRY,
  );
  const { head, tail } = gpt(id, sectors, [
    { name: 'mindi', start: 0, sectors: sectors - GPT_TAIL, attributes: ATTRIBUTES },
    { name: 'EFI', ...efi, attributes: ATTRIBUTES },
  ]);
  return { head: Buffer.concat([record, head]), tail };
}
