import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';
import { PATHS } from '../../contract/rescue-config.ts';
import type { Context } from '../boot.ts';
import { attribute } from '../devices.ts';
import { mountedAt, unmount } from '../mount.ts';
import { busybox, complaint } from '../process.ts';
import { firstBytes } from '../reading.ts';
import { sizeText } from '../size-text.ts';
import { disks, isUsb } from '../sources/block-devices.ts';
import { CARRIER } from '../sources/places.ts';
import { GuardError, whileWritable } from '../storage/guard.ts';
import { type Filesystem, identify } from '../superblock.ts';
import { BugMeError } from './error.ts';

const PLACE = '/run/mindi/bug-me';
/** Those that are written to without more than the file changing. */
const WRITTEN_TO = ['vfat', 'exfat', 'ext4'];
/** Where the rescue system itself has a stick mounted. */
const OWN = [PATHS.medium, PATHS.carrier];

/** What the system says when it cannot be written to, for people. */
const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'it is full',
  EROFS: 'it is write-protected',
  EIO: 'it cannot be written to: it may be damaged, or was pulled out',
};

/** Why a file could not be written. */
export function whyNot({ code = '', message }: NodeJS.ErrnoException): string {
  return REASONS[code] ?? message;
}

/** A USB stick the report can be put on. */
export interface Stick {
  /** `/dev/sdb1` */
  device: string;
  /** For people. */
  about: string;
  filesystem: Filesystem;
}

/** Those there are, but for one that restore data are read from. */
export async function findSticks(): Promise<Stick[]> {
  const found: Stick[] = [];
  for (const device of disks().filter((one) => isUsb(one) && mountedAt(CARRIER) !== one)) {
    const start = await firstBytes(device);
    const filesystem = start instanceof Error ? undefined : identify(start);
    if (filesystem && WRITTEN_TO.includes(filesystem.type))
      found.push({ device, about: about(device, filesystem), filesystem });
  }
  return found;
}

function about(device: string, { type }: Filesystem): string {
  const size = sizeText(Number(attribute('/sys/class/block', basename(device), 'size')) * 512);
  return `${device}  ${size}  ${type}${placeOf(device) ? '  (this medium)' : ''}`;
}

const placeOf = (device: string) => OWN.find((place) => mountedAt(place) === device);

/**
 * Puts one file on a stick, which can be written to only as long as that takes.
 * @throws BugMeError
 */
export async function writeToStick(
  context: Pick<Context, 'modules'>,
  stick: Stick,
  name: string,
  bytes: Uint8Array,
): Promise<void> {
  try {
    await whileWritable(stick.device, `the report ${name} is written to it`, () =>
      mountAndWrite(context, stick, name, bytes),
    );
  } catch (error) {
    if (error instanceof BugMeError) throw error;
    const hint = 'Choose another stick, send it over the network, or show it on the screen.';
    const message = (error as Error).message;
    throw new BugMeError(error instanceof GuardError ? message : `${stick.device}: ${whyNot(error as Error)}.`, hint);
  }
}

async function mountAndWrite(
  { modules }: Pick<Context, 'modules'>,
  { device, filesystem }: Stick,
  name: string,
  bytes: Uint8Array,
): Promise<void> {
  const own = placeOf(device);
  if (own) return remounted(own, () => writeWhole(join(own, name), bytes));
  await modules.loadAll([`fs-${filesystem.type}`, ...filesystem.helpers]);
  mkdirSync(PLACE, { recursive: true });
  await mount(['-t', filesystem.type, '-o', 'rw,nodev,nosuid,noexec', device, PLACE]);
  try {
    writeWhole(join(PLACE, name), bytes);
  } finally {
    await unmount(PLACE);
  }
}

async function remounted(place: string, work: () => void): Promise<void> {
  await mount(['-o', 'remount,rw,nodev,nosuid', place]);
  try {
    work();
  } finally {
    await mount(['-o', 'remount,ro,nodev,nosuid', place]);
  }
}

async function mount(words: readonly string[]): Promise<void> {
  const result = await busybox(['mount', ...words]);
  if (result.code !== 0) throw new Error(`it cannot be mounted so that it can be written to: ${complaint(result)}`);
}

/** Whole or not at all. */
export function writeWhole(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.part`;
  try {
    const file = openSync(temporary, 'w', 0o600);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
