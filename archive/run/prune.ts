import { join } from 'node:path';
import { LOCK_FILE, lockFile } from './lock.ts';
import { planRetention, removeSets } from './retention.ts';
import type { Keep } from './settings.ts';
import { storedSets } from './stored-sets.ts';

export interface PruneResult {
  kept: { set: string; why: string[] }[];
  removed: string[];
  /** What could not be removed, a sentence each. */
  problems: string[];
}

/** Removes the sets of a profile that `keep` does not keep; whoever calls it has the lock. */
export async function prune(directory: string, name: string, keep: Keep, dryRun = false): Promise<PruneResult> {
  const { kept, removed } = planRetention(storedSets(directory), name, keep);
  const problems = dryRun ? [] : await removeSets(directory, name, removed);
  return {
    kept: kept.map(({ set, why }) => ({ set: set.directory, why })),
    removed: removed.map((set) => set.directory),
    problems,
  };
}

/**
 * The same for a person, who may mean several profiles.
 * @param names null: all that have sets there
 * @throws MindiError `archive.locked`
 */
export async function pruneAll(
  directory: string,
  names: readonly string[] | null,
  keep: Keep,
  dryRun: boolean,
): Promise<PruneResult> {
  const chosen = names ?? [...new Set(storedSets(directory).map(({ name }) => name))].sort();
  const all: PruneResult = { kept: [], removed: [], problems: [] };
  await using _lock = await lockFile(join(directory, LOCK_FILE), directory, 'mindi prune', 0);
  for (const name of chosen) {
    const { kept, removed, problems } = await prune(directory, name, keep, dryRun);
    all.kept.push(...kept);
    all.removed.push(...removed);
    all.problems.push(...problems);
  }
  return all;
}
