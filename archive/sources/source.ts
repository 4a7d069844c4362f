import { createHash } from 'node:crypto';
import { README, SHA256SUMS } from '../../contract/archive-set.ts';
import { MindiError } from '../../contract/error.ts';
import { parseSums, type Sum } from '../../contract/sums.ts';
import { parseVolume, VOLUME_FILE, VOLUME_FILE_LIMIT, type Volume } from '../../contract/volume.ts';

/** A volume that can be read now. */
export interface VolumeSource {
  /** For people: a path, a device, an address without password. */
  name: string;
  volume: Volume;
  sums: Sum[];
  /** A file of it, by its path on the volume; null when it is not there. */
  stream: (file: string) => Promise<AsyncIterable<Uint8Array> | null>;
}

/** Where a set is read from, when it is no directory of this machine. */
export interface SetSource extends AsyncDisposable {
  /** For people. */
  name: string;
  /** The volumes that are there without asking anybody. */
  volumes: VolumeSource[];
  /**
   * Gets another volume in place of the one before, null: the last one: asks for the disc or tape. Undefined where all
   * there is is there.
   */
  next?: (number: number | null) => Promise<VolumeSource>;
}

/** Bytes of README, sums and the like on a volume, at most. */
export const TEXT_LIMIT = 64 << 20;
export const TEXTS = [README, SHA256SUMS, VOLUME_FILE] as const;

/** What a file is made of, as text; empty when it is not there or too long. */
export async function textOf(stream: AsyncIterable<Uint8Array> | null, limit: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of stream ?? []) {
    pieces.push(piece);
    length += piece.length;
    if (length > limit) return '';
  }
  return Buffer.concat(pieces).toString();
}

/** The volume whose files can be had so; null when it is none. */
export async function volumeOf(name: string, stream: VolumeSource['stream']): Promise<VolumeSource | null> {
  const volume = parseVolume(await textOf(await stream(VOLUME_FILE), VOLUME_FILE_LIMIT));
  if (!volume) return null;
  const { sums } = parseSums(await textOf(await stream(SHA256SUMS), TEXT_LIMIT));
  return { name, volume, sums, stream };
}

/**
 * Compares what was written with its sums, as it comes back from where it was written.
 * @throws MindiError `archive.differs`, naming the files
 */
export async function checkAgain(source: VolumeSource | null, { set, number }: Volume, name: string): Promise<void> {
  const wrong: string[] = [];
  if (source?.volume.set !== set || source.volume.number !== number) throw differs(name, `it is not volume ${number}`);
  for (const { path, sha256 } of source.sums) {
    const sum = createHash('sha256');
    try {
      for await (const piece of (await source.stream(path)) ?? []) sum.update(piece);
      if (sum.digest('hex') !== sha256) wrong.push(path);
    } catch (error) {
      wrong.push(`${path} (${(error as Error).message})`);
    }
  }
  if (wrong.length > 0 || source.sums.length === 0) throw differs(name, wrong.join(', ') || 'it has no list of sums');
}

const differs = (where: string, what: string) =>
  new MindiError(`the volume was written, but does not come back as it was: ${what}`, {
    code: 'archive.differs',
    where,
    hint: 'Take another medium; the set is not complete.',
    exitCode: 1,
  });
