import { log } from '../../builder/log.ts';
import { run, runSync } from '../../builder/run.ts';
import { MindiError } from '../../contract/error.ts';

/** A program and its words. */
export type HookCommand = readonly string[];

export interface HookSettings {
  before: readonly HookCommand[];
  after: readonly HookCommand[];
  /** Minutes each may take. */
  limit: number;
}

export type RunOutcome = 'success' | 'warnings' | 'failure';

/** Exit codes of timeout(1): its time was up, and even so it had to be killed. */
const TIME_IS_UP = [124, 137];
/** Seconds between asking a hook to end and killing it. */
const GRACE = 10;
/** No exit code is a failure of timeout's. */
const ANY = Array.from({ length: 255 }, (_, n) => n + 1);

/** Runs what a profile says around an archive run. What follows a run does so whatever happens, but to kill -9. */
export class Hooks {
  readonly #settings: HookSettings;
  readonly #env: Record<string, string>;
  #pending: readonly HookCommand[] = [];
  readonly #atExit = () => {
    for (const command of this.#pending) {
      const result = runSync('timeout', this.#words(command), { env: this.#environment('after', 'failure') });
      told(command, result);
    }
  };

  /** @param env what all of them are told */
  constructor(settings: HookSettings, env: Record<string, string>) {
    this.#settings = settings;
    this.#env = env;
  }

  /** @throws MindiError `archive.before` when one fails: those behind it do not run. */
  async before(): Promise<void> {
    this.#pending = this.#settings.after;
    process.once('exit', this.#atExit);
    for (const command of this.#settings.before) {
      const wrong = await this.#run(command, this.#environment('before'));
      if (!wrong) continue;
      throw new MindiError(`archive.before: ${wrong}: nothing is archived`, {
        code: 'archive.before',
        where: command.join(' '),
        hint: 'What it printed is in the log.',
        exitCode: 1,
      });
    }
  }

  /** All of them, also after one that fails. Returns a sentence for each that did. */
  async after(outcome: RunOutcome, set: string): Promise<string[]> {
    const commands = this.#pending;
    const failed: string[] = [];
    for (const [index, command] of commands.entries()) {
      this.#pending = commands.slice(index + 1);
      const wrong = await this.#run(command, { ...this.#environment('after', outcome), MINDI_SET: set });
      if (wrong) failed.push(`archive.after: ${wrong}`);
    }
    process.off('exit', this.#atExit);
    return failed;
  }

  async #run(command: HookCommand, env: Record<string, string>): Promise<string | undefined> {
    return told(command, await run('timeout', this.#words(command), { env, accept: ANY }));
  }

  /** timeout(1) ends what the command started, too. */
  #words(command: HookCommand): string[] {
    return [`--kill-after=${GRACE}`, `${this.#settings.limit}m`, ...command];
  }

  #environment(hook: 'before' | 'after', outcome?: RunOutcome): Record<string, string> {
    return { ...this.#env, MINDI_HOOK: hook, ...(outcome ? { MINDI_RESULT: outcome } : {}) };
  }
}

/** What it printed goes to the log, stderr is there already. */
function told(command: HookCommand, { stdout, exitCode }: { stdout: string; exitCode: number }): string | undefined {
  for (const line of stdout.trim().split('\n').filter(Boolean)) log(`  > ${line}`);
  if (exitCode === 0) return undefined;
  const [program] = command;
  if (TIME_IS_UP.includes(exitCode)) return `${program} took too long and was ended`;
  if (exitCode === 127) return `there is no program ${program}`;
  if (exitCode === 126) return `${program} cannot be run: is it executable?`;
  return `${program} failed (exit ${exitCode})`;
}
