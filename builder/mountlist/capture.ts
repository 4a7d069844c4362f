import type { Mountlist, MountlistEntry } from '../../contract/mountlist.ts';
import { log } from '../log.ts';
import type { BlockDevice } from './devices.ts';
import { type HostFacts, readHostFacts } from './facts.ts';
import { findDevice, firstOfFilesystem, type Host, isPath, understand } from './host.ts';

export interface Capture {
  mountlist: Mountlist;
  /** What was left out or could not be read, one sentence each. */
  warnings: string[];
}

/** The mountlist of this machine, or of recorded facts. Takes 0.1 s, never fails; warnings go to the log. */
export async function captureMountlist(facts?: HostFacts): Promise<Mountlist> {
  const { mountlist, warnings } = mountlistOf(facts ?? (await readHostFacts()));
  for (const warning of warnings) log(`mountlist: ${warning}`);
  return mountlist;
}

/** The same with its warnings. Entries: PVs, then what fstab says in its order, other mounts, other swap, other layers. */
export function mountlistOf(facts: HostFacts): Capture {
  const host = understand(facts);
  const used = new Map<BlockDevice, MountlistEntry>();
  for (const [device, entry] of [...fstabEntries(host), ...mountEntries(host), ...swapEntries(host)]) {
    if (!used.has(device)) used.set(device, entry);
  }
  const layers = layersBelow(host, new Set(used.keys()));
  const volumes = layers.filter((entry) => entry.mountpoint === 'lvm');
  const others = layers.filter((entry) => entry.mountpoint !== 'lvm');
  const entries = [...volumes, ...used.values(), ...others];
  return {
    mountlist: { entries, machine: facts.hostname || null, captured: facts.time },
    warnings: [...warningsOf(facts, host), ...rootless(entries)],
  };
}

type Found = [BlockDevice, MountlistEntry];

function fstabEntries(host: Host): Found[] {
  const mounted = mountsByDevice(host);
  return host.fstab.flatMap((line): Found[] => {
    const { device } = line;
    if (!device || !isLasting(device)) return [];
    if (device.portable && line.options.includes('noauto')) return [];
    if (line.format === 'swap') return [[device, entryOf(device, 'swap', 'swap')]];
    const use = mounted.get(device) ?? { mountpoint: line.target, format: line.format.split(',')[0] ?? '' };
    return [[device, entryOf(device, use.mountpoint, formatOf(device, use.format))]];
  });
}

function mountEntries(host: Host): Found[] {
  return [...mountsByDevice(host)].flatMap(([device, { mountpoint, format }]): Found[] => {
    if (!isLasting(device) || isVisitor(device, mountpoint)) return [];
    return [[device, entryOf(device, mountpoint, formatOf(device, format))]];
  });
}

interface Use {
  mountpoint: string;
  /** As it is mounted, which is not always what it is. */
  format: string;
}

/** Where each mounted device is: on / if it is there too, else where fstab says, else where it was first. */
function mountsByDevice(host: Host): Map<BlockDevice, Use> {
  const planned = Map.groupBy(host.fstab, (line) => line.device);
  const uses = new Map<BlockDevice, Use>();
  for (const [device, mounts] of Map.groupBy(host.mounts, (mount) => mount.device)) {
    const [first] = mounts;
    if (!device || !first) continue;
    const targets = new Set(mounts.map((mount) => mount.target));
    const target = planned.get(device)?.find((line) => targets.has(line.target))?.target ?? first.target;
    uses.set(device, { mountpoint: targets.has('/') ? '/' : target, format: first.format });
  }
  return uses;
}

function swapEntries(host: Host): Found[] {
  const devices = host.swapDevices.map((name) => findDevice(host, name)).filter((device) => device !== undefined);
  return devices.filter(isLasting).map((device) => [device, entryOf(device, 'swap', 'swap')]);
}

/** blkid's names of what carries other devices, and the mountlist's word for it. */
const LAYERS: Record<string, string> = {
  LVM2_member: 'lvm',
  linux_raid_member: 'raid',
  isw_raid_member: 'raid',
  ddf_raid_member: 'raid',
  crypto_LUKS: 'luks',
  zfs_member: 'zfs',
  bcache: 'bcache',
};

/** GPT type of the partition GRUB's core image lives in. */
const BIOS_BOOT = '21686148-6449-6e6f-744e-656564454649';

/**
 * What lies below the devices in use; PVs, RAID and ZFS members also by themselves, unless they can be unplugged.
 * blkid's label of a RAID member is the name of its array and tells nothing of the device.
 */
function layersBelow(host: Host, used: ReadonlySet<BlockDevice>): MountlistEntry[] {
  const volumes = new Map(host.physicalVolumes.map((volume) => [findDevice(host, volume.name), volume]));
  const inArrays = new Set(host.arrays.flatMap((array) => array.members.map((kname) => `/dev/${kname}`)));
  const wordOf = (device: BlockDevice) => {
    if (device.partType?.toLowerCase() === BIOS_BOOT) {
      return device.parents.some((disk) => carries(disk, used)) ? 'biosboot' : undefined;
    }
    const first = firstOfFilesystem(host, device);
    if (first !== device) return used.has(first) ? 'btrfs' : undefined;
    const word = volumes.has(device) ? 'lvm' : inArrays.has(device.path) ? 'raid' : LAYERS[device.format ?? ''];
    const alone = word !== 'luks' && word !== 'bcache' && !device.portable;
    return alone || carries(device, used) ? word : undefined;
  };
  return host.devices.flatMap((device) => {
    const word = used.has(device) || !isLasting(device) || isPath(device) ? undefined : wordOf(device);
    if (!word) return [];
    return [entryOf(word === 'raid' ? { ...device, label: null } : device, word, word, volumes.get(device)?.uuid)];
  });
}

function carries(device: BlockDevice, used: ReadonlySet<BlockDevice>): boolean {
  return device.children.some((child) => used.has(child) || carries(child, used));
}

const SYNONYMS: Record<string, string> = { dos: 'vfat', msdos: 'vfat', ntfs3: 'ntfs', 'ntfs-3g': 'ntfs' };

/** What is on the device tells more than how it is mounted: ext3 is mounted as ext4, FAT by three names. */
function formatOf(device: BlockDevice, mounted: string): string {
  const format = device.format ?? mounted;
  return SYNONYMS[format] ?? format;
}

function entryOf(device: BlockDevice, mountpoint: string, format: string, known?: string | null): MountlistEntry {
  const uuid = device.uuid ?? known;
  return {
    device: device.path,
    mountpoint,
    format,
    size: device.type === 'lvm' ? 'lvm' : Math.max(1, device.size),
    ...(device.label ? { label: device.label } : {}),
    ...(uuid ? { uuid } : {}),
  };
}

const EPHEMERAL = /^(?:zram|ram|loop|fd|sr|scd)\d/;
const READ_ONLY = new Set(['iso9660', 'udf', 'squashfs', 'erofs', 'cramfs']);

/** Is still there after a restore: no memory, file, optical disc or image, nor anything that lies on one. */
export function isLasting(device: BlockDevice): boolean {
  if (EPHEMERAL.test(device.kname) || device.type === 'loop' || device.type === 'rom') return false;
  if (READ_ONLY.has(device.format ?? '')) return false;
  return device.parents.length === 0 || device.parents.some(isLasting);
}

/** A stick or disk somebody plugged in and mounted; asked only of what fstab does not name. */
function isVisitor(device: BlockDevice, mountpoint: string): boolean {
  return mountpoint !== '/' && (device.portable || /^\/(?:run\/)?media\//.test(mountpoint));
}

function warningsOf(facts: HostFacts, host: Host): string[] {
  const { lsblk, ...lvm } = facts.failures;
  const hasLvm = host.devices.some((device) => device.format === 'LVM2_member' || device.type === 'lvm');
  return [
    ...(lsblk ? [`${lsblk}; filesystems which are not mounted, labels and UUIDs are unknown`] : []),
    ...(hasLvm ? Object.values(lvm) : []),
    ...host.swapFiles.map((file) => `${file} is a swap file: it has no line, the filesystem it is on has`),
    ...visitors(host),
    ...strangers(host),
  ];
}

function rootless(entries: readonly MountlistEntry[]): string[] {
  if (entries.some((entry) => entry.mountpoint === '/')) return [];
  return ['no device is mounted on /: in a container or a live system this is not the mountlist of the machine'];
}

function visitors(host: Host): string[] {
  const known = new Set(host.fstab.map((line) => line.device));
  return host.mounts.flatMap(({ device, target }) => {
    if (!device || known.has(device) || !isLasting(device) || !isVisitor(device, target)) return [];
    return [`${device.path} on ${target} is left out: it can be unplugged and /etc/fstab does not name it`];
  });
}

/** Mounted from what should be a device, but none is known: the reader must hear of it. */
function strangers(host: Host): string[] {
  return host.mounts
    .filter(({ format, source, device }) => !device && (format === 'zfs' || source.startsWith('/dev/')))
    .map(({ target, format, source }) => `${target} is left out: ${source} (${format}) is no block device known here`);
}
