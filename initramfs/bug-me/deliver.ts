import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Context } from '../boot.ts';
import { put, Untrusted } from '../http.ts';
import { reason } from '../reasons.ts';
import { BugMeError } from './error.ts';
import { findSticks, type Stick, whyNot, writeToStick, writeWhole } from './stick.ts';

/** Seconds without a byte after which a web server is given up. */
const STALL = 60;

/**
 * Puts the report somewhere: `usb:` (the stick there is), `usb:/dev/sdb1`, http:// and https:// (PUT; what ends in / is a
 * folder), or a file or directory of the rescue system.
 * @returns where it is, for people
 * @throws BugMeError, Unanswered
 */
export async function deliver(context: Context, place: string, name: string, bytes: Uint8Array): Promise<string> {
  if (/^https?:/.test(place)) return send(place, name, bytes);
  if (place.startsWith('usb:')) {
    const stick = await chooseStick(context, place.slice('usb:'.length));
    await writeToStick(context, stick, name, bytes);
    return `${name} on the USB stick ${stick.device}`;
  }
  return writeFile(place, name, bytes);
}

async function send(address: string, name: string, bytes: Uint8Array): Promise<string> {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (!url) throw new BugMeError('That is no address.', 'Write it like http://server/reports/ .');
  if (url.pathname.endsWith('/')) url.pathname += encodeURIComponent(name);
  const shown = `${url.origin}${url.pathname}`;
  try {
    await put(url, bytes, { stall: STALL });
    return shown;
  } catch (error) {
    const hint =
      error instanceof Untrusted ? error.hint : "Check the address and the network: 'mindi network dhcp' sets it up.";
    throw new BugMeError(`The report cannot be sent to ${shown}: ${reason(error as Error)}.`, hint);
  }
}

async function chooseStick({ person }: Context, device: string): Promise<Stick> {
  const sticks = await findSticks();
  const hint = 'Plug one in and try again, send it over the network, or show it on the screen.';
  if (sticks.length === 0) throw new BugMeError('There is no USB stick with FAT, exFAT or ext4.', hint);
  const [only] = sticks;
  if (device === '' && only && sticks.length === 1) return only;
  const choices = sticks.map((stick) => ({ value: stick.device, text: stick.about }));
  const wanted = device || (await person.choose('Which USB stick shall the report be put on?', choices));
  const stick = sticks.find((one) => one.device === wanted);
  if (stick) return stick;
  throw new BugMeError(
    `${device} is no USB stick with FAT, exFAT or ext4.`,
    `There is ${sticks.map((one) => one.device).join(', ')}.`,
  );
}

function writeFile(place: string, name: string, bytes: Uint8Array): string {
  const folder = statSync(place, { throwIfNoEntry: false })?.isDirectory();
  const path = resolve(folder ? join(place, name) : place);
  try {
    writeWhole(path, bytes);
    return path;
  } catch (error) {
    throw new BugMeError(
      `The report cannot be written to ${path}: ${whyNot(error as Error)}.`,
      'Write it to /tmp, a stick or a server.',
    );
  }
}
