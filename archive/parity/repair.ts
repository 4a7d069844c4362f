import { chmodSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { findSet, volumeFolders } from '../find-set.ts';
import { flush } from '../targets/staged.ts';
import { hasParity } from './mender.ts';
import { filesIn, parityState, repairIn } from './par2.ts';

export interface RepairedVolume {
  /** Its directory's name. */
  volume: string;
  /** `none`: it has no parity. */
  state: 'whole' | 'repaired' | 'lost' | 'none';
}

/** Repairs the volumes of a set in their place. */
export async function repairSet(path: string, progress: (volume: string) => void): Promise<RepairedVolume[]> {
  const repaired: RepairedVolume[] = [];
  for (const folder of volumeFolders(findSet(path))) {
    const volume = basename(folder);
    progress(volume);
    repaired.push({ volume, state: hasParity(folder) ? await repairVolume(folder) : 'none' });
  }
  return repaired;
}

async function repairVolume(folder: string): Promise<RepairedVolume['state']> {
  const state = await parityState(folder);
  if (state !== 'repairable') return state;
  const before = new Set(filesIn(folder));
  if (!(await repairIn(folder))) return 'lost';
  for (const name of filesIn(folder).filter((one) => !before.has(one) && /\.\d+$/.test(one)))
    rmSync(join(folder, name));
  for (const name of filesIn(folder)) if (/^\d+\.tar|^catalog/.test(name)) chmodSync(join(folder, name), 0o600);
  await flush(folder);
  return 'repaired';
}
