import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cached, hashFile, hashOf } from '../builder/cache.ts';
import { run } from '../builder/run.ts';
import { MindiError } from '../contract/error.ts';
import { makeFolders, mtools, writeFiles } from './fat.ts';
import type { Loaders } from './loaders.ts';
import { type Source, sizeOf } from './medium.ts';
import { SECTOR } from './partition-tables.ts';
import { configFolders, type SignedLoaders } from './signed-loaders.ts';

/** Everything grub.cfg asks of GRUB: nothing is loaded later. */
const MENU_MODULES = [
  ...['part_gpt', 'part_msdos', 'fat', 'regexp', 'test', 'true', 'normal', 'configfile', 'boot', 'linux', 'chain'],
  ...['reboot', 'halt', 'loopback', 'ls', 'minicmd', 'help'],
  ...['echo', 'cat', 'sleep', 'serial', 'terminal', 'terminfo', 'gfxterm', 'font', 'video', 'all_video'],
];
/** And what it can do before it has found the medium. */
const MODULES = [...MENU_MODULES, 'iso9660', 'search', 'search_fs_file'];
const NETWORK_MODULES = [...MENU_MODULES, 'efinet', 'net', 'tftp', 'http'];
/**
 * Run by GRUB before anything else: finds the medium this very GRUB came from, disc or stick, and goes on with the menu
 * there. GRUB reads it with its rescue parser, which knows neither comments nor `if`.
 */
const EMBEDDED = fileURLToPath(new URL('../templates/grub-embedded.cfg', import.meta.url));
/** The same for a GRUB that came over the network: the menu is beside it. */
const EMBEDDED_NETWORK = fileURLToPath(new URL('../templates/grub-network.cfg', import.meta.url));
/** FAT tables, root directory and two folders. */
const OVERHEAD = 64 * 1024;

type Grub = Loaders<'grubKernel'>;

/**
 * What UEFI machines start, by path: GRUB as EFI/BOOT/BOOTX64.EFI, or shim of that name, which starts the distribution's
 * signed GRUB beside it.
 */
export async function efiFiles(loaders: Grub, signed?: SignedLoaders | null): Promise<[string, Source][]> {
  if (!signed) return [['EFI/BOOT/BOOTX64.EFI', await makeLoader(loaders, '/boot/grub', EMBEDDED, MODULES)]];
  return [
    ['EFI/BOOT/BOOTX64.EFI', signed.shim],
    ['EFI/BOOT/grubx64.efi', signed.grub],
    ...(await signedConfigs(signed)),
  ];
}

/** What leads a signed GRUB to the menu, wherever it may look for its configuration. */
export async function signedConfigs(signed: SignedLoaders): Promise<[string, Source][]> {
  const config = Buffer.from(`${await readFile(EMBEDDED, 'utf8')}configfile $prefix/grub.cfg\n`);
  return (await configFolders(signed.grub)).map((folder) => [`${folder}/grub.cfg`, config]);
}

/** GRUB as UEFI machines load it over the network (PXE, HTTP boot). Returns its path in the cache. */
export async function networkLoader(loaders: Grub): Promise<string> {
  return makeLoader(loaders, '/grub', EMBEDDED_NETWORK, NETWORK_MODULES);
}

/** GRUB, the same for every medium, from the cache until it changes. */
async function makeLoader(
  { grubKernel }: Grub,
  prefix: string,
  config: string,
  modules: readonly string[],
): Promise<string> {
  const grub = dirname(grubKernel);
  const parts = [config, grubKernel, ...modules.map((name) => join(grub, `${name}.mod`))];
  const hashes = await Promise.all(parts.map(async (path) => (await hashFile(path)).sha256));
  return cached('efi', `${hashOf({ format: 1, modules, prefix, hashes })}.efi`, (path) =>
    grubMkimage(['-O', 'x86_64-efi', '-d', grub, '-p', prefix, '-c', config, '-o', path, ...modules]),
  );
}

/** The FAT image that UEFI machines boot a disc from: nothing but the loader. Returns its path in the cache. */
export async function efiImage(loaders: Grub, signed?: SignedLoaders | null): Promise<string> {
  const files = new Map(await efiFiles(loaders, signed));
  const key = hashOf(await Promise.all([...files].map(async ([path, source]) => [path, await identity(source)])));
  return cached('efi', `${key}.img`, (path) => fatImage(path, files, key));
}

const identity = async (source: Source) =>
  typeof source === 'string' ? (await hashFile(source)).sha256 : Buffer.from(source).toString('latin1');

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
async function fatImage(image: string, files: ReadonlyMap<string, Source>, key: string): Promise<void> {
  const fat = { image, offset: 0 };
  const sizes = await Promise.all([...files.values()].map(sizeOf));
  const size = sizes.reduce((sum, one) => sum + one, OVERHEAD);
  const sectors = Math.ceil(size / 65536) * (65536 / SECTOR);
  const geometry = ['-T', String(sectors), '-h', '2', '-s', '32', '-N', key.slice(0, 8), '-v', 'MINDI_EFI'];
  await mtools('mformat', fat, ['-C', ...geometry, '::']);
  await makeFolders(fat, files);
  await writeFiles(fat, files);
}
