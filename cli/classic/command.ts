import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { parseSetName, setName } from '../../contract/archive-set.ts';
import { answer, talk } from '../output.ts';
import { CLASSIC_OPTIONS, MODERN_OPTIONS } from './options.ts';
import type { Classic } from './translate.ts';

/** `mondoarchive`, and `mindi mondoarchive`. */
export function mondoarchiveCommand(): Command {
  const command = new Command('mondoarchive')
    .description("archive this machine by MondoRescue's options; without any on a terminal it asks")
    .usage('-O|-V|-OV -i|-n|-c|-w|-r|-t|-o|-U [options]')
    .addHelpText('after', HELP);
  for (const option of CLASSIC_OPTIONS) {
    const { letter, value, about, gone, refused } = option;
    const text = refused ? `${about}: refused; ${refused}` : gone ? `${about}: means nothing any more, ${gone}` : about;
    command.addOption(new Option(`-${letter}${value ? ` <${value}>` : ''}`, text).hideHelp(/[2-8]/.test(letter)));
  }
  for (const { word, about } of MODERN_OPTIONS) command.option(`--${word}`, about);
  return command;
}

const HELP = `
What the options say becomes a profile of mindi's; --show-profile prints it, for \`mindi archive\`. docs/mondoarchive.md
tells each option's part in it.

Exit status: 0; 1 when something could not be read or differs, or the target is full; 2 when the options are wrong.

Examples:
  mondoarchive -OV -i -d /bkp -s 700m -E "/usr/share/doc /usr/src" -N -p machine1
  mondoarchive -OV -k /boot/vmlinuz-6.1 -d /bkp -s 700M -N -p machine1 -S /home/mondo/scratch -n server:/writer/nfs
  mondoarchive -O -o -d /dev/nst0 -H
  mondoarchive -V -i -d /bkp -p machine1
  mondoarchive -O -i -d /bkp --show-profile > machine1.yaml`;

/**
 * Does what the options say.
 * @param argv what follows the name
 * @returns the exit code
 */
export async function mondoarchive(argv: readonly string[]): Promise<number> {
  if (argv.length === 0) return bare();
  const { parseClassic, refuse } = await import('./parse.ts');
  const call = parseClassic(argv);
  if (call.help) {
    answer(mondoarchiveCommand().helpInformation() + HELP);
    return 0;
  }
  if (call.said.has('Q')) {
    refuse(call.problems);
    return tellLoader();
  }
  const { profileText, translate } = await import('./translate.ts');
  const classic = translate(call);
  for (const note of classic.notes) talk(`mondoarchive: note: ${note}`);
  if (call.showProfile) {
    answer(profileText(classic));
    return 0;
  }
  return run(classic, { json: call.json });
}

/** Without options a person is asked, on a terminal. */
async function bare(): Promise<number> {
  if (process.stdin.isTTY && process.stdout.isTTY) return (await import('./questions.ts')).askAndRun();
  talk(mondoarchiveCommand().helpInformation() + HELP);
  return 2;
}

async function tellLoader(): Promise<number> {
  const { bootLoader } = await import('./loader.ts');
  const loader = bootLoader();
  answer(loader ?? 'UNKNOWN');
  return loader ? 0 : 1;
}

/** Runs `mindi archive` or `mindi verify` with a profile that is written for this run alone. */
export async function run(classic: Classic, options: { json: boolean }): Promise<number> {
  const { temporary, archives, place, profile } = classic;
  if (temporary) {
    await mkdir(temporary, { recursive: true });
    process.env.TMPDIR = temporary;
  }
  if (!archives) return verifyNewest(place, profile.name, options);
  const [{ scratch }, { runArchive }, { profileText }] = await Promise.all([
    import('../../builder/scratch.ts'),
    import('../archive.ts'),
    import('./translate.ts'),
  ]);
  await using work = await scratch('mondoarchive');
  const file = join(work.path, `${profile.name}.yaml`);
  await writeFile(file, profileText(classic));
  await runArchive(file, options);
  return Number(process.exitCode ?? 0);
}

/** Of the prefix's sets at a place the newest one, or what the device holds. */
async function verifyNewest(text: string, name: string, options: { json: boolean }): Promise<number> {
  const [{ openPlace, placeAddress }, { runVerify }, { readdirSync, statSync }] = await Promise.all([
    import('../../archive/places/place.ts'),
    import('../verify.ts'),
    import('node:fs'),
  ]);
  if (!placeAddress(text) && !statSync(text, { throwIfNoEntry: false })?.isDirectory()) await runVerify(text, options);
  else {
    const place = await openPlace(text, undefined, process.env.TMPDIR ?? '/var/tmp', true);
    try {
      const sets = readdirSync(place.path).map(parseSetName);
      const own = sets.filter((set) => set?.name === name && set.complete).map((set) => set?.number ?? 0);
      await runVerify(own.length > 0 ? join(place.path, setName(name, Math.max(...own))) : place.path, options);
    } finally {
      await place.close();
    }
  }
  return Number(process.exitCode ?? 0);
}
