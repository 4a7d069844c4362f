import type { Choice } from '../person.ts';

/** A vt100 has one line less than a PC's screen. Every line leaves the last column free: writing there moves some cursors on. */
export const ROWS = 24;
export const COLUMNS = 79;

/** Only what every font, every serial terminal and every code page has. */
/** Columns of a choice before its text. */
const BEFORE = 7;
const RULE = '-'.repeat(COLUMNS);
const ESCAPES = { bar: ['\x1b[7m', '\x1b[0m'], strong: ['\x1b[1m', '\x1b[0m'] } as const;

/** What a question looks like; the rest of the 24 lines is for its choices. */
export interface Picture {
  title: string;
  /** Above the question. */
  head: readonly string[];
  question: string;
  /** What keys do. */
  hint: string;
  /** What was told lately, the newest last; the last ones are shown. */
  news: readonly string[];
}

/** A choice with the key that takes it. */
export interface Keyed extends Choice {
  key: string;
}

/** Digits, then letters, where a choice has no key of its own. */
export function keyed(choices: readonly (Choice & { key?: string })[]): Keyed[] {
  const keys = '123456789abcdefghijklmnopqrstuvwxyz';
  return choices.map((choice, i) => ({ ...choice, key: choice.key ?? keys[i] ?? '' }));
}

/** All lines of a menu, the choice at `cursor` marked, at most 24. */
export function menuLines(picture: Picture, choices: readonly Keyed[], cursor: number): string[] {
  const above = upper(picture);
  const below = lower(picture, ROWS - above.length - 1 - Math.min(choices.length, 3));
  const room = ROWS - above.length - below.length;
  const [from, to] = window(choices.length, cursor, room);
  const width = Math.max(...choices.map(({ text }) => text.length)) + BEFORE;
  const rows = choices.slice(from, to).map((choice, i) => choiceLine(choice, from + i === cursor, width));
  if (from > 0) rows[0] = clip('     ... more above');
  if (to < choices.length) rows[rows.length - 1] = clip('     ... more below');
  return [...above, ...rows, ...below];
}

/** All lines of a question that is answered by typing; `typed` may hold escape sequences that mark the cursor. */
export function inputLines(picture: Picture, typed: string): string[] {
  const above = upper(picture);
  return [...above, `  > ${typed}`, ...lower(picture, ROWS - above.length - 1)];
}

/** The end of what is typed that fits one line, with the place of the cursor marked. */
export function typedLine(text: string, cursor: number): string {
  const room = COLUMNS - 6;
  const from = Math.max(0, cursor - room);
  const shown = `${text.slice(from, from + room)} `;
  const at = cursor - from;
  return `${shown.slice(0, at)}${marked('bar', shown[at] ?? ' ')}${shown.slice(at + 1)}`;
}

/** One printable line of ASCII that fits. */
export function clip(text: string, columns: number = COLUMNS): string {
  const plain = text.replaceAll(/[^\x20-\x7e]/g, '?').trimEnd();
  return plain.length > columns ? `${plain.slice(0, columns - 3)}...` : plain;
}

/** Breaks text at blanks, into lines that fit; further lines are indented. */
export function wrap(text: string, columns: number = COLUMNS, indent = ''): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ').filter(Boolean)) {
    const longer = line ? `${line} ${word}` : `${lines.length > 0 ? indent : ''}${word}`;
    if (line && longer.length > columns) {
      lines.push(line);
      line = `${indent}${word}`;
    } else line = longer;
  }
  return [...lines, line].map((one) => clip(one, columns));
}

function upper({ title, head, question }: Picture): string[] {
  const body = head.map((line) => clip(line));
  const asked = question ? wrap(question).map((line) => marked('strong', line)) : [];
  return [
    marked('bar', ` ${clip(title, COLUMNS - 1)}`.padEnd(COLUMNS)),
    ...body,
    ...(body.length > 0 ? [RULE] : ['']),
    ...asked,
  ];
}

function lower({ hint, news }: Picture, room: number): string[] {
  const some = news.slice(-Math.max(0, Math.min(3, room - 2)));
  return [RULE, clip(hint), ...some.map((line) => clip(line))];
}

function choiceLine({ key, text }: Keyed, chosen: boolean, width: number): string {
  const line = clip(`${chosen ? ' > ' : '   '}${key}  ${text}`);
  return chosen ? marked('bar', line.padEnd(Math.min(width, COLUMNS))) : line;
}

/** Which of `count` choices are shown in `room` lines. */
function window(count: number, cursor: number, room: number): [from: number, to: number] {
  if (count <= room) return [0, count];
  const from = Math.min(Math.max(0, cursor - Math.floor(room / 2)), count - room);
  return [from, from + room];
}

function marked(how: keyof typeof ESCAPES, text: string): string {
  const [on, off] = ESCAPES[how];
  return `${on}${text}${off}`;
}
