import { createHash, createPublicKey, verify } from 'node:crypto';

/**
 * Signatures of two existing formats, checked without their programs: minisign's
 * (https://jedisct1.github.io/minisign/#signature-format) and OpenSSH's (PROTOCOL.sshsig), both with Ed25519 keys.
 */
export interface PublicKey {
  kind: 'minisign' | 'ssh';
  /** Ed25519, 32 bytes. */
  bytes: Buffer;
  /** minisign's number of the key, 8 bytes; empty for OpenSSH. */
  number: Buffer;
}

/** OpenSSH signatures are made for one purpose: `ssh-keygen -Y verify -n mindi`. */
export const SIGNATURE_NAMESPACE = 'mindi';

/** What a signature file is called: FILE and this. */
export const SIGNATURE_SUFFIX = { minisign: '.minisig', ssh: '.sig' } as const;

/** Takes a key as its file or one line of it says it: `RW…`, `ssh-ed25519 AAAA… comment`. Null when it is neither. */
export function parsePublicKey(text: string): PublicKey | null {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '' && !/^(untrusted comment:|#)/.test(line));
  const [line, ...more] = lines.map((one) => one.trim());
  if (line === undefined || more.length > 0) return null;
  const [, ssh] = /^ssh-ed25519 ([A-Za-z0-9+/=]+)(?:\s.*)?$/.exec(line) ?? [];
  return ssh ? sshKey(bytesOf(ssh)) : minisignKey(bytesOf(line));
}

/**
 * Whether the signature is that of the key's owner over just these bytes.
 * @param signature text of the signature file
 * @returns null when it is, else why it is not, as the end of a sentence
 */
export function verifySignature(data: Uint8Array, signature: string, key: PublicKey): string | null {
  const check = key.kind === 'minisign' ? checkMinisign : checkSsh;
  try {
    return check(data, signature, key);
  } catch {
    return 'the signature is damaged';
  }
}

function minisignKey(bytes: Buffer): PublicKey | null {
  if (bytes.length !== 42 || bytes.toString('latin1', 0, 2) !== 'Ed') return null;
  return { kind: 'minisign', number: bytes.subarray(2, 10), bytes: bytes.subarray(10) };
}

function sshKey(blob: Buffer): PublicKey | null {
  try {
    const fields = new Fields(blob);
    const [type, bytes] = [fields.text(), fields.next()];
    if (type !== 'ssh-ed25519' || bytes.length !== 32 || !fields.done) return null;
    return { kind: 'ssh', number: Buffer.alloc(0), bytes };
  } catch {
    return null;
  }
}

/** Two signatures: one of the data, one of the first and the trusted comment. `ED`: of the data's BLAKE2b-512. */
function checkMinisign(data: Uint8Array, text: string, key: PublicKey): string | null {
  const [untrusted = '', first = '', trusted = '', second = '', ...more] = text.split(/\r?\n/);
  const [bytes, global] = [bytesOf(first), bytesOf(second)];
  const head = untrusted.startsWith('untrusted comment: ') && trusted.startsWith('trusted comment: ');
  if (!head || bytes.length !== 74 || global.length !== 64 || more.some(Boolean)) return 'the signature is damaged';
  if (!bytes.subarray(2, 10).equals(key.number)) return 'it is signed with another key';
  const signature = bytes.subarray(10);
  const algorithm = bytes.toString('latin1', 0, 2);
  if (algorithm !== 'ED' && algorithm !== 'Ed') return 'the signature is damaged';
  const signed = algorithm === 'ED' ? createHash('blake2b512').update(data).digest() : data;
  const comment = Buffer.from(trusted.slice('trusted comment: '.length));
  const right = ed25519(signed, signature, key) && ed25519(Buffer.concat([signature, comment]), global, key);
  return right ? null : WRONG;
}

function checkSsh(data: Uint8Array, text: string, key: PublicKey): string | null {
  const armoured = /^-----BEGIN SSH SIGNATURE-----\s+([A-Za-z0-9+/=\s]+)-----END SSH SIGNATURE-----\s*$/.exec(text);
  const blob = bytesOf((armoured?.[1] ?? '').replace(/\s/g, ''));
  if (blob.toString('latin1', 0, 6) !== 'SSHSIG' || blob.readUInt32BE(6) !== 1) return 'the signature is damaged';
  const fields = new Fields(blob.subarray(10));
  const [owner, namespace, reserved, hash] = [fields.next(), fields.text(), fields.next(), fields.text()];
  const inner = new Fields(fields.next());
  if (!fields.done) return 'the signature is damaged';
  if (!sshKey(owner)?.bytes.equals(key.bytes)) return 'it is signed with another key';
  if (namespace !== SIGNATURE_NAMESPACE) return `it is signed for another purpose (${JSON.stringify(namespace)})`;
  if (hash !== 'sha512' && hash !== 'sha256') return 'the signature is damaged';
  const [type, signature] = [inner.text(), inner.next()];
  if (type !== 'ssh-ed25519' || !inner.done) return 'the signature is damaged';
  const digest = createHash(hash).update(data).digest();
  const parts = [Buffer.from(namespace), reserved, Buffer.from(hash), digest].flatMap(field);
  return ed25519(Buffer.concat([Buffer.from('SSHSIG'), ...parts]), signature, key) ? null : WRONG;
}

const WRONG = 'it is not what was signed';

/** DER before the 32 bytes of an Ed25519 public key (RFC 8410). */
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');

function ed25519(data: Uint8Array, signature: Uint8Array, { bytes }: PublicKey): boolean {
  const key = createPublicKey({ key: Buffer.concat([SPKI, bytes]), format: 'der', type: 'spki' });
  return verify(null, data, key, signature);
}

/** Base64, strictly: anything else gives no bytes. */
function bytesOf(base64: string): Buffer {
  const bytes = Buffer.from(base64, 'base64');
  return bytes.toString('base64') === base64 ? bytes : Buffer.alloc(0);
}

/** SSH's `string`: four bytes of length, then so many bytes (RFC 4251). */
function field(bytes: Buffer): Buffer[] {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return [length, bytes];
}

class Fields {
  #rest: Buffer;

  constructor(bytes: Buffer) {
    this.#rest = bytes;
  }

  get done(): boolean {
    return this.#rest.length === 0;
  }

  next(): Buffer {
    const end = 4 + this.#rest.readUInt32BE(0);
    if (end > this.#rest.length) throw new RangeError('a field ends too early');
    const bytes = this.#rest.subarray(4, end);
    this.#rest = this.#rest.subarray(end);
    return bytes;
  }

  text(): string {
    return this.next().toString('latin1');
  }
}
