import type { Mountlist, MountlistEntry } from '../../mountlist.ts';
import { FILESYSTEM_TYPES } from '../filesystems.ts';
import { BLOCK_SECTIONS, entry, MISSING, sectionOf } from '../graph.ts';
import { nodesOf } from '../nodes.ts';
import { emptyLayout, type FileSystem, type Layout } from '../schema.ts';
import type { LvmScript } from './lvm-script.ts';
import { type NamedDevice, namedDevice } from './names.ts';
import type { RaidtabArray } from './raidtab.ts';

const MIB = 2 ** 20;

/** Files of old that lie beside a mountlist. */
export interface Beside {
  raidtab?: readonly RaidtabArray[];
  lvm?: LvmScript;
}

/**
 * A layout of what a mountlist says. It knows no disk, no table and no place on it: disks are as large as their partitions
 * and partitions follow each other. What it leaves open is in the notes.
 */
export function layoutOfMountlist(mountlist: Mountlist, { raidtab = [], lvm }: Beside = {}): Layout {
  const layout = emptyLayout(mountlist.machine);
  const note = (device: string, text: string) => void layout.notes.push({ device, note: text });
  const devices = mountlist.entries.map((line) => ({ line, device: namedDevice(line.device) }));
  for (const { line, device } of devices) addDevice(layout, device, line);
  addTables(layout, mountlist);
  for (const array of raidtab) addArray(layout, array);
  if (lvm) addLvm(layout, lvm);
  for (const { line, device } of devices) addContent(layout, device.id, line, note);
  for (const id of Object.keys(layout.disks)) note(id, 'its size and partition table are not in a mountlist: guessed');
  addGuesses(layout, note);
  return layout;
}

function addDevice(layout: Layout, { kind, id, disk, number }: NamedDevice, { size }: MountlistEntry): void {
  const bytes = size === 'lvm' ? undefined : size * 1024;
  if (kind === 'disk') layout.disks[id] = { size: bytes ?? 0 };
  else if (kind === 'partition') {
    const before = entry(layout.disks, disk)?.size ?? 2 * MIB;
    const whole = Math.ceil((bytes ?? 0) / MIB) * MIB;
    if (!/^md/.test(disk)) layout.disks[disk] = { size: before + whole };
    layout.partitions[id] = { on: disk, number, ...(whole ? { size: whole } : {}) };
  } else if (kind === 'array') layout.arrays[id] = { level: 'raid1', members: [] };
  else if (kind === 'volume') {
    const [group = ''] = id.split('/');
    layout.groups[group] ??= {};
    layout.volumes[id] = { group, ...(bytes ? { size: bytes } : {}) };
  }
}

/** What only GPT has, or more partitions than an MBR is used for. */
function addTables(layout: Layout, { entries }: Mountlist): void {
  for (const [disk, all] of Map.groupBy(Object.entries(layout.partitions), ([, { on }]) => on)) {
    const lines = entries.filter(({ device }) => all.some(([id]) => namedDevice(device).id === id));
    const gpt = lines.some(({ mountpoint }) => mountpoint === 'biosboot' || /^\/(?:boot\/)?efi$/.test(mountpoint));
    layout.tables[disk] = { type: gpt ? 'gpt' : 'mbr' };
    if (gpt || all.every(([, { number }]) => number <= 4)) continue;
    const free = [4, 3, 2, 1].find((one) => all.every(([, { number }]) => number !== one)) ?? 4;
    const id = `${disk}${/\d$/.test(disk) ? 'p' : ''}${free}`;
    layout.partitions[id] = { on: disk, number: free, type: 'extended' };
  }
}

function addArray(layout: Layout, { device, members, spares, ...facts }: RaidtabArray): void {
  const ids = Array.from(members, (member) => (member ? namedDevice(member).id : MISSING));
  const others = spares.length > 0 ? { spares: spares.map((spare) => namedDevice(spare).id) } : {};
  layout.arrays[namedDevice(device).id] = { ...facts, members: ids, ...others };
}

function addLvm(layout: Layout, { groups, volumes }: LvmScript): void {
  for (const [name, { on, ...facts }] of Object.entries(groups)) {
    layout.groups[name] = facts;
    for (const device of on) layout.physicalVolumes[namedDevice(device).id] = { group: name };
  }
  for (const [id, volume] of Object.entries(volumes)) {
    layout.groups[volume.group] ??= {};
    layout.volumes[id] = volume;
  }
}

/** Types of partitions by what stands in the mountpoint's place, or is mounted there. */
const PARTITION_TYPES: Record<string, string> = {
  ...{
    lvm: 'lvm',
    raid: 'raid',
    swap: 'swap',
    biosboot: 'bios-boot',
    luks: 'linux',
    '/boot/efi': 'efi',
    '/efi': 'efi',
  },
};

function addContent(
  layout: Layout,
  id: string,
  { mountpoint, format, uuid, label }: MountlistEntry,
  note: (device: string, text: string) => void,
): void {
  const partition = entry(layout.partitions, id);
  const type = PARTITION_TYPES[mountpoint];
  if (partition && type) partition.type = type;
  if (mountpoint === 'lvm') {
    layout.physicalVolumes[id] = { ...entry(layout.physicalVolumes, id), ...(uuid ? { uuid } : {}) };
    return;
  }
  if (['raid', 'biosboot', 'btrfs'].includes(mountpoint)) return;
  const left = leftOut(layout, id, mountpoint, format);
  if (left) {
    note(id, left);
    return;
  }
  layout.filesystems[id] = {
    type: format,
    ...(uuid ? { uuid } : {}),
    ...(label ? { label } : {}),
    ...(mountpoint.startsWith('/') ? { mounts: [{ at: mountpoint }] } : {}),
  };
}

/** Why the content of a line is left out. */
function leftOut(layout: Layout, id: string, mountpoint: string, format: string): string | null {
  if (mountpoint === 'luks') return 'is encrypted: say under `encrypted` how, and what it is called when open';
  const usual = format === 'swap' || mountpoint.startsWith('/');
  if (!usual || !FILESYSTEM_TYPES.includes(format)) return `holds ${format}, which this layout cannot say`;
  return sectionOf(layout, id) ? null : `lies on something the mountlist does not name: its ${format} is left out`;
}

/** Physical volumes without a group where there is one group only; members of an array that nobody tells. */
function addGuesses(layout: Layout, note: (device: string, text: string) => void): void {
  const groups = Object.keys(layout.groups);
  const [only] = groups.length === 1 ? groups : [];
  for (const [id, volume] of Object.entries(layout.physicalVolumes)) {
    if (volume.group) continue;
    if (only) volume.group = only;
    else note(id, 'is a physical volume of a group that the mountlist does not name');
  }
  for (const [id, { members }] of Object.entries(layout.arrays))
    if (members.length === 0) note(id, 'has members that the mountlist does not name: say them under arrays');
  for (const [id, { size }] of Object.entries(layout.volumes))
    if (size === undefined) note(id, 'has no size in the mountlist: it takes what is left');
}

/** What stands in a mountlist for what lies on a device. */
function contentOf(layout: Layout, id: string): { word: string; uuid?: string } | null {
  const physical = entry(layout.physicalVolumes, id);
  if (physical) return { word: 'lvm', ...(physical.uuid ? { uuid: physical.uuid } : {}) };
  const array = Object.values(layout.arrays).find(({ members, spares = [] }) => [...members, ...spares].includes(id));
  if (array) return { word: 'raid', ...(array.uuid ? { uuid: array.uuid } : {}) };
  const encrypted = Object.values(layout.encrypted).find(({ on }) => on === id);
  if (encrypted) return { word: 'luks', ...(encrypted.uuid ? { uuid: encrypted.uuid } : {}) };
  if (Object.values(layout.filesystems).some(({ devices = [] }) => devices.includes(id))) return { word: 'btrfs' };
  if (Object.values(layout.pools).some(({ members }) => members.includes(id))) return { word: 'zfs' };
  return entry(layout.partitions, id)?.type === 'bios-boot' ? { word: 'biosboot' } : null;
}

/** The mountlist of a layout: physical volumes first, then what is mounted and swap, then the other layers. */
export function mountlistOfLayout(layout: Layout): Mountlist {
  const node = nodesOf(layout, new Map());
  const sizes = sizesIn(layout);
  const lines = BLOCK_SECTIONS.flatMap((section) => Object.keys(layout[section])).flatMap((id): MountlistEntry[] => {
    const device = entry(layout.volumes, id) ? `/dev/mapper/${mapped(id)}` : node(id);
    const filesystem = entry(layout.filesystems, id);
    if (filesystem) return linesOf(device, filesystem, sizes(id));
    const content = contentOf(layout, id);
    if (!content) return [];
    const { word, uuid } = content;
    return [{ device, mountpoint: word, format: word, size: sizes(id), ...(uuid ? { uuid } : {}) }];
  });
  const rank = ({ mountpoint }: MountlistEntry) =>
    mountpoint === 'lvm' ? 0 : mountpoint.startsWith('/') ? 1 : mountpoint === 'swap' ? 2 : 3;
  return {
    entries: lines.sort((one, other) => rank(one) - rank(other)),
    machine: layout.machine ?? null,
    captured: null,
  };
}

/** One device has one line: that of the root, or the first place. */
function linesOf(device: string, filesystem: FileSystem, size: number | 'lvm'): MountlistEntry[] {
  const { type, uuid, label, mounts = [] } = filesystem;
  const at = mounts.find((mount) => mount.at === '/')?.at ?? mounts[0]?.at ?? (type === 'swap' ? 'swap' : null);
  if (at === null) return [];
  return [{ device, mountpoint: at, format: type, size, ...(label ? { label } : {}), ...(uuid ? { uuid } : {}) }];
}

/** `/dev/mapper/` has the hyphens of names doubled. */
const mapped = (id: string) =>
  id
    .split('/')
    .map((part) => part.replaceAll('-', '--'))
    .join('-');

function sizesIn(layout: Layout): (id: string) => number | 'lvm' {
  const bytesOf = (id: string): number => {
    const own = entry(layout.disks, id)?.size ?? entry(layout.partitions, id)?.size;
    if (own !== undefined) return own;
    const on = entry(layout.encrypted, id)?.on ?? entry(layout.arrays, id)?.members.find((one) => one !== MISSING);
    return on === undefined ? 0 : (entry(layout.volumes, on)?.size ?? bytesOf(on));
  };
  return (id) => (entry(layout.volumes, id) ? 'lvm' : Math.max(1, Math.floor(bytesOf(id) / 1024)));
}
