/** What a run reads: the machine as it is, or as snapshots show it. */
export interface ReadFrom {
  /** Stands in front of every path: a directory that shows the machine. */
  root: string;
  /** Whether access(2) tells immutable files there; where nothing can be written it says so of all. */
  flags: boolean;
}

export const LIVE: ReadFrom = { root: '', flags: true };
