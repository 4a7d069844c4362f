/** Filesystems a medium may have, how the kernel calls them, and how they are mounted so that nothing is ever written. */
export interface Filesystem {
  type: string;
  /** Mount options. */
  options: string;
  /** Modules its driver asks for while mounting. */
  helpers: readonly string[];
}

/** Bytes from the start of a device that `identify` looks at. */
export const SUPERBLOCK_BYTES = 0x8800;

const FILESYSTEMS: readonly (Filesystem & { magic: (start: Buffer) => boolean })[] = [
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

/** An ISO that is a file. */
export const ISO_FILE: Filesystem = { type: 'iso9660', options: 'ro,loop', helpers: ['loop'] };

const EXT_MAGIC = Buffer.from([0x53, 0xef]);

/** What filesystem starts so; undefined when it is none a medium could have. `start` may be short. */
export function identify(start: Buffer): Filesystem | undefined {
  return FILESYSTEMS.find(({ magic }) => magic(start));
}

function text(start: Buffer, offset: number, length: number): string {
  return start.toString('latin1', offset, offset + length);
}
