import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PATHS } from '../../contract/rescue-config.ts';
import type { Volume } from '../../contract/volume.ts';
import { type Context, tell } from '../boot.ts';
import { whenThere } from '../late.ts';
import { mountedAt, unmount } from '../mount.ts';
import { complaint, run } from '../process.ts';
import { placeOf } from './address.ts';
import { discDrives, isEmpty, mountDevice } from './block-devices.ts';
import { changeVolume, wrongVolume } from './change.ts';
import { capital, volumeIn } from './files.ts';
import { openDirectory } from './folder.ts';
import { LOOK, leaveSource, SOURCE } from './places.ts';
import { type OpenSource, SourceError, type SourceKind } from './source.ts';

/** Milliseconds a drive may take to see the disc that was put in, and how often it is asked. */
const SPIN_UP = 15_000;
const ASK_EVERY = 500;

/** Discs in drives, also those a remote-management card plays over a slow line. */
export const disc: SourceKind = {
  schemes: ['cd', 'dvd'],
  name: 'CD or DVD',
  about: 'the disc with restore data in any drive (cd:), or in that one (cd:/dev/sr1)',
  find,
  open,
};

/** What is in a drive. */
interface Disc {
  drive: string;
  /** Why it is not mounted: what follows the drive's name in a sentence; null: it is. */
  failure: string | null;
  volume: Volume | null;
}

async function find(context: Context): Promise<string[]> {
  const found: string[] = [];
  for (const drive of discDrives()) {
    const { failure, volume } = await lookInto(context, drive, LOOK);
    await unmount(LOOK);
    if (failure === null && (volume || !holdsMedium(drive))) found.push(`cd:${drive}`);
  }
  return found;
}

async function open(address: URL, context: Context): Promise<OpenSource> {
  await leaveSource();
  const drive = placeOf(address);
  const drives = () => discDrives().filter((one) => !drive || one === drive);
  let seen: Disc[] = [];
  const found = await whenThere(context, {
    what: drive ? `a disc in ${drive}` : 'a disc with restore data',
    hidden: discDrives().length === 0 || !context.person.there,
    look: async () => {
      const looked = await firstFit(
        context,
        drives(),
        (one) => one.volume !== null || (!!drive && !holdsMedium(drive)),
      );
      seen = looked.seen;
      return looked.fit;
    },
  });
  if (!found) throw new SourceError(...nothing(drive, seen));
  tell(context, `reading ${nameOf(found.drive)}${found.volume ? '' : ', which holds no volume of mindi'}`);
  return openDisc(context, found);
}

function nothing(drive: string, seen: readonly Disc[]): [string, string] {
  if (seen.length === 0)
    return [`There is no CD drive${drive && ` ${drive}`}.`, 'Connect one and try again, or choose another source.'];
  return [
    `No disc with restore data is in a drive: ${seen.map(holds).join('; ')}.`,
    'Put the disc in and try again, or choose another source.',
  ];
}

function holds({ drive, failure, volume }: Disc): string {
  if (failure !== null) return `${basename(drive)} ${failure}`;
  if (volume) return `${nameOf(drive)} is disc ${volume.number} of ${volume.machine}`;
  return `${nameOf(drive)} ${holdsMedium(drive) ? 'is the rescue medium' : 'holds no restore data'}`;
}

/** The first drive whose disc fits, mounted; and what was in those before it. */
async function firstFit(context: Context, drives: readonly string[], fits: (disc: Disc) => boolean) {
  const seen: Disc[] = [];
  for (const drive of drives) {
    const found = await lookInto(context, drive, SOURCE);
    if (found.failure === null && fits(found)) return { fit: found, seen };
    await unmount(SOURCE);
    seen.push(found);
  }
  return { fit: null, seen };
}

async function lookInto(context: Context, drive: string, place: string): Promise<Disc> {
  const failure = await mountDevice(context, drive, place);
  const volume = failure === null ? await volumeIn({ path: place, device: drive }) : null;
  return { drive, failure, volume };
}

const nameOf = (drive: string) => `the disc in ${basename(drive)}`;
/** Whether the rescue system itself runs from that disc: it cannot be taken out. */
const holdsMedium = (drive: string) => mountedAt(PATHS.medium) === drive;

function openDisc(context: Context, first: Disc): OpenSource {
  let now = first;
  const directory = () =>
    openDirectory({ path: SOURCE, device: now.drive, name: nameOf(now.drive) }, now.volume ? [now.volume] : []);
  const source: OpenSource = {
    get name() {
      return directory().name;
    },
    path: SOURCE,
    volumes: () => directory().volumes(),
    read: (name, offset) => directory().read(name, offset),
    close: leaveSource,
  };
  const of = first.volume;
  if (!of) return source;
  const next = async (number: number) => {
    now = await nextDisc(context, now, of, number);
  };
  return Object.assign(source, { next });
}

/** Gets another disc of the set: one that is in a drive already, or one that is put in. */
async function nextDisc(context: Context, now: Disc, of: Volume, number: number): Promise<Disc> {
  const drives = [now.drive, ...discDrives().filter((other) => other !== now.drive)];
  const drive = drives.find((one) => !holdsMedium(one));
  const wrong = (one: Disc) => wrongVolume(one.volume, of, number, 'disc');
  await unmount(SOURCE);
  const found = await changeVolume(context, {
    thing: 'disc',
    of,
    number,
    look: async (asked) => {
      if (asked && drive) await spinUp(drive);
      const { fit, seen } = await firstFit(context, drives, (one) => wrong(one) === null);
      const others = seen.filter((one) => one.volume || !holdsMedium(one.drive));
      const there = others.map((one) => (one.failure ? holds(one) : `${nameOf(one.drive)} ${wrong(one)}`));
      return fit ?? `${capital(there.join('; '))}.`;
    },
    letGo: () => letGo(context, drive),
  });
  tell(context, `reading ${nameOf(found.drive)}: disc ${number}`);
  return found;
}

/** Waits until a drive sees the disc that was put in. */
async function spinUp(drive: string): Promise<void> {
  const end = performance.now() + SPIN_UP;
  while (performance.now() < end && (await isEmpty(drive))) await sleep(ASK_EVERY);
}

async function letGo(context: Context, drive: string | undefined): Promise<void> {
  if (!drive) {
    throw new SourceError(
      'The rescue system runs from the disc in the only drive, so that no other disc can be put in.',
      'Start again with the boot parameter toram, or connect another drive.',
    );
  }
  if (context.parameters.dontEject) return;
  const result = await run('eject', [drive]);
  if (result.code !== 0)
    tell(context, `${basename(drive)} does not open by itself (${complaint(result)}): press its button`);
}
