import { MindiError } from '../../error.ts';
import { FILESYSTEM_TYPES } from '../filesystems.ts';
import {
  ARRAY_LEVELS,
  emptyLayout,
  type FileSystem,
  type Layout,
  type MdArray,
  VOLUME_KINDS,
  type Volume,
} from '../schema.ts';
import { namedDevice } from './names.ts';

/** One line of the file, its words, and `key=value` among them. */
interface Line {
  words: string[];
  values: Map<string, string>;
  note(device: string, text: string): void;
}

/** @returns what is wrong with the line */
type Keyword = (layout: Layout, line: Line) => string | undefined;

const id = (path: string | undefined) => namedDevice(path ?? '').id;
const number = (text: string | undefined) => {
  const value = Number.parseInt(text ?? '', 10);
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
};
const some = <T extends object>(fields: T): T =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== '')) as T;

/**
 * Reads disklayout.conf of Relax-and-Recover (its user guide, "Layout configuration"): a keyword and its values a line. What
 * a layout cannot say is noted; passwords are left behind.
 * @param file what to call the text in errors
 * @throws MindiError `rear.*`, every bad line at once, each as file:line:column
 */
export function layoutOfRear(text: string, file: string): Layout {
  const layout = emptyLayout();
  const problems: MindiError[] = [];
  const note = (device: string, sentence: string) => void layout.notes.push({ device, note: sentence });
  for (const [n, raw] of text.split('\n').entries()) {
    const [keyword = '', ...words] = raw.trim().split(/\s+/);
    if (!keyword || keyword.startsWith('#')) continue;
    const pairs = words.flatMap((word): [string, string][] => {
      const [, key, value] = /^(\w+)[=:](.*)$/.exec(word) ?? [];
      return key === undefined || value === undefined ? [] : [[key, value]];
    });
    const known = Object.hasOwn(KEYWORDS, keyword) ? KEYWORDS[keyword] : undefined;
    const fault = known
      ? known(layout, { words, values: new Map(pairs), note })
      : void note(words[0] ?? keyword, `is a ${keyword} to ReaR, which this layout cannot say`);
    if (fault) {
      const where = `${file}:${n + 1}:${raw.search(/\S/) + 1}`;
      problems.push(
        new MindiError(fault, { code: 'rear.line', where, hint: 'ReaR writes the file: rear savelayout.' }),
      );
    }
  }
  if (problems.length > 0) throw MindiError.all(problems, `${file} has lines that are no layout's:`, 'rear.lines');
  for (const [disk, all] of Map.groupBy(Object.values(layout.partitions), ({ on }) => on))
    if (!Object.hasOwn(layout.tables, disk))
      layout.tables[disk] = { type: all.some(({ name }) => name) ? 'gpt' : 'mbr' };
  return layout;
}

const TABLES: Record<string, 'gpt' | 'mbr'> = { gpt: 'gpt', gpt_sync_mbr: 'gpt', msdos: 'mbr', dos: 'mbr' };

const KEYWORDS: Record<string, Keyword> = {
  // disk DEVICE BYTES LABEL
  disk: (layout, { words: [device, size, label] }) => {
    const bytes = number(size);
    if (!device || !bytes) return 'a disk has a device and its bytes';
    layout.disks[id(device)] = { size: bytes };
    const type = TABLES[label ?? ''];
    if (type) layout.tables[id(device)] = { type };
    return undefined;
  },
  // multipath DEVICE BYTES LABEL PATH,PATH
  multipath: (layout, { words: [device, size, label] }) => {
    const bytes = number(size);
    if (!device || !bytes) return 'a multipath disk has a device and its bytes';
    layout.disks[id(device)] = { size: bytes, multipath: id(device) };
    const type = TABLES[label ?? ''];
    if (type) layout.tables[id(device)] = { type };
    return undefined;
  },
  // part DISK BYTES START NAME FLAGS DEVICE
  part: addPartition,
  raidarray: addArray,
  // raiddisk DEVICE BYTES LABEL
  raiddisk: (layout, { words: [device, , label] }) => {
    const type = TABLES[label ?? ''];
    if (type) layout.tables[id(device)] = { type };
    return undefined;
  },
  // lvmdev /dev/GROUP DEVICE UUID BYTES
  lvmdev: (layout, { words: [group, device, uuid] }) => {
    if (!group || !device) return 'a physical volume has a group and a device';
    layout.physicalVolumes[id(device)] = some({ group: group.replace('/dev/', ''), uuid });
    return undefined;
  },
  // lvmgrp /dev/GROUP EXTENT-KIB …
  lvmgrp: (layout, { words: [group, extent] }) => {
    if (!group) return 'a group has a name';
    const kibibytes = number(extent);
    layout.groups[group.replace('/dev/', '')] = some({ extentSize: kibibytes && kibibytes * 1024 });
    return undefined;
  },
  lvmvol: addVolume,
  // crypt /dev/mapper/NAME DEVICE type= cipher= key_size= hash= uuid=
  crypt: (layout, { words: [mapped, device], values, note }) => {
    if (!mapped || !device) return 'an encrypted device has a name and the device it is on';
    if (values.has('password')) note(id(mapped), 'had its password in the file of ReaR: it was not taken over');
    layout.encrypted[mapped.replace('/dev/mapper/', '')] = some({
      on: id(device),
      version: values.get('type') === 'luks1' ? (1 as const) : (2 as const),
      cipher: values.get('cipher'),
      keyBits: number(values.get('key_size')),
      hash: values.get('hash'),
      uuid: values.get('uuid'),
    });
    return undefined;
  },
  fs: addFilesystem,
  // swap DEVICE uuid= label=
  swap: (layout, { words: [device], values }) => {
    if (!device) return 'a swap area has a device';
    layout.filesystems[id(device)] = some({ type: 'swap', uuid: values.get('uuid'), label: values.get('label') });
    return undefined;
  },
  // btrfsdefaultsubvol DEVICE MOUNTPOINT NUMBER PATH
  btrfsdefaultsubvol: (layout, { words: [device, , number5, path] }) => {
    const filesystem = layout.filesystems[id(device)];
    if (filesystem && path && number5 !== '5') filesystem.defaultSubvolume = path;
    return undefined;
  },
  btrfsnormalsubvol: (layout, { words: [device, , , path] }) => {
    const filesystem = layout.filesystems[id(device)];
    if (filesystem && path) filesystem.subvolumes = [...(filesystem.subvolumes ?? []), path].sort();
    return undefined;
  },
  // btrfsmountedsubvol DEVICE MOUNTPOINT OPTIONS PATH
  btrfsmountedsubvol: (layout, { words: [device, at, options, path] }) => {
    const filesystem = layout.filesystems[id(device)];
    if (!filesystem || !at) return undefined;
    const others = (filesystem.mounts ?? []).filter((mount) => mount.at !== at);
    const kept = options?.split(',').filter((one) => !/^subvol(id)?=/.test(one));
    filesystem.mounts = [...others, some({ at, options: kept?.join(','), subvolume: path === '/' ? '' : path })];
    return undefined;
  },
};

/** parted's flags that are types; the first that fits. */
const FLAG_TYPES: Record<string, string> = {
  ...{
    esp: 'efi',
    bios_grub: 'bios-boot',
    raid: 'raid',
    lvm: 'lvm',
    swap: 'swap',
    prep: 'prep',
    msftdata: 'microsoft-data',
  },
};

function addPartition(layout: Layout, { words }: Line): string | undefined {
  const [disk, size, start, name = '', flags = '', device] = words;
  const [bytes, begin] = [number(size), number(start)];
  if (!disk || !device || !bytes || begin === undefined)
    return 'a partition has disk, bytes, start, name, flags and device';
  const flagged = flags.split(',');
  const table = layout.tables[id(disk)]?.type ?? 'gpt';
  const type = name === 'extended' ? 'extended' : flagged.map((flag) => FLAG_TYPES[flag]).find(Boolean);
  layout.partitions[id(device)] = some({
    on: id(disk),
    number: namedDevice(device).number,
    start: begin,
    size: bytes,
    type,
    name: table === 'gpt' && !['rear-noname', 'primary', 'none'].includes(name) ? decoded(name) : undefined,
    active: table === 'mbr' && flagged.includes('boot') ? true : undefined,
    attributes: flagged.includes('legacy_boot') ? ['LegacyBIOSBootable'] : undefined,
  });
  return undefined;
}

/** Names and labels are percent-encoded. */
function decoded(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** raidarray DEVICE level= raid-devices= devices= metadata= uuid= layout= chunk= name= spare-devices= */
function addArray(layout: Layout, { words: [device], values }: Line): string | undefined {
  const level = values.get('level') as MdArray['level'] | undefined;
  const devices = values.get('devices')?.split(',').filter(Boolean) ?? [];
  if (!device || !level || !ARRAY_LEVELS.includes(level)) return 'an array has a device and a level';
  const count = number(values.get('raid-devices') ?? values.get('raid_devices')) ?? devices.length;
  if (count > 512) return 'an array has 512 members at most';
  const members = Array.from({ length: count }, (_, n) => (devices[n] ? id(devices[n]) : 'missing'));
  const spares = devices.slice(count).map(id);
  const chunk = number(values.get('chunk'));
  layout.arrays[id(device)] = some({
    level,
    members,
    spares: spares.length > 0 ? spares : undefined,
    metadata: values.get('metadata'),
    chunk: chunk ? chunk * 1024 : undefined,
    layout: values.get('layout'),
    uuid: values.get('uuid'),
    name: values.get('name'),
  });
  return undefined;
}

/** lvmvol /dev/GROUP NAME BYTESb KIND key:value … */
function addVolume(layout: Layout, { words: [group, name, size, kind], values, note }: Line): string | undefined {
  const bytes = number(size);
  if (!group || !name || !bytes) return 'a volume has a group, a name and its bytes';
  const short = group.replace('/dev/', '');
  const known = kind
    ?.replace(/^thin,pool$/, 'thin-pool')
    .replace(/^thin,sparse$/, 'thin')
    .split(',')[0] as Volume['kind'];
  const fits = VOLUME_KINDS.includes(known as (typeof VOLUME_KINDS)[number]);
  if (!fits) note(`${short}/${name}`, `is of the kind ${kind}: made as a linear volume`);
  const pool = values.get('thinpool');
  const [stripes, stripe, chunk] = [
    number(values.get('stripes')),
    number(values.get('stripesize')),
    number(values.get('chunksize')),
  ];
  layout.groups[short] ??= {};
  layout.volumes[`${short}/${name}`] = some({
    group: short,
    kind: fits && known !== 'linear' ? known : undefined,
    size: bytes,
    pool: pool && `${short}/${pool}`,
    stripes: stripes && stripes > 1 ? stripes : undefined,
    stripeSize: stripe || undefined,
    mirrors: number(values.get('mirrors')) || undefined,
    chunk: chunk || undefined,
    metadataSize: number(values.get('poolmetadatasize')) || undefined,
  });
  return undefined;
}

/** fs DEVICE MOUNTPOINT TYPE key=value … options=… */
function addFilesystem(layout: Layout, { words: [device, at, type], values, note }: Line): string | undefined {
  if (!device || !at || !type) return 'a file system has a device, a mountpoint and a type';
  const known = type === 'fat' || type === 'msdos' ? 'vfat' : type;
  if (!FILESYSTEM_TYPES.includes(known)) {
    note(id(device), `holds ${type}, which this layout cannot say`);
    return undefined;
  }
  const others = values
    .get('options')
    ?.split(',')
    .filter((one) => !/^subvol(id)?=/.test(one));
  const size = number(values.get('blocksize'));
  const blocks =
    size && (known.startsWith('ext') || known === 'xfs' || known === 'reiserfs') ? { blockSize: size } : {};
  layout.filesystems[id(device)] = some<FileSystem>({
    type: known,
    ...some({ uuid: values.get('uuid'), label: decoded(values.get('label')) }),
    ...blocks,
    mounts: [some({ at, options: others?.join(',') })],
  });
  return undefined;
}
