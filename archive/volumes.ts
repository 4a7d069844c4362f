import { createHash } from 'node:crypto';
import { mkdirSync, renameSync } from 'node:fs';
import { open, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { archiveName, type MethodName, README, SHA256SUMS, volumeName } from '../contract/archive-set.ts';
import { formatSums, type Sum } from '../contract/sums.ts';
import { VOLUME_FILE, type Volume } from '../contract/volume.ts';
import { METHODS } from './compression.ts';
import { readmeText } from './readme.ts';
import { type ArchiveSettings, volumeLimit } from './settings.ts';

/** Bytes kept free on a volume for README, sums and the like, and for each archive's line in them. */
const RESERVE = 16 << 10;
const RESERVE_FOR_ARCHIVE = 128;

export interface VolumesOptions {
  /** Directory of the set. */
  folder: string;
  /** Bytes of volumes; null: no limit. */
  volume: ArchiveSettings['volume'];
  method: MethodName;
}

/** A file that is on a volume and its hash, if it is known already. */
interface Placed {
  name: string;
  sha256?: string;
}

/** Puts finished files on volumes, in the order of their numbers. */
export class Volumes {
  readonly #options: VolumesOptions;
  /** Files of each volume; index 0 is volume 1. */
  readonly #placed: Placed[][] = [];
  #used = 0;
  /** Archives that wait for one with a lower number. */
  readonly #waiting = new Map<number, number>();
  #next = 1;

  constructor(options: VolumesOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#placed.length;
  }

  /** An archive of `size` bytes is finished in the set's directory. Returns what went where. */
  add(number: number, size: number): { number: number; volume: number }[] {
    this.#waiting.set(number, size);
    const placed: { number: number; volume: number }[] = [];
    for (let next = this.#waiting.get(this.#next); next !== undefined; next = this.#waiting.get(this.#next)) {
      this.place(archiveName(this.#next, METHODS[this.#options.method].suffix), next);
      placed.push({ number: this.#next, volume: this.count });
      this.#waiting.delete(this.#next);
      this.#next += 1;
    }
    return placed;
  }

  /** Moves a file of the set's directory onto the last volume, or onto a new one. */
  place(name: string, size: number, sha256?: string): void {
    const { folder, volume } = this.#options;
    const limit = volumeLimit(volume, Math.max(1, this.count));
    const needed = size + RESERVE_FOR_ARCHIVE;
    if (this.count === 0 || (limit !== null && this.#used + needed > limit)) {
      this.#placed.push([]);
      this.#used = RESERVE;
      mkdirSync(join(folder, dirname(join(volumeName(this.count), VOLUME_FILE))), { recursive: true });
    }
    this.#used += needed;
    this.#placed.at(-1)?.push({ name, ...(sha256 ? { sha256 } : {}) });
    renameSync(join(folder, name), join(folder, volumeName(this.count), name));
  }

  /** Writes what tells about each volume, and makes sure that all is on the disk. */
  async seal(volume: Omit<Volume, 'number' | 'of' | 'previous'>, sums: ReadonlyMap<string, string>): Promise<void> {
    let previous: string | null = null;
    for (const [index, placed] of this.#placed.entries()) {
      const folder = join(this.#options.folder, volumeName(index + 1));
      const own: Volume = { ...volume, number: index + 1, of: this.count, previous };
      const texts: Record<string, string> = {
        [README]: readmeText(own, this.#options.method),
        [VOLUME_FILE]: `${JSON.stringify(own, null, 2)}\n`,
      };
      const all: Sum[] = placed.map(({ name, sha256 }) => ({ path: name, sha256: sha256 ?? sums.get(name) ?? '' }));
      for (const [name, text] of Object.entries(texts)) all.push({ path: name, sha256: sumOf(text) });
      texts[SHA256SUMS] = formatSums(all);
      previous = sumOf(texts[SHA256SUMS]);
      for (const [name, text] of Object.entries(texts)) await writeFile(join(folder, name), text);
      await flush(folder);
    }
    await syncFile(this.#options.folder);
  }
}

const sumOf = (text: string) => createHash('sha256').update(text).digest('hex');

/** fsync(2) of everything in a directory, and of itself. */
async function flush(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    await syncFile(join(entry.parentPath, entry.name));
  }
  await syncFile(folder);
}

async function syncFile(path: string): Promise<void> {
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
