import { closeSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { rows } from './catalog.ts';
import { METHODS } from './compression.ts';
import type { Piece } from './packer.ts';
import type { ArchiveSet } from './set.ts';

interface FrameRow {
  start: number;
  length: number;
  offset: number;
  size: number;
  crc32: number;
}

/** Reads pieces of members; only the frames they lie in. Keeps the last frame, which neighbours share. */
export class FrameReader {
  readonly #set: ArchiveSet;
  #archive = 0;
  #file: number | null = null;
  #last: { archive: number; start: number; bytes: Buffer | null } | undefined;

  constructor(set: ArchiveSet) {
    this.#set = set;
  }

  /** The tar bytes of a piece, as they come; null in place of bytes that are damaged or missing, with their count. */
  *read({ archive, start, length }: Piece): Generator<{ bytes: Buffer | null; length: number }> {
    const frames = rows<FrameRow>(
      this.#set.catalog,
      `SELECT start, length, offset, size, crc32 FROM frames WHERE archive = ? AND start < ?
       AND start >= (SELECT max(start) FROM frames WHERE archive = ? AND start <= ?) ORDER BY start`,
      ...[archive, start + length, archive, start],
    );
    for (const frame of frames) {
      const bytes = this.#frame(archive, frame);
      const from = Math.max(start, frame.start) - frame.start;
      const to = Math.min(start + length, frame.start + frame.length) - frame.start;
      yield { bytes: bytes?.subarray(from, to) ?? null, length: to - from };
    }
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
    this.#archive = 0;
  }

  #frame(archive: number, frame: FrameRow): Buffer | null {
    if (this.#last?.archive !== archive || this.#last.start !== frame.start)
      this.#last = { archive, start: frame.start, bytes: this.#load(archive, frame) };
    return this.#last.bytes;
  }

  #load(archive: number, frame: FrameRow): Buffer | null {
    const file = this.#open(archive);
    if (file === null) return null;
    const packed = Buffer.alloc(frame.size);
    if (readSync(file, packed, 0, frame.size, frame.offset) < frame.size || crc32(packed) !== frame.crc32) return null;
    try {
      const bytes = METHODS[this.#set.method].decompress(packed, frame.length);
      return bytes.length === frame.length ? bytes : null;
    } catch {
      return null;
    }
  }

  #open(archive: number): number | null {
    if (this.#archive === archive) return this.#file;
    this.close();
    this.#archive = archive;
    const [row] = rows<{ volume: number }>(this.#set.catalog, 'SELECT volume FROM archives WHERE number = ?', archive);
    try {
      this.#file = openSync(this.#set.archivePath(archive, row?.volume ?? 0), 'r');
    } catch {
      this.#file = null;
    }
    return this.#file;
  }
}

/** Where the tar bytes of a member lie. */
export function piecesOf(set: ArchiveSet, member: Piece & { id: number; slices: number }): Piece[] {
  if (member.slices === 1) return [{ archive: member.archive, start: member.start, length: member.length }];
  return [
    ...rows<Piece>(
      set.catalog,
      'SELECT archive, start, length FROM slices WHERE member = ? ORDER BY number',
      member.id,
    ),
  ];
}
