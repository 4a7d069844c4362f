import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { removeOnExit } from '../../builder/scratch.ts';
import { OPEN_CATALOG } from '../../contract/archive-set.ts';
import { newSetFolder } from './set-folder.ts';
import { stagedTarget } from './staged.ts';
import type { Target, TargetContext } from './target.ts';

/** A directory of this machine: volumes are made where they stay. */
export async function directoryTarget(directory: string, { settings, note }: TargetContext): Promise<Target> {
  const { folder, final, finish } = await newSetFolder(directory, settings.name, note);
  // A plain catalog has the names of encrypted files.
  const hidden = settings.encryption ? await privateFolder(settings.scratch) : null;
  return stagedTarget({
    set: final,
    work: folder,
    catalog: join(hidden ?? folder, OPEN_CATALOG),
    own: { mine: hidden === null ? [folder] : [folder, hidden], others: [directory] },
    staged: false,
    deliver: async () => {},
    finish,
    dispose: async () => {
      if (hidden !== null) await rm(hidden, { recursive: true, force: true });
    },
  });
}

async function privateFolder(scratch: string): Promise<string> {
  await mkdir(scratch, { recursive: true });
  const folder = await mkdtemp(join(scratch, 'mindi-archive-'));
  removeOnExit(folder);
  return folder;
}
