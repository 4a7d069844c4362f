import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MindiError } from '../contract/error.ts';

/** Where distributions keep the boot loaders: Debian, then Fedora and openSUSE and Alpine, then Arch. */
const FOLDERS = {
  isolinux: ['/usr/lib/ISOLINUX', '/usr/share/syslinux', '/usr/lib/syslinux/bios'],
  syslinux: ['/usr/lib/syslinux/modules/bios', '/usr/share/syslinux', '/usr/lib/syslinux/bios'],
  mbr: ['/usr/lib/syslinux/mbr', '/usr/share/syslinux', '/usr/lib/syslinux/bios'],
  grub: ['/usr/lib/grub/x86_64-efi', '/usr/share/grub2/x86_64-efi'],
  pxelinux: ['/usr/lib/PXELINUX', '/usr/share/syslinux', '/usr/lib/syslinux/bios'],
  font: ['/usr/share/grub', '/usr/share/grub2'],
} as const;

/** Every boot loader file the media need, and the Debian package that brings it. */
const FILES = {
  isolinux: { folders: FOLDERS.isolinux, names: ['isolinux.bin'], package: 'isolinux' },
  hybridMbr: { folders: [...FOLDERS.isolinux, ...FOLDERS.syslinux], names: ['isohdpfx.bin'], package: 'isolinux' },
  diskMbr: { folders: FOLDERS.mbr, names: ['mbr.bin'], package: 'syslinux-common' },
  gptMbr: { folders: FOLDERS.mbr, names: ['gptmbr.bin'], package: 'syslinux-common' },
  pxelinux: { folders: FOLDERS.pxelinux, names: ['pxelinux.0'], package: 'pxelinux' },
  core: { folders: FOLDERS.syslinux, names: ['ldlinux.c32'], package: 'syslinux-common' },
  menu: { folders: FOLDERS.syslinux, names: ['menu.c32'], package: 'syslinux-common' },
  menuLibrary: { folders: FOLDERS.syslinux, names: ['libutil.c32'], package: 'syslinux-common' },
  comLibrary: { folders: FOLDERS.syslinux, names: ['libcom32.c32'], package: 'syslinux-common' },
  reboot: { folders: FOLDERS.syslinux, names: ['reboot.c32'], package: 'syslinux-common' },
  grubKernel: { folders: FOLDERS.grub, names: ['kernel.img'], package: 'grub-efi-amd64-bin' },
  // ascii.pf2 has the characters that draw the menu's frame and is 5 KB; not every distribution has it.
  grubFont: { folders: FOLDERS.font, names: ['ascii.pf2', 'unicode.pf2'], package: 'grub-common' },
} as const;

type LoaderFile = keyof typeof FILES;
/** Where the files lie on this machine. */
export type Loaders<Name extends LoaderFile> = Record<Name, string>;

/** iPXE as a program of UEFI's that uses the firmware's driver of the network card: Debian, Fedora, Arch. */
const IPXE = [
  '/usr/lib/ipxe/snponly.efi',
  '/usr/share/ipxe/ipxe-snponly-x86_64.efi',
  '/usr/share/ipxe/x86_64/snponly.efi',
];

/** Null where this machine has none: the netboot folder does without. */
export function findIpxe(root = '/'): string | null {
  return IPXE.map((path) => join(root, path)).find((path) => existsSync(path)) ?? null;
}

/** @throws MindiError `loader.missing`, one problem for each package that is not installed. */
export function findLoaders<Name extends LoaderFile>(wanted: readonly Name[], root = '/'): Loaders<Name> {
  const found: Partial<Loaders<Name>> = {};
  const missing = new Map<string, string[]>();
  for (const key of wanted) {
    const { folders, names, package: owner } = FILES[key];
    const places = folders.flatMap((folder) => names.map((name) => join(root, folder, name)));
    const path = places.find((place) => existsSync(place));
    if (path) found[key] = path;
    else missing.set(owner, [...(missing.get(owner) ?? []), names[0]]);
  }
  if (missing.size === 0) return found as Loaders<Name>;
  throw MindiError.all([...missing].map(missingLoader), 'boot loader files are missing:', 'loader.missing');
}

function missingLoader([owner, names]: [string, string[]]): MindiError {
  return new MindiError(`no ${names.join(', ')} on this machine`, {
    code: 'loader.missing',
    hint: `Install the package ${owner} (as Debian names it), or run \`mindi doctor\`.`,
  });
}
