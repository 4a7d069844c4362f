/**
 * The mountlist in memory: what the classic file (mountlist-file.ts) and the screen table (mountlist-table.ts) show.
 * Facts of the original: PVs are `lvm lvm`, RAID members `raid raid`, swap `swap swap`, an LV's size is the word `lvm`.
 */
export interface MountlistEntry {
  /** `/dev/sda1`, `/dev/mapper/vg-home`; a whole disk where the filesystem has no partition. Absolute, not empty. */
  device: string;
  /** A path, or one of the words of MOUNTPOINT_WORDS. Not empty. */
  mountpoint: string;
  /** Filesystem type as blkid names it, or the word that is also the mountpoint, or a numeric partition type for an image. */
  format: string;
  /** Size in KiB, at least 1, or `lvm` for a logical volume. */
  size: number | 'lvm';
  label?: string;
  /** As blkid prints it: of the filesystem, swap area, PV, array or LUKS header on the device. */
  uuid?: string;
}

export interface Mountlist {
  entries: MountlistEntry[];
  /** Host it was captured on; null when the file does not say. */
  machine: string | null;
  /** Seconds since 1970; null when the file does not say (a file of the original never does). */
  captured: number | null;
}

/** What stands in the mountpoint's place for a device that is not mounted itself. The first three and `image` are the original's. */
export const MOUNTPOINT_WORDS: Readonly<Record<string, string>> = {
  swap: 'swap area',
  lvm: 'LVM physical volume',
  raid: 'member of a software RAID array',
  image: 'partition restored bit by bit',
  luks: 'encrypted container',
  btrfs: 'further device of the btrfs filesystem with the same UUID',
  zfs: 'device of a ZFS pool',
  bcache: 'bcache backing or cache device',
  biosboot: 'where GRUB lives on a GPT disk started by BIOS',
};

/** One reason why something in the mountlist could not be restored. */
export interface MountlistProblem {
  device: string;
  mountpoint?: string;
  /** Stable machine-readable name, e.g. `mountpoint.duplicate`. */
  code: string;
  message: string;
  hint: string;
}
