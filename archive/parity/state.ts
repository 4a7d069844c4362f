import { basename, join } from 'node:path';
import { PARITY_SUMS } from '../../contract/archive-set.ts';
import { parseSums, type Sum } from '../../contract/sums.ts';
import { readText } from '../find-set.ts';
import { hasParity } from './mender.ts';
import { type ParityState, parityState } from './par2.ts';

/** What the parity of a damaged volume can do. */
export interface VolumeParity {
  /** Its directory's name. */
  volume: string;
  state: ParityState;
}

export async function parityOf(folders: readonly string[]): Promise<VolumeParity[]> {
  const states: VolumeParity[] = [];
  for (const folder of folders.filter(hasParity))
    states.push({ volume: basename(folder), state: await parityState(folder) });
  return states;
}

/** The sums of a volume's parity, when it has any. */
export const paritySums = (folder: string): Sum[] =>
  hasParity(folder) ? parseSums(readText(join(folder, PARITY_SUMS), LIMIT)).sums : [];

const LIMIT = 64 << 10;
