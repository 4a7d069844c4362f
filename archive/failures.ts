import { MindiError, messageOf } from '../contract/error.ts';
import { placeAddress } from './places/place.ts';

const GONE: [string, string] = ['the server does not answer any more', 'Look at it and at the network'];

/** What the failed writing of a set means, by its code: what is said and what can be done. */
const WORDS: Record<string, [string, string]> = {
  ENOSPC: ['there is no room left for the set', 'Make room there, or choose another directory'],
  EDQUOT: ['the quota leaves no room for the set', 'Make room there, or choose another directory'],
  EROFS: ['the file system is read-only', 'Mount it writable, or choose another directory'],
  EIO: ['the disk fails', 'Look at its health, and choose another directory'],
  EACCES: ['you may not write there', 'Run mindi as root, or choose another directory'],
  EPERM: ['you may not write there', 'Run mindi as root, or choose another directory'],
  ...Object.fromEntries(['ENOTCONN', 'ECONNABORTED', 'ETIMEDOUT', 'ESTALE', 'EHOSTDOWN'].map((code) => [code, GONE])),
};
/** SQLite's own codes for the same. https://www.sqlite.org/rescode.html */
const OF_SQLITE: Record<number, string> = { 13: 'ENOSPC', 10: 'EIO', 8: 'EROFS' };

/**
 * The error to show when the set cannot be written; undefined for every other one.
 * @param work where the catalog is while it is written, and where else volumes are made
 */
export function storageProblem(
  error: unknown,
  directory: string,
  work: readonly string[] = [],
): MindiError | undefined {
  if (error instanceof MindiError) return undefined;
  const { code, errcode, path = '' } = error as { code?: string; errcode?: number; path?: string };
  const errno = errcode === undefined ? (code ?? '') : (OF_SQLITE[errcode & 0xff] ?? '');
  // What is mounted from a server ends so when that is gone, or is not mounted any more.
  const gone = ['EIO', 'ENOENT'].includes(errno) && placeAddress(directory) !== undefined;
  const known = gone ? GONE : WORDS[errno];
  if (!known) return undefined;
  return new MindiError(`${known[0]}: ${messageOf(error)}`, {
    code: 'archive.storage',
    where: (errcode === undefined ? work.find((place) => path.startsWith(`${place}/`)) : work[0]) ?? directory,
    hint: `${known[1]}. Older sets are whole; what this run wrote is marked .incomplete and can be removed.`,
    exitCode: 1,
    cause: error,
  });
}
