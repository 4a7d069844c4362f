import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Where /boot and EFI system partitions are mounted. */
export const BOOT_MOUNTS = ['/boot', '/boot/efi', '/efi'];
/** Configuration: comments and blanks in it do not matter. */
const CONFIGURATION = [
  ...['/etc/fstab', '/etc/crypttab', '/etc/mdadm/mdadm.conf', '/etc/mdadm.conf'],
  ...['/etc/default/grub', '/etc/kernel/cmdline', '/etc/lilo.conf', '/etc/zipl.conf'],
  ...['/boot/grub/grub.cfg', '/boot/grub2/grub.cfg', '/boot/extlinux/extlinux.conf', '/boot/syslinux/syslinux.cfg'],
  ...['/boot/loader/loader.conf', '/efi/loader/loader.conf', '/boot/efi/loader/loader.conf'],
];
/** Boot loaders as they are. */
const PROGRAMS = ['/boot/grub/i386-pc/core.img', '/boot/grub2/i386-pc/core.img', '/boot/extlinux/ldlinux.sys'];
/** Directories, and which files in and below them. grubenv and systemd's random seed change at each boot. */
const FOLDERS: { path: string; file: RegExp; configuration: boolean }[] = [
  ...['/boot/EFI', '/boot/efi/EFI', '/efi/EFI'].flatMap((path) => [
    { path, file: /\.efi$/i, configuration: false },
    { path, file: /\.cfg$/i, configuration: true },
  ]),
  ...['/boot/loader/entries', '/efi/loader/entries', '/boot/efi/loader/entries'].map((path) => ({
    path,
    file: /\.conf$/,
    configuration: true,
  })),
];
const DEEPEST = 4;

/** SHA-256 of each file, by path. @param root in front of all paths */
export function hashedFiles(root: string): Record<string, string> {
  const found = new Map<string, string>();
  const take = (path: string, configuration: boolean) => {
    const bytes = contentOf(join(root, path));
    if (bytes) found.set(nameOf(path), hashOf(configuration ? meaning(bytes) : bytes));
  };
  for (const path of CONFIGURATION) take(path, true);
  for (const path of PROGRAMS) take(path, false);
  for (const { path, file, configuration } of FOLDERS)
    for (const name of namesBelow(root, path, DEEPEST)) if (file.test(name)) take(name, configuration);
  return Object.fromEntries([...found].sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** systemd-boot counts tries in the names of its entries: `linux+3-1.conf`. */
const nameOf = (path: string) => path.replace(/\+\d+(-\d+)?(?=\.conf$)/, '');

const hashOf = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

function meaning(bytes: Buffer): string {
  const lines = bytes
    .toString('latin1')
    .split('\n')
    .map((line) => line.replaceAll(/\s+/g, ' ').trim());
  return lines.filter((line) => line !== '' && !line.startsWith('#')).join('\n');
}

/** Undefined of what is not there, is no file, or cannot be read. */
function contentOf(path: string): Buffer | undefined {
  try {
    return statSync(path).isFile() ? readFileSync(path) : undefined;
  } catch {
    return undefined;
  }
}

function namesBelow(root: string, folder: string, depth: number): string[] {
  try {
    return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      return entry.isDirectory() && depth > 0 ? namesBelow(root, path, depth - 1) : [path];
    });
  } catch {
    return [];
  }
}

/** SHA-256 of what depmod knows of a kernel's modules; null where it has none. */
export function hashedModules(root: string, release: string): string | null {
  const bytes = contentOf(join(root, 'lib/modules', release, 'modules.dep'));
  return bytes ? hashOf(bytes.toString('latin1').split('\n').sort().join('\n')) : null;
}
