import { resolve } from 'node:path';
import { Command } from 'commander';
import type { RepairedVolume } from '../archive/parity/repair.ts';
import { answer, answerJson } from './output.ts';
import { showing } from './progress.ts';

const WORDS: Record<RepairedVolume['state'], string> = {
  whole: 'whole',
  repaired: 'repaired',
  lost: 'more of it is damaged than its parity repairs',
  none: 'has no parity',
};

/** `mindi repair SET`. */
export function repairCommand(): Command {
  return new Command('repair')
    .description('repair the volumes of a set of `mindi archive` by their parity')
    .argument('<set>', 'the directory of a set, or of sets: the newest complete one')
    .option('--json', 'print the answer as JSON')
    .addHelpText(
      'after',
      `
Sets have parity when the profile says \`archive: { parity: 10% }\`. Volumes are repaired where they lie; of a disc make a
copy first. Of an encrypted set no key is needed.

Exit status: 0; 1 when a volume stays damaged, or has no parity.

Examples:
  mindi repair /bkp
  mindi repair /bkp/srv-000003 --json`,
    )
    .action(async (path: string, { json }: { json?: boolean }) => {
      const { repairSet } = await import('../archive/parity/repair.ts');
      const volumes = await showing({ repair: 'repairing' }, ({ step, progress }) => {
        step('repair');
        return repairSet(resolve(path), (volume) => progress(volume, 0, 0));
      });
      if (json) answerJson(volumes);
      else answer(volumes.map(({ volume, state }) => `${volume}: ${WORDS[state]}`).join('\n'));
      if (volumes.some(({ state }) => state === 'lost' || state === 'none')) process.exitCode = 1;
    });
}
