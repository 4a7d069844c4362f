import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openPlace } from '../places/place.ts';
import { isoVolume } from '../sources/iso.ts';
import { checkAgain } from '../sources/source.ts';
import { bootMedium } from './boot-medium.ts';
import { isoOverhead, makeVolumeIso } from './iso-image.ts';
import { scratchFolder } from './scratch.ts';
import { newSetFolder } from './set-folder.ts';
import { stagedTarget, syncFile } from './staged.ts';
import type { Target, TargetContext } from './target.ts';

/** Each volume is an ISO file NAME-1.iso, NAME-2.iso … in the directory of the set. */
export async function isoTarget(to: { iso: string; credentials?: string }, context: TargetContext): Promise<Target> {
  const { settings, note } = context;
  const place = await openPlace(to.iso, to.credentials, settings.scratch);
  try {
    const { folder, final, finish } = await newSetFolder(place.path, settings.name, note);
    const scratch = await scratchFolder(context);
    const boot = await bootMedium(context, { medium: 'iso' }, 'cd:', scratch.work);
    return stagedTarget({
      ...scratch,
      set: place.nameOf(final),
      own: { mine: [folder, scratch.work], others: [place.path] },
      staged: true,
      overhead: isoOverhead(boot),
      deliver: async (volume) => {
        const out = join(folder, `${settings.name}-${volume.volume.number}.iso`);
        await makeVolumeIso(volume, settings.name, boot, out);
        await rm(volume.folder, { recursive: true });
        await syncFile(out);
        if (settings.verify) await checkAgain(await isoVolume(out), volume.volume, out);
      },
      finish: async () => {
        await finish();
        await scratch.remove();
      },
      dispose: place.close,
    });
  } catch (error) {
    await place.close();
    throw error;
  }
}
