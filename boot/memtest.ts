import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Memtest86+ on this machine, one program for each firmware; null where there is none. */
export interface Memtest {
  bios: string | null;
  uefi: string | null;
}

/** Debian and Fedora, Arch. */
const FILES = {
  bios: ['/boot/memtest86+x64.bin', '/boot/memtest86+/memtest.bin'],
  uefi: ['/boot/memtest86+x64.efi', '/boot/memtest86+/memtest.efi'],
} as const;

export function findMemtest(root = '/'): Memtest {
  const find = (paths: readonly string[]) =>
    paths.map((path) => join(root, path)).find((path) => existsSync(path)) ?? null;
  return { bios: find(FILES.bios), uefi: find(FILES.uefi) };
}
