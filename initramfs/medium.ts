import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { PATHS, type SecondStage } from '../contract/rescue-config.ts';
import { attribute, list } from './devices.ts';
import type { KernelModules } from './kernel-modules.ts';
import { log } from './log.ts';
import { mountedAt, mountReadOnly, unmount } from './mount.ts';
import { chunks, firstBytes } from './reading.ts';
import { type Filesystem, ISO_FILE, identify } from './superblock.ts';

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
  if (start instanceof Error) {
    log(`${device}: ${start.message}`);
    return { found: false };
  }
  const filesystem = identify(start);
  if (!filesystem) return { found: false };
  const failure = await mountReadOnly(device, filesystem, modules, PATHS.medium);
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
    (await mountReadOnly(device, filesystem, modules, PATHS.carrier)) ??
    (existsSync(file) ? await mountReadOnly(file, ISO_FILE, modules, PATHS.medium, device) : 'there is no such file');
  if (!failure) return recognise(`${device}:${path}`, stage);
  log(`${device}:${path}: ${failure}`);
  await unmountMedium();
  return undefined;
}

/** Takes the medium away again, and what it is a file of. */
export async function unmountMedium(): Promise<void> {
  await unmount(PATHS.medium, PATHS.carrier);
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

function mediumId(): string {
  try {
    return readFileSync(join(PATHS.medium, PATHS.mediumId), 'utf8').trim();
  } catch {
    return '';
  }
}
