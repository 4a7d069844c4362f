import { readdirSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseSetName, REMOVING } from '../../contract/archive-set.ts';
import { messageOf } from '../../contract/error.ts';
import type { Keep } from './settings.ts';
import type { StoredSet } from './stored-sets.ts';

export interface RetentionPlan {
  /** Newest first, each with what keeps it. */
  kept: { set: StoredSet; why: string[] }[];
  /** In the order they are removed in: what needs another one before that. */
  removed: StoredSet[];
}

/** A set that is complete. */
type Complete = StoredSet & { volume: NonNullable<StoredSet['volume']> };
const isComplete = (set: StoredSet): set is Complete => set.volume !== null;

/** What a date is within, as text that is the same for all dates in it. Days are UTC's. */
const PERIODS: Record<Exclude<keyof Keep, 'last'>, (date: Date) => string> = {
  daily: (date) => date.toISOString().slice(0, 10),
  weekly: mondayOf,
  monthly: (date) => date.toISOString().slice(0, 7),
  yearly: (date) => date.toISOString().slice(0, 4),
};
const DAY = 86_400_000;

function mondayOf(date: Date): string {
  const sinceMonday = (date.getUTCDay() + 6) % 7;
  return new Date(date.getTime() - sinceMonday * DAY).toISOString().slice(0, 10);
}

/**
 * Which of a profile's sets stay. Days, weeks … are counted where there are sets, not from today: what the clock says now
 * does not matter. Kept are always the newest complete set, what a kept one takes files from, and incomplete ones newer
 * than it.
 * @param sets all of the directory, newest first
 */
export function planRetention(sets: readonly StoredSet[], name: string, keep: Keep): RetentionPlan {
  const own = sets.filter((set) => set.name === name);
  const complete = own.filter(isComplete);
  const why = new Map<StoredSet, string[]>();
  const keepIt = (set: StoredSet, reason: string) => why.set(set, [...(why.get(set) ?? []), reason]);
  for (const set of complete.slice(0, 1)) keepIt(set, 'newest');
  for (const set of complete.slice(0, keep.last ?? 0)) keepIt(set, 'last');
  const [trusted, doubtful] = byClock(complete);
  for (const [rule, period] of Object.entries(PERIODS) as [keyof typeof PERIODS, (date: Date) => string][])
    for (const set of newestOfEach(trusted, period, keep[rule] ?? 0)) keepIt(set, rule);
  const oldest = Math.min(...[...why.keys()].map(({ number }) => number));
  for (const set of doubtful) if (set.number > oldest && !why.has(set)) keepIt(set, 'its date is wrong');
  for (const set of own) if (!isComplete(set) && set.number > (complete[0]?.number ?? 0)) keepIt(set, 'incomplete');
  // Bases have lower numbers, but for those of other names.
  for (const set of [...why.keys()])
    for (let base = baseOf(sets, set); base; base = baseOf(sets, base))
      if (!why.has(base)) keepIt(base, 'base of one that stays');
  for (const set of sets)
    for (let base = set.name === name ? undefined : baseOf(sets, set); base; base = baseOf(sets, base))
      if (!why.has(base)) keepIt(base, `base of ${set.directory}`);
  return {
    kept: own.filter((set) => why.has(set)).map((set) => ({ set, why: why.get(set) ?? [] })),
    removed: own.filter((set) => !why.has(set)),
  };
}

const baseOf = (sets: readonly StoredSet[], { volume }: StoredSet) =>
  volume?.base === undefined ? undefined : sets.find((set) => set.volume?.set === volume.base);

/**
 * Sets in the order of their numbers were made one after the other: those whose dates do not fit (the clock was wrong) are
 * the fewest that must be left out so that the others' dates do.
 * @param sets newest first
 */
function byClock(sets: readonly Complete[]): [Complete[], Complete[]] {
  const dates = sets.map(({ volume }) => Date.parse(volume.created));
  /** The longest row of fitting sets that ends with each, from the newest on, and which comes before it there. */
  const longest = dates.map(() => 1);
  const before = dates.map(() => -1);
  for (let one = 0; one < dates.length; one += 1)
    for (let newer = 0; newer < one; newer += 1) {
      if (
        (dates[newer] as number) < (dates[one] as number) ||
        (longest[newer] as number) + 1 <= (longest[one] as number)
      )
        continue;
      longest[one] = (longest[newer] as number) + 1;
      before[one] = newer;
    }
  const fitting = new Set<number>();
  for (let at = longest.indexOf(Math.max(...longest)); at >= 0; at = before[at] ?? -1) fitting.add(at);
  return [sets.filter((_, at) => fitting.has(at)), sets.filter((_, at) => !fitting.has(at))];
}

function newestOfEach(sets: readonly Complete[], period: (date: Date) => string, count: number): Complete[] {
  const found = new Map<string, Complete>();
  for (const set of sets) {
    const key = period(new Date(set.volume.created));
    if (!found.has(key)) found.set(key, set);
  }
  return [...found.values()].slice(0, count);
}

/**
 * Removes sets, and what a removal that was cut off left. Each is renamed first, so that no half of one looks whole.
 * @returns what could not be removed, a sentence each
 */
export async function removeSets(directory: string, name: string, sets: readonly StoredSet[]): Promise<string[]> {
  const problems: string[] = [];
  const attempt = async (path: string, work: () => Promise<void>) => {
    await work().catch((error) => problems.push(`${path} is not removed: ${messageOf(error)}`));
  };
  for (const { folder } of sets)
    await attempt(folder, async () => {
      await rename(folder, `${folder}${REMOVING}`);
      await rm(`${folder}${REMOVING}`, { recursive: true });
    });
  for (const path of leftOvers(directory, name)) await attempt(path, () => rm(path, { recursive: true }));
  return problems;
}

function leftOvers(directory: string, name: string): string[] {
  return readdirSync(directory)
    .filter((entry) => entry.endsWith(REMOVING) && parseSetName(entry.slice(0, -REMOVING.length))?.name === name)
    .map((entry) => join(directory, entry));
}
