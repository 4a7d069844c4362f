/** The report could not be made or put somewhere: one sentence, and one of what to do. */
export class BugMeError extends Error {
  readonly hint: string;
  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}
