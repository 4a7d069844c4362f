import { parseSetName, setName } from '../../contract/archive-set.ts';
import type { Volume } from '../../contract/volume.ts';
import { planRetention } from '../run/retention.ts';
import type { Keep } from '../run/settings.ts';
import type { StoredSet } from '../run/stored-sets.ts';
import type { Snapshot } from './engine.ts';

/**
 * Snapshots of programs that know of none lie in a directory: NAME-000001 and so on. One is complete when its mark lies
 * beside it, NAME-000001.json, which is written at last.
 */
export const MARK = '.json';

/** Complete snapshots in the order of their numbers, of a directory's files and when each was written. */
export function completeOnes(name: string, files: readonly { name: string; time: string }[]): Snapshot[] {
  return files
    .filter((file) => file.name.endsWith(MARK))
    .map(({ name: file, time }) => ({ set: parseSetName(file.slice(0, -MARK.length)), time }))
    .filter(({ set }) => set?.name === name && set.complete)
    .sort((one, other) => (one.set?.number ?? 0) - (other.set?.number ?? 0))
    .map(({ set, time }) => ({ id: setName(name, set?.number ?? 0), created: time }));
}

/** The id of the next snapshot. */
export function nextId(name: string, there: readonly Snapshot[]): string {
  return setName(name, (parseSetName(there.at(-1)?.id ?? '')?.number ?? 0) + 1);
}

/** Ids of those that retention keeps, by the rules of mindi's own sets. */
export function keptOnes(name: string, machine: string, there: readonly Snapshot[], keep: Keep): Set<string> {
  const sets = there.map(({ id, created }): StoredSet => {
    const number = parseSetName(id)?.number ?? 0;
    const volume: Volume = { format: 1, set: id, number: 1, of: 1, machine, created };
    return { folder: id, directory: id, name, number, complete: true, volume };
  });
  return new Set(planRetention(sets.reverse(), name, keep).kept.map(({ set }) => set.directory));
}
