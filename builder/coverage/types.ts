import type { FirmwareState } from './answer.ts';

/**
 * `module`: on the media; `builtin`: part of the kernel; `needs-none`: works without; `excepted`: this kernel need not
 * have it; `not-on-media`: the kernel has a driver and the media do not; `absent`: the kernel has none; `unavailable`:
 * the kernel could not be had.
 */
export const STATUSES = [
  'module',
  'builtin',
  'needs-none',
  'excepted',
  'not-on-media',
  'absent',
  'unavailable',
] as const;
export type Status = (typeof STATUSES)[number];

/** What one kernel's media have for one device. */
export interface Cell {
  status: Status;
  /** The driver, where there is one. */
  module: string | null;
  /** Why it is not covered, or why that is right. */
  why: string | null;
  /** What would bring the driver. */
  bring: string[];
  /** Files the driver declares. It may work without some of them. */
  firmware: FirmwareState | null;
  /** Whether this cell makes the answer "no". */
  fails: boolean;
}

/** A device. */
export interface Row {
  id: string;
  title: string;
  group: string;
  /** The driver that is required; null for a machine's device: any will do. */
  module: string | null;
  device: string | null;
  /** The machine it is in; null for a row of the table of required hardware. */
  machine: string | null;
  required: boolean;
  /** By the kernel's name. */
  cells: Record<string, Cell>;
}

/** Bytes of one directory, or of one driver set. */
export interface SizeItem {
  /** `drivers/net/ethernet`, `scsi`, `firmware/mellanox`. */
  name: string;
  kind: 'modules' | 'firmware';
  /** On the media, before compression. */
  bytes: number;
  files: number;
}

/** The same bytes twice. */
export interface Sizes {
  byDirectory: SizeItem[];
  bySet: SizeItem[];
}

/** A kernel. */
export interface Column {
  name: string;
  title: string;
  architecture: string | null;
  release: string | null;
  origin: string | null;
  /** Answers derived from a configuration, not from the kernel. */
  derived: boolean;
  /** Whether an uncovered row makes the answer "no". */
  uncovered: 'fail' | 'inform';
  /** Why it could not be had, or why no media can be made with it. */
  problem: string | null;
  /** Whether that makes the answer "no". */
  fails: boolean;
  counts: Record<Status, number>;
  sizes: Sizes | null;
}

/** The answer of `mindi coverage`; `--format json` prints it. */
export interface Coverage {
  format: 1;
  /** The profile, or the image. */
  subject: string;
  covered: boolean;
  kernels: Column[];
  rows: Row[];
  /** Devices of the machines that need no driver and have none: left out of the rows. */
  needNone: number;
  /** Exceptions for drivers that are there. */
  needless: { kernel: string; module: string; reason: string }[];
}
