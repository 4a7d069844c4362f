import type { Layout } from './schema.ts';

/** Sections whose entries are block devices: their ids are of one name space. */
export const BLOCK_SECTIONS = ['disks', 'partitions', 'arrays', 'encrypted', 'volumes'] as const;
export type BlockSection = (typeof BLOCK_SECTIONS)[number];

/** What uses a device up: no other content fits beside it. */
export interface Use {
  section: Exclude<keyof Layout, 'layout' | 'machine' | 'notes' | 'disks' | 'swapFiles' | 'groups'>;
  id: string;
  /** The devices it needs, in order. */
  needs: string[];
  /** Where in the entry they are named. */
  path: readonly (string | number)[];
}

/** The entry of a section; undefined also for names every object has. */
export function entry<T>(section: Readonly<Record<string, T>>, id: string): T | undefined {
  return Object.hasOwn(section, id) ? section[id] : undefined;
}

/** Which section a block device is in. */
export function sectionOf(layout: Layout, id: string): BlockSection | undefined {
  return BLOCK_SECTIONS.find((section) => Object.hasOwn(layout[section], id));
}

/** MEMBER of an array where no disk is. */
export const MISSING = 'missing';

/** Everything that lies on a device, in the file's order. */
export function usesOf(layout: Layout): Use[] {
  const uses: Use[] = [];
  const add = (section: Use['section'], id: string, needs: readonly string[], ...path: (string | number)[]) =>
    void uses.push({ section, id, needs: [...needs], path });
  for (const id of Object.keys(layout.tables)) add('tables', id, [id]);
  for (const [id, { members, spares = [] }] of Object.entries(layout.arrays))
    add('arrays', id, [...members.filter((member) => member !== MISSING), ...spares], 'members');
  for (const [id, { on }] of Object.entries(layout.encrypted)) add('encrypted', id, [on], 'on');
  for (const id of Object.keys(layout.physicalVolumes)) add('physicalVolumes', id, [id]);
  for (const [id, { devices = [] }] of Object.entries(layout.filesystems))
    add('filesystems', id, [id, ...devices], 'devices');
  for (const [id, { members }] of Object.entries(layout.pools)) add('pools', id, members, 'members');
  return uses;
}

/** What each thing must wait for: block devices by `device:ID`, groups by `group:NAME`. */
function needsOf(layout: Layout): Map<string, string[]> {
  const needs = new Map<string, string[]>();
  const set = (node: string, on: readonly string[]) => void needs.set(node, [...(needs.get(node) ?? []), ...on]);
  const device = (id: string) => `device:${id}`;
  for (const id of Object.keys(layout.disks)) set(device(id), []);
  for (const [id, { on }] of Object.entries(layout.partitions)) set(device(id), [device(on)]);
  for (const [id, { members, spares = [], container }] of Object.entries(layout.arrays)) {
    const below = [...members.filter((member) => member !== MISSING), ...spares, ...(container ? [container] : [])];
    set(device(id), below.map(device));
  }
  for (const [id, { on }] of Object.entries(layout.encrypted)) set(device(id), [device(on)]);
  for (const name of Object.keys(layout.groups)) set(`group:${name}`, []);
  for (const [id, { group }] of Object.entries(layout.physicalVolumes)) if (group) set(`group:${group}`, [device(id)]);
  for (const [id, { group, pool }] of Object.entries(layout.volumes))
    set(device(id), [`group:${group}`, ...(pool ? [device(pool)] : [])]);
  return needs;
}

export interface Ordered {
  /** Block devices and groups, each after all it lies on; `device:sda1`, `group:vg`. Otherwise in the file's order. */
  order: string[];
  /** What lies on itself, in a circle; empty where nothing does. */
  circle: string[];
}

/** Topological order of the devices (Kahn's algorithm). What is not in the layout is passed over. */
export function orderOf(layout: Layout): Ordered {
  const needs = needsOf(layout);
  const above = new Map<string, string[]>();
  const left = new Map<string, number>();
  for (const [node, all] of needs) {
    const known = [...new Set(all)].filter((one) => needs.has(one));
    left.set(node, known.length);
    for (const one of known) above.get(one)?.push(node) ?? above.set(one, [node]);
  }
  const order = [...needs.keys()].filter((node) => left.get(node) === 0);
  for (const node of order)
    for (const next of above.get(node) ?? []) {
      const waits = (left.get(next) ?? 0) - 1;
      left.set(next, waits);
      if (waits === 0) order.push(next);
    }
  return { order, circle: [...needs.keys()].filter((node) => (left.get(node) ?? 0) > 0) };
}

/** Bytes of a device's logical sector: the largest of the disks it lies on. */
export function sectorSizeOf(layout: Layout, id: string): number {
  const seen = new Set<string>();
  const visit = (device: string): number => {
    if (seen.has(device)) return 512;
    seen.add(device);
    const disk = entry(layout.disks, device);
    if (disk) return disk.sectorSize ?? 512;
    return Math.max(512, ...belowOf(layout, device).map(visit));
  };
  return visit(id);
}

/** The block devices a block device lies on; of a volume, all of its group. */
export function belowOf(layout: Layout, id: string): string[] {
  const partition = entry(layout.partitions, id);
  if (partition) return [partition.on];
  const array = entry(layout.arrays, id);
  if (array) {
    const members = [...array.members.filter((member) => member !== MISSING), ...(array.spares ?? [])];
    return array.container ? [array.container] : members;
  }
  const encrypted = entry(layout.encrypted, id);
  if (encrypted) return [encrypted.on];
  const volume = entry(layout.volumes, id);
  if (!volume) return [];
  return Object.entries(layout.physicalVolumes).flatMap(([on, { group }]) => (group === volume.group ? [on] : []));
}

/** The disks a device lies on, all the way down; of a disk itself. What lies on itself has none. */
export function rootFinder(layout: Layout): (id: string) => readonly string[] {
  const known = new Map<string, readonly string[]>();
  const physical = Map.groupBy(Object.keys(layout.physicalVolumes), (id) => layout.physicalVolumes[id]?.group ?? '');
  const rootsOf = (ids: readonly string[]) => [...new Set(ids.flatMap(find))];
  const find = (id: string): readonly string[] => {
    const before = known.get(id);
    if (before) return before;
    known.set(id, []);
    const group = entry(layout.volumes, id)?.group;
    const below = group === undefined ? belowOf(layout, id) : [];
    const found = group !== undefined ? ofGroup(group) : below.length > 0 ? rootsOf(below) : [id];
    known.set(id, found);
    return found;
  };
  const groups = new Map<string, readonly string[]>();
  const ofGroup = (name: string): readonly string[] => {
    const before = groups.get(name);
    if (before) return before;
    groups.set(name, []);
    const found = rootsOf(physical.get(name) ?? []);
    groups.set(name, found);
    return found;
  };
  return find;
}
