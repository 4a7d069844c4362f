import { entry, orderOf, rootFinder, sectionOf, usesOf } from '../../contract/layout/graph.ts';
import { nodesOf } from '../../contract/layout/nodes.ts';
import type { Layout } from '../../contract/layout/schema.ts';
import { sizeText } from '../../contract/layout/size.ts';
import type { Situation } from './plan.ts';
import type { Step } from './step.ts';

/** What is on a machine now, and in use. */
type Now = Pick<Situation, 'there' | 'swapping' | 'locked'>;

/** Everything on those disks of a machine, what lies highest last: devices as `device:ID`, groups as `group:NAME`. */
function onDisks(there: Layout, disks: readonly string[]): string[] {
  const chosen = new Set(disks);
  const roots = rootFinder(there);
  const hit = (id: string) => roots(id).some((disk) => chosen.has(disk));
  const groups = new Set(
    Object.keys(there.physicalVolumes).map((id) => (hit(id) ? there.physicalVolumes[id]?.group : '')),
  );
  return orderOf(there).order.filter((one) => {
    const id = one.replace(/^\w+:/, '');
    return one.startsWith('group:') ? groups.has(id) : hit(id);
  });
}

/**
 * Stops what runs on the disks that will be written to, the highest first, and takes the marks of what was there from every
 * device: what is made at the same place must not be mistaken for it.
 */
export function clearingSteps(now: Now, disks: readonly string[]): Step[] {
  const { there } = now;
  const node = nodesOf(there, new Map());
  const highestFirst = onDisks(there, disks).reverse();
  const stops = highestFirst.flatMap((one) => stopping(now, one, node));
  const plain = highestFirst
    .filter((one) => one.startsWith('device:'))
    .map((one) => one.slice('device:'.length))
    .filter((id) => ['disks', 'partitions'].includes(sectionOf(there, id) ?? ''));
  const wipe = (id: string): Step => ({
    kind: 'wipe',
    device: id,
    argv: ['wipefs', '--all', '--force', '--quiet', node(id)],
  });
  return [...unmounts(now, highestFirst, node), ...stops, ...plain.map(wipe)];
}

function stopping({ there, locked = [] }: Now, one: string, node: (id: string) => string): Step[] {
  const id = one.replace(/^\w+:/, '');
  const step = (device: string, ...argv: string[]): Step => ({ kind: 'stop', device, argv });
  if (one.startsWith('group:')) return [step(id, 'vgchange', '--quiet', '--activate', 'n', id)];
  if (Object.hasOwn(there.encrypted, id) && !locked.includes(id)) return [step(id, 'cryptsetup', 'close', id)];
  if (Object.hasOwn(there.arrays, id)) return [step(id, 'mdadm', '--quiet', '--stop', node(id))];
  return [];
}

/** The deepest first. */
function unmounts({ there, swapping = [] }: Now, found: readonly string[], node: (id: string) => string): Step[] {
  const hit = new Set(found);
  const ours = usesOf(there).filter(
    ({ section, needs }) => section === 'filesystems' && needs.some((id) => hit.has(`device:${id}`)),
  );
  return ours.flatMap(({ id }): Step[] => {
    const filesystem = entry(there.filesystems, id);
    const mounts = (filesystem?.mounts ?? []).map(({ at }) => at).sort((one, other) => other.length - one.length);
    const steps = mounts.map((at): Step => ({ kind: 'stop', device: id, argv: ['umount', at] }));
    return swapping.includes(id) ? [{ kind: 'stop', device: id, argv: ['swapoff', node(id)] }, ...steps] : steps;
  });
}

/** What a person loses on each disk, a line for each thing. */
export function lostOn(there: Layout, disks: readonly string[]): { disk: string; what: string[] }[] {
  const roots = rootFinder(there);
  const lines = new Map<string, string[]>(disks.map((disk) => [disk, []]));
  const say = (ids: readonly string[], line: string) => {
    for (const disk of new Set(ids.flatMap(roots))) lines.get(disk)?.push(line);
  };
  for (const [disk, all] of Map.groupBy(Object.values(there.partitions), ({ on }) => on))
    say([disk], `${all.length} ${all.length === 1 ? 'partition' : 'partitions'}`);
  for (const [id, { type, label, mounts = [], devices = [] }] of Object.entries(there.filesystems)) {
    const words = [id, type, label && JSON.stringify(label), mounts[0] && `mounted at ${mounts[0].at}`];
    say([id, ...devices], words.filter(Boolean).join(' '));
  }
  for (const { section, id, needs } of usesOf(there)) if (LAYERS[section]) say(needs, `${LAYERS[section]} ${id}`);
  for (const [id, { size }] of Object.entries(there.volumes))
    say([id], `volume ${id}${size ? ` of ${sizeText(size)}` : ''}`);
  return [...lines].map(([disk, what]) => ({ disk, what }));
}

const LAYERS: Record<string, string> = {
  arrays: 'a member of the array',
  encrypted: 'encrypted',
  physicalVolumes: 'the physical volume',
  pools: 'a member of the pool',
};
