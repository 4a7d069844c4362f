import { mkdirSync, readFileSync } from 'node:fs';
import { unescapeField } from '../contract/mountlist-file.ts';
import type { KernelModules } from './kernel-modules.ts';
import { busybox, complaint, run } from './process.ts';
import { progressOf } from './reading.ts';
import { type Filesystem, OF_DISKS } from './superblock.ts';

/**
 * Mounts a device or an ISO file so that nothing of it is ever written.
 * @param device the device it is or lies on: as long as that gives anything, the mount is waited for
 * @returns null when it is mounted, else what mount said
 */
export async function mountReadOnly(
  what: string,
  filesystem: Filesystem,
  modules: KernelModules,
  place: string,
  device: string | null = what,
): Promise<string | null> {
  const words = ['-o', `${filesystem.options},nodev,nosuid`, what, place];
  return mount(filesystem, words, modules, progressOf(device));
}

/**
 * Mounts a file system so that it can be written to.
 * @param type as blkid has it
 * @returns null when it is mounted, else what mount said
 */
export async function mountWritable(
  device: string,
  type: string,
  modules: KernelModules,
  place: string,
): Promise<string | null> {
  const known = OF_DISKS.find((one) => one.type === (type === 'ntfs' ? 'ntfs3' : type)) ?? { type, helpers: [] };
  return mount(known, ['-o', 'rw', device, place], modules, progressOf(device));
}

async function mount(
  { type, helpers, program }: Pick<Filesystem, 'type' | 'helpers' | 'program'>,
  words: readonly string[],
  modules: KernelModules,
  progress: () => string,
): Promise<string | null> {
  await modules.loadAll([`fs-${type}`, ...helpers]);
  mkdirSync(words.at(-1) ?? '', { recursive: true });
  const result =
    program && !modules.answers(`fs-${type}`)
      ? await run(program, words, { progress })
      : await busybox(['mount', '-t', type, ...words], { progress });
  return result.code === 0 ? null : complaint(result);
}

/** What is mounted at a place: `/dev/sr0`; undefined when nothing is. */
export function mountedAt(place: string): string | undefined {
  return mounts().findLast(({ at }) => at === place)?.what;
}

/** Takes away whatever is mounted at the places, and what lies above it; what is held is let go as soon as it can be. */
export async function unmount(...places: string[]): Promise<void> {
  for (const place of places) {
    while (mountedAt(place)) {
      const done = await busybox(['umount', place]);
      if (done.code === 0) continue;
      if ((await busybox(['umount', '-l', place])).code !== 0) break;
    }
  }
}

function mounts(): { what: string; at: string }[] {
  const lines = readFileSync('/proc/mounts', 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => {
    const [what = '', at = ''] = line.split(' ').map(unescapeField);
    return { what, at };
  });
}
