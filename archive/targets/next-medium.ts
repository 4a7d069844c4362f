import { MindiError } from '../../contract/error.ts';
import type { TargetContext } from './target.ts';

/** How a drive gets another medium. */
export interface NextMedium {
  /** "disc", "tape", "stick". */
  thing: string;
  /** Of the volume it is for. */
  number: number;
  drive: string;
  /** What is wrong with what is in the drive now; null: nothing. */
  problem: () => Promise<string | null>;
}

/**
 * Asks the person for a medium until a good one is in the drive. What is wrong with each is said.
 * @throws MindiError `archive.unanswered` where nobody is there, `archive.stopped` when the person says so
 */
export async function nextMedium({ ask }: TargetContext, next: NextMedium, look: boolean): Promise<void> {
  const { thing, number, drive, problem } = next;
  let wrong = look ? await problem() : '';
  while (wrong !== null) {
    const before = wrong ? `In ${drive}: ${wrong}. ` : '';
    const said = await ask(`${before}Put ${thing} ${number} into ${drive} and press Enter (or type stop):`);
    if (/^s(top)?$/i.test(said.trim()))
      throw new MindiError(`there is no ${thing} ${number}`, {
        code: 'archive.stopped',
        where: drive,
        hint: 'The set is not complete: run it again when you have enough of them.',
        exitCode: 1,
      });
    wrong = await problem();
  }
}
