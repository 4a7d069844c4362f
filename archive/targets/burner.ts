import { statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../builder/run.ts';
import { burn, type Disc, lookAtDisc } from '../../builder/write/burner.ts';
import { compareDisc } from '../../builder/write/disc.ts';
import { MindiError, messageOf } from '../../contract/error.ts';
import { bootMedium } from './boot-medium.ts';
import { isoOverhead, makeVolumeIso } from './iso-image.ts';
import { nextMedium } from './next-medium.ts';
import { scratchFolder } from './scratch.ts';
import { type StagedVolume, stagedTarget } from './staged.ts';
import type { Target, TargetContext } from './target.ts';

type To = { burner: string; speed?: number; wipe?: boolean; eject?: boolean };

/** Each volume is a CD, DVD or BD. A disc that fails costs that disc: the volume is burned again on the next one. */
export async function burnerTarget(to: To, context: TargetContext): Promise<Target> {
  const { settings } = context;
  const disc = settings.volume === null ? await lookAtDisc(to.burner) : null;
  if (disc && disc.room === null) throw unknownSize(to.burner);
  const scratch = await scratchFolder(context);
  const boot = await bootMedium(context, { medium: 'iso' }, 'cd:', scratch.work);
  return stagedTarget({
    ...scratch,
    set: to.burner,
    own: { mine: [scratch.work], others: [] },
    staged: true,
    capacity: disc?.room ?? null,
    overhead: isoOverhead(boot),
    deliver: async (staged) => {
      const image = join(scratch.work, 'disc.iso');
      await makeVolumeIso(staged, settings.name, boot, image);
      await rm(staged.folder, { recursive: true });
      await burnVolume(to, context, staged, image);
      await rm(image);
    },
    finish: scratch.remove,
    dispose: async () => {},
  });
}

async function burnVolume(to: To, context: TargetContext, { volume }: StagedVolume, image: string): Promise<void> {
  const { burner: drive, wipe = false } = to;
  const { size } = statSync(image);
  const problem = async () => discProblem(await lookAtDisc(drive), size, wipe);
  const next = { thing: 'disc', number: volume.number, drive, problem };
  for (let look = volume.number === 1; ; look = false) {
    await nextMedium(context, next, look);
    try {
      await burn(drive, image, wipe, () => {}, to.speed);
      // xorriso's imitation of a drive is a file.
      if (context.settings.verify) await compareDisc(drive.replace(/^stdio:/, ''), { path: image, size }, () => {});
      if (to.eject || volume.of === null) await eject(drive);
      return;
    } catch (error) {
      if (!(error instanceof MindiError) || !['disc.failed', 'write.differs'].includes(error.code)) throw error;
      context.note(`disc ${volume.number}: ${messageOf(error)}; it is burned again`);
    }
  }
}

/** Why a disc cannot take a volume; null: it can. */
export function discProblem({ kind, state, rewritable, room }: Disc, size: number, wipe: boolean): string | null {
  if (state === 'none') return 'there is no disc in it that can be written';
  if (state === 'written' && !rewritable) return `the ${kind} is written already`;
  if (state === 'written' && !wipe) return `the ${kind} is written already (archive.to: wipe: true blanks it)`;
  return room !== null && room < size ? `the volume needs ${size} bytes, and the disc has room for ${room}` : null;
}

/** A tray that does not open is opened by hand. */
async function eject(drive: string): Promise<void> {
  if (!drive.startsWith('stdio:')) await run('eject', [drive], { package: 'eject' }).catch(() => {});
}

const unknownSize = (where: string) =>
  new MindiError('there is no disc in the drive that says how much it holds', {
    code: 'archive.volume',
    where,
    hint: 'Put in an empty one, or say it: archive: { volume: 4480MiB }.',
    exitCode: 1,
  });
