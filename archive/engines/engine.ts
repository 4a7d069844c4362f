import type { EngineName } from '../../contract/snapshot.ts';
import type { Keep } from '../run/settings.ts';
import type { Source } from './source.ts';

/** Where an engine keeps snapshots of one machine. */
export interface Store {
  engine: EngineName;
  /** As the engine writes it. */
  repository: string;
  passwordFile: string | null;
  environment: Readonly<Record<string, string>>;
  /** Names the snapshots that are mindi's, of this profile. */
  name: string;
  machine: string;
}

export interface Snapshot {
  /** What the engine calls it. */
  id: string;
  /** ISO 8601. */
  created: string;
}

/** What a backup came to. */
export interface Backup {
  /** Its id, or the beginning of it. */
  snapshot: string;
  files: number;
  /** Of the files, and new in the repository: null where the engine does not say. */
  bytes: number;
  added: number | null;
  /** What it said of files, a line each. */
  problems: string[];
  /** Whether something could not be read. */
  missing: boolean;
}

/** A file of a snapshot. */
export interface SnapshotEntry {
  /** Absolute. */
  path: string;
  /** As ls writes it: `-rw-r--r--`. */
  mode: string;
  /** `0/0`; empty where the engine does not say. */
  owner: string;
  size: number;
  /** `2026-01-31 12:00`. */
  time: string;
  target?: string;
}

/** What a rescue medium needs to restore by the engine, in the profile's words. */
export interface MediumRestore {
  /** Tool sets with the engine's program. */
  sets: string[];
  command: string[];
  environment: Record<string, string>;
  warningCodes: number[];
}

/** A program that archives for mindi: one file each in this folder. */
export interface Engine {
  /** What a profile asks for that it cannot do: a sentence each. */
  unable(source: Source): string[];
  /** Makes the repository. */
  init(store: Store): Promise<void>;
  backup(store: Store, source: Source, progress: (what: string) => void): Promise<Backup>;
  /** Those of the store's name and machine, oldest first. */
  snapshots(store: Store): Promise<Snapshot[]>;
  /** Checks what can be checked of one that is there. Returns a sentence for each thing that is wrong. */
  verify(store: Store, id: string): Promise<string[]>;
  list(store: Store, id: string): AsyncIterable<SnapshotEntry>;
  /** Restores paths, or all, below a directory. Returns a sentence for each that did not come back. */
  extract(store: Store, id: string, paths: readonly string[], to: string): Promise<string[]>;
  /** Removes snapshots that a rule keeps no longer. Returns which. */
  prune(store: Store, keep: Keep): Promise<string[]>;
  /**
   * @param store as the rescue system has it: a directory is mounted there, read-only
   * @param id null: the newest there is when it is restored
   */
  onMedium(store: Store, id: string | null): MediumRestore;
}
