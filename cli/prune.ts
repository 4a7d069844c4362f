import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import type { PruneResult } from '../archive/run/prune.ts';
import type { Keep } from '../archive/run/settings.ts';
import { MindiError } from '../contract/error.ts';
import { answer, answerJson, table, talk } from './output.ts';

interface Options extends Keep {
  dryRun?: boolean;
  json?: boolean;
}

const RULES = ['last', 'daily', 'weekly', 'monthly', 'yearly'] as const;

/** `mindi prune PROFILE|DIRECTORY`. */
export function pruneCommand(): Command {
  const command = new Command('prune')
    .description('remove sets of `mindi archive` that archive.keep does not keep')
    .argument('<place>', 'a profile, whose sets are meant, or a directory of sets')
    .option('--last <n>', 'keep the newest n', count)
    .option('--daily <n>', 'keep the newest of each of n days that have one', count)
    .option('--weekly <n>', 'of each of n weeks', count)
    .option('--monthly <n>', 'of each of n months', count)
    .option('--yearly <n>', 'of each of n years', count)
    .option('--dry-run', 'show what would be removed')
    .option('--json', 'print the answer as JSON');
  return command
    .addHelpText(
      'after',
      `
Of a profile archive.keep says what stays, unless the command line does. Sets are in the order of their numbers; days are
those recorded in them (UTC), and count where there are sets: a wrong clock removes nothing. Always kept are the newest
complete set, all that a kept one is a differential of, and incomplete ones newer than it. What is no set of mindi's is not
touched.

Exit status: 0; 1 when something could not be removed.

Examples:
  mindi prune srv.yaml --dry-run
  mindi prune /bkp --last 3 --daily 7 --weekly 4 --monthly 12`,
    )
    .action(prune);
}

function count(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('It is a whole number from 1 on.');
  return Number(text);
}

async function prune(place: string, options: Options): Promise<void> {
  const { pruneAll } = await import('../archive/run/prune.ts');
  const said = Object.fromEntries(
    RULES.flatMap((rule) => (options[rule] === undefined ? [] : [[rule, options[rule]]])),
  );
  const { directory, names, keep } = isDirectory(place)
    ? { directory: resolve(place), names: null, keep: null }
    : await ofProfile(place);
  const rules = Object.keys(said).length > 0 ? said : keep;
  if (rules === null)
    throw new MindiError('nothing says what is kept', {
      code: 'prune.keep',
      where: place,
      hint: '--last 3 --daily 7, or of a profile archive: { keep: { last: 3, daily: 7 } }.',
    });
  const result = await pruneAll(directory, names, rules, options.dryRun === true);
  if (options.json) answerJson({ directory, dryRun: options.dryRun === true, ...result });
  else answer(summary(result, options.dryRun === true));
  for (const problem of result.problems) talk(`mindi: ${problem}`);
  if (result.problems.length > 0) process.exitCode = 1;
}

const isDirectory = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

async function ofProfile(file: string) {
  const [{ loadProfile }, { archiveSettings }, { runSettings }] = await Promise.all([
    import('../builder/profile/load.ts'),
    import('../archive/settings.ts'),
    import('../archive/run/settings.ts'),
  ]);
  const profile = await loadProfile(file);
  const { to, name } = archiveSettings(profile);
  if ('directory' in to) return { directory: to.directory, names: [name], keep: runSettings(profile).keep };
  throw new MindiError('only sets in a directory are removed', {
    code: 'prune.target',
    where: file,
    hint: 'What is on media or servers is removed there.',
  });
}

function summary({ kept, removed }: PruneResult, dryRun: boolean): string {
  const rows = [
    ...kept.map(({ set, why }) => ['kept', set, why.join(', ')]),
    ...removed.map((set) => [dryRun ? 'to be removed' : 'removed', set, '']),
  ];
  return rows.length > 0 ? table(rows) : 'there are no sets';
}
