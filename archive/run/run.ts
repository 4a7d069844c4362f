import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { recordMachine } from '../../builder/drift/record.ts';
import { TROUBLES, type Trouble } from '../../contract/archive-set.ts';
import { parseMountinfo } from '../../contract/mounts.ts';
import { type ArchiveOptions, type ArchiveResult, type ArchiveTeller, archive } from '../archive.ts';
import { storageProblem } from '../failures.ts';
import { findUnfinished } from '../resume.ts';
import { chooseRoots } from '../roots.ts';
import type { ArchiveSettings } from '../settings.ts';
import { SNAPSHOT_NAME } from '../snapshots/kind.ts';
import { openSource } from '../snapshots/snapshots.ts';
import { chooseBase } from './base.ts';
import { Hooks, type RunOutcome } from './hooks.ts';
import { LOCK_FILE, type Lock, lockFile } from './lock.ts';
import { prune } from './prune.ts';
import type { Keep, RunSettings } from './settings.ts';

export interface RunOptions extends Omit<ArchiveOptions, 'resume'> {
  /** Seconds to wait for another run at the same place. */
  wait: number;
  /** What the set is a differential of: `last`, `full`, a date or a set; null: as the profile says. */
  since: string | null;
  /** Go on with the newest set when it was never finished. */
  resume?: boolean;
}

export interface RunResult extends ArchiveResult {
  /** Older sets that retention took away. */
  removed: string[];
  /** What went wrong around the set, which is whole: a sentence each. */
  problems: string[];
}

/**
 * A whole run: nobody else at the same place, what the profile says before and after it, and the set between.
 * @throws MindiError `archive.locked`, `archive.before`, and those of `archive`
 */
export async function archiveRun(
  settings: ArchiveSettings,
  how: RunSettings,
  options: RunOptions,
  teller: ArchiveTeller,
): Promise<RunResult> {
  // Of this machine first: a hook may be what mounts the place, and must not run twice at once.
  await using _here = await lockFile(lockOfMachine(settings), placeOf(settings), settings.name, options.wait);
  const hooks = new Hooks(how.hooks, { MINDI_ARCHIVE: settings.name, MINDI_DIRECTORY: storeOf(settings) ?? '' });
  let outcome: RunOutcome = 'failure';
  let set = '';
  const failed: string[] = [];
  const removed: string[] = [];
  const result = await (async () => {
    try {
      await hooks.before();
      await using there = await lockStore(settings, options.wait);
      if (there?.left) teller.note(`the run before was cut off: ${there.left}`);
      const resume = options.resume ? findUnfinished(settings, teller.note) : null;
      const choice = {
        name: settings.name,
        directory: storeOf(settings),
        since: resume ? null : options.since,
        differential: resume ? null : how.differential,
        keys: { identities: [], passphraseFile: settings.encryption?.passphraseFile ?? undefined },
      };
      await using chosen = await chooseBase(choice, teller.note);
      const mounts = parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'));
      const snapshots = {
        consistency: how.consistency,
        mark: `${SNAPSHOT_NAME}${keyOf(settings)}-`,
        note: teller.note,
      };
      await using source = await openSource(chooseRoots(settings, mounts).starts, mounts, snapshots);
      const record = JSON.stringify(await recordMachine());
      const done = await archive(settings, teller, {
        ...options,
        resume,
        from: source.from,
        base: chosen.base,
        record,
      });
      if (how.keep) await keepOnly(settings, how.keep, removed, failed);
      outcome = outcomeOf(done);
      set = done.set;
      return done;
    } finally {
      failed.push(...(await hooks.after(outcome, set)));
      for (const text of failed) teller.note(text);
    }
  })();
  return { ...result, removed, problems: failed };
}

/** Retention; what it cannot remove is a problem of its own. */
async function keepOnly(settings: ArchiveSettings, keep: Keep, removed: string[], failed: string[]): Promise<void> {
  const directory = storeOf(settings);
  if (directory === undefined) return;
  const result = await prune(directory, settings.name, keep);
  removed.push(...result.removed);
  failed.push(...result.problems);
}

/** Where sets lie as directories; undefined where volumes go somewhere else. */
const storeOf = ({ to }: ArchiveSettings) => ('directory' in to ? to.directory : undefined);

/** For people. */
const placeOf = ({ to }: ArchiveSettings) => String(Object.values(to)[0]);

/** Everybody's place for locks, emptied at each boot. */
const LOCKS = '/run/lock';

/** Of the place sets go to: the same at each run. */
const keyOf = ({ to }: ArchiveSettings) => createHash('sha256').update(JSON.stringify(to)).digest('hex').slice(0, 16);

function lockOfMachine(settings: ArchiveSettings): string {
  const place = keyOf(settings);
  return join(existsSync(LOCKS) ? LOCKS : tmpdir(), `mindi-archive-${process.getuid?.()}-${place}.lock`);
}

/** Other machines may write there, too. */
async function lockStore(settings: ArchiveSettings, wait: number): Promise<Lock | undefined> {
  const directory = storeOf(settings);
  if (directory === undefined) return undefined;
  try {
    await mkdir(directory, { recursive: true });
  } catch (error) {
    throw storageProblem(error, directory) ?? error;
  }
  return lockFile(join(directory, LOCK_FILE), directory, settings.name, wait);
}

function outcomeOf({ troubles }: ArchiveResult): RunOutcome {
  const missing = (Object.keys(troubles) as Trouble[]).some((trouble) => TROUBLES[trouble].missing);
  return missing ? 'warnings' : 'success';
}
