import { readFile, realpath, stat, writeFile } from 'node:fs/promises';
import { MindiError, messageOf } from '../../contract/error.ts';
import type { Mountlist } from '../../contract/mountlist.ts';
import { formatMountlist, parseMountlist } from '../../contract/mountlist-file.ts';
import { writeBeside } from '../cache.ts';

/** Far above the 2,000 lines of the largest machine; what is larger is something else. Bytes. */
const LARGEST = 16 << 20;

/**
 * Reads a classic mountlist from disk.
 * @throws MindiError `mountlist.unreadable`, or `mountlist.*` with the lines that are wrong
 */
export async function readMountlist(path: string): Promise<Mountlist> {
  return parseMountlist(await readText(path), path);
}

/**
 * Writes the classic file beside its place and renames it there. A mountlist or an empty file is replaced, as the
 * original did; anything else only with `force`, and never what is no regular file. A symlink stays one.
 * @throws MindiError `mountlist.occupied`, `mountlist.unwritable`
 */
export async function writeMountlist(path: string, mountlist: Mountlist, force = false): Promise<void> {
  const target = await realpath(path).catch(() => path);
  await refuseOccupied(target, force);
  try {
    await writeBeside(target, (temporary) => writeFile(temporary, formatMountlist(mountlist)));
  } catch (error) {
    throw new MindiError(`cannot write the mountlist: ${messageOf(error)}`, {
      code: 'mountlist.unwritable',
      where: path,
      hint: 'Name a file in a directory you can write to.',
      cause: error,
    });
  }
}

async function refuseOccupied(path: string, force: boolean): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (!found) return;
  if (!found.isFile()) {
    throw new MindiError('this is no regular file and is left as it is', {
      code: 'mountlist.occupied',
      where: path,
      hint: 'Name a file; `--json` prints the mountlist to standard output.',
    });
  }
  if (force || found.size === 0 || (await isMountlist(path))) return;
  throw new MindiError('this file is no mountlist and is left as it is', {
    code: 'mountlist.occupied',
    where: path,
    hint: 'Name another file, or overwrite this one with `--force`.',
  });
}

async function isMountlist(path: string): Promise<boolean> {
  try {
    const { entries, captured } = await readMountlist(path);
    return entries.length > 0 || captured !== null;
  } catch (error) {
    if (error instanceof MindiError) return false;
    throw error;
  }
}

async function readText(path: string): Promise<string> {
  const refuse = (message: string, cause?: unknown) =>
    new MindiError(`cannot read the mountlist: ${message}`, {
      code: 'mountlist.unreadable',
      where: path,
      hint: '`mindi makemountlist FILE` writes one of this machine.',
      cause,
    });
  try {
    const found = await stat(path);
    if (!found.isFile()) throw refuse('it is no regular file');
    if (found.size > LARGEST) throw refuse(`${found.size} bytes are too many for one`);
    return await readFile(path, 'utf8');
  } catch (error) {
    throw error instanceof MindiError ? error : refuse(messageOf(error), error);
  }
}
