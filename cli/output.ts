import { stripVTControlCharacters, styleText } from 'node:util';
import { logFile } from '../builder/log.ts';
import { MindiError } from '../contract/error.ts';

/** stdout is data: what the command answers. */
export function answer(text: string): void {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}

/** The same for `--json`: one document, indented, keys as given. */
export function answerJson(value: unknown): void {
  answer(JSON.stringify(value, null, 2));
}

/** stderr is talk: progress, warnings, what happens next. */
export function talk(text: string): void {
  process.stderr.write(`${text}\n`);
}

type Style = Parameters<typeof styleText>[0];

/** Colour, only on a terminal and only where NO_COLOR does not forbid it. */
export function paint(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return styleText(style, text, { stream, validateStream: true });
}

/** Lines that line up: every column as wide as its widest cell, `right` columns flush right. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, width(cell));
  }
  return rows
    .map((row) =>
      row
        .map((cell, i) => pad(cell, widths[i] ?? 0, right.includes(i)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const width = (text: string) => stripVTControlCharacters(text).length;

function pad(text: string, columns: number, right: boolean): string {
  const space = ' '.repeat(columns - width(text));
  return right ? space + text : text + space;
}

/** 12.3 MiB; bytes below 10 KiB as they are. */
export function size(bytes: number): string {
  if (bytes < 10240) return `${bytes} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}

/** 2 h 13 min; 4 min 5 s; 1.2 s. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Prints an error for people (or as JSON) and returns the exit code it asks for. Anything but a MindiError is our own bug. */
export function report(error: unknown, json: boolean): number {
  const known = error instanceof MindiError;
  const shown = known ? error : ourFault(error);
  if (json) answerJson({ error: shown.toJSON() });
  talk(`${paint('red', 'mindi:', process.stderr)} ${shown.format()}`);
  if (shown.exitCode === 70 && logFile()) talk(`  log: ${logFile()}`);
  return shown.exitCode;
}

function ourFault(error: unknown): MindiError {
  return new MindiError(`internal error: ${error instanceof Error ? error.message : error}`, {
    code: 'internal',
    hint: 'This is a bug in mindi. Please report it with the log.',
    exitCode: 70,
    cause: error,
  });
}

/** What commands take that read a set. */
export const SET_ARGUMENT =
  'the directory of a set, or of sets: the newest complete one; ISO files, a drive, an address; a profile with another engine: its newest snapshot';
