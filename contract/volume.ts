/** One volume of an archive set: a disc, an ISO file, a tape, or a directory. `mindi/volume.json` on it holds this. */
export interface Volume {
  format: 1;
  /** Id of the set: the same on all of its volumes, another for each set. */
  set: string;
  /** From 1. */
  number: number;
  /** How many there are; null on all but the last, which are written before anybody knows. */
  of: number | null;
  /** Host name of the machine that was archived. */
  machine: string;
  /** ISO 8601. */
  created: string;
  /** SHA-256 of the SHA256SUMS of the volume before; null on the first, missing on media of other programs. */
  previous?: string | null;
  /** Id of the set that this one is a differential of. */
  base?: string;
}

export const VOLUME_FILE = 'mindi/volume.json';
/** Bytes; a longer file is none of ours. */
export const VOLUME_FILE_LIMIT = 4096;
/** Characters of each text: they are shown to people. */
const LONGEST = 200;

/** The volume a VOLUME_FILE describes, or null when it describes none: any bytes may come. */
export function parseVolume(text: string): Volume | null {
  try {
    const value: unknown = JSON.parse(text);
    return isVolume(value) ? value : null;
  } catch {
    return null;
  }
}

export function isVolume(value: unknown): value is Volume {
  if (typeof value !== 'object' || value === null) return false;
  const { format, set, number, of, machine, created } = value as Record<string, unknown>;
  if (format !== 1 || !isCount(number) || !(of === null || isCount(of))) return false;
  return [set, machine, created].every(isShown) && !Number.isNaN(Date.parse(created as string));
}

/** Nobody has more volumes; a loop over them must end. */
const MOST_VOLUMES = 1_000_000;
const isCount = (value: unknown) =>
  Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= MOST_VOLUMES;

/** Printable: what is on a medium must not move the cursor of a console. */
const isShown = (value: unknown) =>
  typeof value === 'string' && value.length > 0 && value.length <= LONGEST && !/\p{C}/u.test(value);
