import { statSync } from 'node:fs';
import { hostname } from 'node:os';
import { openImage, readFrom } from '../../builder/inspect/image.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { scratch } from '../../builder/scratch.ts';
import { MindiError } from '../../contract/error.ts';
import { parseSnapshotRecord, SNAPSHOT_FILE, type SnapshotRecord } from '../../contract/snapshot.ts';
import type { Engine, Snapshot, Store } from './engine.ts';
import { ENGINES } from './index.ts';
import { theSnapshot } from './run.ts';
import { hasEngine, storeOf } from './settings.ts';

/** A snapshot of another engine that is there. */
export interface OpenSnapshot {
  engine: Engine;
  store: Store;
  snapshot: Snapshot;
}

/**
 * What a person names as a set, when it is a profile whose engine is another one: its newest snapshot, or the one that a
 * medium restores. Null: it is none.
 * @param medium an image; nothing of it is used but which snapshot it means, when the repository is the profile's
 * @throws MindiError `engine.no-snapshot`, `engine.other-medium`, and those of the engine
 */
export async function openSnapshot(path: string, medium?: string): Promise<OpenSnapshot | null> {
  if (!/\.ya?ml$/.test(path) || !statSync(path, { throwIfNoEntry: false })?.isFile()) return null;
  const profile = await loadProfile(path);
  if (!hasEngine(profile)) return null;
  const store = storeOf(profile, hostname());
  const engine = ENGINES[store.engine];
  const id = medium === undefined ? null : snapshotOf(store, await recordIn(medium), medium);
  return { engine, store, snapshot: await theSnapshot(engine, store, id) };
}

/** Which snapshot a medium means; null: the newest. */
function snapshotOf(store: Store, record: SnapshotRecord | null, medium: string): string | null {
  const other = (message: string, hint: string) =>
    new MindiError(message, { code: 'engine.other-medium', where: medium, hint, exitCode: 1 });
  if (!record) throw other('this medium restores no snapshot of another engine', 'Was it built from this profile?');
  if (record.engine === store.engine && record.repository === store.repository && record.name === store.name)
    return record.snapshot;
  const told = `${record.name}, ${record.engine}, ${record.repository}`;
  throw other(`this medium restores from somewhere else than the profile says: ${told}`, 'Build it again.');
}

async function recordIn(path: string): Promise<SnapshotRecord | null> {
  await using work = await scratch('snapshot');
  const image = await openImage(path, work.path);
  // Whatever else it is, it names no snapshot.
  const bytes = await readFrom(image, SNAPSHOT_FILE, path).catch(() => new Uint8Array());
  return parseSnapshotRecord(Buffer.from(bytes).toString());
}
