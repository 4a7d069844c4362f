import { Readable } from 'node:stream';
import { SHA256SUMS } from '../../contract/archive-set.ts';
import { parseSums } from '../../contract/sums.ts';
import { decodeLabel, type TapeLabel } from '../../contract/tape.ts';
import { BLOCK, padded, readHeader } from '../../contract/tar.ts';
import { parseVolume, VOLUME_FILE } from '../../contract/volume.ts';
import type { TapeDrive } from '../tape/drive.ts';
import { TEXT_LIMIT, TEXTS, type VolumeSource } from './source.ts';

/** Bytes; longer than any label. */
const LABEL_BUFFER = 64 << 10;
/** Files of a tape before its label; a tape of something else may have thousands. */
const FILES = 64;
const TELLS: readonly string[] = TEXTS;

/** Winds behind the label that tells where the data are; null: there is none. */
export async function labelOf(drive: TapeDrive): Promise<TapeLabel | null> {
  await drive.rewind();
  for (let file = 0; file < FILES; file += 1) {
    const record = await drive.read(LABEL_BUFFER);
    const label = record && decodeLabel(record);
    if (label?.data || label?.data === null || record === null) return label || null;
    if (!(await drive.nextFile())) return null;
  }
  return null;
}

/** Where a header has its type and its size in octal digits; a global header of comments fills a record. POSIX.1-2001, ustar. */
const TYPE = 156;
const SIZE = 124;
const COMMENT = 'g'.charCodeAt(0);

/** A file of the tape's tar archives as it comes by. */
interface Passing {
  name: string;
  size: number;
  pieces: AsyncGenerator<Buffer>;
}

/**
 * The volume on the tape in the drive; null when there is none. Its files come one after the other: one that lies before
 * the one read last takes a rewind.
 */
export async function tapeVolume(drive: TapeDrive): Promise<VolumeSource | null> {
  const label = await labelOf(drive);
  const { data } = label ?? {};
  if (!data?.volume) return null;
  const texts = await trailer(drive, data.record);
  const volume = parseVolume(texts.get(VOLUME_FILE)?.toString() ?? '') ?? data.volume;
  const { sums } = parseSums(texts.get(SHA256SUMS)?.toString() ?? '');
  let passing: AsyncGenerator<Passing> | undefined;
  /** On from where the tape is, then once more from the beginning. */
  const archive = async (file: string) => {
    const found = passing && (await named(passing, file));
    if (found) return found;
    await labelOf(drive);
    passing = filesOf(drive, data.record);
    return named(passing, file);
  };
  const other = async (file: string) => {
    passing = undefined;
    await labelOf(drive);
    return (await toTrailer(drive, data.record)) ? named(filesOf(drive, data.record), file) : null;
  };
  return {
    name: `tape ${volume.number} in ${drive.name}`,
    volume,
    sums,
    stream: async (file) => {
      const text = texts.get(file);
      if (text) return Readable.from([text]);
      return (await (/^\d+\.tar/.test(file) ? archive(file) : other(file)))?.pieces ?? null;
    },
  };
}

async function named(files: AsyncGenerator<Passing>, name: string): Promise<Passing | null> {
  for (let next = await files.next(); !next.done; next = await files.next())
    if (next.value.name === name) return next.value;
  return null;
}

/** From behind the label to behind the archives. */
async function toTrailer(drive: TapeDrive, record: number): Promise<boolean> {
  // Drivers may have written filemarks before the first record.
  for (let bytes = await drive.read(record); bytes; bytes = await drive.read(record))
    if (bytes.length > 0) return drive.nextFile();
  return false;
}

/** What tells about the volume, behind the archives. Empty where the tape ended before. */
async function trailer(drive: TapeDrive, record: number): Promise<Map<string, Buffer>> {
  const texts = new Map<string, Buffer>();
  if (!(await toTrailer(drive, record))) return texts;
  for await (const { name, size, pieces } of filesOf(drive, record)) {
    if (!TELLS.includes(name) || size > TEXT_LIMIT) continue;
    const bytes: Buffer[] = [];
    for await (const piece of pieces) bytes.push(piece);
    texts.set(name, Buffer.concat(bytes));
  }
  return texts;
}

/** The members of the tar archive that begins here, up to a filemark. Each is passed over when it is not read. */
async function* filesOf(drive: TapeDrive, record: number): AsyncGenerator<Passing> {
  const records = new Records(drive, record);
  for (;;) {
    const head = await records.take(BLOCK);
    if (!head) return;
    if (head[TYPE] === COMMENT) {
      await records.take(padded(Number.parseInt(head.toString('latin1', SIZE, SIZE + 12), 8) || 0));
      continue;
    }
    const header = readHeader(head, 0, head.length);
    // Ours have one block of headers.
    if (header === 'more' || header === 'end') return;
    const pieces = records.pass(header.data);
    yield { name: header.path.toString(), size: header.data, pieces };
    try {
      for await (const _ of pieces);
    } catch {
      // The tape came to its end in this file: it is whole on the next one.
      return;
    }
  }
}

/** Records as one stream of bytes. */
class Records {
  readonly #drive: TapeDrive;
  readonly #limit: number;
  #rest = Buffer.alloc(0);
  #ended = false;
  #begun = false;

  constructor(drive: TapeDrive, limit: number) {
    this.#drive = drive;
    this.#limit = limit;
  }

  /** So many bytes, or null: there are not so many. */
  async take(bytes: number): Promise<Buffer | null> {
    while (this.#rest.length < bytes && (await this.#more()));
    if (this.#rest.length < bytes) return null;
    const taken = this.#rest.subarray(0, bytes);
    this.#rest = this.#rest.subarray(bytes);
    return taken;
  }

  /** So many bytes as they come, and the padding behind them. */
  async *pass(size: number): AsyncGenerator<Buffer> {
    let left = size;
    while (left > 0) {
      if (this.#rest.length === 0 && !(await this.#more())) throw new Error(`the tape ends ${left} bytes too early`);
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
    await this.take(padded(size) - size);
  }

  /** Drivers may write filemarks before the first record. */
  async #more(): Promise<boolean> {
    while (!this.#ended) {
      const record = await this.#drive.read(this.#limit);
      if (record && record.length > 0) {
        this.#begun = true;
        this.#rest = Buffer.concat([this.#rest, record]);
        return true;
      }
      this.#ended = record === null || this.#begun;
    }
    return false;
  }
}
