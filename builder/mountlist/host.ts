import {
  type BlockDevice,
  type LogicalVolume,
  type MdArray,
  type PhysicalVolume,
  parseLsblk,
  parseLvs,
  parseMdstat,
  parsePartitions,
  parsePvs,
} from './devices.ts';
import type { HostFacts } from './facts.ts';
import {
  type FstabLine,
  isBind,
  type Mount,
  parseFstab,
  parseMountinfo,
  parseSwapDevices,
  parseSwapFiles,
} from './mounts.ts';

/** The facts, understood: every name in them can be followed to its device. */
export interface Host {
  /** In lsblk's order. */
  devices: BlockDevice[];
  /** In the order they were made, without bind mounts, each with its device where it has one here. */
  mounts: (Mount & { device: BlockDevice | undefined })[];
  fstab: FstabLine[];
  swapDevices: string[];
  swapFiles: string[];
  physicalVolumes: PhysicalVolume[];
  logicalVolumes: LogicalVolume[];
  arrays: MdArray[];
  names: Names;
}

/** Every way to find a device. */
interface Names {
  /** `/dev/mapper/vg-home`, `/dev/dm-0`. */
  path: Map<string, BlockDevice>;
  /** `254:0`. */
  number: Map<string, BlockDevice>;
  /** First device of each btrfs by UUID. */
  btrfs: Map<string, BlockDevice>;
  links: Record<string, string>;
  /** Numbers and names of what is mounted, to choose among copies that share a UUID. */
  used: Set<string>;
}

export function understand(facts: HostFacts): Host {
  const listed = parseLsblk(facts.lsblk ?? '');
  const devices = listed.length > 0 ? listed : parsePartitions(facts.partitions ?? '');
  const mounts = parseMountinfo(facts.mountinfo ?? '').filter((mount) => !isBind(mount));
  const names: Names = {
    path: new Map(devices.flatMap((device) => [device.path, `/dev/${device.kname}`].map((name) => [name, device]))),
    number: new Map(devices.map((device) => [device.number, device])),
    btrfs: new Map(devices.toReversed().flatMap((device) => (isBtrfs(device) ? [[device.uuid, device]] : []))),
    links: facts.links,
    used: new Set(mounts.flatMap((mount) => [mount.number, facts.links[mount.source] ?? mount.source])),
  };
  return {
    devices,
    mounts: mounts.map((mount) => ({ ...mount, device: deviceOfMount(devices, names, mount) })),
    fstab: parseFstab(facts.fstab ?? ''),
    swapDevices: parseSwapDevices(facts.swaps ?? ''),
    swapFiles: parseSwapFiles(facts.swaps ?? ''),
    physicalVolumes: parsePvs(facts.pvs ?? ''),
    logicalVolumes: parseLvs(facts.lvs ?? ''),
    arrays: parseMdstat(facts.mdstat ?? ''),
    names,
  };
}

/** `UUID=` and its kin of fstab(5), and the links udev makes for each of them. */
const TAGS: Record<string, keyof BlockDevice> = {
  UUID: 'uuid',
  LABEL: 'label',
  PARTUUID: 'partUuid',
  PARTLABEL: 'partLabel',
  'by-uuid': 'uuid',
  'by-label': 'label',
  'by-partuuid': 'partUuid',
  'by-partlabel': 'partLabel',
};

/** The device a name of fstab, /proc or LVM means; undefined when this machine has none. */
export function findDevice({ devices, names }: Pick<Host, 'devices' | 'names'>, spec: string): BlockDevice | undefined {
  const direct = names.path.get(names.links[spec] ?? spec);
  if (direct) return direct;
  const [, tag, value] = /^([A-Z]+)=(.*)$/s.exec(spec) ?? /^\/dev\/disk\/(by-[a-z]+)\/(.*)$/s.exec(spec) ?? [];
  const key = tag && TAGS[tag];
  return key && value ? byTag(devices, names, key, unescapeHex(value)) : undefined;
}

/** Whether a first field of fstab means a device at all, and not a file, a server or a name for tmpfs. */
export function isDeviceSpec(spec: string): boolean {
  return spec.startsWith('/dev/') || /^[A-Z]+=/.test(spec);
}

/** A btrfs may spread over devices which share its UUID; the first in lsblk's order stands for it. */
export function firstOfFilesystem({ names }: Pick<Host, 'names'>, device: BlockDevice): BlockDevice {
  return (isBtrfs(device) && names.btrfs.get(device.uuid)) || device;
}

/** One of several ways to a multipath disk, or a partition seen through one. */
export function isPath(device: BlockDevice): boolean {
  if (device.format === 'mpath_member' || device.children.some((child) => child.type === 'mpath')) return true;
  return device.type === 'part' && device.parents.some(isPath);
}

function isBtrfs(device: BlockDevice): device is BlockDevice & { uuid: string } {
  return device.format === 'btrfs' && device.uuid !== null;
}

/** UUIDs are compared in any case, as libblkid does. Where copies share one, the device in use is meant. */
function byTag(devices: BlockDevice[], names: Names, key: keyof BlockDevice, value: string): BlockDevice | undefined {
  const wanted = value.toLowerCase();
  const matches = devices.filter((device) => {
    const own = device[key];
    return typeof own === 'string' && (own === value || (key !== 'label' && own.toLowerCase() === wanted));
  });
  const inUse = matches.find((device) => names.used.has(device.number) || names.used.has(device.path));
  return inUse ?? matches.find((device) => !isPath(device)) ?? matches[0];
}

function deviceOfMount(devices: BlockDevice[], names: Names, mount: Mount): BlockDevice | undefined {
  const bySource = () => (mount.source.startsWith('/dev/') ? findDevice({ devices, names }, mount.source) : undefined);
  const device = names.number.get(mount.number) ?? bySource();
  return device && firstOfFilesystem({ names }, device);
}

/** udev writes blanks in its links as `\x20`. */
function unescapeHex(text: string): string {
  return text.replace(/(?:\\x[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll('\\x', ''), 'hex').toString('utf8'));
}
