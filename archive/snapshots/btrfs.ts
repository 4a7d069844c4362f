import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../builder/run.ts';
import type { Command, SnapshotKind } from './kind.ts';

/** Inode of a subvolume's root: btrfs has no other directory with it. */
const SUBVOLUME_ROOT = 256;

/**
 * Subvolumes. A snapshot lies in what it is of, and can be written to, so that access(2) tells of immutable files;
 * nobody does.
 */
export const btrfs: SnapshotKind = {
  name: 'btrfs',
  look: async ({ format, target }) => {
    if (format !== 'btrfs') return null;
    if (statSync(target).ino !== SUBVOLUME_ROOT) return `what is mounted on ${target} is no whole subvolume`;
    return async (name) => {
      const path = join(target, `.${name}`);
      await run('btrfs', ['subvolume', 'snapshot', target, path], { package: 'btrfs-progs' });
      return { mount: ['-o', 'bind,noatime', path], remove: remove(path) };
    };
  },
  leftOvers: async (mark, mounts) =>
    mounts
      .filter(({ format }) => format === 'btrfs')
      .flatMap(({ target }) =>
        entries(target)
          .filter((entry) => entry.startsWith(`.${mark}`))
          .map((entry) => remove(join(target, entry))),
      ),
};

const remove = (path: string): Command => ['btrfs', 'subvolume', 'delete', path];

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Hidden by another mount, or closed to us.
    return [];
  }
}
