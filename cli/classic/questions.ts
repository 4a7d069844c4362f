import { confirm, intro, isCancel, log, outro, select, text } from '@clack/prompts';
import { talk } from '../output.ts';

/** A person pressed Ctrl-C or Escape. */
class Cancelled extends Error {}

/** What the set may be written to, in the old tool's words: the option, and what to ask then. */
const TARGETS = [
  { letter: 'i', label: 'ISO images in a directory', where: 'In which directory?', expected: '/var/cache/mondo' },
  { letter: 'n', label: 'ISO images on a server (NFS, SSH)', where: 'Which server and directory?', expected: '' },
  { letter: 'c', label: 'CDs', where: 'Which burner?', expected: '/dev/sr0', value: '0' },
  { letter: 'w', label: 'rewritable CDs', where: 'Which burner?', expected: '/dev/sr0', value: '0' },
  { letter: 'r', label: 'DVDs or Blu-ray discs', where: 'Which burner?', expected: '/dev/sr0' },
  { letter: 't', label: 'tapes', where: 'Which drive?', expected: '/dev/nst0' },
  { letter: 'o', label: 'tapes that start the machine (OBDR)', where: 'Which drive?', expected: '/dev/nst0' },
  { letter: 'U', label: 'a USB disk, which is written over', where: 'Which device?', expected: '' },
] as const;

const METHODS = [
  { value: [], label: 'zstd', hint: 'quick' },
  { value: ['-9'], label: 'zstd, harder', hint: 'slower, smaller' },
  { value: ['-G'], label: 'gzip', hint: 'every Unix can read it' },
  { value: ['-L'], label: 'lzo', hint: 'least work' },
  { value: ['-Y'], label: 'xz', hint: 'slowest, smallest' },
  { value: ['-0'], label: 'not at all' },
];

/** Asks a person at the terminal, shows the command line of the answers, and runs it. @returns the exit code */
export async function askAndRun(): Promise<number> {
  intro('mondoarchive: archive this machine');
  let argv: string[];
  try {
    argv = await ask();
    log.message('The same without questions:');
    // Without clack's bars, so that it can be copied.
    talk(shellLine(['mondoarchive', ...argv]));
    if (!(await answered(confirm({ message: 'Shall I begin?' })))) throw new Cancelled();
  } catch (error) {
    if (!(error instanceof Cancelled)) throw error;
    outro('Nothing was written.');
    return 1;
  }
  outro('Archiving');
  const { mondoarchive } = await import('./command.ts');
  return mondoarchive(argv);
}

async function ask(): Promise<string[]> {
  const letter = await answered(
    select({
      message: 'What shall I write to?',
      options: TARGETS.map(({ letter: value, label }) => ({ value, label })),
    }),
  );
  const target = TARGETS.find((one) => one.letter === letter) ?? TARGETS[0];
  const place = await said(target.where, target.expected, letter === 'n' ? serverProblem : pathProblem);
  const where =
    letter === 'n' ? ['-n', place] : [`-${letter}`, ...('value' in target ? [target.value] : []), '-d', place];
  const size = 'in'.includes(letter)
    ? await said('How big may an image be? (700m, 4.3g; nothing: as big as it gets)', '', () => undefined)
    : '';
  const include = await said('What shall I archive? (several paths: separated by |)', '/', pathsProblem);
  const exclude = await said('What shall I leave out? (several paths: separated by |)', '', () => undefined);
  const network = await answered(confirm({ message: 'Shall I leave out file systems of servers?' }));
  const method = await answered(select({ message: 'How shall I compress it?', options: METHODS }));
  const boots =
    't' === letter ||
    (await answered(confirm({ message: 'Shall the first medium start the machine, to restore it?' })));
  const name = await said('What shall I call it?', 'mondorescue', (text) => (text ? undefined : 'It needs a name.'));
  const verify = await answered(confirm({ message: 'Shall I verify it when it is written?' }));
  return [
    verify ? '-OV' : '-O',
    ...where,
    ...(size ? ['-s', size] : []),
    ...(include === '/' ? [] : ['-I', include]),
    ...(exclude ? ['-E', exclude] : []),
    ...(network ? ['-N'] : []),
    ...method,
    ...(boots ? [] : ['-W']),
    ...(name === 'mondorescue' ? [] : ['-p', name]),
  ];
}

/** An answer of words; what is expected stands there already. */
async function said(
  message: string,
  initialValue: string,
  problem: (text: string) => string | undefined,
): Promise<string> {
  const validate = (value: string | undefined) => problem((value ?? '').trim());
  return (await answered(text({ message, initialValue, validate }))).trim();
}

async function answered<T>(question: Promise<T>): Promise<Exclude<T, symbol>> {
  const value = await question;
  if (isCancel(value)) throw new Cancelled();
  return value as Exclude<T, symbol>;
}

const pathProblem = (path: string) => (path.startsWith('/') ? undefined : 'Write the path from / on.');
const serverProblem = (place: string) =>
  /^\S+:\/./.test(place) ? undefined : 'As server:/path, nfs://server/path or sshfs://user@server/path.';
const pathsProblem = (paths: string) =>
  paths.split('|').every((path) => path.trim().startsWith('/')) ? undefined : 'Write paths from / on.';

/** As a shell takes it. */
const shellLine = (words: readonly string[]) =>
  words.map((word) => (/^[\w./:@,+-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`)).join(' ');
