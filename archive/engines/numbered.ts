import { parseSetName, setName } from '../../contract/archive-set.ts';
import type { Keep } from '../run/settings.ts';
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

/** How long a stretch is whose newest snapshot stays: what of the time, in ISO 8601, tells one from another. */
const STRETCHES = {
  last: (time: string) => time,
  daily: (time: string) => time.slice(0, 10),
  weekly: (time: string) => String(Math.floor((Date.parse(time.slice(0, 10)) / 86_400_000 + 3) / 7)),
  monthly: (time: string) => time.slice(0, 7),
  yearly: (time: string) => time.slice(0, 4),
};

/** Ids of those that a rule keeps. @param there oldest first */
export function keptOnes(there: readonly Snapshot[], keep: Keep): Set<string> {
  const kept = new Set(there.slice(-1).map(({ id }) => id));
  for (const [kind, stretch] of Object.entries(STRETCHES)) {
    const seen = new Set<string>();
    for (const { id, created } of there.toReversed()) {
      const key = kind === 'last' ? id : stretch(created);
      if (seen.has(key)) continue;
      if (seen.size >= (keep[kind as keyof Keep] ?? 0)) break;
      seen.add(key);
      kept.add(id);
    }
  }
  return kept;
}
