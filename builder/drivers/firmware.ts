import { globSync } from 'node:fs';
import { posix } from 'node:path';
import type { Piece } from '../piece.ts';
import { Collector } from '../tools/collector.ts';
import type { FileHashes } from '../tools/hashes.ts';
import type { Firmware } from './resolve.ts';

/** Where the kernel looks for firmware, in its order. drivers/base/firmware_loader/main.c, fw_path */
const directories = (release: string): string[] => [
  `/lib/firmware/updates/${release}`,
  '/lib/firmware/updates',
  `/lib/firmware/${release}`,
  '/lib/firmware',
];

/** As the file may be stored; the kernel unpacks it itself. */
const SUFFIXES = ['', '.zst', '.xz'];

export interface FirmwarePiece extends Piece {
  /** What modules declare and this machine does not have, with who wants it. */
  missing: Firmware[];
}

/** Takes the firmware the modules declare from this machine, every symlink on the way included. */
export async function firmwarePiece(
  wanted: readonly Firmware[],
  release: string,
  hashes: FileHashes,
  root = '/',
): Promise<FirmwarePiece> {
  const collector = new Collector(root, hashes);
  const missing = wanted.filter((firmware) => !take(firmware, release, collector, root));
  return { ...(await collector.finish()), missing };
}

function take({ file, wantedBy }: Firmware, release: string, collector: Collector, root: string): boolean {
  const why = { rule: 'drivers.firmware', via: wantedBy.slice(0, 3), kind: 'firmware' as const };
  for (const directory of directories(release)) {
    const paths = candidates(directory, file, root).filter((path) => collector.take(path, why).found);
    if (paths.length > 0) return true;
  }
  return false;
}

/** A name may be a glob: iwlwifi declares `iwlwifi-*.ucode`. */
function candidates(directory: string, file: string, root: string): string[] {
  const path = posix.join(directory, file);
  if (!path.startsWith(`${directory}/`)) return [];
  if (!/[*?[]/.test(file)) return SUFFIXES.map((suffix) => path + suffix);
  const patterns = SUFFIXES.map((suffix) => posix.relative('/', path + suffix));
  const found = globSync(patterns, { cwd: root });
  return found.map((match) => posix.join('/', match)).sort();
}
