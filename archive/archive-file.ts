import { crc32 } from 'node:zlib';
import type { MethodName } from '../contract/archive-set.ts';
import { BLOCK, comment } from '../contract/tar.ts';
import { METHODS } from './compression.ts';
import { Output } from './output.ts';

/** Bytes of the tar archive a frame has at most: what one damaged byte costs. */
export const FRAME = 1 << 20;
/** A frame that saves less than this part of itself is stored as it is. */
const LEAST_GAIN = 0.03;
/** Of a file whose first frame saved nothing, every so many frames one is tried again. */
const TRY_AGAIN = 16;

/**
 * What the catalog keeps of a finished archive: `size` and hash are those of its file. Frames: start, length, offset,
 * size and CRC-32 of each, before they were encrypted.
 */
export interface FinishedArchive {
  number: number;
  size: number;
  length: number;
  sha256: Buffer;
  frames: number[];
}

export interface ArchiveFileOptions {
  method: MethodName;
  level: number;
  /** Public keys of age it is encrypted for; none: it is not. */
  recipients: readonly string[];
  /** Its first words, for whoever finds it alone. */
  comment: string;
}

/** One archive as it is written: tar bytes in, frames of compressed ones on the disk. */
export class ArchiveFile {
  readonly number: number;
  #length = 0;
  readonly #output: Output;
  readonly #options: ArchiveFileOptions;
  readonly #frame = Buffer.allocUnsafe(FRAME);
  #pending = 0;
  #size = 0;
  /** Frames of the current file that were stored since one was tried; 0: the last one got smaller. */
  #stored = 0;
  readonly #frames: number[] = [];

  constructor(number: number, path: string, options: ArchiveFileOptions) {
    this.number = number;
    this.#options = options;
    this.#output = new Output(path, options.recipients);
    this.write(comment(options.comment));
  }

  /** Bytes of the tar archive so far. */
  get length(): number {
    return this.#length;
  }

  write(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      const taken = bytes.copy(this.#frame, this.#pending, at, at + FRAME - this.#pending);
      this.#pending += taken;
      this.#length += taken;
      at += taken;
      if (this.#pending === FRAME) this.#flush();
    }
  }

  /** A member of `length` bytes comes: it shares a frame with those before it, or begins one. */
  member(length: number): void {
    if (this.#pending + length > FRAME) this.cut();
  }

  /** What follows begins a frame and is tried anew for compression. */
  cut(): void {
    if (this.#pending > 0) this.#flush();
    this.#stored = 0;
  }

  /** Writes the end of the archive. */
  finish(): FinishedArchive {
    this.member(2 * BLOCK);
    this.write(Buffer.alloc(2 * BLOCK));
    this.cut();
    return {
      number: this.number,
      length: this.#length,
      ...this.#output.end(),
      frames: this.#frames,
    };
  }

  abandon(): void {
    this.#output.close();
  }

  #flush(): void {
    const frame = this.#compressed(this.#frame.subarray(0, this.#pending));
    this.#output.write(frame);
    this.#frames.push(this.#length - this.#pending, this.#pending, this.#size, frame.length, crc32(frame));
    this.#size += frame.length;
    this.#pending = 0;
  }

  #compressed(raw: Buffer): Buffer {
    const { compress, store } = METHODS[this.#options.method];
    if (!store) return compress(raw, this.#options.level);
    if (this.#stored > 0 && this.#stored < TRY_AGAIN) {
      this.#stored += 1;
      return store(raw);
    }
    const smaller = compress(raw, this.#options.level);
    const gained = smaller.length < raw.length * (1 - LEAST_GAIN);
    this.#stored = gained ? 0 : 1;
    return gained ? smaller : store(raw);
  }
}
