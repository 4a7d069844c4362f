import { existsSync } from 'node:fs';
import { posix } from 'node:path';
import type { Medium, ProfileFile } from '../../builder/profile/schema.ts';
import { parseSize } from '../../builder/profile/size.ts';
import { TARGET_LETTERS } from './options.ts';
import type { Said } from './parse.ts';
import { absolute, type Tell } from './translate.ts';

type To = NonNullable<NonNullable<ProfileFile['archive']>['to']>;

/** Where a set goes. */
export interface Destination {
  to: To;
  /** What `mindi verify` takes. */
  place: string;
  /** What the first medium is, if it boots. */
  medium: Medium | null;
  /** Whether the medium needs the network to get at the set. */
  network: boolean;
}

const local = (to: To, place: string, medium: Medium | null): Destination => ({ to, place, medium, network: false });

/** What -i, -n, -c … and -d mean. */
export function destination(said: Said, tell: Tell): Destination {
  const letter = TARGET_LETTERS.find((one) => said.has(one)) ?? 'i';
  if (letter === 'n') return onServer(said, tell);
  const path = absolute('d', said, tell) || USUAL[letter] || '';
  if (path === '') tell('d', `-${letter} needs -d, the device it writes to`, 'As -d /dev/sdb.');
  if (letter !== 'i' && path !== '' && !existsSync(path)) tell('d', `there is no ${path}`, 'Name the device: -d.');
  const eject = said.has('e') ? { eject: false } : {};
  if (letter === 'i') return local({ iso: path }, path, 'iso');
  if (letter === 'U') return local({ usb: path }, path, 'usb');
  if ('tuo'.includes(letter)) {
    const obdr = letter === 'o' ? { obdr: true } : {};
    return local({ tape: path, ...obdr, ...blockSize(said, tell), ...eject }, path, letter === 'o' ? 'obdr' : null);
  }
  const wipe = letter === 'w' ? { wipe: true } : {};
  return local({ burner: path, ...speed(letter, said, tell), ...wipe, ...eject }, path, 'iso');
}

/** Without -d. Of USB disks and raw devices none is usual. */
const USUAL: Record<string, string> = {
  i: '/var/cache/mondo',
  c: '/dev/sr0',
  w: '/dev/sr0',
  r: '/dev/sr0',
  C: '/dev/sr0',
  t: '/dev/nst0',
  o: '/dev/nst0',
};

/** `server:/path`, `nfs://server/path`, and MondoRescue's own `nfs://server:/path`. */
const SERVER = /^(?:(nfs|sshfs|smb|cifs):\/\/)?((?:[^@/\s]+@)?(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::\d+)?):?(\/.*)$/;

function onServer(said: Said, tell: Tell): Destination {
  const text = said.get('n') ?? '';
  const [, scheme = 'nfs', server = '', path = ''] = SERVER.exec(text) ?? [];
  if (server === '')
    tell(
      'n',
      `-n has ${text}, which names no server`,
      'As server:/path, nfs://server/path or sshfs://user@server/path.',
    );
  const iso = `${scheme}://${server}${posix.join(path, absolute('d', said, tell)).replace(/(.)\/$/, '$1')}`;
  return { to: { iso }, place: iso, medium: 'iso', network: true };
}

function speed(letter: string, said: Said, tell: Tell): { speed?: number } {
  const text = said.get(letter) ?? '';
  if (text === '') return {};
  if (!/^\d{1,3}$/.test(text))
    tell(letter, `-${letter} has ${text}, which is no speed`, 'As 8, for eightfold; 0: as fast as it goes.');
  return Number(text) > 0 ? { speed: Number(text) } : {};
}

function blockSize(said: Said, tell: Tell): { blockSize?: number } {
  const text = said.get('b');
  if (text === undefined) return {};
  const bytes = parseSize(text);
  if (bytes === null || bytes < 512 || bytes > 1 << 20 || bytes % 512 !== 0)
    tell('b', `-b has ${text}, which is no block size`, 'A multiple of 512, up to 1M.');
  return { blockSize: bytes ?? 512 };
}
