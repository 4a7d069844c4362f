import { createReadStream } from 'node:fs';
import { BLOCK, comment, padded, writeHeader } from '../../contract/tar.ts';
import type { TapeDrive } from './drive.ts';

/** Bytes of a comment's record but for its words: `65024 comment=…\n`, and fewer than a block that are filled up. */
const COMMENT = 64;

/** Records a drive is given at once. */
const AT_ONCE = 64;

/** A tar archive as records of one size, written as it comes. */
export class TarRecords {
  readonly #drive: TapeDrive;
  readonly #size: number;
  #pending: Buffer[] = [];
  #bytes = 0;

  constructor(drive: TapeDrive, size: number) {
    this.#drive = drive;
    this.#size = size;
  }

  /**
   * When this returns the file is on the tape, up to the end of its last record, which a comment fills.
   * @returns false: the tape has come to its end, and not all of the file is on it
   */
  async file(name: string, from: { path: string; size: number } | Buffer): Promise<boolean> {
    const size = Buffer.isBuffer(from) ? from.length : from.size;
    const pieces = Buffer.isBuffer(from) ? [from] : createReadStream(from.path, { highWaterMark: 1 << 20 });
    if (!(await this.#add(writeHeader({ path: Buffer.from(name), size })))) return false;
    for await (const piece of pieces) if (!(await this.#add(piece as Buffer))) return false;
    if (!(await this.#add(Buffer.alloc(padded(size) - size)))) return false;
    return (await this.#add(this.#filler())) && this.#flush(0);
  }

  /** The end of the archive, and a filemark. */
  async finish(): Promise<boolean> {
    const bytes = this.#bytes + 2 * BLOCK;
    const whole = Math.ceil(bytes / this.#size) * this.#size;
    const written = (await this.#add(Buffer.alloc(whole - this.#bytes))) && (await this.#flush(0));
    await this.#drive.mark();
    return written;
  }

  /** What tar passes over, up to the end of a record. */
  #filler(): Buffer {
    let missing = (this.#size - (this.#bytes % this.#size)) % this.#size;
    // A comment is two blocks at least.
    if (missing === BLOCK) missing += this.#size;
    return missing === 0 ? Buffer.alloc(0) : comment(' '.repeat(missing - BLOCK - COMMENT));
  }

  async #add(bytes: Buffer): Promise<boolean> {
    this.#pending.push(bytes);
    this.#bytes += bytes.length;
    return this.#bytes < AT_ONCE * this.#size || this.#flush(this.#bytes % this.#size);
  }

  /** Writes whole records; so many bytes stay. */
  async #flush(stay: number): Promise<boolean> {
    const all = Buffer.concat(this.#pending);
    const end = all.length - stay;
    const records: Buffer[] = [];
    for (let at = 0; at < end; at += this.#size) records.push(all.subarray(at, at + this.#size));
    this.#pending = stay > 0 ? [all.subarray(end)] : [];
    this.#bytes = stay;
    for (let at = 0; at < records.length; at += AT_ONCE) {
      const some = records.slice(at, at + AT_ONCE);
      if ((await this.#drive.write(some)) < some.length) return false;
    }
    return true;
  }
}
