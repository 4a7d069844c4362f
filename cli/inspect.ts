import { Argument, Command } from 'commander';
import type { TapeCheck } from '../boot/obdr-rules.ts';
import type { Change } from '../builder/inspect/diff.ts';
import type { Image, ImageEntry } from '../builder/inspect/image.ts';
import type { Summary } from '../builder/inspect/summary.ts';
import { MindiError } from '../contract/error.ts';
import { answer, answerJson, paint, size, table } from './output.ts';

type Action = 'ls' | 'cat' | 'diff';

interface Options {
  json?: boolean;
}

/** `mindi inspect`: what is inside an image, without mounting it. */
export function inspectCommand(): Command {
  return new Command('inspect')
    .description(
      'tell what is inside an ISO, a tape, a USB image, a netboot folder, an initrd or a squashfs, without mounting it',
    )
    .argument('<image>', 'the file or netboot folder to look into')
    .addArgument(new Argument('[action]', 'list it, print a file of it, compare it').choices(['ls', 'cat', 'diff']))
    .argument('[what]', 'cat: a path as ls prints it; diff: the other image')
    .option('--json', 'print the answer as JSON')
    .addHelpText(
      'after',
      `
Images inside the image are looked into as well; what is in them has a path like mindi/initrd.img:/init.
diff says of each file what differs and, where the media carry their manifest, its package and profile line.

Exit status: 0, and with diff 1 when the images differ.

Examples:
  mindi inspect rescue.iso
  mindi inspect rescue.iso ls | grep megaraid
  mindi inspect rescue.iso cat mindi/initrd.img:/etc/mindi/config.json
  mindi inspect rescue.iso diff older.iso
  mindi inspect rescue.tap`,
    )
    .action(inspect);
}

async function inspect(path: string, action: Action | undefined, what: string | undefined, options: Options) {
  checkCall(action, what);
  const [{ openImage, readFrom }, { scratch }] = await Promise.all([
    import('../builder/inspect/image.ts'),
    import('../builder/scratch.ts'),
  ]);
  const tape = action === undefined ? await checked(path) : undefined;
  if (tape && tape.violations.length > 0) return unfit(tape, options);
  await using work = await scratch('inspect');
  const image = await openImage(path, work.path);
  if (action === 'ls') await list(image, options);
  else if (action === 'cat') await print(await readFrom(image, what ?? '', path), what ?? '', options);
  else if (action === 'diff') await compare(image, await openImage(what ?? '', work.path), work.path, options);
  else await summary(image, path, tape, options);
}

/** What the rules of a tape drive say of a tape; undefined for all other images. */
async function checked(path: string): Promise<TapeCheck | undefined> {
  const { isSimh, readSimh } = await import('../boot/simh.ts');
  if (!isSimh(path)) return undefined;
  const { checkTape } = await import('../boot/obdr-rules.ts');
  return checkTape(readSimh(path));
}

function unfit(tape: TapeCheck, { json }: Options): void {
  if (json) answerJson({ kind: 'tape', tape });
  else answer(['No drive starts a machine from this tape:', ...tape.violations.map((one) => `  ${one}`)].join('\n'));
  process.exitCode = 1;
}

function checkCall(action: Action | undefined, what: string | undefined): void {
  const needs = { cat: 'the path of a file in it', diff: 'another image' };
  if ((action === 'cat' || action === 'diff') && what === undefined) {
    throw new MindiError(`${action} needs ${needs[action]}`, {
      code: 'call.missing',
      hint: 'See `mindi inspect --help`.',
    });
  }
  if (action === 'ls' && what !== undefined) {
    throw new MindiError(`ls takes nothing more, not ${what}`, { code: 'call.surplus', hint: 'Pipe it into grep.' });
  }
}

async function list(image: Image, { json }: Options): Promise<void> {
  const { allEntries } = await import('../builder/inspect/image.ts');
  const entries = [...allEntries(image)];
  if (json) return answerJson(entries.map(({ layer: _layer, inside: _inside, ...entry }) => entry));
  const rows = entries.map((entry) => [
    letters(entry),
    `${entry.uid}/${entry.gid}`,
    entry.device ? `${entry.device.major},${entry.device.minor}` : String(entry.size),
    entry.target === undefined ? entry.path : `${entry.path} -> ${entry.target}`,
  ]);
  answer(rows.length > 0 ? table(rows, [2]) : '');
}

const TYPE_LETTERS: Record<ImageEntry['type'], string> = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  char: 'c',
  block: 'b',
  fifo: 'p',
  socket: 's',
};

/** As ls(1) shows it: `-rwsr-xr-x`. */
function letters({ type, mode }: ImageEntry): string {
  const bits = [...'rwxrwxrwx'].map((letter, i) => (mode & (0o400 >> i) ? letter : '-'));
  for (const [i, [bit, set, unset]] of (
    [
      [0o4000, 's', 'S'],
      [0o2000, 's', 'S'],
      [0o1000, 't', 'T'],
    ] as const
  ).entries()) {
    const at = i * 3 + 2;
    if (mode & bit) bits[at] = bits[at] === 'x' ? set : unset;
  }
  return TYPE_LETTERS[type] + bits.join('');
}

async function print(bytes: Uint8Array, path: string, { json }: Options): Promise<void> {
  if (json) return answerJson({ path, size: bytes.length, base64: Buffer.from(bytes).toString('base64') });
  await new Promise<void>((done) => process.stdout.write(bytes, () => done()));
}

async function compare(image: Image, other: Image, work: string, { json }: Options): Promise<void> {
  const { diffImages } = await import('../builder/inspect/diff.ts');
  const changes = await diffImages(image, other, work);
  if (json) answerJson(changes);
  else if (changes.length === 0) answer('The images hold the same.');
  else answer(table(changes.map(changeRow), [1]));
  process.exitCode = changes.length > 0 ? 1 : 0;
}

const MARKS = { added: ['+', 'green'], removed: ['-', 'red'], changed: ['~', 'yellow'] } as const;

function changeRow({ path, change, before, after, differs, origin }: Change): string[] {
  const [mark, colour] = MARKS[change];
  const sizes = [before, after].filter((bytes) => bytes !== null);
  const shown = sizes.length === 2 && sizes[0] === sizes[1] ? sizes.slice(1) : sizes;
  return [paint(colour, mark), shown.map(size).join(' -> '), path, differs?.join(', ') ?? '', reason(origin)];
}

/** `lvm2 2.03.16-2 -> 2.03.22-1; tools.sets: lvm` */
function reason(origin: Change['origin']): string {
  if (!origin) return '';
  const { before, after } = origin;
  const packages = [...new Set([before?.package, after?.package].filter(Boolean))];
  const why = [...new Set([...(before?.why ?? []), ...(after?.why ?? [])])];
  const more = why.length > 1 ? ` and ${why.length - 1} more` : '';
  return [packages.join(' -> '), why.length > 0 ? `${why[0]}${more}` : ''].filter(Boolean).join('; ');
}

async function summary(image: Image, path: string, tape: TapeCheck | undefined, { json }: Options): Promise<void> {
  const [{ summarize }, { stat }] = await Promise.all([
    import('../builder/inspect/summary.ts'),
    import('node:fs/promises'),
  ]);
  const held = image.entries.reduce((sum, entry) => sum + entry.size, 0);
  const found = await summarize(image, image.kind === 'folder' ? held : (await stat(path)).size);
  if (json) return answerJson({ ...found, ...(tape ? { tape } : {}) });
  for (const block of [facts(found, tape), menu(found), parts(found)]) if (block) answer(`${block}\n`);
}

const KINDS: Record<Summary['kind'], string> = {
  iso: 'ISO 9660',
  tape: 'tape (OBDR)',
  disk: 'disk image',
  folder: 'netboot folder',
  initrd: 'initrd',
  squashfs: 'squashfs',
};

function facts(summary: Summary, tape: TapeCheck | undefined): string {
  const { kind, size: bytes, volume, firmware, kernel, rescue, modules } = summary;
  const rows = [
    ['image', `${KINDS[kind]}, ${size(bytes)}`],
    [
      'on tape',
      tape && `${tape.header.records} records, ${tape.image.records} of the image, a label; a drive starts it`,
    ],
    ['volume', volume],
    ['starts by', firmware?.join(', ')],
    ['profile', rescue?.name],
    ['made by', rescue?.generator],
    ['created', rescue?.created],
    ['machine', rescue?.machine ?? undefined],
    ['kernel', kernel],
    ['runtime', rescue?.runtime],
    ['modules', modules > 0 ? String(modules) : undefined],
  ];
  return table(rows.flatMap(([name, value]) => (value ? [[name ?? '', value]] : [])));
}

function menu({ menu: entries }: Summary): string | undefined {
  if (!entries?.length) return undefined;
  return ['boot menu', ...entries.map(({ label }) => `  ${label}`)].join('\n');
}

function parts({ parts: all }: Summary): string | undefined {
  if (all.length === 0) return undefined;
  const rows = all.map(({ path, kind, size: packed, unpacked, files, detail }) => [
    path || kind,
    size(packed),
    `${files} files`,
    size(unpacked),
    detail,
  ]);
  return table([['part', 'packed', 'holds', 'unpacked', ''], ...rows], [1, 2, 3]);
}
