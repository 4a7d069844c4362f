import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { OPEN_CATALOG } from '../../contract/archive-set.ts';
import { newSetFolder } from './set-folder.ts';
import type { TargetContext } from './target.ts';

/** This run's own directory in the scratch place, for volumes that go somewhere else. */
export interface ScratchFolder {
  work: string;
  catalog: string;
  remove: () => Promise<void>;
}

/** Makes it; it is named and numbered like a set that is not finished, and goes when the set is. */
export async function scratchFolder({ settings, note }: TargetContext): Promise<ScratchFolder> {
  const { folder } = await newSetFolder(settings.scratch, `mindi-${settings.name}`, note);
  return {
    work: folder,
    catalog: join(folder, OPEN_CATALOG),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
