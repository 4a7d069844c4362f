import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename, dirname, join, normalize } from 'node:path';
import { PATHS, type SecondStage } from '../contract/rescue-config.ts';
import { attribute, list } from './devices.ts';
import type { KernelModules } from './kernel-modules.ts';
import { log } from './log.ts';
import { busybox, complaint } from './process.ts';
import { type Filesystem, ISO_FILE, identify, SUPERBLOCK_BYTES } from './superblock.ts';

/** Seconds a device may take for its first bytes: a CD drive spins up, a broken one never answers. */
const FIRST_BYTES = 30;
/** Seconds a device may take for any further piece of a file. */
const NEXT_BYTES = 60;

/** A block device that could hold the medium. */
export interface Candidate {
  /** `/dev/sr0` */
  device: string;
  /** Changes when another disc is put in. */
  key: string;
}

/**
 * What looking at a candidate gave: the medium and where it is, another mindi medium, or nothing of ours. `problem` is a
 * whole sentence.
 */
export type Look = { found: true; from: string } | { found: false; problem?: string };

/** Block devices with something in them, discs first, then what can be pulled out, partitions after their disk. */
export function candidates(): Candidate[] {
  return list('/sys/class/block')
    .filter((name) => !/^(ram|loop|zram|fd|nbd)\d|^(md|dm-)/.test(name))
    .filter((name) => attribute('/sys/class/block', name, 'size') !== '0')
    .map((name) => ({ name, order: order(name) }))
    .sort((a, b) => a.order - b.order || (a.name < b.name ? -1 : 1))
    .map(({ name }) => ({ device: `/dev/${name}`, key: `${name} ${generation(name)}` }));
}

function order(name: string): number {
  if (name.startsWith('sr')) return 0;
  const path = realpathSync(join('/sys/class/block', name));
  const disk = existsSync(join(path, 'partition')) ? dirname(path) : path;
  return attribute(disk, 'removable') === '1' ? 1 : 2;
}

function generation(name: string): string {
  return `${attribute('/sys/class/block', name, 'diskseq')} ${attribute('/sys/class/block', name, 'size')}`;
}

/**
 * Mounts the candidate at PATHS.medium, read-only, when it holds our medium: the file `mindi/id` names the second stage's
 * hash. Anything else is left unmounted.
 * @param iso a path at which the candidate's file system may hold the medium as an ISO file
 */
export async function look(
  device: string,
  stage: Pick<SecondStage, 'sha256'>,
  modules: KernelModules,
  iso: string | null,
): Promise<Look> {
  const start = await firstBytes(device);
  if (typeof start === 'string') {
    log(`${device}: ${start}`);
    return { found: false };
  }
  const filesystem = identify(start);
  if (!filesystem) return { found: false };
  const failure = await mount(device, filesystem, modules, PATHS.medium);
  if (failure) {
    log(`${device}: ${filesystem.type} cannot be mounted: ${failure}`);
    return { found: false };
  }
  const looked = await recognise(device, stage);
  if (looked.found || iso === null) return looked;
  return (await lookIntoFile(device, filesystem, stage, modules, iso)) ?? looked;
}

/** Whether what is mounted at PATHS.medium is our medium; if not, it is unmounted. */
async function recognise(from: string, stage: Pick<SecondStage, 'sha256'>): Promise<Look> {
  const id = mediumId();
  if (id === stage.sha256) return { found: true, from };
  await unmountMedium();
  log(`${from}: ${id ? `the mindi medium ${id}` : 'no mindi medium'}`);
  return id
    ? { found: false, problem: `${from} holds another mindi medium, not the one this boot image belongs to.` }
    : { found: false };
}

/** The medium as an ISO file of this file system; undefined when there is no such file. */
async function lookIntoFile(
  device: string,
  filesystem: Filesystem,
  stage: Pick<SecondStage, 'sha256'>,
  modules: KernelModules,
  iso: string,
): Promise<Look | undefined> {
  const path = normalize(`/${iso}`);
  const file = join(PATHS.carrier, path);
  const failure =
    (await mount(device, filesystem, modules, PATHS.carrier)) ??
    (existsSync(file) ? await mount(file, ISO_FILE, modules, PATHS.medium) : 'there is no such file');
  if (!failure) return recognise(`${device}:${path}`, stage);
  log(`${device}:${path}: ${failure}`);
  await unmountMedium();
  return undefined;
}

/** Takes the medium away again, and what it is a file of. */
export async function unmountMedium(): Promise<void> {
  for (const place of [PATHS.medium, PATHS.carrier]) if (mountedAt(place)) await busybox(['umount', place]);
}

/** What is mounted at a place: `/dev/sr0`; undefined when nothing is. */
export function mountedAt(place: string): string | undefined {
  const lines = readFileSync('/proc/mounts', 'utf8').split('\n');
  return lines.map((line) => line.split(' ')).findLast(([, at]) => at === place)?.[0];
}

/** Where a medium that is mounted already came from, as Look.from says it. */
export function mediumSource(): string | null {
  const source = mountedAt(PATHS.medium);
  const carrier = mountedAt(PATHS.carrier);
  if (!source || !carrier) return source ?? null;
  const file = attribute('/sys/block', basename(source), 'loop/backing_file');
  return `${carrier}:${file.slice(PATHS.carrier.length)}`;
}

/**
 * Reads the whole second stage and compares its hash.
 * @param progress called with the part read, 0 to 1
 * @param use gets each piece as it is read
 * @returns null when it is right, else a sentence that says what is wrong
 */
export async function verify(
  file: string,
  stage: SecondStage,
  progress: (part: number) => void,
  use?: (chunk: Uint8Array) => void,
): Promise<string | null> {
  const hash = createHash('sha256');
  let read = 0;
  try {
    for await (const chunk of chunks(file)) {
      hash.update(chunk);
      use?.(chunk);
      read += chunk.length;
      progress(read / stage.size);
    }
  } catch (error) {
    return `it cannot be read beyond byte ${read} of ${stage.size} (${(error as Error).message})`;
  }
  if (read !== stage.size) return `it has ${read} bytes instead of ${stage.size}`;
  const sha256 = hash.digest('hex');
  return sha256 === stage.sha256 ? null : `its checksum is ${sha256} instead of ${stage.sha256}`;
}

/** A file in pieces through one buffer, each valid until the next. */
export async function* chunks(file: string): AsyncGenerator<Uint8Array> {
  const handle = await open(file);
  const buffer = Buffer.allocUnsafe(1 << 20);
  try {
    while (true) {
      const { bytesRead } = await inTime(handle.read(buffer, 0, buffer.length), NEXT_BYTES);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    // Closing waits for a read that never ends, so it has its limit too.
    await inTime(handle.close(), 1).catch(() => {});
  }
}

/** The device's first bytes, or why there are none. A device that hangs is left behind. */
async function firstBytes(device: string): Promise<Buffer | string> {
  try {
    return await inTime(readStart(device), FIRST_BYTES);
  } catch (error) {
    return (error as Error).message;
  }
}

/** The work's result; throws when it takes longer than so many seconds. The work itself cannot be stopped. */
async function inTime<T>(work: Promise<T>, seconds: number): Promise<T> {
  const tooLate = Promise.withResolvers<never>();
  const timer = setTimeout(() => tooLate.reject(new Error(`no answer within ${seconds} seconds`)), seconds * 1000);
  try {
    return await Promise.race([work, tooLate.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function readStart(device: string): Promise<Buffer> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(device);
    const buffer = Buffer.alloc(SUPERBLOCK_BYTES);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle?.close();
  }
}

async function mount(
  what: string,
  filesystem: Filesystem,
  modules: KernelModules,
  place: string,
): Promise<string | null> {
  await modules.loadAll([`fs-${filesystem.type}`, ...filesystem.helpers]);
  mkdirSync(place, { recursive: true });
  const options = `${filesystem.options},nodev,nosuid`;
  const result = await busybox(['mount', '-t', filesystem.type, '-o', options, what, place]);
  return result.code === 0 ? null : complaint(result);
}

function mediumId(): string {
  try {
    return readFileSync(join(PATHS.medium, PATHS.mediumId), 'utf8').trim();
  } catch {
    return '';
  }
}
