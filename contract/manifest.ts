/**
 * The manifest: every file that will be on the media, and why. `plan` makes it, `pack` turns it into bytes and decides
 * nothing. It holds no path of the building machine that would differ between two machines with the same inputs.
 */

/** Why a file is on the media. `rule` is the profile line or set that asked; `via` the chain that led from it. */
export interface Reason {
  /** e.g. `drivers.sets: scsi`, `tools.sets: lvm`, `init`. */
  rule: string;
  /** Dependency path from what the rule named to this file, nearest last: `['megaraid_sas', 'scsi_mod']`. */
  via?: string[];
  /** How the last step of `via` leads here. */
  kind?: 'named' | 'hard' | 'soft' | 'weak' | 'alias' | 'firmware' | 'library' | 'symlink' | 'family';
}

interface EntryBase {
  /** Absolute path on the rescue system, `/usr/sbin/lvm`; no trailing slash, no `.` or `..`. */
  path: string;
  /** Permission bits only, e.g. 0o755. */
  mode: number;
  uid: number;
  gid: number;
  why: Reason[];
}

export interface FileEntry extends EntryBase {
  type: 'file';
  /** Bytes as stored on the medium (modules are stored decompressed). */
  size: number;
  /** Hex SHA-256 of the stored bytes. */
  sha256: string;
  /** Origin as a person would name it: host path, `package: path in it`, or `mindi`. Never a cache path. */
  origin: string;
}
export interface DirectoryEntry extends EntryBase {
  type: 'directory';
}
export interface SymlinkEntry extends EntryBase {
  type: 'symlink';
  target: string;
}
export interface DeviceEntry extends EntryBase {
  type: 'char' | 'block';
  major: number;
  minor: number;
}
/** The bytes of another segment, as a file in this one: the runtime's squashfs in the initrd. Size and hash are known after packing. */
export interface SegmentEntry extends EntryBase {
  type: 'segment';
  segment: string;
}
/** `/etc/mindi/config.json` (rescue-config.ts): it holds the second stage's hash, so its bytes exist only after that is packed. */
export interface ConfigEntry extends EntryBase {
  type: 'config';
}
export type Entry = FileEntry | DirectoryEntry | SymlinkEntry | DeviceEntry | SegmentEntry | ConfigEntry;

/** A separately built and cached piece. cpio segments are concatenated to the initrd in manifest order. */
export interface Segment {
  name: 'runtime' | 'base' | 'modules' | 'tools' | 'stage2' | 'host' | (string & {});
  /** `cpio`: part of the initrd. `squashfs`: a file of its own, on the medium or embedded through a SegmentEntry. */
  format: 'cpio' | 'squashfs';
  /** zstd level, or null for a cpio stored as it is. */
  level: number | null;
  /** Where a squashfs lies on the medium, e.g. `mindi/stage2.squashfs`; absent when only embedded in another segment. */
  onMedium?: string;
  /** The media whose initrd has it, by the profile's words; every medium's when absent. */
  media?: readonly string[];
  /** Sorted by path, parents before children, no duplicates. */
  entries: Entry[];
}

/** The parts of one medium's initrd, in their order. */
export function initrdOf({ segments }: Manifest, medium: string): Segment[] {
  return segments.filter(({ format, media }) => format === 'cpio' && (media?.includes(medium) ?? true));
}

export interface KernelFacts {
  /** `uname -r` of it. */
  release: string;
  /** The image header's whole build string. */
  banner: string;
  size: number;
  sha256: string;
  /** As a person would name it: `/boot/vmlinuz-6.1.0-50-amd64` or `linux-image-6.1.0-50-amd64 6.1.176-1`. */
  origin: string;
}

export interface Manifest {
  format: 1;
  name: string;
  /** mindi's version. */
  generator: string;
  /** Seconds since 1970 written wherever a time is needed: SOURCE_DATE_EPOCH or the capture time of the mountlist. */
  epoch: number;
  kernel: KernelFacts;
  segments: Segment[];
}

/** How to read the bytes of each FileEntry, by SHA-256. Host side only, never written out. */
export type Content =
  | { from: 'file'; path: string }
  /** A kernel module, decompressed on reading when its name ends in .gz, .xz or .zst. */
  | { from: 'module'; path: string }
  /** The runtime's program, slimmed on reading. */
  | { from: 'runtime'; path: string }
  | { from: 'bytes'; bytes: Uint8Array };
export type Contents = Map<string, Content>;
