import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { Sealer } from './encryption/seal.ts';

/** A file as it is written, encrypted for the recipients if there are any. */
export class Output {
  readonly #file: number;
  readonly #sealer: Sealer | undefined;
  readonly #hash = createHash('sha256');
  #size = 0;

  constructor(path: string, recipients: readonly string[]) {
    this.#file = openSync(path, 'wx', 0o600);
    if (recipients.length === 0) return;
    this.#sealer = new Sealer(recipients);
    this.#put(this.#sealer.head);
  }

  write(bytes: Buffer): void {
    if (this.#sealer) for (const chunk of this.#sealer.update(bytes)) this.#put(chunk);
    else this.#put(bytes);
  }

  /** Its bytes and hash, as it lies on the disk. */
  end(): { size: number; sha256: Buffer } {
    if (this.#sealer) this.#put(this.#sealer.end());
    this.close();
    return { size: this.#size, sha256: this.#hash.digest() };
  }

  close(): void {
    closeSync(this.#file);
  }

  #put(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at);
    this.#hash.update(bytes);
    this.#size += bytes.length;
  }
}
