import type { Profile } from '../../builder/profile/load.ts';
import type { Volume } from '../../contract/volume.ts';
import type { ArchiveSettings } from '../settings.ts';

/** A finished file on its way to a volume. */
export interface VolumeFile {
  /** Its name on the volume. */
  name: string;
  /** Where it lies now: the target moves it away. */
  path: string;
  size: number;
  /** Hex. */
  sha256: string;
}

/**
 * A place a set is written to, one file each in this folder. Volumes come one after the other: begin, place its files,
 * seal it. Dispose lets everything go, whatever happened; what was not finished stays marked as incomplete.
 */
export interface Target extends AsyncDisposable {
  /** For people, and where the set is when it is finished: what `mindi verify` takes. No password. */
  readonly set: string;
  /** A directory of this run's own, where archives are made. */
  readonly work: string;
  /** Where the catalog lies until it is whole; no server's file system, and of an encrypted set not on its medium. */
  readonly catalog: string;
  /** Directories that are never archived; those of other runs unless they are included by name. */
  readonly own: { mine: readonly string[]; others: readonly string[] };
  /** Every archive lies there until its volume is full: so many are packed as there is room for, and no more. */
  readonly staged: boolean;
  /** Bytes of a medium, where archive.volume does not say; null: it is known when it is full. */
  readonly capacity?: number | null;
  /** Bytes of that volume that are not for files: what boots, what a file system takes. */
  overhead(number: number): number;
  begin(volume: Volume): Promise<void>;
  /** Returns what has to go onto the next volume because this one has come to its end: the file itself, and those lost with it. */
  place(file: VolumeFile): Promise<VolumeFile[]>;
  /**
   * Ends the volume. It may still be on its way when this returns.
   * @param texts what tells about it, by name
   * @param parity percent of it that may be damaged and yet comes back; null: none
   */
  seal(volume: Volume, texts: ReadonlyMap<string, string | Buffer>, parity: number | null): Promise<void>;
  /** All volumes are there now: gives the set its name. */
  finish(): Promise<void>;
}

/** What a target may need of whoever runs it. */
export interface TargetContext {
  settings: ArchiveSettings;
  /** The first volume boots when it names media. Null: data only. */
  profile: Profile | null;
  note: (text: string) => void;
  /** The directory of the unfinished set that is gone on with; none: a new set. */
  resume?: string | undefined;
  /** Asks the person at the terminal. @throws MindiError `archive.unanswered` when there is none */
  ask: (question: string) => Promise<string>;
}
