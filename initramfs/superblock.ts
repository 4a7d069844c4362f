/** Filesystems, how the kernel calls them, and how they are mounted so that nothing is ever written. */
export interface Filesystem {
  type: string;
  /** Mount options. */
  options: string;
  /** Modules its driver asks for while mounting. */
  helpers: readonly string[];
  /** What mounts it where the kernel has no driver: a program that takes options, device and place. */
  program?: string;
}

interface KnownFilesystem extends Filesystem {
  magic: (start: Buffer) => boolean;
}

/** Bytes from the start of a device that `identify` looks at. */
export const SUPERBLOCK_BYTES = 0x10048;

/** Those a medium may have. */
const OF_MEDIA: readonly KnownFilesystem[] = [
  { type: 'iso9660', options: 'ro', helpers: [], magic: (start) => text(start, 0x8001, 5) === 'CD001' },
  { type: 'udf', options: 'ro', helpers: [], magic: (start) => text(start, 0x8001, 5) === 'BEA01' },
  // noload: without it even a read-only mount replays the journal, and so writes.
  { type: 'ext4', options: 'ro,noload', helpers: [], magic: (start) => start.subarray(0x438, 0x43a).equals(EXT_MAGIC) },
  { type: 'exfat', options: 'ro', helpers: [], magic: (start) => text(start, 3, 8) === 'EXFAT   ' },
  {
    type: 'vfat',
    options: 'ro',
    helpers: ['nls_cp437', 'nls_ascii', 'nls_iso8859_1', 'nls_utf8'],
    magic: (start) => text(start, 0x36, 3) === 'FAT' || text(start, 0x52, 5) === 'FAT32',
  },
];

/** Those restore data may be on. */
export const OF_DISKS: readonly KnownFilesystem[] = [
  ...OF_MEDIA,
  { type: 'xfs', options: 'ro,norecovery', helpers: [], magic: (start) => text(start, 0, 4) === 'XFSB' },
  {
    type: 'btrfs',
    options: 'ro,rescue=nologreplay',
    helpers: [],
    magic: (start) => text(start, 0x10040, 8) === '_BHRfS_M',
  },
  {
    type: 'f2fs',
    options: 'ro,norecovery',
    helpers: [],
    magic: (start) => start.subarray(0x400, 0x404).equals(F2FS_MAGIC),
  },
  // Debian has the kernel's driver since version 13.
  {
    type: 'ntfs3',
    options: 'ro',
    helpers: ['fuse'],
    program: 'ntfs-3g',
    magic: (start) => text(start, 3, 8) === 'NTFS    ',
  },
];

/** An ISO that is a file. */
export const ISO_FILE: Filesystem = { type: 'iso9660', options: 'ro,loop', helpers: ['loop'] };

const EXT_MAGIC = Buffer.from([0x53, 0xef]);
const F2FS_MAGIC = Buffer.from([0x10, 0x20, 0xf5, 0xf2]);

/** What filesystem starts so; undefined when it is none of those. `start` may be short. */
export function identify(start: Buffer, among: readonly KnownFilesystem[] = OF_MEDIA): Filesystem | undefined {
  return among.find(({ magic }) => magic(start));
}

function text(start: Buffer, offset: number, length: number): string {
  return start.toString('latin1', offset, offset + length);
}
