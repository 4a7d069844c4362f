/** Which fields say something of which file system, beside type, uuid, label and mounts. */
const EXT = [
  ...['blockSize', 'inodeSize', 'inodes', 'features', 'reservedBlocks', 'journalSize', 'stride', 'stripeWidth'],
  ...['mountDefaults', 'clusterSize'],
];
const FIELDS: Record<string, readonly string[]> = {
  ext2: EXT,
  ext3: EXT,
  ext4: EXT,
  xfs: [
    ...['blockSize', 'sectorSize', 'inodeSize', 'features', 'journalSize', 'stripeUnit', 'stripeCount'],
    'allocationGroups',
  ],
  btrfs: [
    ...['devices', 'sectorSize', 'nodeSize', 'features', 'data', 'metadata', 'checksum', 'subvolumes'],
    'defaultSubvolume',
  ],
  vfat: ['fatBits', 'sectorSize', 'clusterSize'],
  exfat: ['clusterSize'],
  ntfs: ['sectorSize', 'clusterSize'],
  f2fs: [],
  jfs: [],
  reiserfs: ['blockSize'],
  nilfs2: ['blockSize'],
  swap: [],
};

/** What a layout can say all of. */
export const FILESYSTEM_TYPES: readonly string[] = Object.keys(FIELDS);

const COMMON = ['type', 'uuid', 'label', 'mounts'];

/** Fields that mean nothing for a file system of that type. */
export function strangeFields(type: string, fields: readonly string[]): string[] {
  return fields.filter((field) => !COMMON.includes(field) && !FIELDS[type]?.includes(field));
}

/** What mkfs.xfs turns on and off by these names, and by which of its options. */
export const XFS_FEATURES: Readonly<Record<string, '-m' | '-i'>> = {
  ...{ crc: '-m', finobt: '-m', rmapbt: '-m', reflink: '-m', bigtime: '-m', inobtcount: '-m' },
  ...{ sparse: '-i', nrext64: '-i' },
};
