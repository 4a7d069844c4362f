import { mkdirSync, readFileSync } from 'node:fs';
import type { KernelModules } from './kernel-modules.ts';
import { busybox, complaint, run } from './process.ts';
import { progressOf } from './reading.ts';
import type { Filesystem } from './superblock.ts';

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
  await modules.loadAll([`fs-${filesystem.type}`, ...filesystem.helpers]);
  mkdirSync(place, { recursive: true });
  const { type, program } = filesystem;
  const words = ['-o', `${filesystem.options},nodev,nosuid`, what, place];
  const progress = progressOf(device);
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
    const [what = '', at = ''] = line.split(' ');
    return { what, at };
  });
}
