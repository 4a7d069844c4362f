import { existsSync, lstatSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import { PATHS } from '../../contract/rescue-config.ts';
import { type Context, tell } from '../boot.ts';
import { mountedAt, unmount } from '../mount.ts';
import { decoded } from './address.ts';
import { disks, isUsb, mountDevice } from './block-devices.ts';
import { LOOK } from './places.ts';
import { SourceError } from './source.ts';

/** Bytes; what is longer is no password. */
const LONGEST = 1024;

/**
 * The password of an address's user: from the address; else from the file that the boot parameter names, on the medium or
 * a USB stick; else from the profile's; else the person is asked. It goes into no log and no argument.
 * @param what for people: it may be a key
 * @throws SourceError when the file that is named is not there and nobody is; Unanswered without any file
 */
export async function passwordOf(
  address: Pick<URL, 'username' | 'password' | 'host'>,
  context: Context,
  what = 'Password',
): Promise<string> {
  if (address.password) return decoded(address.password);
  const { person, parameters } = context;
  const named = parameters.passwordFile;
  const kept = (named === null ? null : await fromMedia(context, named)) ?? (await firstLine(PATHS.password));
  if (kept !== null) return kept;
  if (named !== null) {
    const missing = `The file ${named} with the password is neither on the medium nor on a USB stick.`;
    if (!person.there) throw new SourceError(missing, 'Plug the stick in, or check mindi.password-file=.');
    tell(context, missing);
  }
  return person.enter(`${what} of ${decoded(address.username)} on ${address.host}`, { secret: true });
}

/** Looks at the medium first, then at each USB stick. */
async function fromMedia(context: Context, file: string): Promise<string | null> {
  const there = mountedAt(PATHS.medium) && (await firstLine(join(PATHS.medium, normalize(`/${file}`))));
  if (there) return there;
  for (const device of disks().filter(isUsb)) {
    const failure = await mountDevice(context, device, LOOK);
    const found = failure === null ? await firstLine(join(LOOK, normalize(`/${file}`))) : null;
    await unmount(LOOK);
    if (found !== null) return found;
  }
  return null;
}

/** Without the line's end; null where there is no such file, or nothing in it. A link may lead anywhere, and is none. */
async function firstLine(path: string): Promise<string | null> {
  if (!existsSync(path) || !lstatSync(path).isFile()) return null;
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(LONGEST), 0, LONGEST, 0);
  return buffer.toString('utf8', 0, bytesRead).split(/\r?\n/)[0] || null;
}
