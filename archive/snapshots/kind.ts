import type { Mount } from '../../contract/mounts.ts';

/** What the names of all our snapshots begin with, for whoever finds one. */
export const SNAPSHOT_NAME = 'mindi-snapshot-';

/** A command: a program and its words. */
export type Command = readonly [string, ...string[]];

/** A snapshot that is there. */
export interface Snapshot {
  /** Words of mount(8) in front of the directory: what shows it. */
  mount: readonly string[];
  /** What takes it away again. */
  remove: Command;
  /** Says why it does not show the file system any more as it was; nothing while it does. */
  problem?: () => Promise<string | undefined>;
  /** Nothing can ever be written to it. */
  readOnly?: boolean;
}

/** One way to take snapshots. */
export interface SnapshotKind {
  name: 'lvm' | 'btrfs' | 'zfs';
  /** How a snapshot of what is mounted there would be taken; a sentence when none can be; null when it is not of this kind. */
  look: (mount: Mount) => Promise<((name: string) => Promise<Snapshot>) | string | null>;
  /** What a run that was cut off left: commands that take it away. @param mark what the names of its snapshots begin with */
  leftOvers: (mark: string, mounts: readonly Mount[]) => Promise<Command[]>;
}
