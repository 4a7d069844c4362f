/** One of the answers a person can choose. */
export interface Choice {
  /** What `choose` returns. */
  value: string;
  /** What the person reads; one line. */
  text: string;
}

/** Whoever sits at a console. Only the screen knows how to talk to them; everything else asks through this. */
export interface Person {
  /** False where nobody may be asked: in nuke mode, and where the parameters left nothing open. */
  readonly there: boolean;
  /**
   * @param preset the value taken when the person just presses Enter
   * @throws Unanswered where nobody is there
   */
  choose(question: string, choices: readonly Choice[], preset?: string): Promise<string>;
  /**
   * One line of text, without blanks around it.
   * @param options.secret it is not shown while it is typed, nor written to any log
   * @throws Unanswered where nobody is there
   */
  enter(question: string, options?: { preset?: string; secret?: boolean }): Promise<string>;
}

/** A decision was needed and nobody was there to take it. Its message says which, and what would have decided it. */
export class Unanswered extends Error {}

/** Unattended: every question fails at once. */
export const nobody: Person = {
  there: false,
  choose: (question) => Promise.reject(unanswered(question)),
  enter: (question) => Promise.reject(unanswered(question)),
};

function unanswered(question: string): Unanswered {
  return new Unanswered(`Nobody is asked in this mode: ${question}`);
}
