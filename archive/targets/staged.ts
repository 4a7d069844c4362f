import { mkdirSync, renameSync } from 'node:fs';
import { open, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { volumeName } from '../../contract/archive-set.ts';
import { VOLUME_FILE, type Volume } from '../../contract/volume.ts';
import { addParity } from '../parity/par2.ts';
import type { Target } from './target.ts';

/** A volume that is complete in a directory. */
export interface StagedVolume {
  folder: string;
  volume: Volume;
}

interface Staging extends Pick<Target, 'set' | 'work' | 'catalog' | 'own' | 'staged' | 'finish'> {
  overhead?: Target['overhead'];
  capacity?: number | null;
  /** Brings it to where it belongs, while the next one fills. */
  deliver: (volume: StagedVolume) => Promise<void>;
  dispose: () => Promise<void>;
}

/** A target whose volumes are directories until they are full. One is delivered at a time. */
export function stagedTarget(staging: Staging): Target {
  const { work, deliver, finish, dispose } = staging;
  const folderOf = (number: number) => join(work, volumeName(number));
  let number = 0;
  let delivery = Promise.resolve();
  return {
    ...staging,
    overhead: staging.overhead ?? (() => 0),
    async begin(volume) {
      number = volume.number;
      mkdirSync(dirname(join(folderOf(number), VOLUME_FILE)), { recursive: true });
    },
    async place({ name, path }) {
      renameSync(path, join(folderOf(number), name));
      return [];
    },
    async seal(volume, texts, parity) {
      const folder = folderOf(volume.number);
      for (const [name, text] of texts) await writeFile(join(folder, name), text);
      if (parity !== null) await addParity(folder, parity);
      await flush(folder);
      await delivery;
      delivery = deliver({ folder, volume });
      // Told by whoever waits for it next.
      delivery.catch(() => {});
    },
    async finish() {
      await delivery;
      await finish();
    },
    async [Symbol.asyncDispose]() {
      await delivery.catch(() => {});
      await dispose();
    },
  };
}

/** fsync(2) of everything in a directory, and of itself. */
export async function flush(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true }))
    await syncFile(join(entry.parentPath, entry.name));
  await syncFile(folder);
}

export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    // Some servers' file systems cannot do it for directories.
    await file.sync().catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EINVAL' && error.code !== 'EBADF') throw error;
    });
  } finally {
    await file.close();
  }
}
