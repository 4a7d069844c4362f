import { readFile, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { openImage, readFrom } from '../../builder/inspect/image.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { scratch } from '../../builder/scratch.ts';
import { parseSnapshotRecord, SNAPSHOT_FILE, type SnapshotRecord } from '../../contract/snapshot.ts';
import type { Engine, Snapshot, Store } from './engine.ts';
import { ENGINES } from './index.ts';
import { theSnapshot } from './run.ts';
import { hasEngine, storeOf, storeOfRecord } from './settings.ts';

/** A snapshot of another engine that is there. */
export interface OpenSnapshot {
  engine: Engine;
  store: Store;
  snapshot: Snapshot;
}

/**
 * What a person names as a set, when it is another engine's: a profile (its newest snapshot), or a medium or the file
 * of it that names one. Null: it is none of these.
 * @throws MindiError `engine.no-snapshot`, and those of the engine
 */
export async function openSnapshot(path: string): Promise<OpenSnapshot | null> {
  const facts = await stat(path).catch(() => null);
  if (!facts?.isFile()) return null;
  if (/\.ya?ml$/.test(path)) {
    const profile = await loadProfile(path);
    return hasEngine(profile) ? opened(storeOf(profile, hostname()), null) : null;
  }
  const record = await recordIn(path);
  return record ? opened(storeOfRecord(record), record.snapshot) : null;
}

async function opened(store: Store, id: string | null): Promise<OpenSnapshot> {
  const engine = ENGINES[store.engine];
  return { engine, store, snapshot: await theSnapshot(engine, store, id) };
}

/** Bytes; a longer file is no record. */
const LONGEST = 1 << 16;

async function recordIn(path: string): Promise<SnapshotRecord | null> {
  const { size } = await stat(path);
  if (size <= LONGEST) return parseSnapshotRecord(await readFile(path, 'utf8'));
  await using work = await scratch('snapshot');
  try {
    const image = await openImage(path, work.path);
    return parseSnapshotRecord(Buffer.from(await readFrom(image, SNAPSHOT_FILE, path)).toString());
  } catch {
    // Whatever else it is, it names no snapshot.
    return null;
  }
}
