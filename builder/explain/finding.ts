import type { Reason } from '../../contract/manifest.ts';

/** One thing a name stands for, and whether the media have it. */
export interface Finding {
  what: 'module' | 'firmware' | 'file' | 'nothing';
  /** The module, the firmware file, or the path on the rescue system. */
  name: string;
  /** Also true for a driver the kernel has built in: it needs no file. */
  present: boolean;
  /** `initrd`, `second stage`, `runtime`, `kernel`; null when it is not there. */
  place: string | null;
  /** Where it is on the rescue system; null for what is no file of its own. */
  path: string | null;
  why: Reason[];
  /** More facts: aliases it answered, what it needs, or why it is not there. */
  notes: string[];
  /** What would bring it. */
  bring: string[];
}

/** A finding of something that is not on the media. */
export function absent(what: Finding['what'], name: string, notes: string[], bring: string[] = []): Finding {
  return { what, name, present: false, place: null, path: null, why: [], notes, bring };
}
