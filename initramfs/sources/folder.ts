import { mkdirSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Volume } from '../../contract/volume.ts';
import { type Context, tell } from '../boot.ts';
import { log } from '../log.ts';
import { mountReadOnly, unmount } from '../mount.ts';
import { busybox, complaint } from '../process.ts';
import { ISO_FILE } from '../superblock.ts';
import { capital, type Directory, readFile, volumeIn } from './files.ts';
import { LOOK, leaveSource, SOURCE } from './places.ts';
import { type OpenSource, SourceError } from './source.ts';

/** A volume that is an ISO file. */
interface IsoVolume {
  file: string;
  volume: Volume;
}

/**
 * Shows the data in a directory of a mounted file system: the directory itself, or, where there are ISO files with
 * volumes in it, one of these at a time.
 * @throws SourceError when there is nothing to show
 */
export async function openFolder(context: Context, folder: Directory): Promise<OpenSource> {
  const names = await namesIn(folder);
  const own = await volumeIn(folder);
  const isos = own ? [] : newestSet(context, await isoVolumes(context, folder, names));
  if (isos.length > 0) return openIsos(context, folder, isos);
  await showDirectory(folder);
  return openDirectory({ ...folder, path: SOURCE }, own ? [own] : []);
}

async function namesIn({ path, name }: Directory): Promise<string[]> {
  const hint = 'Check the path, or choose another source.';
  const names = await readdir(path).catch((error: Error) => error);
  if (names instanceof Error) throw new SourceError(`There is no such directory on ${name}: ${names.message}.`, hint);
  if (names.length === 0) throw new SourceError(`${capital(name)} is an empty directory.`, hint);
  return names.sort();
}

async function showDirectory({ path, name }: Directory): Promise<void> {
  mkdirSync(SOURCE, { recursive: true });
  const done = await busybox(['mount', '--bind', path, SOURCE]);
  if (done.code !== 0)
    throw new SourceError(`${capital(name)} cannot be shown: ${complaint(done)}.`, 'Choose another source.');
}

/** A directory that is all there is: of this set nothing else can be asked for. */
export function openDirectory(directory: Directory, volumes: readonly Volume[]): OpenSource {
  return {
    name: directory.name,
    path: directory.path,
    volumes: async () => [...volumes],
    read: (file, offset) => readFile(directory, file, offset),
    close: leaveSource,
  };
}

async function openIsos(context: Context, folder: Directory, isos: readonly IsoVolume[]): Promise<OpenSource> {
  const show = async ({ file }: IsoVolume) => {
    await unmount(SOURCE);
    const failure = await mountIso(context, folder, file, SOURCE);
    if (failure) throw new SourceError(`${file} on ${folder.name} cannot be mounted: ${failure}.`, 'Copy it again.');
    tell(context, `reading ${file} on ${folder.name}`);
  };
  const [first] = isos;
  if (first) await show(first);
  const volumes = isos.map(({ volume }) => volume);
  return {
    ...openDirectory({ ...folder, path: SOURCE }, volumes),
    next: async (number) => {
      const iso = isos.find(({ volume }) => volume.number === number);
      if (!iso) throw new SourceError(...missing(number, folder, isos));
      await show(iso);
    },
  };
}

function missing(number: number, folder: Directory, isos: readonly IsoVolume[]): [string, string] {
  const there = isos.map(({ file }) => file).join(', ');
  return [
    `The ISO file of volume ${number} is not on ${folder.name}; there are ${there}.`,
    'Copy it beside them and try again, or choose another source.',
  ];
}

/** Every ISO file with a volume, in the order of sets and numbers. */
async function isoVolumes(context: Context, folder: Directory, names: readonly string[]): Promise<IsoVolume[]> {
  const found: IsoVolume[] = [];
  const prefix = context.parameters.prefix ?? '';
  for (const file of names.filter((name) => name.startsWith(prefix))) {
    if (!/\.iso$/i.test(file) || !(await isFile(join(folder.path, file)))) continue;
    const failure = await mountIso(context, folder, file, LOOK);
    if (failure) {
      tell(context, `${file} on ${folder.name} is passed over: ${failure}`);
      continue;
    }
    const volume = await volumeIn({ path: LOOK, device: folder.device });
    await unmount(LOOK);
    log(`${file} on ${folder.name}: ${volume ? `volume ${volume.number} of the set ${volume.set}` : 'no volume'}`);
    if (volume) found.push({ file, volume });
  }
  return found.sort((a, b) => a.volume.number - b.volume.number);
}

const isFile = async (path: string) => (await stat(path).catch(() => null))?.isFile() === true;

function mountIso(context: Context, folder: Directory, file: string, place: string): Promise<string | null> {
  return mountReadOnly(join(folder.path, file), ISO_FILE, context.modules, place, folder.device);
}

/** Of several sets that made last. */
export function newestSet<T extends { volume: Volume }>(context: Context, found: readonly T[]): T[] {
  const sets = new Map(found.map(({ volume }) => [volume.set, volume]));
  const [newest, ...older] = [...sets.values()].sort((a, b) => Date.parse(b.created) - Date.parse(a.created));
  for (const { machine, created } of older)
    tell(context, `also there, and not used: the set of ${machine}, ${created}`);
  return found.filter(({ volume }) => volume.set === newest?.set);
}
