import { bugMe } from './bug-me.ts';
import { check } from './check.ts';
import { layout } from './layout.ts';
import { log } from './log.ts';
import { network } from './network.ts';
import { restore } from './restore.ts';
import { source } from './source.ts';
import { ssh } from './ssh.ts';
import { storage } from './storage.ts';

/** What `mindi NAME` does in a shell of the rescue system. */
export interface Command {
  name: string;
  /** One line for the list. */
  about: string;
  /** Returns the exit code: 0 fine, 1 the answer is "no", 2 the call is wrong. */
  run(words: readonly string[]): Promise<number>;
}

const COMMANDS: readonly Command[] = [bugMe, check, layout, log, network, restore, source, ssh, storage];

/** Done by the shell script mindi itself, without the runtime's memory. */
const MENU = { name: 'menu', about: 'bring the menu to this terminal' };

/** Runs one command, or lists them. Returns the exit code. */
export async function runCommand([name, ...words]: readonly string[]): Promise<number> {
  const command = COMMANDS.find((one) => one.name === name);
  if (command) return command.run(words);
  const list = [MENU, ...COMMANDS].map((one) => `  mindi ${one.name.padEnd(10)} ${one.about}\n`).join('');
  if (name === undefined || name === 'help' || name === '--help') {
    process.stdout.write(list);
    return 0;
  }
  process.stderr.write(`mindi: there is no command "${name}" on the rescue system. These are there:\n${list}`);
  return 2;
}
