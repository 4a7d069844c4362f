import { constants } from 'node:fs';
import { chmod, copyFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hashFile } from '../builder/cache.ts';
import { MindiError } from '../contract/error.ts';
import { parseSums, SUMS } from '../contract/sums.ts';
import { networkLoader } from './efi.ts';
import { findIpxe, findLoaders, type Loaders } from './loaders.ts';
import { type MediumParts, type MediumWriter, type Source, writeMedium } from './medium.ts';
import { grubConfig, helpText, ipxeScript, isolinuxConfig, type LoaderPlace, type MenuModel, render } from './menu.ts';
import { withSums } from './sums.ts';

/** What machines are told to load first, by how they start. */
export const FIRST_FILES = { bios: 'pxelinux.0', uefi: 'bootx64.efi', ipxe: 'boot.ipxe' } as const;
/** iPXE for UEFI. It heeds proxy-DHCP and starts by HTTP, which the GRUBs of the distributions do not. */
const UEFI_IPXE = 'ipxe.efi';

/** The same for a folder with these files; `uefiElse`: UEFI by proxy-DHCP, or by HTTP. */
export function firstFiles(files: { has: (path: string) => boolean }) {
  return { ...FIRST_FILES, uefiElse: files.has(UEFI_IPXE) ? UEFI_IPXE : FIRST_FILES.uefi };
}

const LOADERS = [
  ...(['pxelinux', 'core', 'menu', 'menuLibrary', 'comLibrary', 'reboot'] as const),
  ...(['grubKernel', 'grubFont'] as const),
];
/** pxelinux takes names beside itself. */
const PXELINUX: LoaderPlace = {
  kernel: 'vmlinuz',
  initrd: 'initrd.img',
  help: 'help.txt',
  font: '',
  memtest: null,
  network: true,
};
const GRUB: LoaderPlace = {
  kernel: '$cmdpath/vmlinuz',
  initrd: '$cmdpath/initrd.img',
  help: '$cmdpath/help.txt',
  font: '$prefix/font.pf2',
  memtest: null,
  network: true,
};
/** Characters of an APPEND line that every pxelinux takes whole. */
const APPEND_LIMIT = 255;
/** Servers read it as users without rights, whatever the umask. */
const EVERYONE = { file: 0o644, folder: 0o755 };
const OWNER_ONLY = { file: 0o600, folder: 0o700 };
/** Files below this are looked at when a folder is to be replaced: a person may have written in them. */
const EDITABLE = 1 << 20;

/**
 * Writes the folder `netboot`: what machines load over the network by PXE (BIOS: pxelinux, UEFI: GRUB) and iPXE, and
 * what a person needs to serve it. A folder there before is replaced as one, and only when all in it is ours.
 * @throws MindiError `netboot.not-ours` when there is something else in its place, `boot.append` for parameters that
 *   not every loader can carry
 */
export const makeNetboot: MediumWriter = async (parts) => {
  checkParameters(parts.menu);
  await checkOurs(parts.out);
  const files = await withSums(await filesOf(parts), parts.identities);
  const modes = parts.secret ? OWNER_ONLY : EVERYONE;
  await writeMedium(
    parts.out,
    async (folder) => {
      await makeFolders(folder, [...files.keys()], modes.folder);
      await Promise.all([...files].map(([path, source]) => put(join(folder, path), source, modes.file)));
    },
    replaceFolder,
  );
  return undefined;
};

/** iPXE takes `${`, `&&` and the like for itself, and there is no way to quote them. */
function checkParameters({ entries }: MenuModel): void {
  for (const { append } of entries) {
    if (append === null) continue;
    const odd = append.split(' ').find((word) => word.includes('${') || /^(\|\||&&|;)$/.test(word));
    if (odd === undefined && append.length <= APPEND_LIMIT) continue;
    const why =
      odd === undefined
        ? `${append.length} characters of kernel parameters, and pxelinux takes ${APPEND_LIMIT}`
        : `iPXE cannot hand over the kernel parameter ${JSON.stringify(odd)}`;
    throw new MindiError(`netboot: ${why}`, {
      code: 'boot.append',
      hint: 'Shorten boot.append in the profile, or leave netboot out of its media.',
    });
  }
}

/** Everything in the folder but the list, by path, in the order of paths. */
async function filesOf(parts: MediumParts): Promise<Map<string, Source>> {
  const loaders = findLoaders(LOADERS);
  const text = async (made: Promise<string>) => Buffer.from(await made);
  const { menu, stage2, url = null } = parts;
  const ipxe = findIpxe();
  const first = firstFiles(new Set(ipxe ? [UEFI_IPXE] : []));
  const files: Record<string, Source> = {
    vmlinuz: parts.kernel,
    'initrd.img': parts.initrd,
    'help.txt': await text(helpText(menu)),
    [FIRST_FILES.bios]: loaders.pxelinux,
    'ldlinux.c32': loaders.core,
    'menu.c32': loaders.menu,
    'libutil.c32': loaders.menuLibrary,
    'libcom32.c32': loaders.comLibrary,
    'reboot.c32': loaders.reboot,
    'pxelinux.cfg/default': await text(isolinuxConfig(menu, PXELINUX)),
    ...(await uefiFiles(loaders, parts.signed)),
    'grub/grub.cfg': await text(grubConfig(menu, GRUB)),
    'grub/font.pf2': loaders.grubFont,
    [FIRST_FILES.ipxe]: await text(ipxeScript(menu, url)),
    ...(ipxe ? { [UEFI_IPXE]: ipxe } : {}),
    'README.txt': await text(render('netboot/README.txt', { title: menu.title, url, first })),
    'examples/dnsmasq.conf': await text(render('netboot/dnsmasq.conf', { ...EXAMPLE, first })),
    'examples/dhcpd.conf': await text(render('netboot/dhcpd.conf', { first })),
    ...(stage2 ? { 'mindi/stage2.squashfs': stage2.path, 'mindi/id': Buffer.from(`${stage2.sha256}\n`) } : {}),
    ...parts.extraFiles,
  };
  return new Map(Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** GRUB for UEFI, or shim in its place and the distribution's signed GRUB beside it, by the name that shim looks for. */
async function uefiFiles(
  loaders: Loaders<'grubKernel'>,
  signed: MediumParts['signed'],
): Promise<Record<string, Source>> {
  if (!signed) return { [FIRST_FILES.uefi]: await networkLoader(loaders) };
  return { [FIRST_FILES.uefi]: signed.shim, 'grubx64.efi': signed.networkGrub };
}

/** The addresses of documents (RFC 5737). */
const EXAMPLE = {
  folder: '/srv/netboot',
  network: '192.0.2.0',
  netmask: '255.255.255.0',
  server: '192.0.2.1',
  range: null,
  interface: 'eth0',
  url: 'http://192.0.2.1/',
};

async function makeFolders(folder: string, paths: readonly string[], mode: number): Promise<void> {
  const folders = new Set(['', ...paths.flatMap((path) => parents(path))]);
  for (const each of [...folders].sort()) {
    await mkdir(join(folder, each), { recursive: true });
    await chmod(join(folder, each), mode);
  }
}

function parents(path: string): string[] {
  const parent = dirname(path);
  return parent === '.' ? [] : [...parents(parent), parent];
}

async function put(path: string, source: Source, mode: number): Promise<void> {
  if (typeof source !== 'string') await writeFile(path, source);
  else await copyFile(source, path, constants.COPYFILE_FICLONE);
  await chmod(path, mode);
}

/** @throws MindiError `netboot.not-ours` unless there is nothing, or an empty folder, or a folder as we left it. */
async function checkOurs(folder: string): Promise<void> {
  const there = await stat(folder).catch(() => undefined);
  if (!there) return;
  if (!there.isDirectory()) throw notOurs(folder, 'this is a file and no netboot folder');
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1));
  if (names.length === 0) return;
  const sums = await readSums(folder);
  if (!sums) throw notOurs(folder, `this folder was not made by mindi: it has no ${SUMS.list}`);
  const foreign: string[] = [];
  for (const name of names) if (name !== SUMS.list && !(await isUnchanged(folder, name, sums))) foreign.push(name);
  if (foreign.length === 0) return;
  throw notOurs(folder, `there are files of yours in it: ${foreign.sort().slice(0, 5).join(', ')}`);
}

async function isUnchanged(folder: string, name: string, sums: ReadonlyMap<string, string>): Promise<boolean> {
  const sum = sums.get(name);
  if (sum === undefined) return false;
  const path = join(folder, name);
  return (await stat(path)).size > EDITABLE || (await hashFile(path)).sha256 === sum;
}

/** Hashes of a netboot folder's files by path; undefined where there is no list. */
export async function readSums(folder: string): Promise<Map<string, string> | undefined> {
  const text = await readFile(join(folder, SUMS.list), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : new Map(parseSums(text).sums.map(({ path, sha256 }) => [path, sha256]));
}

function notOurs(folder: string, message: string): MindiError {
  return new MindiError(message, {
    code: 'netboot.not-ours',
    where: folder,
    hint: 'It is left as it is. Move it away, or build into another directory: --out DIR.',
  });
}

/** A folder cannot be renamed over another: the old one steps aside and comes back when the new one does not get there. */
async function replaceFolder(fresh: string, folder: string): Promise<void> {
  const old = `${fresh}.old`;
  const replaces = await rename(folder, old).then(
    () => true,
    () => false,
  );
  try {
    await rename(fresh, folder);
  } catch (error) {
    if (replaces) await rename(old, folder);
    throw error;
  }
  if (replaces) await rm(old, { recursive: true });
}
