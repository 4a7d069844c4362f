import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import fs from 'fs-extra';
import { MindiError, messageOf } from '../../contract/error.ts';
import {
  type PublicKey,
  parsePublicKey,
  SIGNATURE_NAMESPACE,
  SIGNATURE_SUFFIX,
  verifySignature,
} from '../../contract/signature.ts';
import { type RunOptions, run } from '../run.ts';
import { scratch } from '../scratch.ts';

/** A key to sign with; the programs of its kind read it, mindi does not. */
export interface SigningKey {
  kind: PublicKey['kind'];
  path: string;
  /** Whether its program asks for a passphrase. */
  encrypted: boolean;
}

/** What the builder has made to go beside a file: FILE and the suffix of its kind. */
export interface Signature {
  suffix: string;
  text: string;
}

/**
 * Looks what kind of key a file is: minisign's secret key; an OpenSSH private key, or the public half of one that
 * ssh-agent holds.
 * @throws MindiError `sign.key` when it is neither or cannot be read, `sign.passphrase` when nobody could type one.
 */
export async function signingKey(path: string): Promise<SigningKey> {
  const text = await readKey(path);
  const key = { path, ...(minisignKind(text) ?? sshKind(text) ?? unknownKey(path)) };
  if (key.encrypted && !canAsk(key)) {
    throw new MindiError('the key has a passphrase, and there is no terminal to type it', {
      code: 'sign.passphrase',
      where: path,
      hint: 'Sign with a key without one that only this job can read, or let ssh-agent hold it and give the .pub file.',
    });
  }
  return key;
}

async function readKey(path: string, where = path): Promise<string> {
  try {
    return await readFile(path, 'latin1');
  } catch (cause) {
    const hint = 'Name a key of `minisign -G` or `ssh-keygen -t ed25519` that you may read.';
    throw new MindiError(`the key cannot be read: ${messageOf(cause)}`, { code: 'sign.key', where, hint, cause });
  }
}

type Kind = Omit<SigningKey, 'path'>;

/** The second line starts with the algorithm, `Ed`, and what the key is encrypted with: `Sc` for scrypt, zeros for none. */
function minisignKind(text: string): Kind | undefined {
  const bytes = Buffer.from(/^untrusted comment: .*\r?\n(\S+)\s*$/.exec(text)?.[1] ?? '', 'base64');
  if (bytes.length !== 158 || bytes.toString('latin1', 0, 2) !== 'Ed') return undefined;
  return { kind: 'minisign', encrypted: bytes.toString('latin1', 2, 4) === 'Sc' };
}

/** OpenSSH's own format names the cipher (PROTOCOL.key). */
function sshKind(text: string): Kind | undefined {
  if (/^(ssh|ecdsa|sk)-\S+ AAAA/.test(text)) return { kind: 'ssh', encrypted: false };
  const [, body] = /^-----BEGIN OPENSSH PRIVATE KEY-----\s([\s\S]+?)-----END/.exec(text) ?? [];
  if (body === undefined) return undefined;
  const bytes = Buffer.from(body, 'base64');
  const cipher = bytes.toString('latin1', 19, 23);
  return { kind: 'ssh', encrypted: cipher !== 'none' };
}

function unknownKey(where: string): never {
  throw new MindiError('this is no secret key of minisign or OpenSSH', {
    code: 'sign.key',
    where,
    hint: 'Make one: `minisign -G -s mindi.key -p mindi.pub`, or `ssh-keygen -t ed25519 -f mindi.key`.',
  });
}

/** ssh-keygen opens the terminal itself, or asks by a program; minisign reads standard input. */
function canAsk({ kind }: Pick<SigningKey, 'kind'>): boolean {
  if (process.stdin.isTTY) return true;
  return kind === 'ssh' && process.env.SSH_ASKPASS !== undefined && process.env.SSH_ASKPASS_REQUIRE === 'force';
}

/**
 * The signature of a file's bytes under its name; Ed25519 gives the same one every time. An encrypted key's passphrase is
 * asked for on the terminal.
 * @param publicKey which key it must be that signed, if the profile names one
 * @throws MindiError `sign.failed`, `sign.other-key`
 */
export async function sign(
  file: { name: string; bytes: Uint8Array },
  key: SigningKey,
  publicKey: PublicKey | null,
): Promise<Signature> {
  await using work = await scratch('sign');
  const path = join(work.path, basename(file.name));
  await fs.writeFile(path, file.bytes);
  const suffix = SIGNATURE_SUFFIX[key.kind];
  await runSigner(key, path, `${path}${suffix}`);
  const text = await readFile(`${path}${suffix}`, 'utf8');
  const wrong = publicKey && verifySignature(file.bytes, text, publicKey);
  if (!wrong) return { suffix, text };
  throw new MindiError("this key does not belong to the profile's trust.publicKey", {
    code: 'sign.other-key',
    where: key.path,
    hint: 'Sign with the secret half of that key, or put the public half of this one into the profile.',
  });
}

async function runSigner(key: SigningKey, file: string, signature: string): Promise<void> {
  const options: RunOptions = { terminal: key.encrypted };
  try {
    if (key.kind === 'ssh') {
      const args = ['-q', '-Y', 'sign', '-f', key.path, '-n', SIGNATURE_NAMESPACE, file];
      await run('ssh-keygen', args, { ...options, package: 'openssh-client' });
    } else {
      // minisign's own trusted comment has the time in it.
      const comments = ['-c', 'signature by mindi', '-t', `mindi: ${basename(file)}`];
      const args = ['-S', '-s', key.path, '-m', file, '-x', signature, ...comments];
      await run('minisign', args, { ...options, package: 'minisign' });
    }
  } catch (error) {
    if (!(error instanceof MindiError) || error.code !== 'tool.failed') throw error;
    throw new MindiError(`signing failed: ${error.message}`, {
      code: 'sign.failed',
      where: key.path,
      hint: 'The key must be a whole one, readable only by its owner, and its passphrase right.',
      cause: error,
    });
  }
}

/** The profile's trust.publicKey, given as the key itself or as a file with it. */
export async function trustedKey(
  value: string | null,
  where: string,
): Promise<{ line: string; key: PublicKey } | null> {
  if (value === null) return null;
  const text = value.startsWith('/') ? await readKey(value, where) : value;
  const key = parsePublicKey(text);
  const line = text.split(/\r?\n/).find((one) => parsePublicKey(one) !== null);
  if (key && line) return { key, line: line.trim() };
  throw new MindiError('trust.publicKey is no public key of minisign or OpenSSH (Ed25519)', {
    code: 'trust.public-key',
    where,
    hint: 'Give the line `RW…` of minisign.pub, `ssh-ed25519 AAAA…`, or the path of a file with it.',
  });
}
