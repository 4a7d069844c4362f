import { type PackageNames, type Provision, same } from './provision.ts';

/** Programs that go onto the medium when they are here. */
export const MEDIUM_TOOLS: readonly Provision[] = [
  medium('LVM', ['lvm', 'pvs', 'vgcfgrestore'], 'logical volumes', same('lvm2')),
  medium('dmsetup', ['dmsetup'], 'device-mapper', { ...same('device-mapper'), debian: 'dmsetup' }),
  medium('thin_check', ['thin_check', 'thin_restore'], 'thin volumes', {
    ...same('thin-provisioning-tools'),
    fedora: 'device-mapper-persistent-data',
  }),
  medium('mdadm', ['mdadm'], 'software RAID', same('mdadm')),
  medium('cryptsetup', ['cryptsetup'], 'LUKS volumes', { ...same('cryptsetup'), debian: 'cryptsetup-bin' }),
  medium('multipath', ['multipath'], 'disks with several paths', {
    ...same('multipath-tools'),
    fedora: 'device-mapper-multipath',
  }),
  medium('iscsiadm', ['iscsiadm'], 'iSCSI disks', { ...same('open-iscsi'), fedora: 'iscsi-initiator-utils' }),
  medium('lsblk', ['lsblk', 'wipefs', 'findmnt'], 'the mountlist: block devices', {
    ...same('util-linux'),
    alpine: 'lsblk',
  }),
  medium('blkid', ['blkid', 'mkswap', 'swaplabel'], 'the mountlist: labels and UUIDs', {
    ...same('util-linux'),
    alpine: 'blkid',
  }),
  medium('mount', ['mount', 'umount', 'swapon', 'losetup'], 'mounting', {
    ...same('util-linux'),
    debian: 'mount',
    alpine: 'mount',
  }),
  medium('sfdisk', ['sfdisk', 'fdisk', 'cfdisk'], 'partition tables', {
    ...same('util-linux'),
    debian: 'fdisk',
    alpine: 'sfdisk',
  }),
  medium('gdisk', ['gdisk', 'sgdisk'], 'GPT partition tables', {
    ...same('gptfdisk'),
    debian: 'gdisk',
    fedora: 'gdisk',
  }),
  medium('parted', ['parted', 'partprobe'], 'partition tables', same('parted')),
  medium(
    'ext2/3/4',
    ['mkfs.ext4', 'mke2fs', 'e2fsck', 'resize2fs', 'tune2fs', 'dumpe2fs'],
    'filesystem',
    same('e2fsprogs'),
  ),
  medium('XFS', ['mkfs.xfs', 'xfs_repair', 'xfs_growfs', 'xfs_admin'], 'filesystem', same('xfsprogs')),
  medium('Btrfs', ['mkfs.btrfs', 'btrfs', 'btrfstune'], 'filesystem', { ...same('btrfs-progs'), suse: 'btrfsprogs' }),
  medium('F2FS', ['mkfs.f2fs', 'fsck.f2fs'], 'filesystem', same('f2fs-tools')),
  medium('JFS', ['mkfs.jfs', 'jfs_fsck', 'fsck.jfs'], 'filesystem', same('jfsutils')),
  medium('FAT', ['mkfs.vfat', 'fsck.vfat', 'fatlabel'], 'filesystem of EFI partitions', same('dosfstools')),
  medium('exFAT', ['mkfs.exfat', 'fsck.exfat'], 'filesystem', same('exfatprogs')),
  medium('NTFS', ['ntfsfix', 'mkfs.ntfs', 'mkntfs', 'ntfs-3g', 'ntfsclone'], 'filesystem', {
    ...same('ntfs-3g'),
    fedora: 'ntfsprogs',
    suse: 'ntfsprogs',
    alpine: 'ntfs-3g-progs',
  }),
  medium('ddrescue', ['ddrescue'], 'copies failing disks', {
    ...same('ddrescue'),
    debian: 'gddrescue',
    suse: 'gnu_ddrescue',
  }),
  medium('testdisk', ['testdisk', 'photorec'], 'finds lost partitions and files', same('testdisk')),
  medium('smartctl', ['smartctl'], 'disk health', same('smartmontools')),
  medium('nvme', ['nvme'], 'NVMe disks', same('nvme-cli')),
  medium('hdparm', ['hdparm'], 'ATA disks', same('hdparm')),
  medium('lsscsi', ['lsscsi'], 'lists SCSI devices', same('lsscsi')),
  medium('sg_inq', ['sg_inq', 'sg_map', 'sg_scan'], 'talks to SCSI devices', {
    ...same('sg3_utils'),
    debian: 'sg3-utils',
  }),
  medium('mt', ['mt', 'mt-st', 'stinit'], 'tapes', same('mt-st')),
  medium('dmidecode', ['dmidecode'], 'tells the machine’s model', same('dmidecode')),
  medium('lspci', ['lspci'], 'PCI devices', same('pciutils')),
  medium('lsusb', ['lsusb'], 'USB devices', same('usbutils')),
  medium('efibootmgr', ['efibootmgr'], 'UEFI boot entries', same('efibootmgr')),
  medium('ip', ['ip', 'ss', 'bridge'], 'network', { ...same('iproute2'), fedora: 'iproute' }),
  medium('ethtool', ['ethtool'], 'network cards', same('ethtool')),
  medium('ssh', ['ssh', 'scp', 'sftp'], 'restore data from another machine', {
    ...same('openssh-clients'),
    debian: 'openssh-client',
    arch: 'openssh',
    alpine: 'openssh-client',
  }),
  medium('sshd', ['sshd'], 'lets people in by SSH', {
    ...same('openssh-server'),
    arch: 'openssh',
  }),
  medium('rsync', ['rsync'], 'restore data from another machine', same('rsync')),
  medium('NFS', ['mount.nfs', 'mount.nfs4', 'showmount'], 'restore data on NFS', {
    ...same('nfs-utils'),
    debian: 'nfs-common',
    suse: 'nfs-client',
  }),
  medium('CIFS', ['mount.cifs'], 'restore data on a Windows share', same('cifs-utils')),
  medium('loadkeys', ['loadkeys', 'setfont', 'kbd_mode'], 'keyboard layouts', same('kbd')),
  medium('nano', ['nano'], 'editor', same('nano')),
  medium('vi', ['vim.tiny', 'vim', 'vi'], 'editor', {
    debian: 'vim-tiny',
    fedora: 'vim-minimal',
    suse: 'vim-small',
    arch: 'vim',
    alpine: 'vim',
  }),
  medium('less', ['less'], 'reads logs', same('less')),
  medium('strace', ['strace'], 'shows what a program does', same('strace')),
];

function medium(name: string, programs: string[], purpose: string, packages: PackageNames): Provision {
  return { name, programs, need: 'medium', purpose, packages };
}
