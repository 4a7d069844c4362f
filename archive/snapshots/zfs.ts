import { run } from '../../builder/run.ts';
import { MindiError } from '../../contract/error.ts';
import type { Command, SnapshotKind } from './kind.ts';

/** Datasets. A snapshot of one is mounted as any file system. zfs-snapshot(8), zfs-list(8). */
export const zfs: SnapshotKind = {
  name: 'zfs',
  look: async ({ format, source }) => {
    if (format !== 'zfs') return null;
    return async (name) => {
      const snapshot = `${source}@${name}`;
      await zfsCommand('snapshot', snapshot);
      return { mount: ['-t', 'zfs', snapshot], remove: remove(snapshot), readOnly: true };
    };
  },
  leftOvers: async (mark, mounts) => {
    if (!mounts.some(({ format }) => format === 'zfs')) return [];
    // -H: no heading, a line each.
    const listed = await zfsCommand('list', '-H', '-t', 'snapshot', '-o', 'name');
    return listed
      .split('\n')
      .filter((name) => name.split('@')[1]?.startsWith(mark))
      .map(remove);
  },
};

const remove = (snapshot: string): Command => ['zfs', 'destroy', snapshot];

async function zfsCommand(...words: string[]): Promise<string> {
  try {
    return (await run('zfs', words, { package: 'zfsutils-linux' })).stdout;
  } catch (error) {
    if (error instanceof MindiError && error.code === 'tool.missing' && words[0] === 'list') return '';
    throw error;
  }
}
