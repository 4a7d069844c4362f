import { readFile, stat } from 'node:fs/promises';
import { KEY_LINE, parseAuthorizedKeys } from '../contract/authorized-keys.ts';
import { MindiError, messageOf } from '../contract/error.ts';
import { PATHS } from '../contract/rescue-config.ts';
import { together } from '../contract/settings/problems.ts';
import { shown } from '../contract/settings/text.ts';
import { madeFile, type Piece } from './piece.ts';
import type { Profile } from './profile/load.ts';

/** Far above a file with the keys of a whole company. Bytes. */
const LARGEST = 1 << 20;

/**
 * The public keys of `access.authorizedKeys` as one file that sshd reads, each key once; nothing where there are none.
 * @throws MindiError `access.authorized-keys`, every item and line that is no public key
 */
export async function authorizedKeysPiece({ access, where }: Pick<Profile, 'access' | 'where'>): Promise<Piece> {
  const piece: Piece = { entries: [], contents: new Map() };
  const items = access.authorizedKeys.map((item, n) => linesOf(item, where(['access', 'authorizedKeys', n])));
  const read = await Promise.all(items);
  const problems = read.flatMap((one) => one.problems);
  if (problems.length > 0) throw together(problems, 'access.authorizedKeys', 'access.authorized-keys');
  const lines = [...new Set(read.flatMap((one) => one.lines))];
  const text = lines.map((line) => `${line}\n`).join('');
  if (text) madeFile(piece, PATHS.authorizedKeys, text, [{ rule: 'access.authorizedKeys' }], 0o600);
  return piece;
}

interface Lines {
  lines: string[];
  problems: MindiError[];
}

async function linesOf(item: string, where: string): Promise<Lines> {
  const wrong = (message: string, place: string, hint?: string): Lines => ({
    lines: [],
    problems: [new MindiError(message, { code: 'access.authorized-keys', where: place, hint })],
  });
  const inline = KEY_LINE.test(item);
  const text = inline ? item : await textOf(item).catch((error) => error as Error);
  if (text instanceof Error) {
    const hint = 'Name a file with public keys, or give the key itself: "ssh-ed25519 AAAA… name".';
    return wrong(`the public keys cannot be read: ${messageOf(text)}`, where, hint);
  }
  const { lines, problems } = parseAuthorizedKeys(text);
  if (problems.length === 0 && lines.length === 0) return wrong(`there is no public key in ${shown(item)}`, where);
  const places = problems.map(({ line, why }) =>
    wrong(
      `the key ${why}`,
      inline ? where : `${shown(item)}:${line}`,
      inline ? undefined : `${where} names this file.`,
    ),
  );
  return { lines, problems: places.flatMap((place) => place.problems) };
}

async function textOf(path: string): Promise<string> {
  const { size } = await stat(path);
  if (size > LARGEST) throw new Error(`${shown(path)} has ${size} bytes: that is no file of public keys`);
  return readFile(path, 'utf8');
}
