import { setFlagsFromString } from 'node:v8';
import { Command } from 'commander';
import { parseSpan } from '../builder/profile/size.ts';
import { TROUBLES } from '../contract/archive-set.ts';
import { MindiError } from '../contract/error.ts';
import { archiveReport, troublesOf } from './archive-report.ts';
import { askAtTerminal } from './ask.ts';
import { answer, answerJson } from './output.ts';
import { showing } from './progress.ts';

const TITLES = { read: 'reading and compressing', finish: 'catalog and sums' };

/** `mindi archive PROFILE`. */
export function archiveCommand(): Command {
  return new Command('archive')
    .description('archive the files of this machine that a profile names')
    .argument('<profile>', 'a YAML file with a section `archive:`')
    .option(
      '--since <set>',
      'only what changed since a set: last, full (the last full one), a date, a set; the rest refers to it',
    )
    .option('--resume', 'go on with the newest set when that was never finished; else begin a new one')
    .option('--wait <time>', 'wait so long for another run at the same place: 30m, 2h')
    .option('--verify', 'read each volume back from where it was written, and compare; as archive.verify')
    .option('--init', 'make the repository of another engine, which is not there yet')
    .option('--out <dir>', 'where media that restore by another engine go', 'out')
    .option('--json', 'print the answer as JSON')
    .addHelpText(
      'after',
      `
Each run writes a set of its own: a directory of volumes, named after the profile and numbered; until it is whole its
name ends in .incomplete. Sets that are there stay, unless archive.keep says how many do. The README on each volume tells
how to restore it by hand. archive.before and archive.after name programs that run around it, archive.consistency says
whether files are read from snapshots. A second run at the same place ends with 1 at once, or waits by --wait.
archive.to is a directory, ISO files, a burner, a stick, a tape or a server (docs/archive-targets.md); discs, sticks and tapes
are asked for one after the other. With media: in the profile the first volume of ISO files, discs, sticks and tapes boots.
With archive.engine another program writes a snapshot into its repository (docs/engines.md).

Exit status: 0; 1 when something could not be read or the target is full; 2 when the profile is wrong.

Examples:
  printf 'name: srv\\narchive: { include: [/srv], to: { directory: /bkp }, volume: 700MiB }\\n' > srv.yaml
  mindi archive srv.yaml
  mindi archive srv.yaml --since last
  printf 'name: cds\\nmedia: [iso]\\narchive: { include: [/srv], to: { burner: /dev/sr0 }, volume: 4480m }\\n' > cds.yaml
  mindi archive cds.yaml --verify
  mindi archive srv.yaml --resume
  mindi verify /bkp
  mindi list /bkp --find '*.conf'
  mindi extract /bkp /srv/www/index.html --to /tmp/restored`,
    )
    .action(async (profileName: string, options: ArchiveOptions) => {
      await runArchive(profileName, options);
    });
}

export interface ArchiveOptions {
  verify?: boolean;
  since?: string;
  resume?: boolean;
  wait?: string;
  init?: boolean;
  out?: string;
  json?: boolean;
}

/** Archives and tells: progress on stderr, the result on stdout. mondoarchive calls it too. */
export async function runArchive(profileName: string, options: ArchiveOptions): Promise<void> {
  const [{ loadProfile }, { archiveSettings }, { runSettings }, { archiveRun }] = await Promise.all([
    import('../builder/profile/load.ts'),
    import('../archive/settings.ts'),
    import('../archive/run/settings.ts'),
    import('../archive/run/run.ts'),
  ]);
  // Less memory: garbage is collected sooner, and buffers that were read count as such.
  for (const flag of ['--optimize-for-size', '--no-external-memory-accounted-in-global-limit'])
    setFlagsFromString(flag);
  const profile = await loadProfile(profileName);
  const wait = 60 * spanOf(options.wait);
  if (profile.archive.engine !== 'mindi') {
    const { archiveByEngine } = await import('./engine.ts');
    const { init = false, out = 'out', json = false } = options;
    return archiveByEngine(profile, { wait, init, out, json });
  }
  const said = archiveSettings(profile);
  const settings = { ...said, verify: options.verify ?? said.verify };
  const started = performance.now();
  const result = await showing(TITLES, (teller) =>
    archiveRun(
      settings,
      runSettings(profile),
      { wait, since: options.since ?? null, resume: options.resume === true, profile, ask: askAtTerminal() },
      teller,
    ),
  );
  const seconds = (performance.now() - started) / 1000;
  if (options.json) answerJson({ ...result, verified: settings.verify, seconds });
  else answer(archiveReport(result, { seconds, verified: settings.verify }));
  if (troublesOf(result).some(([trouble]) => TROUBLES[trouble].missing) || result.problems.length > 0)
    process.exitCode = 1;
}

/** Minutes. */
function spanOf(said = '0m'): number {
  const minutes = parseSpan(said);
  if (minutes === null)
    throw new MindiError(`--wait ${said} is no time`, { code: 'archive.wait', hint: 'As 30m, 2h, 1d.' });
  return minutes;
}
