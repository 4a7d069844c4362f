import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { run } from '../../builder/run.ts';
import { INCOMPLETE, parseSetName } from '../../contract/archive-set.ts';
import { MindiError } from '../../contract/error.ts';
import { openPlace, placeAddress } from '../places/place.ts';
import { isStore } from '../stores/open.ts';
import { openDrive } from '../tape/drive.ts';
import { type Ask, driveSource } from './drive.ts';
import { fatVolume } from './fat.ts';
import { folderVolume } from './folder.ts';
import { isoVolume } from './iso.ts';
import type { SetSource, VolumeSource } from './source.ts';
import { tapeVolume } from './tape.ts';
import { webSource } from './web.ts';

/** What may be said of where a set lies. */
export interface SourceOptions {
  /** For servers. */
  credentials?: string | undefined;
  /** Where servers' directories are mounted. */
  scratch: string;
  /** Asks the person at the terminal for another disc or tape; undefined: nobody is there. */
  ask?: Ask | undefined;
}

/**
 * Opens what a person names as a set and that is no directory of volumes: ISO files, a device, an address. Undefined
 * when it is such a directory, or nothing at all.
 */
export async function openSource(text: string, options: SourceOptions): Promise<SetSource | undefined> {
  if (placeAddress(text)) return fromServer(text, options);
  if (isStore(text)) return webSource(text, options.credentials);
  const found = statSync(text, { throwIfNoEntry: false });
  if (found?.isDirectory()) return isoFolder(text, text);
  if (found?.isFile()) return isoFiles(dirname(text), text, await isoVolume(text));
  if (found?.isBlockDevice()) return discs(text, options.ask);
  if (found?.isCharacterDevice()) return tapes(text, options.ask);
  return undefined;
}

/** A directory of a server: mounted for as long as the set is open. */
async function fromServer(text: string, { credentials, scratch }: SourceOptions): Promise<SetSource> {
  const place = await openPlace(text, credentials, scratch, true);
  try {
    const folder = newestFolder(place.path);
    const name = place.nameOf(folder);
    const source = (await isoFolder(folder, name)) ?? {
      name,
      volumes: await volumesIn(folder, place.nameOf),
      [Symbol.asyncDispose]: async () => {},
    };
    return { ...source, [Symbol.asyncDispose]: place.close };
  } catch (error) {
    await place.close();
    throw error;
  }
}

/** The directory itself, or the newest complete set in it. */
function newestFolder(path: string): string {
  const names = readdirSync(path).filter((name) => parseSetName(name)?.complete);
  const newest = names.toSorted((one, other) => numberOf(other) - numberOf(one))[0];
  return newest === undefined ? path : join(path, newest);
}

const numberOf = (name: string) => parseSetName(name)?.number ?? 0;

async function volumesIn(folder: string, nameOf: (path: string) => string): Promise<VolumeSource[]> {
  const names = ['', ...readdirSync(folder).filter((name) => /^volume-\d+$/.test(name))];
  const found = await Promise.all(names.map((name) => folderVolume(join(folder, name), nameOf(join(folder, name)))));
  return found.filter((volume) => volume !== null);
}

/** ISO files in a directory, or in that of the newest complete set there; undefined when there are none. */
async function isoFolder(path: string, name: string): Promise<SetSource | undefined> {
  const folder = newestFolder(path);
  const files = readdirSync(folder).filter((file) => /\.iso$/i.test(file));
  if (files.length === 0) return undefined;
  if (folder.endsWith(INCOMPLETE)) throw unfinished(name);
  const volumes = await Promise.all(files.sort().map((file) => isoVolume(join(folder, file)).catch(() => null)));
  const found = volumes.filter((volume) => volume !== null);
  return found.length > 0 ? sourceOf(folder === path ? name : join(name, basename(folder)), found) : undefined;
}

const unfinished = (where: string) =>
  new MindiError('this set was never finished', {
    code: 'set.incomplete',
    where,
    hint: 'Its archives can be restored by hand with tar; take an older set, or archive again.',
  });

/** One ISO file, with those beside it that are of its set. */
async function isoFiles(folder: string, path: string, volume: VolumeSource | null): Promise<SetSource> {
  if (!volume)
    throw new MindiError('this file holds no volume of a set', {
      code: 'set.none',
      where: path,
      hint: 'Name a directory with a set, or one of its ISO files.',
    });
  const beside = await isoFolder(folder, path);
  const others = beside?.volumes.filter((one) => one.volume.set === volume.volume.set) ?? [];
  return sourceOf(path, [volume, ...others.filter((one) => one.volume.number !== volume.volume.number)]);
}

/** Discs in a drive, or a disk with an ISO image on it. */
function discs(device: string, ask: Ask | undefined): Promise<SetSource> {
  return driveSource(
    {
      name: device,
      thing: 'disc',
      look: () => volumeOn(device).catch(() => null),
      letGo: async () => void (await run('eject', [device], { package: 'eject' }).catch(() => {})),
      close: async () => {},
    },
    ask,
  );
}

/** A disc, or a stick in a drive's place. */
const volumeOn = async (device: string) => (await isoVolume(device)) ?? fatVolume(device);

function tapes(device: string, ask: Ask | undefined): Promise<SetSource> {
  const drive = openDrive(device);
  return driveSource(
    {
      name: drive.name,
      thing: 'tape',
      look: async () => ((await drive.problem(false)) === null ? tapeVolume(drive) : null),
      letGo: () => drive.offline().catch(() => {}),
      close: drive.close,
    },
    ask,
  );
}

const sourceOf = (name: string, volumes: VolumeSource[]): SetSource => ({
  name,
  volumes,
  [Symbol.asyncDispose]: async () => {},
});
