import { MindiError } from '../../contract/error.ts';
import { isExtended } from '../../contract/layout/check.ts';
import { belowOf, entry } from '../../contract/layout/graph.ts';
import type { Layout, Volume } from '../../contract/layout/schema.ts';
import { sizeText } from '../../contract/layout/size.ts';

const MIB = 2 ** 20;

/** Bytes each disk of a layout needs: up to the end of its last partition; a disk without a table as much as it had. */
export function diskNeeds(layout: Layout): Record<string, number> {
  const ends = new Map<string, number>();
  for (const { on, start, size, ...partition } of Object.values(layout.partitions)) {
    if (isExtended({ on, ...partition })) continue;
    // Where nothing is said, it goes behind the others.
    const begin = start ?? Math.max(MIB, ends.get(on) ?? 0);
    ends.set(on, Math.max(ends.get(on) ?? 0, begin + (size ?? MIB)));
  }
  return Object.fromEntries(
    Object.entries(layout.disks).map(([id, disk]) => {
      const table = entry(layout.tables, id);
      const end = ends.get(id) ?? MIB;
      // Behind the partitions of a GPT is its second copy.
      const tail = table?.type === 'gpt' ? (2 + Math.ceil(((table.entries ?? 128) * 128) / 512)) * 512 : 0;
      return [id, table ? end + tail : wholeDiskNeeds(layout, id) ? disk.size : 0];
    }),
  );
}

/** A whole disk in an array or group must be as large as it was; a file system on it fills what there is. */
const wholeDiskNeeds = (layout: Layout, id: string) =>
  Object.values(layout.arrays).some(({ members }) => members.includes(id)) || Object.hasOwn(layout.physicalVolumes, id);

/** Groups whose volumes do not fit on their physical volumes. */
export function groupProblems(layout: Layout): MindiError[] {
  const problems: MindiError[] = [];
  const sizes = new Map<string, number | null>();
  for (const [name, { extentSize = 4 * MIB }] of Object.entries(layout.groups)) {
    const physical = Object.entries(layout.physicalVolumes).filter(([, { group }]) => group === name);
    if (physical.length === 0) {
      problems.push(
        problem('group-empty', `the group ${name} has no physical volume`, 'Say under physicalVolumes where.'),
      );
      continue;
    }
    const greedy = Object.entries(layout.volumes).filter(([, one]) => one.group === name && one.size === undefined);
    if (greedy.length > 1) {
      const all = greedy.map(([id]) => id).join(' and ');
      problems.push(problem('group-shares', `${all} each take all that is left`, 'Give all but one of them a size.'));
    }
    const room = physical.map(([id, { dataStart = MIB }]) => {
      const size = sizeOf(layout, id, sizes);
      return size === null ? null : Math.max(0, Math.floor((size - dataStart) / extentSize));
    });
    if (room.includes(null)) continue;
    const extents = room.reduce<number>((sum, one) => sum + (one ?? 0), 0);
    const wanted = Object.values(layout.volumes)
      .filter(({ group }) => group === name)
      .reduce((sum, volume) => sum + extentsOf(volume, extentSize), 0);
    if (wanted > extents) {
      const message = `the volumes of ${name} need ${sizeText(wanted * extentSize)}, and there is room for ${sizeText(extents * extentSize)}`;
      problems.push(problem('group-full', message, 'Make volumes smaller, or leave one out.'));
    }
  }
  return problems;
}

const problem = (code: string, message: string, hint: string) =>
  new MindiError(message, { code: `plan.${code}`, hint, exitCode: 1 });

/** What a volume takes of its group at least. */
function extentsOf(
  { kind = 'linear', size = 0, mirrors = 0, stripes = 1, metadataSize = 0, cache }: Volume,
  extent: number,
): number {
  const whole = (bytes: number) => Math.ceil(bytes / extent);
  const below = cache ? whole(cache.size) : 0;
  if (kind === 'thin') return 0;
  if (kind === 'thin-pool') return whole(size) + whole(metadataSize);
  if (['mirror', 'raid1', 'raid10'].includes(kind)) return whole(size) * (mirrors + 1) + below;
  const parity = { raid4: 1, raid5: 1, raid6: 2 }[kind as 'raid5'] ?? 0;
  return whole(size) + Math.ceil((whole(size) / stripes) * parity) + below;
}

/** Bytes of a block device, at least; null where the layout does not say. */
function sizeOf(layout: Layout, id: string, known: Map<string, number | null>): number | null {
  const before = known.get(id);
  if (before !== undefined) return before;
  const size = measured(layout, id, known);
  known.set(id, size);
  return size;
}

function measured(layout: Layout, id: string, known: Map<string, number | null>): number | null {
  const own = entry(layout.disks, id)?.size ?? entry(layout.partitions, id)?.size ?? entry(layout.volumes, id)?.size;
  if (own !== undefined) return own;
  const encrypted = entry(layout.encrypted, id);
  const below = belowOf(layout, id).map((one) => sizeOf(layout, one, known));
  if (encrypted) return below[0] ? Math.max(0, below[0] - (encrypted.offset ?? 0)) : null;
  const array = entry(layout.arrays, id);
  if (!array || below.includes(null) || array.container) return null;
  const slots = array.members.length;
  const smallest = Math.min(...below.map((size) => size ?? 0));
  const copies = Number(/\d+$/.exec(array.layout ?? '')?.[0] ?? 2);
  const data: Record<string, number> = {
    ...{ raid1: 1, raid4: slots - 1, raid5: slots - 1, raid6: slots - 2, raid10: slots / copies },
    ...{ raid0: slots, linear: slots },
  };
  // Arrays of members that differ have more: what there is for certain is enough to say that something fits.
  return array.level in data && !['raid0', 'linear'].includes(array.level)
    ? smallest * (data[array.level] ?? 0)
    : below.reduce<number>((sum, size) => sum + (size ?? 0), 0);
}
