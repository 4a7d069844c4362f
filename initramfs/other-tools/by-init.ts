import { type Boot, problem } from '../boot.ts';
import type { Audience } from './program.ts';
import { restoreByOtherTool } from './restore.ts';

/** Two at once, in nuke mode and from the menu, would write over each other. */
let running = false;

/** The profile's own restore, by the init; null where the profile has none. Returns what `restoreByOtherTool` does. */
export function ownRestore(boot: Boot, confirmed: boolean): Promise<string | null> | null {
  const words = boot.config.ownRestore?.command;
  if (!words) return null;
  if (running) return Promise.resolve('It is being restored already.');
  running = true;
  const audience: Audience = {
    progress: (line) => boot.consoles.progress(line),
    complaint: (line) => boot.consoles.write(`${line}\n`),
  };
  const work = { ...boot, words, confirmed, audience, problem: (sentence: string) => problem(boot, sentence) };
  return restoreByOtherTool(work).finally(() => {
    running = false;
  });
}
