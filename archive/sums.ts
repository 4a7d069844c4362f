import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CATALOG, SEALED } from '../contract/archive-set.ts';
import { findSet, presentVolumes, problemsOf, volumeFolders } from './find-set.ts';
import { parityOf, paritySums, type VolumeParity } from './parity/state.ts';
import { shownPath } from './selection.ts';
import { openRegular } from './stored-file.ts';

export interface SumsResult {
  /** The set's directory. */
  folder: string;
  id: string;
  /** Files compared. */
  files: number;
  bytes: number;
  /** A sentence each. */
  problems: string[];
  /** Of the volumes with damage that have parity: whether it can repair them. */
  parity: VolumeParity[];
}

/** Compares the files on a set's volumes with the volumes' lists: all that can be done without catalog or key. */
export async function verifySums(path: string, progress: (done: number) => void): Promise<SumsResult> {
  const folder = findSet(resolve(path));
  const volumes = presentVolumes(folder);
  const first = (volumes.find(({ volume }) => volume.of !== null) ?? volumes[0])?.volume;
  const result: SumsResult = { folder, id: first?.set ?? '', files: 0, bytes: 0, problems: [], parity: [] };
  const spoiled: string[] = volumeFolders(folder).filter((one) => !volumes.some((volume) => volume.folder === one));
  if (first) result.problems.push(...problemsOf(volumes, first));
  for (const { folder: place, sums, badLines } of volumes) {
    if (badLines.length > 0) spoiled.push(place);
    if (sums.length === 0) result.problems.push(`${place} has no list of sums`);
    for (const sum of [...sums, ...paritySums(place)]) {
      const file = join(place, sum.path);
      const found = await sumOf(file);
      if (found?.sha256 !== sum.sha256) {
        result.problems.push(`${shown(file)} is ${found ? 'damaged' : 'missing'}`);
        if (!spoiled.includes(place)) spoiled.push(place);
      }
      result.files += 1;
      result.bytes += found?.size ?? 0;
      progress(result.bytes);
    }
  }
  result.parity = await parityOf(spoiled);
  return result;
}

export const shown = (path: string) => shownPath(Buffer.from(path));

/** Null of what is no file, or cannot be read. */
export async function sumOf(file: string): Promise<{ sha256: string; size: number } | null> {
  const descriptor = openRegular(file);
  if (descriptor === null) return null;
  const sum = createHash('sha256');
  let size = 0;
  try {
    for await (const chunk of createReadStream('', { fd: descriptor, highWaterMark: 1 << 20 })) {
      sum.update(chunk as Buffer);
      size += (chunk as Buffer).length;
    }
  } catch {
    return null;
  }
  return { sha256: sum.digest('hex'), size };
}

/** Whether a set is encrypted. */
export function isSealed(path: string): boolean {
  try {
    const volumes = presentVolumes(findSet(resolve(path)));
    return volumes.some(({ folder }) => existsSync(join(folder, `${CATALOG}${SEALED}`)));
  } catch {
    // No directory of volumes: ISO files, a drive, an address. Whoever opens it tells what is wrong.
    return false;
  }
}
