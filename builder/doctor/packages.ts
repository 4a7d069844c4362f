import { basename } from 'node:path';
import { type Distro, thisDistro } from './distro.ts';
import { MEDIUM_TOOLS } from './medium-tools.ts';
import { type PackageNames, type Provision, same } from './provision.ts';

export const BUSYBOX = 'busybox (static)';

/** Everything mindi may want of a machine, in the order `mindi doctor` shows it. */
export const PROVISIONS: readonly Provision[] = [
  {
    name: 'xorriso',
    programs: ['xorriso'],
    need: 'build',
    purpose: 'writes the ISO',
    packages: { ...same('xorriso'), arch: 'libisoburn' },
  },
  {
    name: 'mksquashfs',
    programs: ['mksquashfs'],
    need: 'build',
    purpose: 'packs the runtime and the second stage',
    packages: { ...same('squashfs-tools'), suse: 'squashfs' },
  },
  {
    name: BUSYBOX,
    files: ['/bin/busybox', '/usr/bin/busybox', '/usr/bin/busybox-static', '/bin/busybox.static', '/sbin/busybox'],
    need: 'build',
    purpose: 'the first programs on the medium, and PID 1',
    packages: { ...same('busybox-static'), fedora: 'busybox', arch: 'busybox' },
  },
  {
    name: 'isolinux.bin',
    files: [
      '/usr/lib/ISOLINUX/isolinux.bin',
      '/usr/share/syslinux/isolinux.bin',
      '/usr/lib/syslinux/bios/isolinux.bin',
    ],
    need: 'build',
    purpose: 'boots the ISO by BIOS',
    packages: { ...same('syslinux'), debian: 'isolinux', fedora: 'syslinux-nonlinux' },
  },
  {
    name: 'isohdpfx.bin',
    files: [
      '/usr/lib/ISOLINUX/isohdpfx.bin',
      '/usr/share/syslinux/isohdpfx.bin',
      '/usr/lib/syslinux/bios/isohdpfx.bin',
    ],
    need: 'build',
    purpose: 'boots the ISO from a USB stick by BIOS',
    packages: { ...same('syslinux'), debian: 'isolinux', fedora: 'syslinux-nonlinux' },
  },
  {
    name: 'ldlinux.c32',
    files: [
      '/usr/lib/syslinux/modules/bios/ldlinux.c32',
      '/usr/share/syslinux/ldlinux.c32',
      '/usr/lib/syslinux/bios/ldlinux.c32',
    ],
    need: 'build',
    purpose: 'the boot menu by BIOS',
    packages: { ...same('syslinux'), debian: 'syslinux-common', fedora: 'syslinux-nonlinux' },
  },
  {
    name: 'grub-mkimage',
    programs: ['grub-mkimage', 'grub2-mkimage'],
    need: 'build',
    purpose: 'makes the UEFI boot loader',
    packages: { debian: 'grub-common', fedora: 'grub2-tools', suse: 'grub2', arch: 'grub', alpine: 'grub' },
  },
  {
    name: 'GRUB x86_64-efi',
    files: ['/usr/lib/grub/x86_64-efi/moddep.lst', '/usr/share/grub2/x86_64-efi/moddep.lst'],
    need: 'build',
    purpose: 'the UEFI boot loader’s parts',
    packages: {
      debian: 'grub-efi-amd64-bin',
      fedora: 'grub2-efi-x64-modules',
      suse: 'grub2-x86_64-efi',
      arch: 'grub',
      alpine: 'grub-efi',
    },
  },
  {
    name: 'GRUB font',
    files: ['ascii.pf2', 'unicode.pf2'].flatMap((font) => [`/usr/share/grub/${font}`, `/usr/share/grub2/${font}`]),
    need: 'build',
    purpose: 'draws the boot menu by UEFI',
    packages: { debian: 'grub-common', fedora: 'grub2-common', suse: 'grub2', arch: 'grub', alpine: 'grub' },
  },
  {
    name: 'mtools',
    programs: ['mcopy'],
    need: 'build',
    purpose: 'writes the FAT image UEFI boots from',
    packages: same('mtools'),
  },
  {
    name: 'syslinux',
    programs: ['syslinux'],
    need: 'usb',
    purpose: 'boots the USB image by BIOS',
    packages: same('syslinux'),
  },
  {
    name: 'mbr.bin',
    files: ['/usr/lib/syslinux/mbr/mbr.bin', '/usr/share/syslinux/mbr.bin', '/usr/lib/syslinux/bios/mbr.bin'],
    need: 'usb',
    purpose: 'leads BIOS to the USB image’s loader',
    packages: { ...same('syslinux'), debian: 'syslinux-common', fedora: 'syslinux-nonlinux' },
  },
  {
    name: 'depmod',
    programs: ['depmod'],
    need: 'kernel',
    purpose: 'indexes the modules of a kernel package',
    packages: same('kmod'),
  },
  {
    name: 'bsdtar',
    programs: ['bsdtar'],
    need: 'kernel',
    purpose: 'unpacks kernel packages of every distribution',
    packages: {
      debian: 'libarchive-tools',
      fedora: 'bsdtar',
      suse: 'bsdtar',
      arch: 'libarchive',
      alpine: 'libarchive-tools',
    },
  },
  {
    name: 'apt-get',
    programs: ['apt-get'],
    need: 'kernel',
    purpose: 'fetches Debian kernels, the failsafe kernel too',
    packages: { debian: 'apt', fedora: 'apt', arch: 'apt' },
  },
  {
    name: 'qemu-system-x86_64',
    programs: ['qemu-system-x86_64'],
    need: 'boot',
    purpose: 'boots media for a test',
    packages: {
      debian: 'qemu-system-x86',
      fedora: 'qemu-system-x86-core',
      suse: 'qemu-x86',
      arch: 'qemu-system-x86',
      alpine: 'qemu-system-x86_64',
    },
  },
  {
    name: 'OVMF',
    files: [
      '/usr/share/OVMF/OVMF_CODE_4M.fd',
      '/usr/share/OVMF/OVMF_CODE.fd',
      '/usr/share/edk2/ovmf/OVMF_CODE.fd',
      '/usr/share/edk2/x64/OVMF_CODE.4m.fd',
      '/usr/share/qemu/ovmf-x86_64-code.bin',
      '/usr/share/OVMF/OVMF.fd',
    ],
    need: 'boot',
    purpose: 'UEFI firmware for such a test',
    packages: { debian: 'ovmf', fedora: 'edk2-ovmf', suse: 'qemu-ovmf-x86_64', arch: 'edk2-ovmf', alpine: 'ovmf' },
  },
  {
    name: 'signed shim',
    files: ['/usr/lib/shim/shimx64.efi.signed', '/boot/efi/EFI/fedora/shimx64.efi', '/usr/share/efi/x86_64/shim.efi'],
    need: 'medium',
    purpose: 'starts the media where Secure Boot is on',
    packages: { debian: 'shim-signed', fedora: 'shim-x64', suse: 'shim' },
  },
  {
    name: 'signed GRUB',
    files: [
      '/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed',
      '/boot/efi/EFI/fedora/grubx64.efi',
      '/usr/share/efi/x86_64/grub.efi',
    ],
    need: 'medium',
    purpose: 'the boot menu where Secure Boot is on',
    packages: { debian: 'grub-efi-amd64-signed', fedora: 'grub2-efi-x64', suse: 'grub2-x86_64-efi' },
  },
  {
    name: 'Memtest86+',
    files: ['/boot/memtest86+x64.bin', '/boot/memtest86+/memtest.bin'],
    need: 'medium',
    purpose: 'the memory test of the boot menus',
    packages: { debian: 'memtest86+', fedora: 'memtest86+', arch: 'memtest86+' },
  },
  {
    name: 'pxelinux.0',
    files: ['/usr/lib/PXELINUX/pxelinux.0', '/usr/share/syslinux/pxelinux.0', '/usr/lib/syslinux/bios/pxelinux.0'],
    need: 'netboot',
    purpose: 'starts machines from the network by BIOS',
    packages: { ...same('syslinux'), debian: 'pxelinux', fedora: 'syslinux-nonlinux' },
  },
  {
    name: 'snponly.efi',
    files: [
      '/usr/lib/ipxe/snponly.efi',
      '/usr/share/ipxe/ipxe-snponly-x86_64.efi',
      '/usr/share/ipxe/x86_64/snponly.efi',
    ],
    need: 'netboot',
    purpose: 'starts machines by UEFI beside another DHCP server, and by HTTP',
    packages: { debian: 'ipxe', fedora: 'ipxe-bootimgs-x86', arch: 'ipxe' },
  },
  {
    name: 'dnsmasq',
    programs: ['dnsmasq'],
    need: 'netboot',
    purpose: 'DHCP and TFTP of `mindi serve`',
    packages: { ...same('dnsmasq'), debian: 'dnsmasq-base' },
  },
  {
    name: 'tar',
    programs: ['tar'],
    need: 'archive',
    purpose: 'GNU tar reads and restores files',
    packages: same('tar'),
  },
  {
    name: 'find',
    programs: ['find'],
    need: 'archive',
    purpose: 'GNU find walks the file systems; xargs',
    packages: same('findutils'),
  },
  {
    name: 'lsattr',
    programs: ['lsattr'],
    need: 'archive',
    purpose: 'flags of immutable files; chattr sets them again',
    packages: { ...same('e2fsprogs'), alpine: 'e2fsprogs-extra' },
  },
  {
    name: 'lzop',
    programs: ['lzop'],
    need: 'archive',
    purpose: 'archives compressed by lzo',
    packages: same('lzop'),
  },
  {
    name: 'xz',
    programs: ['xz'],
    need: 'archive',
    purpose: 'archives compressed by xz',
    packages: { ...same('xz'), debian: 'xz-utils' },
  },
  {
    name: 'par2',
    programs: ['par2'],
    need: 'archive',
    purpose: 'parity of volumes',
    packages: { ...same('par2cmdline'), debian: 'par2' },
  },
  ...MEDIUM_TOOLS,
];

/** Programs of packages nothing in the table above asks for by itself. */
const MORE: readonly { programs: string[]; packages: PackageNames }[] = [
  { programs: ['age', 'age-keygen'], packages: same('age') },
  { programs: ['osirrox'], packages: { ...same('xorriso'), arch: 'libisoburn' } },
  { programs: ['mformat', 'mmd', 'mdir', 'mtype', 'mshowfat'], packages: same('mtools') },
  { programs: ['modprobe', 'modinfo', 'kmod', 'lsmod', 'insmod', 'rmmod'], packages: same('kmod') },
  { programs: ['unsquashfs', 'sqfstar'], packages: { ...same('squashfs-tools'), suse: 'squashfs' } },
  { programs: ['busybox'], packages: { ...same('busybox-static'), fedora: 'busybox', arch: 'busybox' } },
  { programs: ['strip', 'objcopy', 'readelf', 'strings'], packages: same('binutils') },
  { programs: ['apt-cache'], packages: { debian: 'apt', fedora: 'apt', arch: 'apt' } },
  { programs: ['tar'], packages: same('tar') },
  { programs: ['gzip'], packages: same('gzip') },
  { programs: ['bzip2'], packages: same('bzip2') },
  { programs: ['zstd'], packages: same('zstd') },
  { programs: ['xz'], packages: { ...same('xz'), debian: 'xz-utils' } },
  { programs: ['cpio'], packages: same('cpio') },
  { programs: ['dd', 'chroot', 'sha256sum', 'df', 'stat'], packages: same('coreutils') },
  { programs: ['bash'], packages: same('bash') },
  { programs: ['ps', 'top', 'free', 'pgrep'], packages: { ...same('procps-ng'), debian: 'procps', suse: 'procps' } },
  { programs: ['curl'], packages: same('curl') },
  {
    programs: ['grub-install', 'grub2-install'],
    packages: { debian: 'grub2-common', fedora: 'grub2-tools', suse: 'grub2', arch: 'grub', alpine: 'grub' },
  },
  { programs: ['mtx'], packages: same('mtx') },
];

/**
 * The package that brings a program or a file, by its name or path: what an error says to install.
 * @param distro this machine's if not given; Debian's name where a distribution is unknown or has none
 */
export function packageFor(programOrFile: string, distro: Distro | undefined = thisDistro()): string | undefined {
  const name = basename(programOrFile);
  const names =
    PROVISIONS.find((one) => one.files?.includes(programOrFile)) ??
    [...PROVISIONS, ...MORE].find((one) => one.programs?.includes(name)) ??
    PROVISIONS.find((one) => one.files?.some((file) => basename(file) === name));
  return names && (names.packages[distro ?? 'debian'] ?? names.packages.debian);
}
