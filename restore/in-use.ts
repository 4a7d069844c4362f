import { rootFinder } from '../contract/layout/graph.ts';
import type { Layout } from '../contract/layout/schema.ts';

/** Why a disk with something mounted there is never written to. */
const REASONS: readonly [place: RegExp, why: string][] = [
  [/^\/$/, 'the disk this system runs from'],
  [/^\/run\/mindi(?:\/|$)/, 'the medium or the restore source in use'],
];

/** Disks of a machine that are never written to, and why. @param there with all that is mounted: `captureMachine` */
export function disksInUse(there: Layout): Record<string, string> {
  const roots = rootFinder(there);
  const found: [string, string][] = [];
  for (const [id, { mounts = [], devices = [] }] of Object.entries(there.filesystems))
    for (const { at } of mounts) {
      const why = REASONS.find(([place]) => place.test(at))?.[1];
      if (why) found.push(...[id, ...devices].flatMap(roots).map((disk): [string, string] => [disk, why]));
    }
  return Object.fromEntries(found);
}
