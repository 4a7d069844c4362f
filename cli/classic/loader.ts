import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** What each loader keeps where, the first that is there counts. */
const TRACES: readonly [loader: string, paths: readonly string[]][] = [
  ['GRUB', ['boot/grub/grub.cfg', 'boot/grub2/grub.cfg', 'boot/grub/menu.lst']],
  ['SYSTEMD-BOOT', ['boot/loader/loader.conf', 'efi/loader/loader.conf', 'boot/efi/loader/loader.conf']],
  ['EXTLINUX', ['boot/extlinux/extlinux.conf', 'boot/syslinux/syslinux.cfg']],
  ['REFIND', ['boot/refind_linux.conf']],
  ['ELILO', ['etc/elilo.conf']],
  ['LILO', ['etc/lilo.conf']],
];

/** The boot loader a system has, by its configuration; undefined: none is recognised. */
export function bootLoader(root = '/'): string | undefined {
  return TRACES.find(([, paths]) => paths.some((path) => existsSync(join(root, path))))?.[0];
}
