import type { MindiError } from '../../contract/error.ts';

export interface WriteOptions {
  /** The file to write. */
  image: string;
  /** Write to a tape drive that does not say it can start machines. */
  anyDrive?: boolean;
  /** Write to a disk that does not say it is removable. */
  force?: boolean;
  /** Blank a rewritable disc that is written already. */
  blank?: boolean;
  /** Something the person should know though the work goes on. */
  note: (text: string) => void;
}

/** Hears of bytes done, of all. */
export type Progress = (done: number, total: number) => void;

export interface DeviceFacts {
  /** The path it is written through. */
  device: string;
  /** What people call the kind of thing: `tape drive`. */
  kind: string;
  /** Vendor, model and revision, as it says itself. */
  model: string;
  /** What a person types to mean this very device. */
  serial: string;
  /** What is on the medium in it now, one line; null: there is none. */
  holds: string | null;
  /** More of the kind's own, name and value. */
  more: readonly (readonly [string, string])[];
}

/** A device that has been looked at, and not been touched. */
export interface Target {
  facts: DeviceFacts;
  /** Why it must not be written, all reasons; none: nothing speaks against it. */
  refusals: readonly MindiError[];
  /** Bytes to write. */
  size: number;
  /** @throws MindiError that says what state the medium is in now */
  write(progress: Progress): Promise<void>;
  /**
   * Reads back what `write` wrote, and compares.
   * @throws MindiError `write.differs`
   */
  compare(progress: Progress): Promise<void>;
  /** Gives the medium out of the device. */
  eject(): Promise<void>;
}

/** A kind of device: one file, one row in look.ts. */
export interface DeviceKind {
  /** Whether the device at a path is of this kind. */
  owns(path: string): boolean;
  /** Looks at the device and what is in it; writes nothing. */
  look(path: string, options: WriteOptions): Promise<Target>;
}
