/** Programs that archive for mindi: docs/engines.md. */
export const ENGINES = ['restic', 'borg', 'rsync', 'tar'] as const;
export type EngineName = (typeof ENGINES)[number];

/** What a medium restores by another engine. SNAPSHOT_FILE on the medium holds this. */
export interface SnapshotRecord {
  format: 1;
  engine: EngineName;
  /** As the engine writes it. */
  repository: string;
  /** Name of the profile. */
  name: string;
  machine: string;
  /** What the engine calls the snapshot; null: the newest there is at the restore. */
  snapshot: string | null;
}

export const SNAPSHOT_FILE = 'mindi/snapshot.json';

/** The record in a text, or null: any bytes may come. */
export function parseSnapshotRecord(text: string): SnapshotRecord | null {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is SnapshotRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { format, engine, repository, name, machine, snapshot } = value as Record<string, unknown>;
  if (format !== 1 || !ENGINES.some((one) => one === engine)) return false;
  return [repository, name, machine].every(isShown) && (snapshot === null || isId(snapshot));
}

/** Printable: what is on a medium must not move the cursor of a terminal. */
const isShown = (value: unknown) => typeof value === 'string' && value !== '' && !/\p{C}/u.test(value);
/** It becomes a word of the engine's command line: no option, and no path. */
const isId = (value: unknown) => typeof value === 'string' && /^[A-Za-z0-9][\w.:-]*$/.test(value);
