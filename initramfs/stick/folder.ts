import { lstatSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { PATHS } from '../../contract/rescue-config.ts';
import type { Context } from '../boot.ts';
import { log } from '../log.ts';
import { mountedAt, mountReadOnly, unmount } from '../mount.ts';
import { chunks, firstBytes, progressOf } from '../reading.ts';
import { disks, isUsb } from '../sources/block-devices.ts';
import { diskOf, diskSequence } from '../storage/block-devices.ts';
import { identify } from '../superblock.ts';

/** The folder of a stick that files of a person's own lie in. */
const FOLDER = 'mindi';
/** Where their copies lie: a stick may be pulled out, or hang. */
export const STICK_COPIES = '/run/mindi/stick';
const LOOK = '/run/mindi/stick-look';

/** What a person may put there (docs/stick.md), and the most bytes of it. */
const KINDS: readonly { name: RegExp; most: number }[] = [
  { name: /^config\.yaml$/, most: 256 * 1024 },
  { name: /^authorized_keys$/, most: 64 * 1024 },
  { name: /^keymap$/, most: 256 },
  { name: /^[\w.+-]+\.kmap$/, most: 64 * 1024 },
];
/** Names that editors make of them without telling. */
const MISTAKEN = /^(config\.yml|((config\.ya?ml|authorized_keys|keymap)|[\w.+-]+\.kmap)\.txt)$/;
/** More is something else. */
const MOST_FILES = 50;

/** What was found on one device. */
export interface StickFolder {
  /** `/dev/sdb1` */
  device: string;
  /** Where the copies are. */
  path: string;
  /** Names of the copies, in small letters but for keymaps. */
  files: string[];
  /** What of it could not be used, a sentence each. */
  problems: string[];
}

/** Sticks that were looked at. */
const lookedAt = new Set<string>();

/** Copies what people put on the medium and on USB sticks: the medium's first, because what comes later wins. */
export async function findStickFolders(context: Pick<Context, 'modules'>): Promise<StickFolder[]> {
  rmSync(STICK_COPIES, { recursive: true, force: true });
  const medium = mountedAt(PATHS.medium);
  const own = medium?.startsWith('/dev/') ? [await copyFolder(PATHS.medium, medium)] : [];
  return [...own, ...(await findNewFolders(context))].filter(holdsSomething);
}

/** The same for USB sticks that were not looked at yet. */
export async function findNewFolders(context: Pick<Context, 'modules'>): Promise<StickFolder[]> {
  const found: StickFolder[] = [];
  const medium = mountedAt(PATHS.medium);
  for (const device of disks().filter((one) => one !== medium && isUsb(one))) {
    const stick = `${device} ${diskSequence(diskOf(basename(device)))}`;
    if (lookedAt.has(stick)) continue;
    lookedAt.add(stick);
    if (await mountStick(context, device)) found.push(await copyFolder(LOOK, device));
    await unmount(LOOK);
  }
  return found.filter(holdsSomething);
}

const holdsSomething = ({ files, problems }: StickFolder) => files.length + problems.length > 0;

/** Only what sticks have: file systems of disks are not tried without being asked for. */
async function mountStick({ modules }: Pick<Context, 'modules'>, device: string): Promise<boolean> {
  const start = await firstBytes(device);
  const filesystem = start instanceof Error ? undefined : identify(start);
  if (!filesystem) return false;
  const failure = await mountReadOnly(device, filesystem, modules, LOOK);
  if (failure) log(`${device} is not looked at for files of a person's own: ${failure}`);
  return failure === null;
}

async function copyFolder(mounted: string, device: string): Promise<StickFolder> {
  const folder: StickFolder = { device, path: join(STICK_COPIES, basename(device)), files: [], problems: [] };
  const source = join(mounted, FOLDER);
  for (const name of fileNames(source).slice(0, MOST_FILES)) {
    const wanted = name.endsWith('.kmap') ? name : name.toLowerCase();
    const kind = KINDS.find((one) => one.name.test(wanted));
    if (kind) await copyFile(folder, join(source, name), wanted, kind.most);
    else if (MISTAKEN.test(wanted))
      folder.problems.push(`${FOLDER}/${name} on ${device} is not read: leave out what stands behind its real name.`);
  }
  return folder;
}

/** Those we know by name. A link could lead anywhere. */
function fileNames(folder: string): string[] {
  try {
    if (!lstatSync(folder).isDirectory()) return [];
    const names = readdirSync(folder).filter((name) => lstatSync(join(folder, name)).isFile());
    return names
      .filter((name) => [MISTAKEN, ...KINDS.map((kind) => kind.name)].some((one) => one.test(name.toLowerCase())))
      .sort();
  } catch {
    return [];
  }
}

async function copyFile(folder: StickFolder, from: string, name: string, most: number): Promise<void> {
  try {
    const bytes = await readSmall(from, most, folder.device);
    mkdirSync(folder.path, { recursive: true, mode: 0o700 });
    writeFileSync(join(folder.path, name), bytes, { mode: 0o600 });
    folder.files.push(name);
  } catch (error) {
    folder.problems.push(`${FOLDER}/${name} on ${folder.device} is not used: ${(error as Error).message}.`);
  }
}

async function readSmall(file: string, most: number, device: string): Promise<Buffer> {
  if (lstatSync(file).size > most) throw new Error(`it is larger than ${most} bytes`);
  const parts: Buffer[] = [];
  for await (const chunk of chunks(file, { progress: progressOf(device) })) parts.push(Buffer.from(chunk));
  return Buffer.concat(parts);
}
