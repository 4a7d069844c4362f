import { basename } from 'node:path';
import type { Volume } from '../../contract/volume.ts';
import { type Context, tell } from '../boot.ts';
import { whenThere } from '../late.ts';
import { placeOf } from './address.ts';
import { changeVolume, wrongVolume } from './change.ts';
import { capital } from './files.ts';
import { leaveSource } from './places.ts';
import { type OpenSource, SourceError, type SourceKind } from './source.ts';
import { eject, type FoundLabel, findLabel, tapeDrives, tapeStream } from './tape-drive.ts';

/** What the one stream on a tape is called. */
const DATA = 'data';

/** Tapes that contract/tape.ts describes: with the rescue system before the data (OBDR), and plain ones. */
export const tape: SourceKind = {
  schemes: ['tape'],
  name: 'Tape',
  about: 'the tape with restore data in any drive (tape:), or in that one (tape:/dev/nst1)',
  find: async () => tapeDrives().map((device) => `tape:${device}`),
  open,
};

async function open(address: URL, context: Context): Promise<OpenSource> {
  await leaveSource();
  const drive = placeOf(address).replace(/^\/dev\/st(?=\d)/, '/dev/nst');
  const drives = () => (drive ? tapeDrives().filter((one) => one === drive) : tapeDrives());
  let seen: string[] = [];
  const found = await whenThere(context, {
    what: drive || 'a tape drive',
    hidden: !context.person.there,
    look: async () => {
      const looked = await firstFit(drives(), () => null);
      if (!Array.isArray(looked)) return looked;
      seen = looked;
      return null;
    },
  });
  if (!found) throw new SourceError(...nothing(drive, seen));
  tell(context, `reading ${nameOf(found)}`);
  return openTape(context, found);
}

function nothing(drive: string, seen: readonly string[]): [string, string] {
  if (seen.length === 0)
    return [`There is no tape drive${drive && ` ${drive}`}.`, 'Connect one and try again, or choose another source.'];
  return [
    `No tape with restore data is in a drive: ${seen.join('; ')}.`,
    'Put the tape in and try again, or choose another source.',
  ];
}

/** The first tape that fits; or of each drive what is wrong with its tape. */
async function firstFit(
  drives: readonly string[],
  wrong: (volume: Volume | null) => string | null,
): Promise<FoundLabel | string[]> {
  const seen: string[] = [];
  for (const device of drives) {
    const found = await findLabel(device);
    if (typeof found === 'string') {
      seen.push(`${basename(device)} ${found}`);
      continue;
    }
    const failure = wrong(volumeOf(found));
    if (failure === null) return found;
    seen.push(`${nameOf(found)} ${failure}`);
  }
  return seen;
}

const nameOf = ({ device }: FoundLabel) => `the tape in ${basename(device)}`;
const volumeOf = ({ label }: FoundLabel) => label.data.volume ?? null;

function openTape(context: Context, first: FoundLabel): OpenSource {
  let now = first;
  const source: OpenSource = {
    get name() {
      return nameOf(now);
    },
    path: null,
    volumes: async () => [volumeOf(now)].filter((volume) => volume !== null),
    read: async (name, offset = 0) => {
      if (name !== DATA)
        throw new SourceError(`${name} is not on ${nameOf(now)}: all its data are one stream.`, `Read ${DATA}.`);
      // It may have been read before, by whomever.
      const found = await findLabel(now.device);
      if (typeof found === 'string') throw new SourceError(`${capital(basename(now.device))} ${found}.`, 'Put it in.');
      return tapeStream(found, offset);
    },
    close: leaveSource,
  };
  const of = volumeOf(first);
  if (!of) return source;
  const next = async (number: number) => {
    now = await nextTape(context, now, of, number);
  };
  return Object.assign(source, { next });
}

function nextTape(context: Context, now: FoundLabel, of: Volume, number: number): Promise<FoundLabel> {
  return changeVolume(context, {
    thing: 'tape',
    of,
    number,
    look: async () => {
      const drives = [now.device, ...tapeDrives().filter((device) => device !== now.device)];
      const found = await firstFit(drives, (volume) => wrongVolume(volume, of, number, 'tape'));
      return Array.isArray(found) ? `${capital(found.join('; '))}.` : found;
    },
    letGo: async () => {
      if (context.parameters.dontEject) return;
      const failure = await eject(now.device);
      if (failure) tell(context, `${basename(now.device)} ${failure}: take the tape out by its button`);
    },
  });
}
