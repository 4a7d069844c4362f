import { createDecipheriv } from 'node:crypto';
import { fstatSync, readSync } from 'node:fs';
import type { Decrypter } from 'age-encryption';
import { MindiError } from '../../contract/error.ts';
import { CHUNK, chunkNonce, NONCE, payloadKey, TAG } from './seal.ts';

/** Bytes of a header at most: some hundreds of recipients. */
const HEADER_LIMIT = 64 << 10;
const MAC_LINE = Buffer.from('\n--- ');

/** A file encrypted by age, of which pieces are read; each chunk is checked by itself. */
export class SealedFile {
  readonly #file: number;
  readonly #key: Buffer;
  /** Where the first chunk begins, and how many there are. */
  readonly #start: number;
  readonly #chunks: number;
  #last: { number: number; bytes: Buffer | null } = { number: -1, bytes: null };

  private constructor(file: number, key: Buffer, start: number) {
    this.#file = file;
    this.#key = key;
    this.#start = start;
    this.#chunks = Math.max(1, Math.ceil((fstatSync(file).size - start) / (CHUNK + TAG)));
  }

  /** @throws MindiError `set.key` when none of the keys opens it, `set.sealed-file` when its beginning is damaged */
  static async open(file: number, decrypter: Decrypter): Promise<SealedFile> {
    const head = Buffer.alloc(HEADER_LIMIT);
    const read = readSync(file, head, 0, HEADER_LIMIT, 0);
    const mac = head.indexOf(MAC_LINE);
    const end = mac < 0 ? 0 : head.indexOf('\n', mac + MAC_LINE.length) + 1;
    if (end === 0 || end + NONCE > read) throw damaged('its header is damaged');
    const fileKey = await decrypter.decryptHeader(head.subarray(0, end)).catch((error: Error) => {
      if (/no identity matched/.test(error.message)) throw wrongKey();
      throw damaged(error.message);
    });
    return new SealedFile(file, payloadKey(fileKey, head.subarray(end, end + NONCE)), end + NONCE);
  }

  /** `size` bytes of what was encrypted; null when any of them is damaged or missing. */
  read(offset: number, size: number): Buffer | null {
    const bytes = Buffer.alloc(size);
    for (let at = 0; at < size; ) {
      const chunk = this.#chunk(Math.floor((offset + at) / CHUNK));
      const copied = chunk?.copy(bytes, at, (offset + at) % CHUNK) ?? 0;
      if (copied === 0) return null;
      at += copied;
    }
    return bytes;
  }

  /** All that was encrypted. @throws MindiError `set.sealed-file` at a chunk that is damaged */
  *all(): Generator<Buffer> {
    for (let number = 0; number < this.#chunks; number += 1) {
      const chunk = this.#chunk(number);
      if (!chunk) throw damaged('its contents are damaged');
      yield chunk;
    }
  }

  #chunk(number: number): Buffer | null {
    if (this.#last.number !== number) this.#last = { number, bytes: this.#load(number) };
    return this.#last.bytes;
  }

  #load(number: number): Buffer | null {
    if (number >= this.#chunks) return null;
    const sealed = Buffer.alloc(CHUNK + TAG);
    const read = readSync(this.#file, sealed, 0, sealed.length, this.#start + number * sealed.length);
    if (read < TAG) return null;
    const nonce = chunkNonce(number, number === this.#chunks - 1);
    const cipher = createDecipheriv('chacha20-poly1305', this.#key, nonce, { authTagLength: TAG });
    cipher.setAuthTag(sealed.subarray(read - TAG, read));
    try {
      return Buffer.concat([cipher.update(sealed.subarray(0, read - TAG)), cipher.final()]);
    } catch {
      return null;
    }
  }
}

const damaged = (what: string) =>
  new MindiError(`the encrypted file cannot be read: ${what}`, { code: 'set.sealed-file', exitCode: 1 });

const wrongKey = () =>
  new MindiError('none of the keys given opens the set', {
    code: 'set.key',
    hint: 'Give the secret key of one of its recipients by --identity, or the passphrase if it has one.',
  });
