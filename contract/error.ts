/** What a process may exit with: 1 = the answer is "no", 2 = the call or the profile is wrong, 70 = our own fault. */
export type ExitCode = 1 | 2 | 70;

export interface MindiErrorOptions {
  /** Stable machine-readable name, e.g. `profile.unknown-key`. */
  code: string;
  /** What the person can do about it, one sentence. */
  hint?: string;
  /** `file:line:column` or a path, when the problem has a place. */
  where?: string;
  exitCode?: ExitCode;
  cause?: unknown;
}

/** The one error people see: what happened (message), where, and what to do (hint). Anything else is a bug of ours. */
export class MindiError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  readonly where: string | undefined;
  readonly exitCode: ExitCode;
  /** Every problem found, when there are several; each is complete in itself. */
  readonly problems: readonly MindiError[];

  constructor(message: string, options: MindiErrorOptions, problems: readonly MindiError[] = []) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'MindiError';
    this.code = options.code;
    this.hint = options.hint;
    this.where = options.where;
    this.exitCode = options.exitCode ?? 2;
    this.problems = problems;
  }

  /** Bundles several problems into one error, so that a person sees all of them at once. A single one stays itself. */
  static all(problems: readonly MindiError[], summary: string, code: string): MindiError {
    const [first] = problems;
    if (first && problems.length === 1) return first;
    const exitCode = problems.some((problem) => problem.exitCode === 70) ? 70 : 2;
    return new MindiError(summary, { code, exitCode }, problems);
  }

  /** Text for a terminal: one paragraph per problem, the place first, the hint on its own line. */
  format(): string {
    if (this.problems.length > 0) return [this.message, ...this.problems.map((problem) => problem.format())].join('\n');
    const place = this.where ? `${this.where}: ` : '';
    const hint = this.hint ? `\n  hint: ${this.hint}` : '';
    return `${place}${this.message}${hint}`;
  }

  toJSON(): Record<string, unknown> {
    return {
      code: this.code,
      message: this.message,
      ...(this.where ? { where: this.where } : {}),
      ...(this.hint ? { hint: this.hint } : {}),
      ...(this.problems.length > 0 ? { problems: this.problems.map((problem) => problem.toJSON()) } : {}),
    };
  }
}

/** `error.message` of anything thrown, for embedding in a MindiError. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
