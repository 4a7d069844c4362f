import { type RunResult, run, start } from '../../builder/run.ts';
import { MindiError } from '../../contract/error.ts';

/** What a failed run of an engine's program means, by what it said. */
export interface Meaning {
  pattern: RegExp;
  message: string;
  hint: string;
}

export interface Call {
  program: string;
  env: Record<string, string>;
  /** For the error: the repository. */
  where: string;
  meanings: readonly Meaning[];
}

/**
 * Runs an engine's program to its end.
 * @param accept exit codes besides 0 that are answers
 * @throws MindiError `engine.failed` with what it said
 */
export async function ask(
  call: Call,
  args: readonly string[],
  accept: readonly number[] = [],
  cwd?: string,
): Promise<RunResult> {
  const result = await run(call.program, args, { env: call.env, accept: EVERY_CODE, ...(cwd ? { cwd } : {}) });
  if (result.exitCode !== 0 && !accept.includes(result.exitCode)) throw failure(call, result.stderr, result.exitCode);
  return result;
}

const EVERY_CODE = Array.from({ length: 255 }, (_, n) => n + 1);

/**
 * Runs it and hands on the lines of its standard output as they come; carriage returns end lines, too.
 * @returns its exit code, one of 0 and `accept`, and what it said on standard error
 * @throws MindiError `engine.failed`
 */
export async function follow(
  call: Call,
  args: readonly string[],
  accept: readonly number[],
  onLine: (line: string) => void,
): Promise<{ exitCode: number; stderr: string }> {
  let end: { exitCode: number | null; stderr: string } | undefined;
  for await (const line of lines(call, args, accept, (ended) => (end = ended))) onLine(line);
  return { exitCode: end?.exitCode ?? 0, stderr: end?.stderr ?? '' };
}

/**
 * The lines of its standard output.
 * @throws MindiError `engine.failed` at their end
 */
export async function* lines(
  call: Call,
  args: readonly string[],
  accept: readonly number[] = [],
  onEnd: (ended: { exitCode: number | null; stderr: string }) => void = () => {},
): AsyncGenerator<string> {
  const running = start(call.program, args, { env: call.env });
  running.stdin.end();
  let complete = false;
  try {
    let rest = '';
    running.stdout.setEncoding('utf8');
    for await (const chunk of running.stdout) {
      const found = (rest + chunk).split(/[\r\n]/);
      rest = found.pop() ?? '';
      yield* found.filter((line) => line !== '');
    }
    if (rest) yield rest;
    complete = true;
  } finally {
    if (!complete) running.kill();
  }
  const ended = await running.ended;
  if (ended.exitCode !== 0 && !accept.includes(ended.exitCode ?? -1)) throw failure(call, ended.stderr, ended.exitCode);
  onEnd(ended);
}

export function failure({ program, where, meanings }: Call, stderr: string, exitCode: number | null): MindiError {
  const known = meanings.find(({ pattern }) => pattern.test(stderr));
  if (known) return new MindiError(known.message, { code: 'engine.refused', where, hint: known.hint, exitCode: 1 });
  const said = stderr.trim().split('\n').slice(-5).join('\n  ');
  return new MindiError(
    `${program} failed (${exitCode === null ? 'killed' : `exit ${exitCode}`})${said ? `:\n  ${said}` : ''}`,
    {
      code: 'engine.failed',
      where,
      hint: 'The whole command and what it said are in the log.',
      exitCode: 1,
    },
  );
}

/** What every engine's program says when the place is full. */
export const FULL: Meaning = {
  pattern: /No space left on device|ENOSPC|Disk quota exceeded/i,
  message: 'there is no room left for the snapshot',
  hint: 'Make room there, or choose another repository. Older snapshots are whole.',
};

/** How `--keep-…` of restic and borg are said. */
export const keepOptions = (keep: Readonly<Record<string, number | undefined>>) =>
  Object.entries(keep).flatMap(([kind, count]) => (count === undefined ? [] : [`--keep-${kind}=${count}`]));
