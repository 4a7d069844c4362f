import { MindiError } from '../contract/error.ts';

export type StepState = 'begun' | 'done' | 'skipped';
/** The first line names the plan, by its hash. */
export type JournalLine = { plan: string } | { step: number; state: StepState };

/** The last that was noted of each step. */
export function statesOf(lines: readonly JournalLine[]): Map<number, StepState> {
  return new Map(lines.flatMap((line) => ('step' in line ? [[line.step, line.state]] : [])));
}

/**
 * Reads a journal: JSON, a line each. A last line that a power cut left unfinished is passed over.
 * @param hash of the plan it must be of
 * @throws MindiError `restore.journal` when it is of another plan, or is none
 */
export function parseJournal(text: string, hash: string, file: string): JournalLine[] {
  const whole = text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter(Boolean);
  const bad = (message: string, where = file) =>
    new MindiError(message, {
      code: 'restore.journal',
      where,
      hint: 'Name another file with --journal, or move this one away to begin anew.',
    });
  const lines = whole.map((line, n) => lineOf(line) ?? bad('this is no line of a journal', `${file}:${n + 1}`));
  const wrong = lines.filter((line) => line instanceof MindiError);
  if (wrong.length > 0) throw MindiError.all(wrong, `${file} is no journal:`, 'restore.journal');
  const [first] = lines as JournalLine[];
  if (first && !('plan' in first && first.plan === hash)) throw bad('this is the journal of another plan');
  return lines as JournalLine[];
}

function lineOf(text: string): JournalLine | null {
  try {
    const { plan, step, state } = JSON.parse(text);
    if (typeof plan === 'string') return { plan };
    return Number.isSafeInteger(step) && ['begun', 'done', 'skipped'].includes(state) ? { step, state } : null;
  } catch {
    return null;
  }
}
