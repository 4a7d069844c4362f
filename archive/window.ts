import type { Readable } from 'node:stream';

/** The bytes of a stream that have come and are not taken yet, in one piece. */
export class Window {
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

  /** Waits for `length` bytes; false when the stream ends before. */
  async fill(length: number): Promise<boolean> {
    while (this.length < length) {
      const { done, value } = (await this.#source?.next()) ?? { done: true };
      if (done) return false;
      this.#room(Math.max(value.length, length - this.length));
      this.end += value.copy(this.bytes, this.end);
    }
    return true;
  }

  /** Up to `length` bytes; they are good until the next `fill`. */
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
