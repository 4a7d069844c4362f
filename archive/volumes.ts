import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { archiveName, IDENTITY, type MethodName, README, SHA256SUMS } from '../contract/archive-set.ts';
import { MindiError } from '../contract/error.ts';
import { formatSums, type Sum } from '../contract/sums.ts';
import { VOLUME_FILE, type Volume } from '../contract/volume.ts';
import { archiveSuffix } from './compression.ts';
import type { SetKeys } from './encryption/keys.ts';
import { parityBytes } from './parity/par2.ts';
import { readmeText } from './readme.ts';
import { type ArchiveSettings, volumeLimit } from './settings.ts';
import type { Target, VolumeFile } from './targets/target.ts';

/** Bytes kept free on a volume for README, sums and the like, and for each file's line in them and place in a file system. */
const RESERVE = 64 << 10;
const RESERVE_FOR_FILE = 4096;
/** Archives that may be in the making while others with lower numbers are. */
const AHEAD = 8;
const ANY_NUMBER = 2 ** 31 - 1;

export interface VolumesOptions {
  target: Target;
  /** Bytes of volumes; null: no limit. */
  volume: ArchiveSettings['volume'];
  method: MethodName;
  keys: SetKeys;
  parity: ArchiveSettings['parity'];
  facts: Pick<Volume, 'set' | 'machine' | 'created' | 'base'>;
  /** Hears which archives are on a volume. */
  placed: (volume: number, archives: readonly number[]) => void;
}

/** A finished archive. */
export interface NewArchive {
  number: number;
  size: number;
  sha256: Uint8Array;
}

/** Puts finished files on volumes, in the order of their numbers, each volume sealed as soon as it is full. */
export class Volumes {
  readonly #options: VolumesOptions;
  #count = 0;
  /** What is on the volume that is being filled, null between two. */
  #placed: VolumeFile[] | null = null;
  #used = 0;
  #previous: string | null = null;
  /** Archives that wait for one with a lower number. */
  readonly #waiting = new Map<number, NewArchive>();
  #next = 1;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: VolumesOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#count;
  }

  /** The highest number an archive may have that is begun now. */
  get mayBegin(): number {
    return this.#options.target.staged ? this.#next - 1 + AHEAD : ANY_NUMBER;
  }

  /** An archive is finished in the target's work directory. Resolves when what can be placed is placed. */
  add(archive: NewArchive): Promise<void> {
    this.#waiting.set(archive.number, archive);
    return this.#after(() => this.#placeWaiting());
  }

  /** Archives of a run before this one, in order, are there already. */
  resume(archives: readonly NewArchive[]): Promise<void> {
    return this.#after(async () => {
      for (const archive of archives) await this.#placeArchive(archive);
      this.#next = (archives.at(-1)?.number ?? 0) + 1;
    });
  }

  /** Resolves when every archive is placed, and `placed` has heard of all. */
  settle(): Promise<void> {
    return this.#after(async () => this.#tellPlaced());
  }

  /** The last file; then the last volume is sealed and the set gets its name. */
  finish(last: VolumeFile): Promise<void> {
    return this.#after(async () => {
      await this.#place(last);
      await this.#seal(this.#count);
      await this.#options.target.finish();
    });
  }

  /** One thing after the other: volumes are filled in order. */
  #after(task: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(task);
    // Once it has failed it fails for whoever comes next.
    this.#queue = done;
    done.catch(() => {});
    return done;
  }

  async #placeWaiting(): Promise<void> {
    for (let next = this.#waiting.get(this.#next); next; next = this.#waiting.get(this.#next)) {
      await this.#placeArchive(next);
      this.#waiting.delete(this.#next);
      this.#next += 1;
    }
  }

  #placeArchive({ number, size, sha256 }: NewArchive): Promise<void> {
    const { target, method, keys } = this.#options;
    const name = archiveName(number, archiveSuffix(method, keys.recipients.length > 0));
    return this.#place({ name, path: join(target.work, name), size, sha256: Buffer.from(sha256).toString('hex') });
  }

  /** Puts a file on the last volume, or on a new one. */
  async #place(file: VolumeFile): Promise<void> {
    if (this.#placed && !this.#fits(file) && (this.#placed.length > 0 || this.#count === 1)) await this.#seal(null);
    const placed = this.#placed ?? (await this.#begin());
    const again = await this.#options.target.place(file);
    if (again.length === 0) {
      this.#used += file.size + RESERVE_FOR_FILE;
      placed.push(file);
      return;
    }
    const names = new Set(again.map(({ name }) => name));
    this.#placed = placed.filter(({ name }) => !names.has(name));
    if (this.#placed.length === 0) throw tooSmall(this.#options.target.set);
    await this.#seal(null);
    for (const one of again) await this.#place(one);
  }

  #fits({ size }: VolumeFile): boolean {
    const { target, volume, parity } = this.#options;
    const limit = volumeLimit(volume, this.#count) ?? target.capacity ?? null;
    const used = this.#used + size + RESERVE_FOR_FILE;
    return limit === null || used + parityBytes(used, parity) <= limit - target.overhead(this.#count);
  }

  async #begin(): Promise<VolumeFile[]> {
    this.#count += 1;
    this.#used = RESERVE;
    this.#placed = [];
    await this.#options.target.begin(this.#volume(null));
    return this.#placed;
  }

  #volume(of: number | null): Volume {
    return { format: 1, ...this.#options.facts, number: this.#count, of, previous: this.#previous };
  }

  /** @param of how many volumes there are, when this is the last one */
  async #seal(of: number | null): Promise<void> {
    const { target, method, keys, parity } = this.#options;
    const placed = this.#placed ?? [];
    const volume = this.#volume(of);
    this.#tellPlaced();
    const texts = new Map<string, string | Buffer>([
      [README, readmeText(volume, method, keys, parity)],
      [VOLUME_FILE, `${JSON.stringify(volume, null, 2)}\n`],
    ]);
    if (keys.identity) texts.set(IDENTITY, keys.identity);
    const all: Sum[] = placed.map(({ name, sha256 }) => ({ path: name, sha256 }));
    for (const [name, text] of texts) all.push({ path: name, sha256: sumOf(text) });
    const sums = formatSums(all);
    texts.set(SHA256SUMS, sums);
    this.#previous = sumOf(sums);
    this.#placed = null;
    await target.seal(volume, texts, parity);
  }

  #tellPlaced(): void {
    const numbers = (this.#placed ?? []).map(({ name }) => Number.parseInt(name, 10));
    this.#options.placed(this.#count, numbers.filter(Number.isFinite));
  }
}

const tooSmall = (where: string) =>
  new MindiError('a new volume has no room for even one archive', {
    code: 'archive.volume',
    where,
    hint: 'Take bigger media, or say in archive.volume how much one holds.',
    exitCode: 1,
  });

const sumOf = (text: string | Buffer) => createHash('sha256').update(text).digest('hex');
