import { writeFileSync } from 'node:fs';
import { type Boot, problem } from './boot.ts';
import { run } from './process.ts';

/** What usr/lib/mindi/countdown reads: what will be done, and why. It is done unless somebody presses a key. */
const FAILING = '/run/mindi/failing';

/**
 * The machine cannot go on by itself, because something failed or a person would have to decide. Says so on every
 * console and in the log, and does what `mindi.onfail` says: a shell, or after a countdown that a key stops a restart or
 * switching off.
 * @param reason a sentence
 */
export async function fail(boot: Boot, reason: string): Promise<void> {
  problem(boot, reason);
  const action = boot.parameters.onFail ?? 'shell';
  if (action === 'shell') return;
  writeFileSync(FAILING, `${action}\n${reason}\n`);
  await boot.consoles.drain();
  await run('/usr/lib/mindi/consoles', ['renew']);
}
