import type { Context } from '../boot.ts';
import { readRescueConfig } from '../rescue-config.ts';
import { sizeText } from '../size-text.ts';
import { makeArchive } from './archive.ts';
import { deliver } from './deliver.ts';
import { knownSecrets, readyReport, reportParts } from './parts.ts';
import { scrub } from './scrub.ts';
import { findSticks } from './stick.ts';
import { summaryLines } from './summary.ts';

/** Of the answers to `askPlace`. */
export const ON_SCREEN = 'screen';
const ELSEWHERE = 'address';

/** The report that was made, and where it is. */
export interface Report {
  name: string;
  place: string;
  bytes: number;
  /** Names of what it holds. */
  files: string[];
}

/**
 * Makes the report and puts it somewhere, see `deliver`.
 * @throws BugMeError, Unanswered
 */
export async function bugMe(context: Context, to: string): Promise<Report> {
  const parts = [{ name: 'summary.txt', text: `${summary().join('\n')}\n` }, ...(await reportParts())];
  const time = new Date()
    .toISOString()
    .replaceAll(/[-:]|\..*/g, '')
    .replace('T', '-');
  const name = `mindi-bug-me-${readRescueConfig([]).name}-${time}`;
  const archive = await makeArchive(name, parts);
  const place = await deliver(context, to, `${name}.tar.gz`, archive);
  return { name: `${name}.tar.gz`, place, bytes: archive.length, files: parts.map((part) => part.name) };
}

/** A few lines without secrets. */
export function summary(): string[] {
  const known = knownSecrets();
  return summaryLines(readRescueConfig([]), readyReport()).map((line) => scrub(line, known));
}

/** For people: where it is, and what to do with it. */
export function reportLines({ place, bytes }: Report): string[] {
  return [
    `The report (${sizeText(bytes)}) is ${/^https?:/.test(place) ? 'at ' : ''}${place}.`,
    'Passwords and keys were taken out of it as far as they can be told. Look into it before you give it to others.',
  ];
}

/** Where it shall go: a place for `bugMe`, or ON_SCREEN. */
export async function askPlace({ person }: Context): Promise<string> {
  const sticks = await findSticks();
  const answer = await person.choose('Where shall the report go?', [
    ...sticks.map(({ device, about }) => ({ value: `usb:${device}`, text: `USB stick ${about}` })),
    { value: ON_SCREEN, text: 'The screen: a summary, as text and as a QR code' },
    { value: ELSEWHERE, text: 'A web server (PUT), or a file of the rescue system' },
  ]);
  return answer === ELSEWHERE
    ? person.enter('Address, as http://server/reports/, or path', { preset: '/tmp' })
    : answer;
}
