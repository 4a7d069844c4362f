import { parseArgs } from 'node:util';
import { MindiError } from '../../contract/error.ts';
import { CLASSIC_OPTIONS, CONTRADICTIONS, MODERN_OPTIONS, TARGET_LETTERS } from './options.ts';

/** What was said: letters without the dash, `''` for those without a value. */
export type Said = ReadonlyMap<string, string>;

export interface ClassicCall {
  said: Said;
  showProfile: boolean;
  json: boolean;
  help: boolean;
  /** What is wrong with the options themselves; their values are translate.ts's. */
  problems: MindiError[];
}

/** Reads mondoarchive's options, as getopt(3) does: `-OV`, `-s700M`, `-s 700M`. */
export function parseClassic(argv: readonly string[]): ClassicCall {
  const { tokens } = parseArgs({
    args: [...argv],
    options: KNOWN,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const problems: MindiError[] = [];
  const said = new Map<string, string>();
  const words = new Set<string>();
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') problems.push(stray(token.value));
    else if (token.rawName.startsWith('--')) word(token.rawName, words, problems);
    else if (token.rawName === '-h') words.add('help');
    else letter(token.rawName, token.value, said, problems);
  }
  problems.push(...contradictions(said));
  return {
    said,
    showProfile: words.has('show-profile'),
    json: words.has('json'),
    help: words.has('help'),
    problems,
  };
}

const CODE = 'mondoarchive.call';
/** Each letter is also the name it has for parseArgs; `--O` is refused by `word`. */
const KNOWN = Object.fromEntries([
  ...CLASSIC_OPTIONS.map(({ letter, value }) => [
    letter,
    { type: value ? ('string' as const) : ('boolean' as const), short: letter, multiple: true },
  ]),
  ...['help', ...MODERN_OPTIONS.map(({ word }) => word)].map((name) => [name, { type: 'boolean' as const }]),
  ['h', { type: 'boolean' as const, short: 'h' }],
]);

/** @throws MindiError `mondoarchive.call` with all of them, if there are any */
export function refuse(problems: readonly MindiError[]): void {
  if (problems.length > 0) throw MindiError.all(problems, `mondoarchive: ${problems.length} problems:`, CODE);
}

export const callProblem = (message: string, hint: string, where?: string) =>
  new MindiError(message, { code: CODE, hint, ...(where ? { where } : {}) });

const SEE = '`mondoarchive --help` lists the options.';

const stray = (value: string) =>
  callProblem(`${JSON.stringify(value)} belongs to no option`, 'A value with blanks is written in quotes.');

function word(name: string, words: Set<string>, problems: MindiError[]): void {
  const known = ['help', ...MODERN_OPTIONS.map((option) => option.word)].find((one) => `--${one}` === name);
  if (known) words.add(known);
  else problems.push(callProblem(`there is no option ${name}`, SEE));
}

function letter(name: string, value: string | undefined, said: Map<string, string>, problems: MindiError[]): void {
  const option = CLASSIC_OPTIONS.find((one) => `-${one.letter}` === name);
  if (!option) problems.push(callProblem(`there is no option ${name}`, SEE));
  else if (said.has(option.letter)) problems.push(callProblem(`${name} is there twice`, 'Say it once.'));
  else if (option.value && (!value || /^-[A-Za-z]/.test(value)))
    problems.push(callProblem(`${name} needs ${option.value} after it`, `It means: ${option.about}.`));
  else if (option.refused)
    problems.push(callProblem(`${name} (${option.about}) there is no longer`, `Instead, ${option.refused}.`));
  else said.set(option.letter, value ?? '');
}

function contradictions(said: Said): MindiError[] {
  const problems = CONTRADICTIONS.flatMap(({ one, others, why }) =>
    [...others]
      .filter((other) => said.has(one) && said.has(other))
      .map((other) => callProblem(`-${one} and -${other} exclude each other: ${why}`, 'Leave one of them out.')),
  );
  const levels = [...said.keys()].filter((letter) => /\d/.test(letter));
  if (levels.length > 1)
    problems.push(callProblem(`there are several levels: ${levels.map((one) => `-${one}`).join(' ')}`, 'Say one.'));
  const targets = TARGET_LETTERS.filter((one) => said.has(one)).map((one) => `-${one}`);
  if (targets.length > 1)
    problems.push(
      callProblem(
        `${targets.join(' and ')} exclude each other: a set is written to one kind of media`,
        'Leave all but one out.',
      ),
    );
  if (said.has('Q')) return problems;
  if (targets.length === 0)
    problems.push(
      callProblem('it is not said what to write to', 'One of -i, -n, -c, -w, -r, -t, -o, -U: `-i -d /bkp`.'),
    );
  if (!said.has('O') && !said.has('V'))
    problems.push(callProblem('it is not said what to do', '-O archives, -V verifies, -OV does both.'));
  return problems;
}
