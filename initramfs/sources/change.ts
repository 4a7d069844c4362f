import type { Volume } from '../../contract/volume.ts';
import { type Context, tell } from '../boot.ts';
import { SourceError } from './source.ts';

/** How a drive gets another volume of a set. */
export interface Change<T> {
  /** "disc", "tape". */
  thing: string;
  /** A volume of the set. */
  of: Volume;
  /** The volume that is wanted. */
  number: number;
  /** It, where it is in a drive; else a sentence that says what is there. */
  look: (asked: boolean) => Promise<T | string>;
  /** Lets what is in the drive go, so that it can be taken out. */
  letGo: () => Promise<void>;
}

/**
 * Gets a volume of a set: takes it where it is in a drive already, else asks for it until it is.
 * @throws SourceError when the person says that it is not to be had, Unanswered where nobody is there
 */
export async function changeVolume<T extends object>(context: Context, change: Change<T>): Promise<T> {
  const { thing, number, of } = change;
  const wanted = `${thing} ${number}${of.of === null ? '' : ` of ${of.of}`}`;
  let found = await change.look(false);
  for (let wrong = ''; typeof found === 'string'; wrong = `${found} `) {
    if (context.person.there) await change.letGo();
    const question = `${wrong}Put in ${wanted} (${of.machine}, ${of.created}).`;
    if ((await context.person.choose(question, answers(thing), 'in')) === 'stop')
      throw new SourceError(`There is no ${wanted}.`, 'Open the source again when you have it, or choose another one.');
    found = await change.look(true);
    if (typeof found === 'string') tell(context, found);
  }
  return found;
}

function answers(thing: string) {
  return [
    { value: 'in', text: `The ${thing} is in the drive` },
    { value: 'stop', text: `Stop: the ${thing} is not here` },
  ];
}

/** What is wrong with a medium that is not the wanted one, after "the disc in sr0"; null: it is the wanted one. */
export function wrongVolume(volume: Volume | null, of: Volume, number: number, thing: string): string | null {
  if (!volume) return 'holds no restore data';
  if (volume.set !== of.set) {
    const { machine, created } = volume;
    return `belongs to another set: ${thing} ${volume.number} of ${machine}, ${created}`;
  }
  return volume.number === number ? null : `is ${thing} ${volume.number}, not ${thing} ${number}`;
}
