import type { RunResult } from '../archive/run/run.ts';
import { TROUBLES, type Trouble } from '../contract/archive-set.ts';
import { duration, size, table } from './output.ts';

interface Run {
  seconds: number;
  /** Whether volumes were read back. */
  verified: boolean;
}

/** What files of the machine had, and how often. */
export const troublesOf = ({ troubles }: RunResult) => Object.entries(troubles) as [Trouble, number][];

/** What came of a run of `mindi archive`, for a person who looks at it the next morning. */
export function archiveReport(result: RunResult, { seconds, verified }: Run): string {
  const { set, files, bytes, stored, archives, volumes, read, base, kept, deleted, removed } = result;
  const share = bytes > 0 ? `, ${Math.round((100 * stored) / bytes)} %` : '';
  const rows = [
    ['set', set],
    ['files', `${files}, ${size(bytes)}`],
    ['stored', `${size(stored)}${share}: ${counted(archives, 'archive')} on ${counted(volumes, 'volume')}`],
    ['took', `${duration(seconds)}, ${size(Math.round(bytes / seconds))}/s`],
    ...(read.length > 0 ? [['read', read.map(({ path, how }) => `${path} (${how})`).join(', ')]] : []),
    ...(base ? [['since', `${base}: ${kept} files as there, ${deleted} of it gone`]] : []),
    ...(removed.length > 0 ? [['removed', removed.join(', ')]] : []),
    ['verified', verified ? 'each volume was read back and is as it was written' : `not yet: mindi verify ${set}`],
    ...troublesOf(result).map(([trouble, count]) => [trouble, `${count}: ${TROUBLES[trouble].words}`]),
  ];
  const more = troublesOf(result).length > 0 ? `\nWhich: mindi list ${set} --troubles` : '';
  return table(rows) + more;
}

const counted = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`;
