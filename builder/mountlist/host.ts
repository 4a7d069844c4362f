import {
  type FstabLine,
  isBind,
  type Mount,
  parseFstab,
  parseMountinfo,
  parseSwapDevices,
  parseSwapFiles,
} from '../../contract/mounts.ts';
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

/** The facts, understood: every name in them can be followed to its device. */
export interface Host {
  /** In lsblk's order. */
  devices: BlockDevice[];
  /** In the order they were made, without bind mounts. */
  mounts: (Mount & WithDevice)[];
  /** The lines which ask for a device: no file, server, tmpfs or bind mount. */
  fstab: (FstabLine & WithDevice)[];
  swapDevices: string[];
  swapFiles: string[];
  physicalVolumes: PhysicalVolume[];
  logicalVolumes: LogicalVolume[];
  arrays: MdArray[];
  names: Names;
}

/** Undefined when this machine has none; the first of several for a btrfs. */
interface WithDevice {
  device: BlockDevice | undefined;
}

/** Every way to find a device. */
interface Names {
  /** `/dev/mapper/vg-home`, `/dev/dm-0`. */
  path: Map<string, BlockDevice>;
  /** `254:0`. */
  number: Map<string, BlockDevice>;
  /** `uuid 4ffc-ebc4`, `label my disk`: all that carry it. */
  tag: Map<string, BlockDevice[]>;
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
    tag: byTag(devices),
    btrfs: new Map(devices.toReversed().flatMap((device) => (isBtrfs(device) ? [[device.uuid, device]] : []))),
    links: facts.links,
    used: new Set(mounts.flatMap((mount) => [mount.number, facts.links[mount.source] ?? mount.source])),
  };
  return {
    devices,
    mounts: mounts.map((mount) => ({ ...mount, device: deviceOfMount(names, mount) })),
    fstab: parseFstab(facts.fstab ?? '')
      .filter(namesDevice)
      .map((line) => ({ ...line, device: filesystemOf(names, findDevice({ names }, line.spec)) })),
    swapDevices: parseSwapDevices(facts.swaps ?? ''),
    swapFiles: parseSwapFiles(facts.swaps ?? ''),
    physicalVolumes: parsePvs(facts.pvs ?? ''),
    logicalVolumes: parseLvs(facts.lvs ?? ''),
    arrays: parseMdstat(facts.mdstat ?? ''),
    names,
  };
}

/** `UUID=` and its kin of fstab(5), and the links udev makes for each of them. */
const TAGS: Record<string, Tag> = {
  UUID: 'uuid',
  LABEL: 'label',
  PARTUUID: 'partUuid',
  PARTLABEL: 'partLabel',
  'by-uuid': 'uuid',
  'by-label': 'label',
  'by-partuuid': 'partUuid',
  'by-partlabel': 'partLabel',
};
type Tag = 'uuid' | 'label' | 'partUuid' | 'partLabel';

function byTag(devices: readonly BlockDevice[]): Names['tag'] {
  const found: Names['tag'] = new Map();
  for (const device of devices) {
    for (const tag of new Set(Object.values(TAGS))) {
      const value = device[tag];
      if (value !== null) found.set(tagKey(tag, value), [...(found.get(tagKey(tag, value)) ?? []), device]);
    }
  }
  return found;
}

/** UUIDs are compared in any case, as libblkid does; labels are not. */
function tagKey(tag: Tag, value: string): string {
  return `${tag} ${tag === 'label' || tag === 'partLabel' ? value : value.toLowerCase()}`;
}

/** The device a name of fstab, /proc or LVM means; undefined when this machine has none. */
export function findDevice({ names }: Pick<Host, 'names'>, spec: string): BlockDevice | undefined {
  const direct = names.path.get(names.links[spec] ?? spec);
  if (direct) return direct;
  const [, tag, value] = /^([A-Z]+)=(.*)$/s.exec(spec) ?? /^\/dev\/disk\/(by-[a-z]+)\/(.*)$/s.exec(spec) ?? [];
  const kind = tag && TAGS[tag];
  return kind && value ? amongCopies(names, names.tag.get(tagKey(kind, unescapeHex(value))) ?? []) : undefined;
}

/** Where copies share a UUID or label, the device in use is meant. */
function amongCopies(names: Names, matches: readonly BlockDevice[]): BlockDevice | undefined {
  const inUse = matches.find((device) => names.used.has(device.number) || names.used.has(device.path));
  return inUse ?? matches.find((device) => !isPath(device)) ?? matches[0];
}

function namesDevice({ spec, options }: FstabLine): boolean {
  return /^(?:\/dev\/|[A-Z]+=)/.test(spec) && !options.some((option) => option === 'bind' || option === 'rbind');
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

function deviceOfMount(names: Names, { number, source }: Mount): BlockDevice | undefined {
  const bySource = () => (source.startsWith('/dev/') ? findDevice({ names }, source) : undefined);
  return filesystemOf(names, names.number.get(number) ?? bySource());
}

function filesystemOf(names: Names, device: BlockDevice | undefined): BlockDevice | undefined {
  return device && firstOfFilesystem({ names }, device);
}

/** udev writes blanks in its links as `\x20`. */
function unescapeHex(text: string): string {
  return text.replace(/(?:\\x[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll('\\x', ''), 'hex').toString('utf8'));
}
