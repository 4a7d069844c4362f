import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { volumeId } from '../../boot/medium.ts';
import { makeDataStick } from '../../boot/usb.ts';
import { hashOf } from '../../builder/cache.ts';
import { everyBlock, listBlocks } from '../../builder/write/block.ts';
import { lookAt } from '../../builder/write/look.ts';
import { MindiError } from '../../contract/error.ts';
import { type BootMedium, bootMedium } from './boot-medium.ts';
import { filesIn } from './iso-image.ts';
import { nextMedium } from './next-medium.ts';
import { scratchFolder } from './scratch.ts';
import { type StagedVolume, stagedTarget } from './staged.ts';
import type { Target, TargetContext } from './target.ts';

type To = { usb: string; serial?: string[]; force?: boolean };

/** Bytes a file system of an image takes, of sticks of any size: its tables, and space between files. */
const FAT = 48 << 20;

/** Each volume is a stick that is written over: FAT32, the first one bootable. `mindi write` writes it, with all it asks. */
export async function usbTarget(to: To, context: TargetContext): Promise<Target> {
  const { settings } = context;
  const capacity = settings.volume === null ? await sizeOf(to.usb) : null;
  const scratch = await scratchFolder(context);
  const boot = await bootMedium(context, { medium: 'usb' }, 'usb:', scratch.work);
  const overhead = (number: number) => FAT + (number === 1 && boot ? boot.size : 0);
  return stagedTarget({
    ...scratch,
    set: to.usb,
    own: { mine: [scratch.work], others: [] },
    staged: true,
    capacity,
    overhead,
    deliver: async (staged) => {
      const image = join(scratch.work, 'stick.img');
      await makeImage(staged, settings.name, boot, image);
      await rm(staged.folder, { recursive: true });
      await writeStick(to, context, staged, image);
      await rm(image);
    },
    finish: scratch.remove,
    dispose: async () => {},
  });
}

async function sizeOf(device: string): Promise<number> {
  const block = [...everyBlock(await listBlocks())].find(({ path }) => path === device);
  if (block && block.size > 0) return block.size;
  throw new MindiError('there is no stick to say how much it holds', {
    code: 'archive.volume',
    where: device,
    hint: 'Plug one in, or say it: archive: { volume: 14GiB }.',
    exitCode: 1,
  });
}

async function makeImage(
  { folder, volume }: StagedVolume,
  name: string,
  boot: BootMedium | null,
  out: string,
): Promise<void> {
  const files = await filesIn(folder);
  if (volume.number === 1 && boot) return boot.make(files, out);
  const id = hashOf([volume.set, volume.number]);
  const epoch = Math.floor(Date.parse(volume.created) / 1000);
  await makeDataStick(new Map(Object.entries(files)), { out, volumeId: volumeId(name), epoch, id });
}

async function writeStick(to: To, context: TargetContext, { volume }: StagedVolume, image: string): Promise<void> {
  const { note, settings } = context;
  const look = () => lookAt(to.usb, { image, force: to.force ?? false, note });
  const problem = async () => {
    try {
      return (await look()).refusals.map(({ message }) => message).join('; ') || null;
    } catch (error) {
      if (error instanceof MindiError && error.code === 'write.no-device') return error.message;
      throw error;
    }
  };
  await nextMedium(context, { thing: 'stick', number: volume.number, drive: to.usb, problem }, volume.number === 1);
  const target = await look();
  await confirm(to, context, target.facts, volume.number);
  await target.write(() => {});
  if (settings.verify) await target.compare(() => {});
}

/** What is on the stick is lost: its serial number stands in the profile, or is typed. */
async function confirm(
  { serial: known = [] }: To,
  { ask }: TargetContext,
  { serial, model, holds }: { serial: string; model: string; holds: string | null },
  number: number,
): Promise<void> {
  if (known.includes(serial)) return;
  const what = `${model}, with ${holds ?? 'nothing'} on it`;
  const said = await ask(`Stick ${number}: ${what}: all that is lost. Type its serial number ${serial} to go on:`);
  if (said.trim() === serial) return;
  throw new MindiError(`the serial number is ${serial}, not ${said.trim() || 'empty'}; nothing was written`, {
    code: 'write.unconfirmed',
    hint: 'Make sure that this is the device you mean.',
  });
}
