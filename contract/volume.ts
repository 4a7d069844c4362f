/** One volume of an archive set: a disc, an ISO file, a tape, or a directory. `mindi/volume.json` on it holds this. */
export interface Volume {
  format: 1;
  /** Id of the set: the same on all of its volumes, another for each set. */
  set: string;
  /** From 1. */
  number: number;
  /** How many there are; null while the set is being written. */
  of: number | null;
  /** Host name of the machine that was archived. */
  machine: string;
  /** ISO 8601. */
  created: string;
}

export const VOLUME_FILE = 'mindi/volume.json';
