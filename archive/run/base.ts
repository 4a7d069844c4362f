import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { MindiError, messageOf } from '../../contract/error.ts';
import { Base } from '../differential.ts';
import type { Keys } from '../encryption/keys.ts';
import { openSet } from '../set.ts';
import { newestSet, type StoredSet, storedSets } from './stored-sets.ts';

export interface BaseChoice {
  /** The profile's name, and where its sets are; undefined where they are no directories. */
  name: string;
  directory: string | undefined;
  /** What the person said: `last`, `full`, a date, or a set. */
  since: string | null;
  /** Minutes the newest full set is good for, as the profile says. */
  differential: number | null;
  /** What opens it when it is encrypted. */
  keys: Keys;
}

/** The set that a new one is a differential of, open. */
export interface ChosenBase extends AsyncDisposable {
  base: Base | null;
}

const NONE: ChosenBase = { base: null, [Symbol.asyncDispose]: async () => {} };
const MINUTE = 60_000;

/**
 * Chooses what a set is a differential of.
 * @throws MindiError `archive.since` when what a person named is no set
 */
export async function chooseBase(choice: BaseChoice, note: (text: string) => void): Promise<ChosenBase> {
  const { directory, since, differential } = choice;
  if (since === null && differential === null) return NONE;
  if (directory === undefined)
    throw new MindiError('differential sets are made in directories only', {
      code: 'archive.since',
      hint: 'Where volumes go somewhere else, each set is a full one: leave out --since and archive.differential.',
    });
  const sets = storedSets(directory);
  const folder = since === null ? recentFull(choice, sets) : named(since, choice, sets, directory);
  if (folder === undefined) {
    note(
      since === null
        ? 'this is a full set: none is as new as archive.differential says'
        : `there is no set to start from (--since ${since}): this is a full one`,
    );
    return NONE;
  }
  try {
    return await opened(folder, choice.keys);
  } catch (error) {
    if (since !== null) throw asBase(error, folder);
    note(`${folder} cannot be what this set starts from: ${messageOf(error)}: this is a full set`);
    return NONE;
  }
}

/** Nobody should have to give the secret key to what archives each night. */
function asBase(error: unknown, folder: string): unknown {
  if (!(error instanceof MindiError) || error.code !== 'set.sealed') return error;
  return new MindiError('the set to start from is encrypted: what is in it cannot be compared with', {
    code: 'archive.since',
    where: folder,
    hint: 'Leave out --since: what is encrypted for keys alone is a full set each time.',
    exitCode: 1,
  });
}

async function opened(folder: string, keys: Keys): Promise<ChosenBase> {
  const set = await openSet(folder, keys, { withBases: false });
  const base = new Base(set, basename(set.folder));
  const close = async () => {
    base.close();
    await set[Symbol.asyncDispose]();
  };
  return { base, [Symbol.asyncDispose]: close };
}

function recentFull({ name, differential }: BaseChoice, sets: readonly StoredSet[]): string | undefined {
  const newest = newestSet(sets, name, { full: true });
  const age = Date.now() - Date.parse(newest?.volume?.created ?? '');
  return age <= (differential ?? 0) * MINUTE ? newest?.folder : undefined;
}

const DATE = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?)?$/;

/** A day alone begins at midnight here. */
function named(since: string, { name }: BaseChoice, sets: readonly StoredSet[], directory: string): string | undefined {
  if (since === 'last' || since === 'full') return newestSet(sets, name, { full: since === 'full' })?.folder;
  if (DATE.test(since)) {
    const until = Date.parse(since.length === 10 ? `${since}T00:00` : since.replace(' ', 'T'));
    return newestSet(sets, name, { until })?.folder;
  }
  const found = [join(directory, since), resolve(since)].find((path) => existsSync(path));
  if (found !== undefined && storedSets(directory).some(({ folder }) => folder === found)) return found;
  throw new MindiError(`--since ${since} is no set of ${directory}, and no date`, {
    code: 'archive.since',
    hint: 'last, full, a date (2026-11-01), or a set in the directory sets are written to.',
  });
}
