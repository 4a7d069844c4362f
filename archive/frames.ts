import { crc32 } from 'node:zlib';
import { FRAME } from './archive-file.ts';
import { holderOf } from './bases.ts';
import { checked, count, upTo } from './checked.ts';
import { METHODS } from './compression.ts';
import type { Piece } from './packer.ts';
import type { ArchiveSet } from './set.ts';
import { openStored, type StoredFile } from './stored-file.ts';

interface FrameRow {
  start: number;
  length: number;
  offset: number;
  size: number;
  crc32: number;
}

/** What does not get smaller gets bigger by less. */
const PACKED = FRAME + (FRAME >> 3);
const FRAME_ROW = { start: count, length: upTo(FRAME), offset: count, size: upTo(PACKED), crc32: count };
const VOLUME_ROW = { volume: count };
const PIECE_ROW = { archive: count, start: count, length: count };

/** Bytes of a piece; null in place of those that are damaged or missing, with their count. */
export interface Part {
  bytes: Buffer | null;
  length: number;
}

/** Reads pieces of members; only the frames they lie in. Keeps the last frame, which neighbours share. */
export class FrameReader {
  readonly #set: ArchiveSet;
  #archive = 0;
  #holder: ArchiveSet;
  #file: StoredFile | null = null;
  /** The same archive as parity repaired it; undefined until it is needed. */
  #mended: StoredFile | null | undefined;
  readonly #mends: boolean;
  #last: { archive: number; start: number; bytes: Buffer | null } | undefined;

  /** @param mends what is damaged is read as the volume's parity repairs it, if it has any */
  constructor(set: ArchiveSet, { mends }: { mends: boolean }) {
    this.#set = set;
    this.#holder = set;
    this.#mends = mends;
  }

  /** The tar bytes of a piece, as they come: exactly `length` of them, whatever the catalog says of frames. */
  async *read({ archive, start, length, base = null }: Piece): AsyncGenerator<Part> {
    const holder = holderOf(this.#set, base);
    if (holder !== this.#holder) this.#turnTo(holder);
    const end = start + length;
    let at = start;
    for (const frame of framesOf(holder, archive, start, end)) {
      const to = Math.min(end, frame.start + frame.length);
      if (to <= at) continue;
      yield* missing(frame.start - at);
      at = Math.max(at, frame.start);
      const bytes = await this.#frame(archive, frame);
      yield { bytes: bytes?.subarray(at - frame.start, to - frame.start) ?? null, length: to - at };
      at = to;
    }
    yield* missing(end - at);
  }

  close(): void {
    this.#file?.close();
    this.#mended?.close();
    this.#file = null;
    this.#mended = undefined;
    this.#archive = 0;
  }

  #turnTo(holder: ArchiveSet): void {
    this.close();
    this.#last = undefined;
    this.#holder = holder;
  }

  async #frame(archive: number, frame: FrameRow): Promise<Buffer | null> {
    if (this.#last?.archive !== archive || this.#last.start !== frame.start)
      this.#last = { archive, start: frame.start, bytes: await this.#load(archive, frame) };
    return this.#last.bytes;
  }

  async #load(archive: number, frame: FrameRow): Promise<Buffer | null> {
    const bytes = this.#unpack(await this.#open(archive), frame);
    if (bytes || !this.#mends) return bytes;
    if (this.#mended === undefined) {
      const path = await this.#holder.mendArchive(archive, this.#volumeOf(archive));
      this.#mended = path === null ? null : await openStored(path, this.#holder.decrypter);
    }
    return this.#unpack(this.#mended, frame);
  }

  #unpack(file: StoredFile | null, frame: FrameRow): Buffer | null {
    const packed = file?.read(frame.offset, frame.size);
    if (!packed || crc32(packed) !== frame.crc32) return null;
    try {
      const bytes = METHODS[this.#holder.method].decompress(packed, frame.length);
      return bytes.length === frame.length ? bytes : null;
    } catch {
      return null;
    }
  }

  async #open(archive: number): Promise<StoredFile | null> {
    if (this.#archive === archive) return this.#file;
    this.close();
    this.#file = await openStored(
      await this.#holder.fetchArchive(archive, this.#volumeOf(archive)),
      this.#holder.decrypter,
    );
    this.#archive = archive;
    return this.#file;
  }

  #volumeOf(archive: number): number {
    const { catalog } = this.#holder;
    const [row] = checked<{ volume: number }>(
      catalog,
      VOLUME_ROW,
      'SELECT volume FROM archives WHERE number = ?',
      archive,
    );
    return row?.volume ?? 0;
  }
}

const framesOf = ({ catalog }: ArchiveSet, archive: number, start: number, end: number) =>
  checked<FrameRow>(
    catalog,
    FRAME_ROW,
    `SELECT start, length, offset, size, crc32 FROM frames WHERE archive = ? AND start < ?
     AND start >= (SELECT max(start) FROM frames WHERE archive = ? AND start <= ?) ORDER BY start`,
    ...[archive, end, archive, start],
  );

function* missing(length: number): Generator<Part> {
  for (let left = length; left > 0; left -= FRAME) yield { bytes: null, length: Math.min(left, FRAME) };
}

/** A member as far as it says where its bytes are. */
type Placed = Piece & { id: number; slices: number; base: number | null; base_member: number | null };

/** Where the tar bytes of a member lie. */
export function piecesOf(set: ArchiveSet, member: Placed): Piece[] {
  const { archive, start, length, base } = member;
  if (member.slices === 1) return [{ archive, start, length, base }];
  const slices = checked<Omit<Piece, 'base'>>(
    holderOf(set, base).catalog,
    PIECE_ROW,
    'SELECT archive, start, length FROM slices WHERE member = ? ORDER BY number',
    member.base_member ?? member.id,
  );
  return [...slices].map((piece) => ({ ...piece, base }));
}
