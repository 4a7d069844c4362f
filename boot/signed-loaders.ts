import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What a distribution signed for Secure Boot; each shim trusts its own distribution's GRUB and kernel only. */
interface Distribution {
  /** Signed by Microsoft, so that firmware trusts it. */
  shim: readonly string[];
  /** For discs and sticks. */
  grub: readonly string[];
  /** For machines that start from the network. */
  networkGrub: readonly string[];
  packages: { shim: string; grub: string };
}

const vendor = (name: string, file: string) => `/boot/efi/EFI/${name}/${file}`;
const RED_HATS = ['fedora', 'redhat', 'centos', 'rocky', 'almalinux'];

const DISTRIBUTIONS: readonly Distribution[] = [
  {
    // Debian and Ubuntu
    shim: ['/usr/lib/shim/shimx64.efi.signed', '/usr/lib/shim/shimx64.efi.signed.latest'],
    grub: ['/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed'],
    networkGrub: ['/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed'],
    packages: { shim: 'shim-signed', grub: 'grub-efi-amd64-signed' },
  },
  {
    shim: ['/usr/share/efi/x86_64/shim.efi'],
    grub: ['/usr/share/efi/x86_64/grub.efi'],
    networkGrub: ['/usr/share/efi/x86_64/grub.efi'],
    packages: { shim: 'shim', grub: 'grub2-x86_64-efi' },
  },
  ...RED_HATS.map((name) => ({
    shim: [vendor(name, 'shimx64.efi')],
    grub: [vendor(name, 'grubx64.efi')],
    networkGrub: [vendor(name, 'grubx64.efi')],
    packages: { shim: 'shim-x64', grub: 'grub2-efi-x64' },
  })),
];

/** Paths on this machine. */
export interface SignedLoaders {
  shim: string;
  grub: string;
  networkGrub: string;
}

/** A package without which nothing starts by Secure Boot, and what it would bring. */
export interface MissingLoader {
  what: string;
  package: string;
}

/** The signed loaders of this machine's distribution, or what of them is missing. */
export function findSignedLoaders(root = '/'): SignedLoaders | MissingLoader[] {
  const all = DISTRIBUTIONS.map((distribution) => look(distribution, root));
  const whole = all.find((found) => !Array.isArray(found));
  // Of a distribution that has the half of it, else of Debian.
  const missing = all.filter(Array.isArray).sort((one, other) => one.length - other.length);
  return whole ?? missing[0] ?? [];
}

function look({ packages, ...files }: Distribution, root: string): SignedLoaders | MissingLoader[] {
  const find = (paths: readonly string[]) => paths.map((path) => join(root, path)).find((path) => existsSync(path));
  const [shim, grub, networkGrub] = [find(files.shim), find(files.grub), find(files.networkGrub)];
  if (shim && grub && networkGrub) return { shim, grub, networkGrub };
  return [
    ...(shim ? [] : [{ what: 'signed shim', package: packages.shim }]),
    ...(grub && networkGrub ? [] : [{ what: 'signed GRUB', package: packages.grub }]),
  ];
}

/** A GRUB image holds where it looks for its configuration as an object of type 3 (OBJ_TYPE_PREFIX): type, size, path. */
const PREFIX = /\x03\0\0\0[\s\S]{3}\0(\/[\w./-]+)\0/;

/**
 * Folders in which a signed GRUB looks for grub.cfg, relative to the file system it came from: the one built into it,
 * and its own, where those that search look last.
 */
export async function configFolders(grub: string): Promise<string[]> {
  const image = (await readFile(grub)).toString('latin1');
  const [, prefix] = PREFIX.exec(image) ?? [];
  return [...(prefix ? [prefix.slice(1)] : []), 'EFI/BOOT'];
}
