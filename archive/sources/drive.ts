import { MindiError } from '../../contract/error.ts';
import type { Volume } from '../../contract/volume.ts';
import type { SetSource, VolumeSource } from './source.ts';

/** A drive whose discs or tapes are the volumes of a set. */
export interface Drive {
  /** `/dev/sr0`. */
  name: string;
  /** "disc", "tape". */
  thing: string;
  /** The volume that is in it now; null: none. */
  look: () => Promise<VolumeSource | null>;
  /** Lets it go, so that another one can be put in. */
  letGo: () => Promise<void>;
  close: () => Promise<void>;
}

export type Ask = (question: string) => Promise<string>;

/**
 * Reads the set of which a volume is in the drive; others are asked for.
 * @param ask undefined: nobody is there
 */
export async function driveSource(drive: Drive, ask: Ask | undefined): Promise<SetSource> {
  const { name, thing } = drive;
  const first = await drive.look();
  if (!first)
    throw new MindiError(`there is no ${thing} of a set in the drive`, {
      code: 'set.none',
      where: name,
      hint: `Put in the last ${thing} of the set: it has the catalog.`,
    });
  return {
    name,
    volumes: [first],
    next: (number) => next(drive, first.volume, number, ask),
    [Symbol.asyncDispose]: drive.close,
  };
}

async function next(drive: Drive, of: Volume, number: number | null, ask: Ask | undefined): Promise<VolumeSource> {
  const { name, thing } = drive;
  const wanted = number === null ? `the last ${thing}` : `${thing} ${number}`;
  let there = await drive.look();
  for (;;) {
    const wrong = wrongVolume(there, of, number, thing);
    if (there && wrong === null) return there;
    if (!ask)
      throw new MindiError(`${wanted} of the set is not in the drive (${wrong}), and nobody is there to ask`, {
        code: 'set.volume',
        where: name,
        hint: 'Run it at a terminal.',
        exitCode: 1,
      });
    await drive.letGo();
    const answer = await ask(`In ${name}: ${wrong}. Put in ${wanted} of ${of.machine}, ${of.created} (or type stop):`);
    if (/^s(top)?$/i.test(answer.trim()))
      throw new MindiError(`${wanted} of the set is not here`, { code: 'set.volume', where: name, exitCode: 1 });
    there = await drive.look();
  }
}

/** What is wrong with what is in the drive; null: it is the volume that is wanted. */
function wrongVolume(there: VolumeSource | null, of: Volume, number: number | null, thing: string): string | null {
  if (!there) return `no ${thing} of a set`;
  const { set, machine, created, number: is, of: last } = there.volume;
  if (set !== of.set) return `${thing} ${is} of another set, of ${machine}, ${created}`;
  if (number === null) return last === null ? `${thing} ${is}, which is not the last` : null;
  return is === number ? null : `${thing} ${is}`;
}
