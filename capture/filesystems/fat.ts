import type { FileSystem } from '../../contract/layout/schema.ts';
import type { Block } from '../block.ts';
import type { Context } from '../context.ts';
import type { Describe } from './index.ts';

/** The boot sector says how these were made; offsets of its BIOS parameter block. */
export const fat: Describe = async (context, block) => {
  const boot = await bootSector(context, block);
  if (!boot) return null;
  const sectorSize = boot.readUInt16LE(11);
  // FAT12 and FAT16 have the size of a FAT here, and their name further on.
  const fatBits = boot.readUInt16LE(22) === 0 ? '32' : boot.toString('latin1', 54, 59) === 'FAT12' ? '12' : '16';
  return { fatBits, sectorSize, clusterSize: sectorSize * boot.readUInt8(13) } as Partial<FileSystem>;
};

export const ntfs: Describe = async (context, block) => {
  const boot = await bootSector(context, block);
  if (!boot) return null;
  const [sectorSize, sectors] = [boot.readUInt16LE(11), boot.readUInt8(13)];
  // Above 128 it is the power of two, negative.
  return { sectorSize, clusterSize: sectorSize * (sectors > 128 ? 2 ** (256 - sectors) : sectors) };
};

export const exfat: Describe = async (context, block) => {
  const boot = await bootSector(context, block);
  return boot && { clusterSize: 2 ** (boot.readUInt8(108) + boot.readUInt8(109)) };
};

async function bootSector({ machine }: Context, { path }: Block): Promise<Buffer | null> {
  const { code, stdout } = await machine.run('od', ['-A', 'n', '-v', '-t', 'x1', '-N', '128', path]);
  const bytes = Buffer.from(stdout.replace(/\s/g, ''), 'hex');
  return code === 0 && bytes.length === 128 ? bytes : null;
}
