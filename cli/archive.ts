import { setFlagsFromString } from 'node:v8';
import { Command } from 'commander';
import type { ArchiveResult } from '../archive/archive.ts';
import { TROUBLES, type Trouble } from '../contract/archive-set.ts';
import { answer, answerJson, size, table } from './output.ts';
import { showing } from './progress.ts';

const TITLES = { read: 'reading and compressing', finish: 'catalog and sums' };

/** `mindi archive PROFILE`. */
export function archiveCommand(): Command {
  return new Command('archive')
    .description('archive the files of this machine that a profile names')
    .argument('<profile>', 'a YAML file with a section `archive:`')
    .option('--json', 'print the answer as JSON')
    .addHelpText(
      'after',
      `
Each run writes a set of its own: a directory of volumes, named after the profile and numbered; until it is whole its
name ends in .incomplete. Sets that are there are not touched. The README on each volume tells how to restore it by hand.

Exit status: 0; 1 when something could not be read or the target is full; 2 when the profile is wrong.

Examples:
  printf 'name: srv\\narchive: { include: [/srv], to: { directory: /bkp }, volume: 700MiB }\\n' > srv.yaml
  mindi archive srv.yaml
  mindi verify /bkp
  mindi list /bkp --find '*.conf'
  mindi extract /bkp /srv/www/index.html --to /tmp/restored`,
    )
    .action(async (profileName: string, options: { json?: boolean }) => {
      await runArchive(profileName, options);
    });
}

/** Archives and tells: progress on stderr, the result on stdout. mondoarchive calls it too. */
export async function runArchive(profileName: string, options: { json?: boolean }): Promise<ArchiveResult> {
  const [{ loadProfile }, { archiveSettings }, { archive }] = await Promise.all([
    import('../builder/profile/load.ts'),
    import('../archive/settings.ts'),
    import('../archive/archive.ts'),
  ]);
  // Less memory: garbage is collected sooner, and buffers that were read count as such.
  for (const flag of ['--optimize-for-size', '--no-external-memory-accounted-in-global-limit'])
    setFlagsFromString(flag);
  const settings = archiveSettings(await loadProfile(profileName));
  const started = performance.now();
  const result = await showing(TITLES, (teller) => archive(settings, teller));
  const seconds = (performance.now() - started) / 1000;
  if (options.json) answerJson({ ...result, seconds });
  else answer(summary(result, seconds));
  if (troublesOf(result).some(([trouble]) => TROUBLES[trouble].missing)) process.exitCode = 1;
  return result;
}

const troublesOf = ({ troubles }: ArchiveResult) => Object.entries(troubles) as [Trouble, number][];

function summary(result: ArchiveResult, seconds: number): string {
  const { set, files, bytes, stored, archives, volumes } = result;
  const rows = [
    ['set', set],
    ['files', `${files}, ${size(bytes)}, at ${size(Math.round(bytes / seconds))}/s`],
    ['stored', `${size(stored)}: ${archives} archives on ${volumes} volume${volumes === 1 ? '' : 's'}`],
    ...troublesOf(result).map(([trouble, count]) => [trouble, `${count}: ${TROUBLES[trouble].words}`]),
  ];
  const more = troublesOf(result).length > 0 ? `\nWhich: mindi list ${set} --troubles` : '';
  return table(rows) + more;
}
