import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { modulesDirectory } from '../../builder/kernel/find.ts';
import { readKernelHeader } from '../../builder/kernel/header.ts';
import type { ProfileFile } from '../../builder/profile/schema.ts';
import { parseSize } from '../../builder/profile/size.ts';
import { messageOf } from '../../contract/error.ts';
import { destination } from './destination.ts';
import { CLASSIC_OPTIONS } from './options.ts';
import { type ClassicCall, callProblem, refuse, type Said } from './parse.ts';

/** What mondoarchive was asked for, in mindi's words. */
export interface Classic {
  profile: ProfileFile;
  /** Whether to archive; else to verify what is there. */
  archives: boolean;
  /** Where the set is, or will be: a directory, a device, an address. */
  place: string;
  /** For temporary files. */
  temporary?: string;
  /** What of the options means nothing today. */
  notes: string[];
}

/**
 * The profile that does what mondoarchive's options say.
 * @throws MindiError `mondoarchive.call` with everything that is wrong
 */
export function translate({ said, problems: ofOptions }: ClassicCall): Classic {
  const problems = [...ofOptions];
  const tell = (letter: string, message: string, hint: string) => {
    problems.push(callProblem(message, hint, `-${letter}`));
  };
  const notes = gone(said);
  const { to, place, medium, network } = destination(said, tell);
  const profile: ProfileFile = {
    name: prefix(said, notes, tell),
    ...kernel(said, tell),
    ...(medium && !said.has('W') ? { media: [medium] } : {}),
    ...(said.has('H') ? { restore: { mode: 'nuke', ...postNuke(said, tell) }, boot: { default: 'nuke' } } : {}),
    ...(said.has('H') || !said.has('P') ? {} : { restore: postNuke(said, tell) }),
    ...(network ? { network: { ip: 'dhcp' } } : {}),
    archive: {
      ...what(said, tell),
      to,
      ...volumes(said, tell),
      ...(said.has('O') && said.has('V') ? { verify: true } : {}),
      ...(said.has('S') ? { scratch: absolute('S', said, tell) } : {}),
      ...compression(said),
      ...commands(said, tell),
    },
  };
  const temporary = said.has('T') ? absolute('T', said, tell) : undefined;
  refuse(problems);
  return {
    profile,
    archives: said.has('O'),
    place,
    notes,
    ...(temporary ? { temporary } : {}),
  };
}

/** The profile's text, with what it cannot say in comments. */
export function profileText({ profile, temporary }: Classic): string {
  const use = `${temporary ? `TMPDIR=${temporary} ` : ''}mindi archive ${profile.name}.yaml`;
  return `# ${use}\n${stringify(profile, { lineWidth: 0, flowCollectionPadding: false })}`;
}

/** Says what is wrong with the value of an option. */
export type Tell = (letter: string, message: string, hint: string) => void;

const gone = (said: Said) =>
  CLASSIC_OPTIONS.filter(({ letter, gone: why }) => why && said.has(letter)).map(
    ({ letter, about, gone: why }) => `-${letter} (${about}) means nothing any more: ${why}`,
  );

export function absolute(letter: string, said: Said, tell: Tell): string {
  const path = said.get(letter) ?? '';
  if (path !== '' && !path.startsWith('/'))
    tell(letter, `-${letter} has ${path}, which is relative`, 'Write it from / on.');
  return path;
}

const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;

function prefix(said: Said, notes: string[], tell: Tell): string {
  const asked = said.get('p') ?? 'mondorescue';
  const name = asked.toLowerCase();
  if (!NAME.test(name))
    tell('p', `-p has ${asked}, which names no set`, 'Letters, digits, dots, dashes and underlines.');
  if (name !== asked) notes.push(`the set is called ${name}: names have small letters`);
  return name;
}

function kernel(said: Said, tell: Tell): Pick<ProfileFile, 'kernel'> {
  const image = said.get('k');
  if (image === undefined) return {};
  if (image === 'FAILSAFE') return { kernel: 'failsafe' };
  try {
    const { release } = readKernelHeader(image);
    // A kernel that was unpacked somewhere has its modules beside it.
    const modules = modulesDirectory(release) ?? modulesDirectory(release, join(dirname(image), '..'));
    if (modules) return { kernel: { image, modules } };
    tell(
      'k',
      `the modules of ${image}, Linux ${release}, are not there`,
      `They belong into /lib/modules/${release}; or take -k FAILSAFE.`,
    );
  } catch (error) {
    tell('k', `${image} is no kernel: ${messageOf(error)}`, 'Name its image, or take -k FAILSAFE.');
  }
  return {};
}

function postNuke(said: Said, tell: Tell): { after?: string[] } {
  if (!said.has('P')) return {};
  const script = absolute('P', said, tell);
  if (/\.(tar|tgz|tar\.\w+)$/.test(script))
    tell('P', `${script} is an archive`, 'Name a script; the files it needs go to restore.files of a profile.');
  else if (!existsSync(script)) tell('P', `${script} is not there`, 'Correct the path.');
  return { after: [script] };
}

type Archive = NonNullable<ProfileFile['archive']>;

function what(said: Said, tell: Tell): Archive {
  const include = said.has('J') ? pathsOf(said, tell) : list(said.get('I') ?? '/');
  for (const path of include) {
    const letter = said.has('J') ? 'J' : 'I';
    if (!path.startsWith('/')) tell(letter, `-${letter} has ${path}, which is relative`, 'Write it from / on.');
    else if (!existsSync(path)) tell(letter, `-${letter} has ${path}, which is not there`, 'Correct or remove it.');
  }
  const temporary = said.get('T');
  const exclude = [...list(said.get('E') ?? ''), ...(temporary ? [temporary] : [])];
  for (const path of exclude)
    if (path.includes('/') && !path.startsWith('/'))
      tell('E', `-E has ${path}, which is relative`, 'Write it from / on.');
  return {
    include,
    ...(exclude.length > 0 ? { exclude } : {}),
    filesystems: said.has('N') ? 'local' : 'all',
  };
}

/** `/a|/b c` are two paths, `/a /b` too. */
const list = (text: string) =>
  text
    .split(text.includes('|') ? '|' : /\s+/)
    .map((path) => path.trim().replace(/(.)\/+$/, '$1'))
    .filter((path) => path !== '');

/** More lines than a profile takes. */
const MOST_PATHS = 10_000;

function pathsOf(said: Said, tell: Tell): string[] {
  const file = said.get('J') ?? '';
  try {
    const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
    if (lines.length === 0) tell('J', `${file} names nothing`, 'It has one path in each line.');
    if (lines.length <= MOST_PATHS) return lines;
    tell(
      'J',
      `${file} has ${lines.length} lines, and may have ${MOST_PATHS}`,
      'Name directories instead of their files.',
    );
  } catch (error) {
    tell('J', `${file} cannot be read: ${messageOf(error)}`, 'It has one path in each line.');
  }
  return [];
}

function volumes(said: Said, tell: Tell): Pick<Archive, 'volume'> {
  const text = said.get('s');
  if (text === undefined) return {};
  // As it always was, a number alone is MiB.
  const sizes = text.split(',').map((size) => (/^\d+$/.test(size.trim()) ? `${size.trim()}m` : size.trim()));
  for (const size of sizes)
    if (parseSize(size) === null) tell('s', `-s has ${JSON.stringify(size)}, which is no size`, 'As 700m, 4.3g.');
  const [only] = sizes;
  return { volume: sizes.length === 1 && only ? only : sizes };
}

const METHODS = { L: 'lzo', G: 'gzip', Y: 'xz', '0': 'none' } as const;

function compression(said: Said): Pick<Archive, 'compression' | 'level'> {
  const [, method] = Object.entries(METHODS).find(([letter]) => said.has(letter)) ?? [];
  const level = [...said.keys()].find((letter) => /[1-9]/.test(letter));
  return { ...(method ? { compression: method } : {}), ...(level ? { level: Number(level) } : {}) };
}

/** What -A and -B run is read by a shell, as it always was. */
function commands(said: Said, tell: Tell): Pick<Archive, 'before' | 'after'> {
  const [before, after] = [said.get('B'), said.get('A')];
  const each = after !== undefined && /_ISO_|_CD#_/.test(after);
  if (each && !said.has('i')) tell('A', '-A names images, and only -i makes images here', 'Leave _ISO_ and _CD#_ out.');
  return {
    ...(before === undefined ? {} : { before: [['sh', '-c', before]] }),
    ...(after === undefined ? {} : { after: [['sh', '-c', each ? forEachImage(after) : `${UNLESS_FAILED}${after}`]] }),
  };
}

const UNLESS_FAILED = '[ "$MINDI_RESULT" = failure ] && exit; ';
/** An image may have any name: what a token stands for is one word. */
const forEachImage = (command: string) =>
  `${UNLESS_FAILED}n=1; IFS=; set -f; while iso=$MINDI_SET/$MINDI_ARCHIVE-$n.iso; [ -e "$iso" ]; do ${command
    .replaceAll('_ISO_', '$iso')
    .replaceAll('_CD#_', '$n')}; n=$((n + 1)); done`;
