import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { volumeId } from '../../boot/medium.ts';
import { run } from '../../builder/run.ts';
import { MindiError } from '../../contract/error.ts';
import type { BootMedium } from './boot-medium.ts';
import type { StagedVolume } from './staged.ts';

/** Bytes of a file system without files, with room for what a boot medium notes of each file. */
const EMPTY = 1 << 20;
const BOOTING = 4 << 20;

/** Bytes of an ISO image that are not for a volume's files. */
export const isoOverhead = (boot: BootMedium | null) => (number: number) =>
  number === 1 && boot ? boot.size + BOOTING : EMPTY;

/** Writes a volume as an ISO image: the first one as the medium that boots, where there is one. */
export async function makeVolumeIso(
  { folder, volume }: StagedVolume,
  name: string,
  boot: BootMedium | null,
  out: string,
): Promise<void> {
  if (volume.number === 1 && boot) return boot.make(await filesIn(folder), out);
  const id = `${volumeId(name).slice(0, 26)}_${volume.number}`;
  const words = ['-V', id, '-iso-level', '3', '-r', '-dir-mode', '0500', '-file-mode', '0400', '-no-pad', '-quiet'];
  try {
    await run('xorriso', ['-no_rc', '-as', 'mkisofs', '-o', out, ...words, folder], { package: 'xorriso' });
  } catch (error) {
    // xorriso looks before it writes.
    if (error instanceof MindiError && FULL.test(error.message))
      throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    throw error;
  }
}

const FULL = /No space left on device|exceeds free space on media/;

/** Host paths of a directory's files, by their path in it. */
export async function filesIn(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  return Object.fromEntries(files.sort().map((path) => [relative(folder, path), path]));
}
