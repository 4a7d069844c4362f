/**
 * What is on the disks of a machine, as data: the file people edit, `mindi layout` writes and a restore makes again.
 *
 * Block devices are disks, partitions, arrays, encrypted devices and volumes; all have ids of one name space. What lies on a
 * device (a partition table, a physical volume, a file system) is said under the id of that device, so that everything can
 * be stacked on everything.
 */
import { closed, text } from '../settings/fields.ts';
import { type Schema, type Static, Type } from '../settings/type.ts';
import { FILESYSTEM_TYPES } from './filesystems.ts';
import { SIZE_PATTERN } from './size.ts';

/** Of the file; another number means other fields. */
export const LAYOUT_VERSION = 1;

const maybe = Type.Optional;
const sized = (description: string) =>
  Type.Unsafe<number>({
    type: ['integer', 'string'],
    minimum: 0,
    pattern: SIZE_PATTERN,
    description: `${description}: bytes, or as 512MiB`,
  });
const count = (description: string, minimum = 0) => Type.Integer({ minimum, description });
const list = (description: string) => Type.Array(Type.String({ minLength: 1 }), { description });
const flag = (description: string) => Type.Boolean({ description });

/** Lines `id: …` of one kind. */
const map = <S extends Schema>(item: S, description: string) =>
  maybe(
    Type.Unsafe<Record<string, Static<S>>>({
      type: 'object',
      additionalProperties: item,
      propertyNames: { minLength: 1, maxLength: 255, description: 'the id of a device' },
      description,
    }),
  );

const Disk = Type.Object(
  {
    size: sized('size of the whole disk'),
    sectorSize: maybe(count('bytes of a logical sector; 512 when not said', 512)),
    physicalSectorSize: maybe(count('bytes of a physical sector', 512)),
    model: maybe(text('what the disk calls itself')),
    serial: maybe(text('serial number')),
    wwn: maybe(text('World Wide Name, as lsblk prints it')),
    eui: maybe(text('EUI-64 or NGUID of an NVMe name space')),
    path: maybe(text('where it is plugged in, a name of /dev/disk/by-path')),
    multipath: maybe(text('WWID of a disk that is reached over several paths; its id is the name of the map')),
    keep: maybe(flag('never written to by a restore')),
  },
  closed,
);

const Table = Type.Object(
  {
    type: Type.Enum(['gpt', 'mbr'], { description: 'kind of partition table' }),
    uuid: maybe(text('GUID of a GPT, 0x and eight hexadecimal digits of an MBR')),
    firstUsable: maybe(sized('where the first partition of a GPT may begin, from the start of the disk')),
    lastUsable: maybe(sized('where the last partition of a GPT must end; said when it is not where it usually is')),
    entries: maybe(count('how many partitions a GPT has room for; 128 when not said', 1)),
  },
  closed,
);

const Partition = Type.Object(
  {
    on: text('id of the disk or array whose table it is in'),
    number: count('as the kernel counts; from 5 on logical ones of an MBR', 1),
    start: maybe(sized('from the start of the disk; when not said, after the one before')),
    size: maybe(sized('when not said, all that is left')),
    type: maybe(text('efi, linux, swap, lvm, raid …, or the GUID or hexadecimal number itself; linux when not said')),
    uuid: maybe(text('of the partition itself; GPT')),
    name: maybe(text('of the partition itself; GPT')),
    attributes: maybe(list('of a GPT, as sfdisk calls them: RequiredPartition, LegacyBIOSBootable, GUID:63')),
    active: maybe(flag('an MBR starts this one')),
  },
  closed,
);

export const ARRAY_LEVELS = ['linear', 'raid0', 'raid1', 'raid4', 'raid5', 'raid6', 'raid10', 'container'] as const;
const MdArray = Type.Object(
  {
    level: Type.Enum([...ARRAY_LEVELS], { description: 'level; container for disks in the format of a firmware' }),
    members: list('ids in the order of their slots; `missing` where there is none'),
    spares: maybe(list('ids of spare devices')),
    container: maybe(text('id of the container whose disks it uses, instead of members')),
    metadata: maybe(text('format of the metadata, as mdadm names it: 1.2, 0.90, imsm, ddf')),
    chunk: maybe(sized('chunk size')),
    layout: maybe(text('as mdadm names it: left-symmetric, near=2')),
    bitmap: maybe(text('internal, none or clustered')),
    size: maybe(sized('used of each member')),
    uuid: maybe(text('as mdadm writes it')),
    name: maybe(text('as in the metadata: host:name')),
  },
  closed,
);

const Keyslot = Type.Object(
  { slot: count('number'), kdf: text('how a passphrase becomes a key: argon2id, argon2i, pbkdf2') },
  closed,
);
const Token = Type.Object({ type: text('clevis, systemd-tpm2, …'), keyslots: Type.Array(count('number')) }, closed);
const Encrypted = Type.Object(
  {
    on: text('id of the device with the LUKS header; the own id is the name below /dev/mapper'),
    version: Type.Union([Type.Literal(1), Type.Literal(2)], { description: 'of LUKS' }),
    uuid: maybe(text('of the header')),
    label: maybe(text('LUKS2')),
    subsystem: maybe(text('LUKS2')),
    cipher: maybe(text('aes-xts-plain64')),
    keyBits: maybe(count('length of the key', 8)),
    hash: maybe(text('of the key derivation and the splitter: sha256')),
    sectorSize: maybe(count('bytes that are encrypted as one; LUKS2', 512)),
    offset: maybe(sized('where the data begin')),
    keyslots: maybe(
      Type.Array(Keyslot, { description: 'which there were; a restore makes one, for a new passphrase' }),
    ),
    tokens: maybe(Type.Array(Token, { description: 'what else unlocked it; cannot be taken to another header' })),
  },
  closed,
);

const PhysicalVolume = Type.Object(
  {
    group: maybe(text('name of its volume group')),
    uuid: maybe(text('as LVM writes it')),
    dataStart: maybe(sized('where the first extent begins')),
    metadataCopies: maybe(count('0, 1 or 2')),
  },
  closed,
);
const Group = Type.Object(
  {
    uuid: maybe(text('as LVM writes it; a new group gets a new one')),
    extentSize: maybe(sized('4MiB when not said')),
    maxVolumes: maybe(count('0: no limit')),
    maxPhysicalVolumes: maybe(count('0: no limit')),
    tags: maybe(list('of LVM')),
  },
  closed,
);

export const VOLUME_KINDS = [
  ...['linear', 'striped', 'mirror', 'raid0', 'raid1', 'raid4', 'raid5', 'raid6', 'raid10'],
  ...['thin-pool', 'thin'],
] as const;
const Cache = Type.Object(
  {
    name: text('of the volume that is the cache'),
    size: sized('of the cache'),
    pool: maybe(flag('a pool with metadata of its own, no plain volume')),
    chunk: maybe(sized('chunk size')),
    mode: maybe(text('writethrough, writeback or passthrough')),
    policy: maybe(text('smq')),
    on: maybe(list('ids of the devices it lies on')),
  },
  closed,
);
const Volume = Type.Object(
  {
    group: text('name of the group; the id is GROUP/NAME'),
    kind: maybe(Type.Enum([...VOLUME_KINDS], { description: 'linear when not said' })),
    size: maybe(sized('as a file system sees it; when not said, all that is left')),
    on: maybe(list('ids of the physical volumes it must lie on')),
    stripes: maybe(count('data stripes', 1)),
    stripeSize: maybe(sized('of each stripe')),
    mirrors: maybe(count('copies beside the first', 1)),
    regionSize: maybe(sized('what a mirror keeps in step at once')),
    pool: maybe(text('id of the thin pool it takes its space from')),
    chunk: maybe(sized('chunk size of a pool')),
    metadataSize: maybe(sized('metadata of a pool')),
    discards: maybe(text('of a pool: ignore, nopassdown or passdown')),
    zero: maybe(flag('whether a pool clears what it gives away')),
    cache: maybe(Cache),
    readOnly: maybe(flag('nothing writes to it')),
    tags: maybe(list('of LVM')),
  },
  closed,
);

const Mount = Type.Object(
  {
    at: Type.String({ pattern: '^/', description: 'path' }),
    options: maybe(text('as in fstab')),
    subvolume: maybe(text('path of the btrfs subvolume')),
  },
  closed,
);
const FileSystem = Type.Object(
  {
    type: Type.Enum([...FILESYSTEM_TYPES], { description: 'as blkid names it' }),
    uuid: maybe(text('as blkid prints it')),
    label: maybe(text('of the file system')),
    devices: maybe(list('ids of further devices of a btrfs')),
    mounts: maybe(Type.Array(Mount, { description: 'where it is mounted' })),
    blockSize: maybe(count('bytes of a block', 512)),
    sectorSize: maybe(count('bytes of a sector', 512)),
    clusterSize: maybe(count('bytes of a cluster', 512)),
    inodeSize: maybe(count('bytes of an inode', 128)),
    inodes: maybe(count('how many inodes it has', 1)),
    nodeSize: maybe(count('bytes of a node of a btrfs', 512)),
    features: maybe(list('as the tool that makes it names them; all that are on')),
    reservedBlocks: maybe(count('blocks kept for root')),
    journalSize: maybe(sized('journal or log')),
    stride: maybe(count('blocks of one RAID chunk; ext')),
    stripeWidth: maybe(count('blocks of one RAID stripe; ext')),
    stripeUnit: maybe(sized('RAID chunk; xfs')),
    stripeCount: maybe(count('data disks of the RAID; xfs', 1)),
    allocationGroups: maybe(count('xfs', 1)),
    mountDefaults: maybe(list('mount options in the superblock of an ext')),
    fatBits: maybe(Type.Enum(['12', '16', '32'], { description: 'kind of FAT' })),
    data: maybe(text('profile of the data of a btrfs: single, raid1 …')),
    metadata: maybe(text('profile of its metadata: dup, raid1 …')),
    checksum: maybe(text('of a btrfs: crc32c, xxhash, sha256, blake2')),
    subvolumes: maybe(list('paths of the subvolumes of a btrfs, snapshots left out')),
    defaultSubvolume: maybe(text('path of the one that is mounted when none is named')),
  },
  closed,
);

const SwapFile = Type.Object({ size: sized('of the file'), options: maybe(text('as in fstab')) }, closed);
const Pool = Type.Object({ members: list('ids'), uuid: maybe(text('number of the pool')) }, closed);
const Note = Type.Object({ device: text('id or name'), note: text('what the layout cannot say of it') }, closed);

export const LayoutSchema = Type.Object(
  {
    layout: Type.Literal(LAYOUT_VERSION, { description: 'version of this format' }),
    machine: maybe(text('host it was captured on')),
    disks: map(Disk, 'whole disks, by id'),
    tables: map(Table, 'partition tables, by the id of the disk or array they are on'),
    partitions: map(Partition, 'partitions, by id'),
    arrays: map(MdArray, 'software RAID, by id'),
    encrypted: map(Encrypted, 'LUKS, by the name it is open under'),
    physicalVolumes: map(PhysicalVolume, 'of LVM, by the id of the device they are on'),
    groups: map(Group, 'volume groups of LVM, by name'),
    volumes: map(Volume, 'logical volumes, by GROUP/NAME'),
    filesystems: map(FileSystem, 'file systems and swap areas, by the id of the device they are on'),
    swapFiles: map(SwapFile, 'swap files, by path'),
    pools: map(Pool, 'pools of ZFS: named, made by its own tools'),
    notes: maybe(Type.Array(Note, { description: 'what this layout cannot say' })),
  },
  closed,
);

/** A layout in memory: every section is there, every size is a number of bytes. */
export type Layout = Required<Omit<Static<typeof LayoutSchema>, 'machine'>> & { machine?: string };
export type Disk = Static<typeof Disk>;
export type Table = Static<typeof Table>;
export type Partition = Static<typeof Partition>;
export type MdArray = Static<typeof MdArray>;
export type Encrypted = Static<typeof Encrypted>;
export type PhysicalVolume = Static<typeof PhysicalVolume>;
export type Group = Static<typeof Group>;
export type Volume = Static<typeof Volume>;
export type FileSystem = Static<typeof FileSystem>;

/** @param machine host it is captured on */
export function emptyLayout(machine: string | null = null): Layout {
  return {
    layout: LAYOUT_VERSION,
    ...(machine ? { machine } : {}),
    ...{ disks: {}, tables: {}, partitions: {}, arrays: {}, encrypted: {}, physicalVolumes: {}, groups: {} },
    ...{ volumes: {}, filesystems: {}, swapFiles: {}, pools: {}, notes: [] },
  };
}
