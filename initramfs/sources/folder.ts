import { mkdirSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseSetName } from '../../contract/archive-set.ts';
import type { Volume } from '../../contract/volume.ts';
import { type Context, tell } from '../boot.ts';
import { log } from '../log.ts';
import { mountReadOnly, unmount } from '../mount.ts';
import { busybox, complaint } from '../process.ts';
import { ISO_FILE } from '../superblock.ts';
import { capital, type Directory, readFile, volumeIn } from './files.ts';
import { LOOK, leaveSource, SOURCE } from './places.ts';
import { type OpenSource, SourceError } from './source.ts';

/** A volume that is an ISO file, or a directory in one of a set. */
interface FoundVolume {
  file: string;
  volume: Volume;
}

/**
 * Shows the data in a directory of a mounted file system: the directory itself; where there are directories or ISO files
 * with volumes in it, one of these at a time; where there are sets, the newest one.
 * @throws SourceError when there is nothing to show
 */
export async function openFolder(context: Context, folder: Directory): Promise<OpenSource> {
  const names = await namesIn(folder);
  const own = await volumeIn(folder);
  const folders = own ? [] : await folderVolumes(folder, names);
  if (folders.length > 0) return openOne(context, folder, folders, (file) => showDirectory(at(folder, file)));
  const isos = own ? [] : newestSet(context, await isoVolumes(context, folder, names));
  if (isos.length > 0) return openOne(context, folder, isos, (file) => showIso(context, folder, file));
  const set = own ? null : newestName(context, folder, names);
  if (set) return openFolder(context, at(folder, set));
  await showDirectory(folder);
  return openDirectory({ ...folder, path: SOURCE }, own ? [own] : []);
}

const at = (folder: Directory, name: string): Directory => ({
  ...folder,
  path: join(folder.path, name),
  name: `${name} on ${folder.name}`,
});

/** Of the complete sets there, as `mindi archive` names them, that with the highest number. */
function newestName(context: Context, folder: Directory, names: readonly string[]): string | null {
  const prefix = context.parameters.prefix ?? '';
  const sets = names.flatMap((text) => {
    const set = text.startsWith(prefix) ? parseSetName(text) : null;
    return set?.complete ? [{ text, ...set }] : [];
  });
  if (new Set(sets.map(({ name }) => name)).size > 1)
    throw new SourceError(
      `Sets of several profiles are on ${folder.name}: ${sets.map(({ text }) => text).join(', ')}.`,
      'Add one of them to the address, or say which by the boot parameter prefix=.',
    );
  return sets.sort((a, b) => b.number - a.number)[0]?.text ?? null;
}

async function folderVolumes(folder: Directory, names: readonly string[]): Promise<FoundVolume[]> {
  const found: FoundVolume[] = [];
  for (const file of names.filter((name) => /^volume-\d+$/.test(name))) {
    const volume = await volumeIn({ path: join(folder.path, file), device: folder.device });
    if (volume) found.push({ file, volume });
  }
  return found.sort((a, b) => a.volume.number - b.volume.number);
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

/** One volume at a time. */
async function openOne(
  context: Context,
  folder: Directory,
  found: readonly FoundVolume[],
  mount: (file: string) => Promise<void>,
): Promise<OpenSource> {
  const show = async ({ file }: FoundVolume) => {
    await unmount(SOURCE);
    await mount(file);
    tell(context, `reading ${file} on ${folder.name}`);
  };
  const [first] = found;
  if (first) await show(first);
  const volumes = found.map(({ volume }) => volume);
  return {
    ...openDirectory({ ...folder, path: SOURCE }, volumes),
    next: async (number) => {
      const one = found.find(({ volume }) => volume.number === number);
      if (!one) throw new SourceError(...missing(number, folder, found));
      await show(one);
    },
  };
}

async function showIso(context: Context, folder: Directory, file: string): Promise<void> {
  const failure = await mountIso(context, folder, file, SOURCE);
  if (failure) throw new SourceError(`${file} on ${folder.name} cannot be mounted: ${failure}.`, 'Copy it again.');
}

function missing(number: number, folder: Directory, found: readonly FoundVolume[]): [string, string] {
  const there = found.map(({ file }) => file).join(', ');
  const what = found[0]?.file.endsWith('.iso') ? 'The ISO file of volume' : 'Volume';
  return [
    `${what} ${number} is not on ${folder.name}; there are ${there}.`,
    'Copy it beside them and try again, or choose another source.',
  ];
}

/** Every ISO file with a volume, in the order of sets and numbers. */
async function isoVolumes(context: Context, folder: Directory, names: readonly string[]): Promise<FoundVolume[]> {
  const found: FoundVolume[] = [];
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
