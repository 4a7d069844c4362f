/** A block device as lsblk shows it, with its place in the stack of layers. */
export interface BlockDevice {
  /** `/dev/sda1`, `/dev/mapper/vg-home`. */
  path: string;
  /** The kernel's name: `sda1`, `dm-0`. */
  kname: string;
  /** `major:minor`. */
  number: string;
  /** `disk`, `part`, `lvm`, `crypt`, `mpath`, `raid1`, `loop`, `rom`; `disk` for all when there is no lsblk. */
  type: string;
  /** KiB. */
  size: number;
  /** As blkid names what is on it: `ext4`, `LVM2_member`; null when it does not know or must not look. */
  format: string | null;
  label: string | null;
  uuid: string | null;
  partLabel: string | null;
  partUuid: string | null;
  partType: string | null;
  /** Removable, or behind USB. */
  portable: boolean;
  parents: BlockDevice[];
  children: BlockDevice[];
}

type LsblkRow = Record<string, unknown> & { children?: unknown };

/** `lsblk --json` as one flat list in its order, each device once however many parents it has. No JSON gives an empty list. */
export function parseLsblk(text: string): BlockDevice[] {
  const devices = new Map<string, BlockDevice>();
  visit(rows(parseJson(text), 'blockdevices'), undefined, devices);
  return [...devices.values()];
}

function visit(siblings: LsblkRow[], parent: BlockDevice | undefined, devices: Map<string, BlockDevice>): void {
  for (const row of siblings) {
    const kname = string(row.kname);
    if (!kname) continue;
    const known = devices.get(kname);
    const device = known ?? blockDevice(row, kname);
    devices.set(kname, device);
    if (parent && !device.parents.includes(parent)) {
      device.parents.push(parent);
      parent.children.push(device);
      device.portable ||= parent.portable;
    }
    if (!known) visit(rows(row, 'children'), device, devices);
  }
}

function blockDevice(row: LsblkRow, kname: string): BlockDevice {
  const name = string(row.name) ?? kname;
  return {
    path: kname.startsWith('dm-') ? `/dev/mapper/${name}` : `/dev/${kname.replaceAll('!', '/')}`,
    kname,
    number: string(row['maj:min']) ?? '',
    type: string(row.type) ?? 'disk',
    size: Math.floor(Number(row.size ?? 0) / 1024) || 0,
    format: string(row.fstype),
    label: string(row.label),
    uuid: string(row.uuid),
    partLabel: string(row.partlabel),
    partUuid: string(row.partuuid),
    partType: string(row.parttype),
    portable: row.rm === true || row.rm === '1' || row.tran === 'usb',
    parents: [],
    children: [],
  };
}

/** /proc/partitions: all that is left where there is no lsblk. Names and sizes in KiB, no layers, no filesystems. */
export function parsePartitions(text: string): BlockDevice[] {
  return text.split('\n').flatMap((line) => {
    const [major, minor, blocks, kname] = line.trim().split(/\s+/);
    if (!kname || !/^\d+$/.test(blocks ?? '')) return [];
    const row = { name: kname, 'maj:min': `${major}:${minor}`, size: Number(blocks) * 1024, type: typeOf(kname) };
    return { ...blockDevice(row, kname), path: `/dev/${kname.replaceAll('!', '/')}` };
  });
}

function typeOf(kname: string): string {
  if (kname.startsWith('loop')) return 'loop';
  return /^s(?:r|cd)\d/.test(kname) ? 'rom' : 'disk';
}

/** Members by array, of /proc/mdstat: `md0 : active raid1 sdb1[1] sda1[0]` with the `[2/2] [UU]` of the line after it. */
export interface MdArray {
  kname: string;
  active: boolean;
  /** Holds the metadata of arrays the firmware made and is never active itself. */
  container: boolean;
  members: string[];
  /** Members it has lost: `[2/1]` is 1; of an inactive array nothing is known. */
  lost: number;
}

export function parseMdstat(text: string): MdArray[] {
  const arrays: MdArray[] = [];
  for (const line of text.split('\n')) {
    const [, kname, state, rest] = /^(md\S*) : (active|inactive)\b(.*)$/.exec(line) ?? [];
    const counts = /\[(\d+)\/(\d+)\] \[[U_]+\]/.exec(line);
    const last = arrays.at(-1);
    if (kname && rest !== undefined) {
      const members = [...rest.matchAll(/(\S+)\[\d+\](?:\([A-Z]\))*/g)].map((match) => match[1] ?? '');
      arrays.push({ kname, active: state === 'active', container: false, members, lost: 0 });
    } else if (last) {
      if (counts) last.lost = Number(counts[1]) - Number(counts[2]);
      if (/ super external:[a-z]/.test(line)) last.container = true;
    }
  }
  return arrays;
}

export interface PhysicalVolume {
  name: string;
  uuid: string | null;
  group: string | null;
  missing: boolean;
}

/** `pvs --reportformat json`. */
export function parsePvs(text: string): PhysicalVolume[] {
  return report(text, 'pv').flatMap((row) => {
    const name = string(row.pv_name);
    if (!name) return [];
    return { name, uuid: string(row.pv_uuid), group: string(row.vg_name), missing: string(row.pv_missing) !== null };
  });
}

export interface LogicalVolume {
  name: string;
  group: string;
  /** `/dev/mapper/vg-home`. */
  path: string;
  /** `linear`, or `raid,raid1`, `thin,pool`, and `snapshot` among the roles: lvs(8) lv_layout, lv_role. */
  layout: string[];
  roles: string[];
}

/** `lvs --reportformat json`. */
export function parseLvs(text: string): LogicalVolume[] {
  return report(text, 'lv').flatMap((row) => {
    const [name, group, path, layout, roles] = [
      row.lv_name,
      row.vg_name,
      row.lv_dm_path,
      row.lv_layout,
      row.lv_role,
    ].map(string);
    if (!name || !group) return [];
    const words = (list: string | null | undefined) => list?.split(',') ?? [];
    return { name, group, path: path ?? `/dev/${group}/${name}`, layout: words(layout), roles: words(roles) };
  });
}

function report(text: string, kind: string): LsblkRow[] {
  return rows(parseJson(text), 'report').flatMap((section) => rows(section, kind));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function rows(value: unknown, key: string): LsblkRow[] {
  const list = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  return Array.isArray(list) ? list.filter((row) => typeof row === 'object' && row !== null) : [];
}

function string(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
