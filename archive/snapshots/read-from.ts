/** What a run reads: the machine as it is, or as snapshots show it. */
export interface ReadFrom {
  /** Stands in front of every path: a directory that shows the machine. */
  root: string;
  /** ISO 8601: right before the snapshots were taken. None: when the set was begun. */
  at?: string;
  /** Of each file system, by where it is mounted, how it is read. */
  told?: readonly { path: string; how: 'live' | 'lvm' | 'btrfs' | 'zfs' }[];
  /** @throws MindiError when it does not show any more what it did */
  check?: () => Promise<void>;
}

export const LIVE: ReadFrom = { root: '' };
