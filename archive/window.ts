import type { Readable } from 'node:stream';

/** Bytes of members, one after the other. */
export interface Source {
  /** How many have come and are not taken yet. */
  readonly length: number;
  /** Gets more until there are `length`; false when there will not be as many. */
  fill(length: number): boolean | Promise<boolean>;
  /** Up to `length` bytes; they are good until the next `fill`. */
  take(length: number): Buffer;
}

/** Bytes that are all there. */
export class Bytes implements Source {
  #left: Buffer;

  constructor(bytes: Buffer) {
    this.#left = bytes;
  }

  get length(): number {
    return this.#left.length;
  }

  fill(length: number): boolean {
    return this.length >= length;
  }

  take(length: number): Buffer {
    const taken = this.#left.subarray(0, length);
    this.#left = this.#left.subarray(length);
    return taken;
  }
}

/** The bytes of a stream that have come and are not taken yet, in one piece. */
export class Window implements Source {
  bytes: Buffer;
  /** Where the bytes not taken begin and end. */
  start = 0;
  end = 0;
  #source: AsyncIterator<Buffer> | undefined;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafe(size);
  }

  /** Forgets what it has and takes from this stream. */
  open(source: Readable): void {
    this.start = 0;
    this.end = 0;
    this.#source = source[Symbol.asyncIterator]();
  }

  get length(): number {
    return this.end - this.start;
  }

  async fill(length: number): Promise<boolean> {
    while (this.length < length) {
      const { done, value } = (await this.#source?.next()) ?? { done: true };
      if (done) return false;
      this.#room(Math.max(value.length, length - this.length));
      this.end += value.copy(this.bytes, this.end);
    }
    return true;
  }

  take(length: number): Buffer {
    const taken = this.bytes.subarray(this.start, Math.min(this.start + length, this.end));
    this.start += taken.length;
    return taken;
  }

  /** Lets everything pass that still comes. */
  async drain(): Promise<void> {
    do this.take(this.length);
    while (await this.fill(1));
  }

  #room(more: number): void {
    if (this.end + more <= this.bytes.length) return;
    const old = this.bytes;
    if (this.length + more > old.length) this.bytes = Buffer.allocUnsafe(2 * (this.length + more));
    old.copy(this.bytes, 0, this.start, this.end);
    this.end -= this.start;
    this.start = 0;
  }
}
