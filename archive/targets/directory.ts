import { join } from 'node:path';
import { OPEN_CATALOG } from '../../contract/archive-set.ts';
import { openPlace } from '../places/place.ts';
import { folderVolume } from '../sources/folder.ts';
import { checkAgain } from '../sources/source.ts';
import { scratchFolder } from './scratch.ts';
import { newSetFolder, resumedSetFolder } from './set-folder.ts';
import { stagedTarget } from './staged.ts';
import type { Target, TargetContext } from './target.ts';

/** A directory of this machine or of a server: volumes are made where they stay. */
export async function directoryTarget(
  directory: string,
  credentials: string | undefined,
  context: TargetContext,
): Promise<Target> {
  const { settings, note } = context;
  const place = await openPlace(directory, credentials, settings.scratch);
  try {
    const { folder, final, finish } = context.resume
      ? resumedSetFolder(context.resume)
      : await newSetFolder(place.path, settings.name, note);
    // SQLite needs locks that servers' file systems may not have; a plain catalog has the names of encrypted files.
    const scratch = place.remote || settings.encryption ? await scratchFolder(context) : undefined;
    return stagedTarget({
      set: place.nameOf(final),
      work: folder,
      catalog: scratch?.catalog ?? join(folder, OPEN_CATALOG),
      own: { mine: [folder, ...(scratch ? [scratch.work] : [])], others: [place.path] },
      staged: false,
      deliver: async (volume) => {
        if (settings.verify) await checkAgain(await folderVolume(volume.folder), volume.volume, volume.folder);
      },
      finish: async () => {
        await finish();
        await scratch?.remove();
      },
      dispose: async () => {
        if (settings.encryption) await scratch?.remove();
        await place.close();
      },
    });
  } catch (error) {
    await place.close();
    throw error;
  }
}
