/** Programs that archive for mindi: docs/engines.md. */
export const ENGINES = ['restic', 'borg', 'rsync', 'tar'] as const;
export type EngineName = (typeof ENGINES)[number];

/** A snapshot of another engine that a medium was made with. `mindi/snapshot.json` on the medium holds this. */
export interface SnapshotRecord {
  format: 1;
  engine: EngineName;
  /** As the engine writes it; never with a password. */
  repository: string;
  /** Of the machine that made it. */
  passwordFile: string | null;
  environment: Record<string, string>;
  /** Name of the profile. */
  name: string;
  machine: string;
  /** What the engine calls the snapshot. */
  snapshot: string;
  /** ISO 8601. */
  created: string;
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
  const { format, engine, passwordFile, environment, ...rest } = value as Record<string, unknown>;
  const { repository, name, machine, snapshot, created } = rest;
  if (format !== 1 || !ENGINES.some((one) => one === engine)) return false;
  if (!(passwordFile === null || isShown(passwordFile))) return false;
  if (typeof environment !== 'object' || environment === null || !Object.values(environment).every(isText))
    return false;
  return [repository, name, machine, snapshot, created].every(isShown) && !/^-/.test(`${snapshot}`);
}

const isText = (value: unknown): value is string => typeof value === 'string';
/** Printable: what is on a medium must not move the cursor of a terminal. */
const isShown = (value: unknown): value is string => isText(value) && value !== '' && !/\p{C}/u.test(value);
