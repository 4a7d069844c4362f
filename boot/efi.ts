import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cached, hashFile, hashOf } from '../builder/cache.ts';
import { run } from '../builder/run.ts';
import { scratch } from '../builder/scratch.ts';
import { MindiError } from '../contract/error.ts';
import type { Loaders } from './loaders.ts';

/** What GRUB can do before it has found the medium, and everything grub.cfg asks of it: nothing is loaded later. */
const MODULES = [
  ...['part_gpt', 'part_msdos', 'iso9660', 'fat', 'search', 'search_fs_file', 'regexp', 'test', 'true'],
  ...['normal', 'configfile', 'boot', 'linux', 'chain', 'reboot', 'halt', 'loopback', 'ls', 'minicmd', 'help'],
  ...['echo', 'cat', 'read', 'sleep', 'serial', 'terminal', 'terminfo', 'gfxterm', 'font', 'video', 'all_video'],
];
/**
 * Run by GRUB before anything else: finds the medium this very GRUB came from, disc or stick, and goes on with the menu
 * there. GRUB reads it with its rescue parser, which knows neither comments nor `if`.
 */
const EMBEDDED = fileURLToPath(new URL('../templates/grub-embedded.cfg', import.meta.url));
const SECTOR = 512;
/** FAT tables, root directory and two folders. */
const OVERHEAD = 64 * 1024;

/**
 * The FAT image that UEFI machines boot from, holding GRUB as EFI/BOOT/BOOTX64.EFI. It is the same for every medium and
 * comes from the cache until GRUB changes.
 * @returns the path of the image in the cache
 */
export async function efiImage(loaders: Loaders): Promise<string> {
  const grub = dirname(loaders.grubKernel);
  const parts = [EMBEDDED, loaders.grubKernel, ...MODULES.map((name) => join(grub, `${name}.mod`))];
  const hashes = await Promise.all(parts.map(async (path) => (await hashFile(path)).sha256));
  const key = hashOf({ format: 1, modules: MODULES, hashes });
  return cached('efi', `${key}.img`, (path) => makeImage(grub, key, path));
}

async function makeImage(grub: string, key: string, image: string): Promise<void> {
  await using work = await scratch('efi');
  const loader = join(work.path, 'BOOTX64.EFI');
  await grubMkimage(['-O', 'x86_64-efi', '-d', grub, '-p', '/boot/grub', '-c', EMBEDDED, '-o', loader, ...MODULES]);
  await fatImage(image, loader, key);
}

/** Fedora and openSUSE name GRUB's programs grub2-. */
async function grubMkimage(args: string[]): Promise<void> {
  try {
    await run('grub-mkimage', args, { package: 'grub-common' });
  } catch (error) {
    if (!(error instanceof MindiError) || error.code !== 'tool.missing') throw error;
    await run('grub2-mkimage', args, { package: 'grub-common' });
  }
}

/** A FAT file system of just the size it needs. mtools takes SOURCE_DATE_EPOCH for its times; 1980 is FAT's zero. */
async function fatImage(image: string, loader: string, key: string): Promise<void> {
  const env = { SOURCE_DATE_EPOCH: '315532800', TZ: 'UTC', MTOOLSRC: '/dev/null' };
  const options = { env, package: 'mtools' };
  const { size } = await stat(loader);
  const sectors = Math.ceil((size + OVERHEAD) / 65536) * (65536 / SECTOR);
  const geometry = ['-T', String(sectors), '-h', '2', '-s', '32', '-N', key.slice(0, 8), '-v', 'MINDI_EFI'];
  await run('mformat', ['-C', '-i', image, ...geometry, '::'], options);
  await run('mmd', ['-i', image, '::/EFI', '::/EFI/BOOT'], options);
  await run('mcopy', ['-i', image, loader, '::/EFI/BOOT/BOOTX64.EFI'], options);
}
