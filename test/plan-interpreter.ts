import { typeWord } from '../contract/layout/partition-types.ts';
import { emptyLayout, type FileSystem, type Layout, type Table, type Volume } from '../contract/layout/schema.ts';
import type { Plan } from '../restore/plan/plan.ts';

/** A machine that understands the programs of a plan from their words alone, and refuses what the real ones would. */
export interface World {
  layout: Layout;
  idOf(node: string): string;
  name(node: string, id: string): void;
  /** Devices by where they are mounted. */
  mounted: Map<string, string>;
  /** Headers by the device they are on. */
  locked: Map<string, Layout['encrypted'][string]>;
  /** Names of open encrypted devices. */
  open: Set<string>;
}

export function worldOf(plan: Plan, disks: Layout['disks']): World {
  const ids = new Map(plan.targets.map(({ wanted, node }) => [node, wanted]));
  return {
    layout: { ...emptyLayout(), disks },
    idOf: (node) => ids.get(node) ?? node.replace(/^\/dev\/(?:mapper\/|md\/)?/, ''),
    name: (node, id) => void ids.set(node, id),
    mounted: new Map(),
    locked: new Map(),
    open: new Set(),
  };
}

/** Runs a program there. @returns its exit code */
export function runIn(world: World, [program = '', ...words]: readonly string[], input: string): number {
  const act = PROGRAMS[program];
  if (!act) throw new Error(`the interpreter does not know ${program}`);
  return act(world, parse(words, FLAGS[program] ?? []), input) === false ? 1 : 0;
}

/** What all programs of a plan make together. */
export function interpret(plan: Plan, disks: Layout['disks']): Layout {
  const world = worldOf(plan, disks);
  for (const { argv, input = '' } of plan.steps)
    if (runIn(world, argv, input) !== 0) throw new Error(`refused: ${argv.join(' ')}`);
  return world.layout;
}

interface Words {
  /** By name, without dashes; a flag is ''. */
  options: Record<string, string>;
  tags: string[];
  rest: string[];
}

/** Options without a value. */
const FLAGS: Record<string, string[]> = {
  wipefs: ['all', 'force', 'quiet'],
  lvremove: ['quiet', 'yes', 'force'],
  vgremove: ['quiet', 'yes', 'force'],
  sfdisk: ['quiet'],
  mdadm: ['create', 'run', 'quiet', 'stop'],
  cryptsetup: ['batch-mode'],
  pvcreate: ['quiet', 'yes', 'force', 'norestorefile'],
  vgcreate: ['quiet', 'yes'],
  lvcreate: ['quiet', 'yes'],
  mke2fs: ['q', 'F'],
  'mkfs.xfs': ['q', 'f'],
  'mkfs.btrfs': ['quiet', 'force'],
  'mkfs.vfat': ['I'],
  mkswap: ['force'],
  mkdir: ['p'],
};

function parse(words: readonly string[], flags: readonly string[]): Words {
  const parsed: Words = { options: {}, tags: [], rest: [] };
  for (let n = 0; n < words.length; n += 1) {
    const word = words[n] ?? '';
    const [, name, value] = /^--?([a-zA-Z][\w-]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === undefined) parsed.rest.push(word);
    else if (flags.includes(name)) parsed.options[name] = '';
    else {
      const given = value ?? words[++n] ?? '';
      if (name === 'addtag') parsed.tags.push(given);
      else parsed.options[name] = given;
    }
  }
  return parsed;
}

const bytes = (text: string | undefined) => (text === undefined ? undefined : Number.parseInt(text, 10));
function some<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}
const listed = (text: string | undefined) => text?.split(',').filter(Boolean) ?? [];

/** False: it fails. */
type Program = (world: World, words: Words, input: string) => unknown;

const PROGRAMS: Record<string, Program> = {
  wipefs: () => {},
  umount: ({ mounted }, { rest: [place = ''] }) => mounted.delete(place) && undefined,
  lvremove: ({ layout }, { rest: [id = ''] }) => void delete layout.volumes[id],
  vgremove: ({ layout }, { rest: [name = ''] }) => {
    delete layout.groups[name];
    for (const volume of Object.values(layout.physicalVolumes)) if (volume.group === name) delete volume.group;
  },
  mkdir: () => {},
  sfdisk: ({ layout, idOf, name }, { rest: [node = ''] }, input) => {
    const id = idOf(node);
    const head = new Map([...input.matchAll(/^([a-z-]+): (.*)$/gm)].map(([, key = '', value = '']) => [key, value]));
    const sector = Number(head.get('sector-size'));
    const type = head.get('label') === 'dos' ? 'mbr' : 'gpt';
    layout.tables[id] = some({ type, uuid: head.get('label-id'), entries: bytes(head.get('table-length')) }) as Table;
    for (const [, part = '', fields = ''] of input.matchAll(/^(\/dev\S+) : (.*)$/gm)) {
      const number = Number(/\d+$/.exec(part)?.[0]);
      const field = (key: string) =>
        new RegExp(`(?:^|, )${key}=("[^"]*"|[^,]*)`).exec(fields)?.[1]?.replace(/^"|"$/g, '');
      const partition = `${id}${number}`;
      name(part, partition);
      layout.partitions[partition] = some({
        on: id,
        number,
        start: Number(field('start')) * sector,
        size: Number(field('size')) * sector,
        type: typeWord(field('type') ?? '', type),
        uuid: field('uuid'),
        name: field('name')?.replace(/\\x(..)/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
        attributes: field('attrs')?.split(' '),
        active: /, bootable$/.test(fields) || undefined,
      });
    }
  },
  mdadm: ({ layout, idOf }, { options, rest }) => {
    const [node = '', ...members] = rest;
    if ('stop' in options) return void delete layout.arrays[idOf(node)];
    if (layout.arrays[idOf(node)]) return false;
    const count = Number(options['raid-devices']);
    const words: Record<string, string> = { n: 'near', f: 'far', o: 'offset' };
    layout.arrays[idOf(node)] = some({
      level: options.level as 'raid1',
      members: members.slice(0, count).map(idOf),
      spares: options['spare-devices'] ? members.slice(count).map(idOf) : undefined,
      metadata: options.metadata,
      chunk: options.chunk ? Number(options.chunk) * 1024 : undefined,
      layout: options.layout?.replace(/^([nfo])(\d)$/, (_, kind, copies) => `${words[kind]}=${copies}`),
      bitmap: options.bitmap,
      uuid: options.uuid,
      name: options.name,
    });
  },
  cryptsetup: ({ layout, idOf, locked, open }, { options, rest: [verb, node = '', name = ''] }) => {
    if (verb === 'close') return open.delete(node) && undefined;
    if (verb === 'open') {
      if (open.has(name) || !locked.has(idOf(node))) return false;
      open.add(name);
      layout.encrypted[name] = locked.get(idOf(node)) as Layout['encrypted'][string];
      return;
    }
    const version = options.type === 'luks2' ? 2 : 1;
    const header = some({
      on: idOf(node),
      version: version as 1 | 2,
      uuid: options.uuid,
      label: options.label,
      cipher: options.cipher,
      keyBits: bytes(options['key-size']),
      hash: options.hash,
      sectorSize: bytes(options['sector-size']),
      keyslots: [{ slot: 0, kdf: options.pbkdf ?? 'pbkdf2' }],
    });
    locked.set(idOf(node), header);
  },
  pvcreate: ({ layout, idOf }, { options, rest: [node = ''] }) => {
    if (layout.physicalVolumes[idOf(node)]?.group) return false;
    layout.physicalVolumes[idOf(node)] = { uuid: options.uuid ?? '', dataStart: bytes(options.dataalignment) ?? 0 };
  },
  vgcreate: ({ layout, idOf }, { options, tags, rest: [name = '', ...nodes] }) => {
    if (layout.groups[name]) return false;
    for (const node of nodes) (layout.physicalVolumes[idOf(node)] as { group?: string }).group = name;
    layout.groups[name] = { extentSize: bytes(options.physicalextentsize) ?? 0, ...(tags.length > 0 ? { tags } : {}) };
  },
  lvcreate: ({ layout, idOf }, { options, rest: [group = '', ...on] }) => {
    if (layout.volumes[`${group}/${options.name}`] || !layout.groups[group]) return false;
    layout.volumes[`${group}/${options.name}`] = some({
      group,
      kind: options.type as Volume['kind'],
      size: bytes(options.size ?? options.virtualsize),
      pool: options.thinpool && `${group}/${options.thinpool}`,
      stripes: bytes(options.stripes),
      stripeSize: bytes(options.stripesize),
      mirrors: bytes(options.mirrors),
      chunk: bytes(options.chunksize),
      metadataSize: bytes(options.poolmetadatasize),
      on: on.length > 0 ? on.map(idOf) : undefined,
    });
  },
  mke2fs: (world, { options, rest: [node = ''] }) =>
    make(world, node, options.t, options.U, options.L, {
      blockSize: bytes(options.b),
      inodeSize: bytes(options.I),
      features: options.O && listed(options.O).filter((feature) => feature !== 'none'),
    }),
  'mkfs.xfs': (world, { options, rest: [node = ''] }) => {
    const pairs = new Map([options.m, options.i].flatMap(listed).map((word) => word.split('=', 2) as [string, string]));
    const features = [...pairs].flatMap(([name, value]) => (value === '1' ? name : []));
    make(world, node, 'xfs', pairs.get('uuid'), options.L, {
      blockSize: bytes(options.b?.replace('size=', '')),
      inodeSize: bytes(pairs.get('size')),
      features,
    });
  },
  'mkfs.btrfs': (world, { options, rest: [node = ''] }) =>
    make(world, node, 'btrfs', options.uuid, options.label, {
      ...{ nodeSize: bytes(options.nodesize), sectorSize: bytes(options.sectorsize) },
      ...{ data: options.data, metadata: options.metadata, checksum: options.checksum },
    }),
  'mkfs.vfat': (world, { options, rest: [node = ''] }) =>
    make(world, node, 'vfat', options.i?.replace(/^(.{4})/, '$1-'), options.n, { fatBits: options.F }),
  mkswap: (world, { options, rest: [node = ''] }) => make(world, node, 'swap', options.uuid, options.label, {}),
  mount: ({ layout, idOf, mounted }, { rest: [node = '', place = ''] }) => {
    const filesystem = layout.filesystems[idOf(node)];
    if (mounted.has(place) || !filesystem) return false;
    mounted.set(place, idOf(node));
    const at = place.startsWith('/mnt/RESTORING') ? place.slice('/mnt/RESTORING'.length) || '/' : null;
    if (at && !filesystem.mounts?.some((mount) => mount.at === at))
      filesystem.mounts = [...(filesystem.mounts ?? []), { at }];
  },
  btrfs: ({ layout, mounted }, { rest: [, verb, path = ''] }) => {
    const [place, id] = [...mounted].find(([one]) => path.startsWith(`${one}/`)) ?? ['', ''];
    const filesystem = layout.filesystems[id] as FileSystem;
    const name = path.slice(place.length + 1);
    if (!filesystem) return false;
    const others = filesystem.subvolumes?.filter((one) => one !== name) ?? [];
    if (verb === 'delete') filesystem.subvolumes = others;
    else if (verb === 'set-default') filesystem.defaultSubvolume = name;
    else if (filesystem.subvolumes?.includes(name)) return false;
    else filesystem.subvolumes = [...(filesystem.subvolumes ?? []), name];
  },
};

function make(
  { layout, idOf, open, mounted }: World,
  node: string,
  type: string | undefined,
  uuid: string | undefined,
  label: string | undefined,
  fields: object,
): boolean {
  const id = idOf(node);
  if ((layout.encrypted[id] && !open.has(id)) || [...mounted.values()].includes(id)) return false;
  layout.filesystems[id] = some({ type: type ?? '', uuid, label, ...fields }) as FileSystem;
  return true;
}
