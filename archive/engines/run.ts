import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MindiError, messageOf } from '../../contract/error.ts';
import type { EngineName } from '../../contract/snapshot.ts';
import { Hooks, type RunOutcome } from '../run/hooks.ts';
import { lockFile } from '../run/lock.ts';
import type { Keep, RunSettings } from '../run/settings.ts';
import type { Engine, Snapshot, Store } from './engine.ts';
import type { EngineSettings } from './settings.ts';

export interface EngineTeller {
  step: (name: 'read' | 'finish') => void;
  progress: (what: string, done: number, total: number) => void;
  note: (text: string) => void;
}

export interface EngineOptions {
  /** Seconds to wait for another run at the same place. */
  wait: number;
  /** The repository is made. */
  init: boolean;
}

export interface EngineResult {
  engine: EngineName;
  repository: string;
  snapshot: string;
  /** ISO 8601. */
  created: string;
  files: number;
  bytes: number;
  added: number | null;
  /** What the engine, its check, and hooks complained of. */
  problems: string[];
  /** Whether something could not be read, is not right, or failed. */
  good: boolean;
  /** Snapshots that retention removed. */
  removed: string[];
}

/**
 * A whole run of another engine: hooks around it, the snapshot, whether it is there, what need not be kept any more.
 * @throws MindiError `archive.locked`, `archive.before`, `engine.*`
 */
export async function engineRun(
  { engine, store, source, verify }: EngineSettings,
  how: RunSettings,
  options: EngineOptions,
  teller: EngineTeller,
): Promise<EngineResult> {
  await using _lock = await lockFile(lockOf(store), store.repository, store.name, options.wait);
  const hooks = new Hooks(how.hooks, { MINDI_ARCHIVE: store.name, MINDI_DIRECTORY: store.repository });
  let outcome: RunOutcome = 'failure';
  let id = '';
  const failed: string[] = [];
  const done = await (async () => {
    try {
      await hooks.before();
      teller.step('read');
      if (options.init) await engine.init(store);
      const backup = await engine.backup(store, source, (what) => teller.progress(what, 0, 0));
      teller.step('finish');
      const snapshot = await theSnapshot(engine, store, backup.snapshot);
      id = snapshot.id;
      const wrong = verify ? await engine.verify(store, id) : [];
      const removed = how.keep === null ? [] : await pruned(engine, store, how.keep, wrong);
      outcome = backup.missing || wrong.length > 0 ? 'warnings' : 'success';
      return { backup, snapshot, wrong, removed };
    } finally {
      failed.push(...(await hooks.after(outcome, id)));
    }
  })();
  const { backup, snapshot } = done;
  const { files, bytes, added, problems, missing } = backup;
  return {
    ...{ engine: store.engine, repository: store.repository, snapshot: snapshot.id, created: snapshot.created },
    ...{ files, bytes, added, removed: done.removed },
    problems: [...problems, ...done.wrong, ...failed],
    good: !missing && done.wrong.length + failed.length === 0,
  };
}

/** The new snapshot is there whatever becomes of the old ones. */
async function pruned(engine: Engine, store: Store, keep: Keep, problems: string[]): Promise<string[]> {
  try {
    return await engine.prune(store, keep);
  } catch (error) {
    problems.push(`older snapshots were not removed: ${messageOf(error)}`);
    return [];
  }
}

/**
 * A snapshot by its id or the beginning of it; null: the newest.
 * @throws MindiError `engine.no-snapshot`: there is none, or no longer
 */
export async function theSnapshot(engine: Engine, store: Store, id: string | null): Promise<Snapshot> {
  const all = await engine.snapshots(store);
  const found = id === null ? all.at(-1) : all.find((one) => one.id.startsWith(id));
  if (found) return found;
  const what = id === null ? `there is no snapshot of ${store.name}` : `snapshot ${id} is not there`;
  throw new MindiError(`${what}; of ${store.machine} there are ${all.length}`, {
    code: 'engine.no-snapshot',
    where: store.repository,
    hint: id === null ? 'Archive first: `mindi archive PROFILE`.' : 'It was removed, or never finished: archive again.',
    exitCode: 1,
  });
}

/** Everybody's place for locks, emptied at each boot. */
const LOCKS = '/run/lock';

function lockOf({ repository, name }: Store): string {
  const place = createHash('sha256').update(`${repository}\n${name}`).digest('hex').slice(0, 16);
  return join(existsSync(LOCKS) ? LOCKS : tmpdir(), `mindi-archive-${process.getuid?.()}-${place}.lock`);
}
