import { MISSING } from '../../contract/layout/graph.ts';
import type { Layout, MdArray } from '../../contract/layout/schema.ts';
import type { Step } from './step.ts';

export function arraySteps(layout: Layout, id: string, node: (id: string) => string): Step[] {
  const array = layout.arrays[id] as MdArray;
  const { level, members, spares = [], container, metadata, chunk, bitmap, size, uuid, name } = array;
  const devices = container ? (layout.arrays[container]?.members.length ?? 0) : members.length;
  // The firmware's format has its own identity.
  const own = !container && level !== 'container';
  const argv = [
    ...['mdadm', '--create', node(id), '--run', `--level=${level}`, `--raid-devices=${devices}`],
    ...(spares.length > 0 ? [`--spare-devices=${spares.length}`] : []),
    ...(metadata && !container ? [`--metadata=${metadata}`] : []),
    ...(chunk ? [`--chunk=${chunk / 1024}`] : []),
    ...layoutWord(array),
    ...(bitmap && own ? [`--bitmap=${bitmap}`] : []),
    ...(size && own ? [`--size=${size / 1024}`] : []),
    ...(uuid && own ? [`--uuid=${uuid}`] : []),
    ...(name && own ? [`--name=${name}`] : []),
    ...(container ? [node(container)] : [...members, ...spares].map((one) => (one === MISSING ? MISSING : node(one)))),
  ];
  return [{ kind: 'array', device: id, argv, makes: [node(id)], undo: ['mdadm', '--quiet', '--stop', node(id)] }];
}

/** Levels whose data can lie in several ways; of raid10 mdadm prints `near=2` and reads `n2`. */
function layoutWord({ level, layout }: MdArray): string[] {
  if (!layout || !['raid5', 'raid6', 'raid10'].includes(level)) return [];
  return [`--layout=${layout.replace(/^(n|f|o)(?:ear|ar|ffset)=(\d+).*$/, '$1$2')}`];
}
