/**
 * The mountlist in memory: what the classic file (one line a device: `device mountpoint format size_in_KB [label]`)
 * and the screen table show. Facts of the original: PVs are `lvm lvm`, RAID members `raid raid`, swap `swap swap`,
 * an LV's size is the word `lvm`.
 */
export interface MountlistEntry {
  /** `/dev/sda1`, `/dev/mapper/vg-home`. */
  device: string;
  /** A path, or `swap`, `lvm`, `raid`, `image`. */
  mountpoint: string;
  /** Filesystem type, or `swap`, `lvm`, `raid`, or a numeric partition type for an image. */
  format: string;
  /** Size in KiB, or `lvm` for a logical volume. */
  size: number | 'lvm';
  label?: string;
  uuid?: string;
}

export interface Mountlist {
  entries: MountlistEntry[];
  /** Host it was captured on. */
  machine: string | null;
  /** Seconds since 1970; null when read from a classic file, which has no time. */
  captured: number | null;
}

/** One reason why something in the mountlist could not be restored. */
export interface MountlistProblem {
  device: string;
  mountpoint?: string;
  code: string;
  message: string;
  hint: string;
}
