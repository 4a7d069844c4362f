import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PATHS, type SecondStage } from '../contract/rescue-config.ts';
import { attribute, list } from './devices.ts';
import type { KernelModules } from './kernel-modules.ts';
import { log } from './log.ts';
import { busybox, complaint } from './process.ts';
import { type Filesystem, identify, SUPERBLOCK_BYTES } from './superblock.ts';

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

/** What looking at a candidate gave: the medium, another mindi medium, or nothing of ours. `problem` is a whole sentence. */
export type Look = { found: true } | { found: false; problem?: string };

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
 */
export async function look(device: string, stage: Pick<SecondStage, 'sha256'>, modules: KernelModules): Promise<Look> {
  const start = await firstBytes(device);
  if (typeof start === 'string') {
    log(`${device}: ${start}`);
    return { found: false };
  }
  const filesystem = identify(start);
  if (!filesystem) return { found: false };
  const failure = await mountMedium(device, filesystem, modules);
  if (failure) {
    log(`${device}: ${filesystem.type} cannot be mounted: ${failure}`);
    return { found: false };
  }
  const id = mediumId();
  if (id === stage.sha256) return { found: true };
  await unmountMedium();
  log(`${device}: ${filesystem.type}, ${id ? `the mindi medium ${id}` : 'no mindi medium'}`);
  return id
    ? { found: false, problem: `${device} holds another mindi medium, not the one this boot image belongs to.` }
    : { found: false };
}

/** Takes the medium away again. */
export async function unmountMedium(): Promise<void> {
  await busybox(['umount', PATHS.medium]);
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

async function mountMedium(device: string, filesystem: Filesystem, modules: KernelModules): Promise<string | null> {
  await modules.loadAll([`fs-${filesystem.type}`, ...filesystem.helpers]);
  mkdirSync(PATHS.medium, { recursive: true });
  const options = `${filesystem.options},nodev,nosuid`;
  const result = await busybox(['mount', '-t', filesystem.type, '-o', options, device, PATHS.medium]);
  return result.code === 0 ? null : complaint(result);
}

function mediumId(): string {
  try {
    return readFileSync(join(PATHS.medium, PATHS.mediumId), 'utf8').trim();
  } catch {
    return '';
  }
}
