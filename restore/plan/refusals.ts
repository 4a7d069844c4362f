import { MindiError } from '../../contract/error.ts';
import { rootFinder } from '../../contract/layout/graph.ts';
import { typeCode } from '../../contract/layout/partition-types.ts';
import type { Layout } from '../../contract/layout/schema.ts';
import { groupProblems } from './space.ts';
import type { Step } from './step.ts';

const problem = (code: string, message: string, hint: string) =>
  new MindiError(message, { code: `plan.${code}`, hint, exitCode: 1 });

/**
 * What stands against making a layout on these disks of a machine, beside which disks they are.
 * @param there what is on this machine now
 */
export function refusals(layout: Layout, there: Layout, disks: readonly string[]): MindiError[] {
  return [...groupProblems(layout), ...typeProblems(layout), ...poolProblems(layout), ...entangled(there, disks)];
}

function typeProblems(layout: Layout): MindiError[] {
  return Object.entries(layout.partitions).flatMap(([id, { on, type = 'linux' }]) => {
    const table = layout.tables[on]?.type ?? 'gpt';
    if (typeCode(type, table)) return [];
    return problem(
      'type',
      `${id} cannot be of the type ${type} in a partition table ${table}`,
      'Give it another type.',
    );
  });
}

function poolProblems(layout: Layout): MindiError[] {
  return Object.keys(layout.pools).map((name) =>
    problem('zfs', `${name} is a pool of ZFS, which mindi does not make`, 'Take it out, and make it with zpool.'),
  );
}

/** What lies on disks that are written to and on others, too, would be destroyed there. */
function entangled(there: Layout, disks: readonly string[]): MindiError[] {
  const chosen = new Set(disks);
  const roots = rootFinder(there);
  const physical = Object.entries(there.physicalVolumes);
  const all: [name: string, on: string[]][] = [
    ...Object.keys(there.groups).map((name): [string, string[]] => [
      name,
      physical.flatMap(([id, { group }]) => (group === name ? [id] : [])),
    ]),
    ...Object.keys(there.arrays).map((id): [string, string[]] => [id, [id]]),
    ...Object.entries(there.filesystems).flatMap(([id, { devices }]): [string, string[]][] =>
      devices ? [[id, [id, ...devices]]] : [],
    ),
  ];
  return all.flatMap(([name, on]) => {
    const below = [...new Set(on.flatMap(roots))];
    const others = below.filter((disk) => !chosen.has(disk));
    if (others.length === 0 || others.length === below.length) return [];
    const message = `${name} lies also on ${others.join(' and ')}, which the restore leaves alone, and would be lost there`;
    return problem('entangled', message, 'Take it apart first, or give the layout all of its disks.');
  });
}

export function missingPrograms(steps: readonly Step[], hasProgram: (name: string) => boolean): MindiError[] {
  const names = new Set(steps.map(({ argv }) => argv[0] ?? ''));
  return [...names]
    .filter((name) => !hasProgram(name))
    .map((name) =>
      problem('no-program', `the program ${name} is not here`, 'Put its package into the tools of the profile.'),
    );
}
