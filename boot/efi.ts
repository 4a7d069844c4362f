import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cached, hashFile, hashOf } from '../builder/cache.ts';
import { run } from '../builder/run.ts';
import { MindiError } from '../contract/error.ts';
import { mtools } from './fat.ts';
import type { Loaders } from './loaders.ts';
import { SECTOR } from './partition-tables.ts';

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
/** FAT tables, root directory and two folders. */
const OVERHEAD = 64 * 1024;

type Grub = Loaders<'grubKernel'>;

/**
 * GRUB as UEFI machines start it, EFI/BOOT/BOOTX64.EFI. It is the same for every medium and comes from the cache until
 * GRUB changes.
 * @returns its path in the cache
 */
export async function efiLoader(loaders: Grub): Promise<string> {
  const grub = dirname(loaders.grubKernel);
  return cached('efi', `${await loaderKey(loaders)}.efi`, (path) =>
    grubMkimage(['-O', 'x86_64-efi', '-d', grub, '-p', '/boot/grub', '-c', EMBEDDED, '-o', path, ...MODULES]),
  );
}

/** The FAT image that UEFI machines boot a disc from: nothing but the loader. Returns its path in the cache. */
export async function efiImage(loaders: Grub): Promise<string> {
  const [key, loader] = [await loaderKey(loaders), await efiLoader(loaders)];
  return cached('efi', `${key}.img`, (path) => fatImage(path, loader, key));
}

async function loaderKey({ grubKernel }: Grub): Promise<string> {
  const parts = [EMBEDDED, grubKernel, ...MODULES.map((name) => join(dirname(grubKernel), `${name}.mod`))];
  const hashes = await Promise.all(parts.map(async (path) => (await hashFile(path)).sha256));
  return hashOf({ format: 1, modules: MODULES, hashes });
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

/** A FAT file system of just the size it needs. */
async function fatImage(image: string, loader: string, key: string): Promise<void> {
  const fat = { image, offset: 0 };
  const { size } = await stat(loader);
  const sectors = Math.ceil((size + OVERHEAD) / 65536) * (65536 / SECTOR);
  const geometry = ['-T', String(sectors), '-h', '2', '-s', '32', '-N', key.slice(0, 8), '-v', 'MINDI_EFI'];
  await mtools('mformat', fat, ['-C', ...geometry, '::']);
  await mtools('mmd', fat, ['::/EFI', '::/EFI/BOOT']);
  await mtools('mcopy', fat, [loader, '::/EFI/BOOT/BOOTX64.EFI']);
}
