import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { start } from '../../builder/run.ts';
import { MindiError } from '../../contract/error.ts';

/** In a store, while a run writes there: who holds it. Its contents are for people, what counts is the lock on it. */
export const LOCK_FILE = '.mindi-lock';
/** flock(1) says so with it that somebody else holds the lock. */
const HELD = 75;

interface Owner {
  machine: string;
  process: number;
  /** The set's name. */
  name: string;
  /** ISO 8601 */
  since: string;
}

export interface Lock extends AsyncDisposable {
  /** The run that had the lock before and never let it go. */
  left: string | null;
}

/**
 * Locks a file by flock(2), which the kernel (NFS: the server) takes back from whoever dies, so that no lock is ever
 * stale. Node has no call for it: flock(1) holds it as long as its standard input is open.
 * @param place what is locked by it, for people
 * @param wait seconds to wait for whoever holds it
 * @throws MindiError `archive.locked`, who holds it and since when; `archive.lock` when the file system has no locks.
 */
export async function lockFile(path: string, place: string, name: string, wait: number): Promise<Lock> {
  const patience = wait > 0 ? ['--timeout', String(wait)] : ['--nonblock'];
  const options = ['--exclusive', '--no-fork', '--conflict-exit-code', String(HELD), ...patience];
  const holder = start('flock', [...options, path, 'cat']);
  // cat gives back what it gets: then the lock is ours.
  holder.stdin.write('.');
  const locked = new Promise<void>((resolve) => holder.stdout.once('data', () => resolve()));
  const ended = await Promise.race([locked, holder.ended]);
  if (ended) throw ended.exitCode === HELD ? heldError(path, place) : lockError(place, ended.stderr);
  const left = ownerOf(path);
  const own: Owner = { machine: hostname(), process: process.pid, name, since: new Date().toISOString() };
  const release = () => {
    if (existsSync(path)) truncateSync(path);
  };
  process.once('exit', release);
  writeFileSync(path, `${JSON.stringify(own)}\n`);
  return {
    left: left && describe(left),
    [Symbol.asyncDispose]: async () => {
      process.off('exit', release);
      release();
      holder.stdin.end();
      await holder.ended;
    },
  };
}

function ownerOf(path: string): Owner | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

const describe = ({ machine, process, name, since }: Owner) =>
  `${name} on ${machine}, process ${process}, since ${since.slice(0, 19).replace('T', ' ')} UTC`;

function heldError(path: string, place: string): MindiError {
  const owner = ownerOf(path);
  return new MindiError(`another run writes there${owner ? `: ${describe(owner)}` : ''}`, {
    code: 'archive.locked',
    where: place,
    hint: 'Wait until it is done, or say --wait 2h.',
    exitCode: 1,
  });
}

function lockError(place: string, said: string): MindiError {
  return new MindiError(`the place for sets cannot be locked: ${said.trim()}`, {
    code: 'archive.lock',
    where: place,
    hint: 'Two runs could meet there. An NFS mount without a lock service takes the option nolock, or version 4.',
    exitCode: 1,
  });
}
