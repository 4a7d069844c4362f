import { MindiError } from '../error.ts';

/** More than a person reads at once; the rest is only counted. */
const MOST_SHOWN = 50;

/** All problems of one file as one error, `FILE: 3 problems:`; a single one stays itself. */
export function together(problems: readonly MindiError[], file: string, code: string): MindiError {
  const more = problems.length > MOST_SHOWN ? `, the first ${MOST_SHOWN}` : '';
  return MindiError.all(problems.slice(0, MOST_SHOWN), `${file}: ${problems.length} problems${more}:`, code);
}

/** A value as it is shown in a message: quoted, control characters escaped, never longer than a line. */
export function quoted(value: unknown): string {
  const text = typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 57)}…${text.startsWith('"') ? '"' : ''}` : text;
}
