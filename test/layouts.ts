import fc from 'fast-check';
import type { FileSystem } from '../contract/layout/schema.ts';
import { emptyLayout, type Layout } from '../contract/layout/schema.ts';

const MIB = 2 ** 20;

/** Layouts of all that can be made, stacked at random: every device is used once, every size is said. */
export const randomLayouts = fc.noShrink(fc.integer()).map(layoutOf);

/** Numbers that look random (mulberry32). */
function dice(seed: number): (sides: number) => number {
  let state = seed >>> 0;
  return (sides) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  };
}

type Roll = (sides: number) => number;
/** A device that nothing lies on yet. */
interface Free {
  id: string;
  size: number;
}

interface Making {
  layout: Layout;
  roll: Roll;
  free: Free[];
  /** Of names. */
  next(): number;
}

export function layoutOf(seed: number): Layout {
  const roll = dice(seed);
  let names = 0;
  const making: Making = { layout: emptyLayout(), roll, free: [], next: () => names++ };
  const disks = 1 + roll(4);
  for (let n = 0; n < disks; n += 1) addDisk(making, `sd${String.fromCharCode(97 + n)}`);
  const layers = roll(8);
  for (let n = 0; n < layers && making.free.length > 0; n += 1) pick(roll, LAYERS)(making);
  for (const [n, device] of making.free.entries())
    if (roll(5) > 0 && device.size >= 4 * MIB) addFilesystem(making, device, n);
  return making.layout;
}

const pick = <T>(roll: Roll, all: readonly T[]): T => all[roll(all.length)] as T;
const hex = (roll: Roll, digits: number) => Array.from({ length: digits }, () => roll(16).toString(16)).join('');
const uuid = (roll: Roll) => `${hex(roll, 8)}-${hex(roll, 4)}-4${hex(roll, 3)}-a${hex(roll, 3)}-${hex(roll, 12)}`;
const label = (roll: Roll) => pick(roll, ['root', 'my disk', 'a"b', 'é', '007', 'yes', '#1']);

/** One that is large enough for something to lie on it. */
function take({ free, roll }: Making): Free {
  const large = free.filter(({ size }) => size >= 64 * MIB);
  const chosen = pick(roll, large.length > 0 ? large : free);
  free.splice(free.indexOf(chosen), 1);
  return chosen;
}

function addDisk(making: Making, id: string): void {
  const { layout, roll, free } = making;
  const size = (1024 + 512 * roll(8)) * MIB;
  const sectorSize = roll(4) === 0 ? { sectorSize: 4096 } : {};
  layout.disks[id] = { size, ...sectorSize, serial: hex(roll, 8), ...(roll(2) ? { model: label(roll) } : {}) };
  if (roll(4) === 0) return void free.push({ id, size });
  const gpt = roll(3) > 0;
  layout.tables[id] = gpt
    ? { type: 'gpt', uuid: uuid(roll).toUpperCase(), ...(roll(3) ? {} : { entries: 64 }) }
    : { type: 'mbr', uuid: `0x${hex(roll, 8)}` };
  const numbers = gpt ? [1, 2, 3].slice(0, 1 + roll(3)) : pick(roll, [[1], [1, 2], [1, 2, 5, 6]]);
  if (numbers.includes(5)) {
    const [start, length] = [700 * MIB, size - 700 * MIB];
    layout.partitions[`${id}4`] = { on: id, number: 4, start, size: length, type: 'extended' };
  }
  for (const [n, number] of numbers.entries()) {
    const start = (number > 4 ? 701 + (number - 5) * 130 : 1 + n * 300) * MIB;
    const length = (number > 4 ? 128 : 100 + 10 * roll(20)) * MIB;
    const extra = gpt
      ? {
          uuid: uuid(roll).toUpperCase(),
          ...(roll(2) ? { name: label(roll) } : {}),
          ...(roll(3) ? {} : { attributes: ['LegacyBIOSBootable', 'GUID:63'] }),
        }
      : { ...(n === 0 ? { active: true } : {}) };
    layout.partitions[`${id}${number}`] = { on: id, number, start, size: length, type: pick(roll, TYPES), ...extra };
    free.push({ id: `${id}${number}`, size: length });
  }
}

const TYPES = ['linux', 'swap', 'lvm', 'raid', 'efi'];

const LAYERS: readonly ((making: Making) => void)[] = [addArray, addArray, addEncrypted, addGroup, addGroup];

function addArray(making: Making): void {
  const { layout, roll, free, next } = making;
  const level = pick(roll, ['raid0', 'raid1', 'raid5', 'raid6', 'raid10', 'linear'] as const);
  const least = { raid5: 3, raid6: 4, raid10: 2, raid1: 2, raid0: 2, linear: 2 }[level];
  if (free.filter(({ size }) => size >= 64 * MIB).length < least) return;
  const members = Array.from({ length: least }, () => take(making));
  const smallest = Math.min(...members.map(({ size }) => size));
  const id = `md${next()}`;
  const striped = level !== 'raid1' && level !== 'linear';
  layout.arrays[id] = {
    level,
    members: members.map((member) => member.id),
    ...(level === 'raid1' && roll(2) && free.length > 0 ? { spares: [take(making).id] } : {}),
    metadata: pick(roll, ['1.0', '1.1', '1.2']),
    ...(striped ? { chunk: pick(roll, [64, 512]) * 1024 } : {}),
    ...(level === 'raid5' ? { layout: 'left-symmetric' } : {}),
    ...(level === 'raid10' ? { layout: pick(roll, ['near=2', 'far=2']) } : {}),
    ...(level === 'raid0' || level === 'linear' ? {} : { bitmap: pick(roll, ['internal', 'none']) }),
    uuid: [8, 8, 8, 8].map((digits) => hex(roll, digits)).join(':'),
    name: `web:${id}`,
  };
  const data = { raid0: 2, raid1: 1, raid5: 2, raid6: 2, raid10: 1, linear: 2 }[level];
  free.push({ id, size: (smallest - 16 * MIB) * data });
}

function addEncrypted(making: Making): void {
  const { layout, roll, free, next } = making;
  const { id: on, size } = take(making);
  const id = `crypt${next()}`;
  const version = pick(roll, [1, 2] as const);
  layout.encrypted[id] = {
    on,
    version,
    uuid: uuid(roll),
    ...(version === 2 && roll(2) ? { label: 'secret' } : {}),
    cipher: pick(roll, ['aes-xts-plain64', 'aes-cbc-essiv:sha256']),
    keyBits: pick(roll, [256, 512]),
    hash: pick(roll, ['sha256', 'sha512']),
    ...(version === 2 && roll(2) ? { sectorSize: 4096 } : {}),
    keyslots: [{ slot: 0, kdf: version === 1 ? 'pbkdf2' : pick(roll, ['argon2id', 'pbkdf2']) }],
  };
  free.push({ id, size: size - 32 * MIB });
}

function addGroup(making: Making): void {
  const { layout, roll, free, next } = making;
  const group = `vg${next()}`;
  const count = Math.min(free.length, 1 + roll(3));
  const members = Array.from({ length: count }, () => take(making)).filter(({ size }) => size > 80 * MIB);
  if (members.length === 0) return;
  const extentSize = pick(roll, [1, 4]) * MIB;
  for (const { id } of members) layout.physicalVolumes[id] = { group, uuid: pvUuid(roll), dataStart: MIB };
  layout.groups[group] = { extentSize, ...(roll(3) ? {} : { tags: ['web'] }) };
  const volume = (kind: string, size: number, more: object = {}) => {
    const id = `${group}/lv${next()}`;
    layout.volumes[id] = { group, kind: kind as 'linear', size, ...more };
    return { id, size };
  };
  const size = 16 * MIB;
  free.push(volume('linear', size, roll(2) ? { on: [members[0]?.id ?? ''] } : {}));
  if (members.length > 1) {
    free.push(volume('striped', size, { stripes: 2, stripeSize: 65536 }));
    free.push(volume('raid1', size, { mirrors: 1 }));
  }
  if (roll(2)) {
    const pool = volume('thin-pool', size, { chunk: 65536, metadataSize: 4 * MIB });
    free.push(volume('thin', 200 * MIB, { pool: pool.id }));
  }
}

const pvUuid = (roll: Roll) => [6, 4, 4, 4, 4, 4, 6].map((digits) => hex(roll, digits)).join('-');

function addFilesystem({ layout, roll }: Making, { id, size }: Free, n: number): void {
  const fits = Object.entries(FILESYSTEMS).filter(([, { least }]) => size >= least);
  const [type, { make }] = pick(roll, fits) as [string, { make(roll: Roll): Partial<FileSystem> }];
  const mounts =
    type === 'swap' || roll(4) === 0 ? {} : { mounts: [{ at: n === 0 ? '/' : `/m${n}`, ...options(roll) }] };
  layout.filesystems[id] = {
    type,
    uuid: uuid(roll),
    ...(roll(2) ? { label: label(roll) } : {}),
    ...make(roll),
    ...mounts,
  };
}

const options = (roll: Roll) => (roll(2) ? { options: pick(roll, ['noatime', 'ro,nodev']) } : {});

/** What each may have, and the bytes it needs. */
const FILESYSTEMS: Record<string, { least: number; make(roll: Roll): Partial<FileSystem> }> = {
  ext4: {
    least: 8 * MIB,
    make: (roll) => ({ blockSize: pick(roll, [1024, 4096]), inodeSize: 256, features: ['extent', 'has_journal'] }),
  },
  ext2: { least: 8 * MIB, make: () => ({ blockSize: 1024, inodeSize: 128 }) },
  xfs: {
    least: 300 * MIB,
    make: (roll) => ({ blockSize: 4096, inodeSize: 512, features: pick(roll, [['crc', 'reflink'], ['crc']]) }),
  },
  btrfs: {
    least: 120 * MIB,
    make: (roll) => ({
      nodeSize: 16384,
      sectorSize: 4096,
      data: 'single',
      metadata: 'dup',
      checksum: pick(roll, ['crc32c', 'xxhash']),
      subvolumes: ['@', '@home'],
      ...(roll(2) ? { defaultSubvolume: '@' } : {}),
    }),
  },
  vfat: {
    least: 40 * MIB,
    make: (roll) => ({
      uuid: `${hex(roll, 4)}-${hex(roll, 4)}`.toUpperCase(),
      ...(roll(2) ? { label: 'EFI' } : {}),
      fatBits: '32',
    }),
  },
  swap: { least: 4 * MIB, make: () => ({}) },
};
