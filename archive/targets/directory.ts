import { join } from 'node:path';
import { OPEN_CATALOG } from '../../contract/archive-set.ts';
import { newSetFolder } from './set-folder.ts';
import { stagedTarget } from './staged.ts';
import type { Target, TargetContext } from './target.ts';

/** A directory of this machine: volumes are made where they stay. */
export async function directoryTarget(directory: string, { settings, note }: TargetContext): Promise<Target> {
  const { folder, final, finish } = await newSetFolder(directory, settings.name, note);
  return stagedTarget({
    set: final,
    work: folder,
    catalog: join(folder, OPEN_CATALOG),
    own: { mine: [folder], others: [directory] },
    staged: false,
    deliver: async () => {},
    finish,
    dispose: async () => {},
  });
}
