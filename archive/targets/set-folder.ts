import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { INCOMPLETE, parseSetName, setName } from '../../contract/archive-set.ts';
import { MindiError } from '../../contract/error.ts';
import { syncFile } from './staged.ts';

/** The directory of a new set, marked as incomplete. */
export interface SetFolder {
  /** As it is now, and as it will be called. */
  folder: string;
  final: string;
  /** Gives it its name. */
  finish: () => Promise<void>;
}

/** Makes the directory of the set with the next number. */
export async function newSetFolder(directory: string, name: string, note: (text: string) => void): Promise<SetFolder> {
  await mkdir(directory, { recursive: true });
  const sets = readdirSync(directory)
    .map(parseSetName)
    .filter((set) => set?.name === name);
  for (const set of sets)
    if (set && !set.complete)
      note(
        `${join(directory, setName(name, set.number))}${INCOMPLETE} was never finished; remove it if you need the room`,
      );
  const number = Math.max(0, ...sets.map((set) => set?.number ?? 0)) + 1;
  const final = join(directory, setName(name, number));
  const folder = `${final}${INCOMPLETE}`;
  await mkdir(folder, { mode: 0o700 });
  return { folder, final, finish: () => finish(folder, final) };
}

/** The directory of a set that is gone on with. */
export function resumedSetFolder(folder: string): SetFolder {
  const final = folder.slice(0, -INCOMPLETE.length);
  return { folder, final, finish: () => finish(folder, final) };
}

async function finish(folder: string, final: string): Promise<void> {
  await syncFile(folder);
  if (existsSync(final))
    throw new MindiError('a set of that name has come while this one was written', {
      code: 'archive.twice',
      where: final,
      exitCode: 1,
    });
  await rename(folder, final);
}
