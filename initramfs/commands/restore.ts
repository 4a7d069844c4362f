import { parseArgs } from 'node:util';
import { restoreByOtherTool } from '../other-tools/restore.ts';
import { Unanswered } from '../person.ts';
import { readRescueConfig } from '../rescue-config.ts';
import { placedBefore } from '../second-stage.ts';
import { commandContext } from './context.ts';
import type { Command } from './index.ts';

/** The program has the terminal: it may show progress and ask. */
export const restore: Command = {
  name: 'restore',
  about: "restore by the profile's own command, or by another program",
  run: runRestore,
};

const HELP = `mindi restore                     restores by restore.command of the profile
mindi restore PROGRAM WORD...     by this program instead
mindi restore apply PLAN …        makes the disks as a plan says; --help
  --yes                           without asking back; before PROGRAM

The file systems of the mountlist are mounted under /mnt/RESTORING first, where the program starts, and stay so. It gets
the variables MINDI_*, and those of the profile that this shell has not set.

mindi restore restic restore latest --target /mnt/RESTORING
RESTIC_REPOSITORY=sftp:backup@10.0.0.5:/srv/restic mindi restore --yes
`;

async function runRestore(all: readonly string[]): Promise<number> {
  if (all[0] === 'apply') return (await import('../layout/index.ts')).runApply(all.slice(1));
  const call = parse(all);
  if (typeof call === 'string') {
    process.stderr.write(`mindi restore: ${call}\n${HELP}`);
    return 2;
  }
  if (call.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const config = readRescueConfig([]);
  const words = call.words.length > 0 ? call.words : config.ownRestore?.command;
  if (!words) {
    process.stderr.write(
      'This medium has no restore.command, and this version does not restore by itself.\nName a program: mindi restore PROGRAM WORD...\n',
    );
    return 1;
  }
  return restoreBy(words, call.yes, config);
}

interface Call {
  words: string[];
  yes: boolean;
  help: boolean;
}

/** What stands behind the program's name is the program's. A string says what is wrong. */
function parse(all: readonly string[]): Call | string {
  const first = all.findIndex((word) => !word.startsWith('-') || word === '--');
  const end = first < 0 ? all.length : first;
  try {
    const { values } = parseArgs({
      args: all.slice(0, end),
      options: { yes: { type: 'boolean' }, help: { type: 'boolean' } },
    });
    const words = all.slice(all[end] === '--' ? end + 1 : end);
    return { words, yes: values.yes === true, help: values.help === true };
  } catch (error) {
    return (error as Error).message;
  }
}

async function restoreBy(
  words: readonly string[],
  confirmed: boolean,
  config: ReturnType<typeof readRescueConfig>,
): Promise<number> {
  const context = commandContext();
  // Ctrl-C ends the program, and this tells so.
  process.on('SIGINT', () => {});
  const problem = (sentence: string) => void process.stderr.write(`${sentence}\n`);
  try {
    const failure = await restoreByOtherTool({
      ...context,
      config,
      mode: context.parameters.mode ?? config.restore.mode,
      medium: config.stage2 && placedBefore(config.stage2),
      words,
      confirmed,
      audience: null,
      problem,
    });
    if (failure) problem(failure);
    return failure ? 1 : 0;
  } catch (error) {
    if (!(error instanceof Unanswered)) throw error;
    problem(error.message);
    return 1;
  } finally {
    context.modules.rest();
  }
}
