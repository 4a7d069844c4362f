import {
  createCipheriv,
  createHmac,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { bech32 } from '@scure/base';

/**
 * Writes the format of age (https://c2sp.org/age), for recipients `age1…`. Its libraries cannot do it a piece at a time
 * without promises, and their ciphers in JavaScript are many times slower than OpenSSL's.
 */
export const VERSION = 'age-encryption.org/v1';
export const CHUNK = 64 << 10;
export const TAG = 16;
export const NONCE = 16;
const CIPHER = 'chacha20-poly1305';
const KEY = 32;
const NO_NONCE = Buffer.alloc(12);

/** Encrypts a file from its beginning to its end. */
export class Sealer {
  /** What the file begins with. */
  readonly head: Buffer;
  readonly #key: Buffer;
  readonly #chunk = Buffer.allocUnsafe(CHUNK);
  #filled = 0;
  #count = 0;

  constructor(recipients: readonly string[]) {
    const fileKey = randomBytes(16);
    const nonce = randomBytes(NONCE);
    this.head = Buffer.concat([header(fileKey, recipients), nonce]);
    this.#key = payloadKey(fileKey, nonce);
  }

  /** The encrypted bytes that are complete with these. */
  update(bytes: Buffer): Buffer[] {
    const sealed: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      // The last chunk is marked as such: a full one waits until there is more.
      if (this.#filled === CHUNK) sealed.push(this.#seal(false));
      const taken = bytes.copy(this.#chunk, this.#filled, at, at + CHUNK - this.#filled);
      this.#filled += taken;
      at += taken;
    }
    return sealed;
  }

  /** The last of them. */
  end(): Buffer {
    return this.#seal(true);
  }

  #seal(last: boolean): Buffer {
    const sealed = encrypted(this.#key, chunkNonce(this.#count, last), this.#chunk.subarray(0, this.#filled));
    this.#count += 1;
    this.#filled = 0;
    return sealed;
  }
}

/** Whether a text is a public key that can be encrypted for. */
export function isRecipient(text: string): boolean {
  try {
    return publicBytes(text).length === KEY;
  } catch {
    return false;
  }
}

export const payloadKey = (fileKey: Uint8Array, nonce: Uint8Array) => derived(fileKey, nonce, 'payload');

/** Eleven bytes that count, and one that says whether it is the last chunk. */
export function chunkNonce(count: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(count, 5, 6);
  nonce[11] = last ? 1 : 0;
  return nonce;
}

const derived = (key: Uint8Array, salt: Uint8Array, words: string) =>
  Buffer.from(hkdfSync('sha256', key, salt, words, KEY));

function encrypted(key: Buffer, nonce: Buffer, bytes: Uint8Array): Buffer {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG });
  return Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
}

function header(fileKey: Buffer, recipients: readonly string[]): Buffer {
  const lines = [VERSION, ...recipients.flatMap((recipient) => stanza(fileKey, recipient)), '---'].join('\n');
  const mac = createHmac('sha256', derived(fileKey, Buffer.alloc(0), 'header'))
    .update(lines)
    .digest();
  return Buffer.from(`${lines} ${base64(mac)}\n`);
}

/** The file's key for one recipient: `-> X25519 SHARE` and the key, encrypted. */
function stanza(fileKey: Buffer, recipient: string): string[] {
  const theirs = publicBytes(recipient);
  const ephemeral = generateKeyPairSync('x25519');
  const share = Buffer.from(ephemeral.publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
  const secret = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: publicKey(theirs) });
  const key = derived(secret, Buffer.concat([share, theirs]), `${VERSION}/X25519`);
  return [`-> X25519 ${base64(share)}`, base64(encrypted(key, NO_NONCE, fileKey))];
}

const publicKey = (bytes: Buffer): KeyObject =>
  createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: bytes.toString('base64url') }, format: 'jwk' });

function publicBytes(recipient: string): Buffer {
  const { prefix, bytes } = bech32.decodeToBytes(recipient);
  if (prefix !== 'age') throw new Error('no recipient of age');
  return Buffer.from(bytes);
}

const base64 = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');
