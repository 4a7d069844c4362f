import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { AUTHORITY_LISTS, certificatesIn } from '../contract/authorities.ts';
import { MindiError, messageOf } from '../contract/error.ts';
import { PATHS } from '../contract/rescue-config.ts';
import { madeFile, type Piece } from './piece.ts';
import type { Profile } from './profile/load.ts';
import type { Finding } from './secrets/scan.ts';

const OPENSSH = /-----BEGIN OPENSSH PRIVATE KEY-----([^-]+)-----END/;

/** What a restore source needs to be let in. */
export interface RestoreFiles {
  piece: Piece;
  /** They are secrets, and on the medium only where the profile says so. */
  secrets: Finding[];
}

/**
 * The files that `restore.passwordFile` and `restore.keyFile` name.
 * @throws MindiError `restore.file` when one cannot be read, or is of no use
 */
export async function restoreFiles(profile: Profile): Promise<RestoreFiles> {
  const files: RestoreFiles = { piece: { entries: [], contents: new Map() }, secrets: [] };
  const fields = [
    { name: 'passwordFile', path: PATHS.password, kind: 'a password', wrong: wrongPassword },
    { name: 'keyFile', path: PATHS.sshKey, kind: 'a private key', wrong: wrongKey },
  ] as const;
  for (const { name, path, kind, wrong } of fields) {
    const file = profile.restore[name];
    if (file === null) continue;
    const where = profile.where(['restore', name]);
    const text = await read(file, where);
    const why = wrong(text);
    if (why) throw new MindiError(`${file} ${why}`, { code: 'restore.file', where });
    const rule = `restore.${name}`;
    madeFile(files.piece, path, text, [{ rule }], 0o600);
    files.secrets.push({ path: rule, kind, line: 1, rule });
  }
  return files;
}

/**
 * The tools' list of authorities with those of `network.authorities` at its end, so that every program trusts them.
 * @throws MindiError `network.authority` when there is no certificate in a file
 */
export async function authorities({ network, where }: Profile, tools: Piece): Promise<Piece> {
  const piece: Piece = { entries: [], contents: new Map() };
  const own: string[] = [];
  for (const [index, file] of network.authorities.entries())
    own.push(...(await certificates(file, where(['network', 'authorities', index]))));
  if (own.length === 0) return piece;
  const list = tools.entries.find(
    (entry) => entry.type === 'file' && AUTHORITY_LISTS.some((path) => path === entry.path),
  );
  const content = list?.type === 'file' ? tools.contents.get(list.sha256) : undefined;
  const there = content?.from === 'file' ? await readFile(content.path, 'utf8') : '';
  const text = `${there}${own.map((one) => `${one}\n`).join('')}`;
  madeFile(piece, list?.path ?? AUTHORITY_LISTS[0], text, [{ rule: 'network.authorities' }]);
  return piece;
}

async function certificates(file: string, where: string): Promise<string[]> {
  const found = certificatesIn(await read(file, where));
  const hint = 'It must be text (PEM), with -----BEGIN CERTIFICATE----- in it.';
  const options = { code: 'network.authority', where, hint };
  if (found.length === 0) throw new MindiError(`${file} holds no certificate`, options);
  for (const one of found) {
    try {
      new X509Certificate(one);
    } catch (error) {
      throw new MindiError(`${file} holds a damaged certificate: ${messageOf(error)}`, options);
    }
  }
  return found;
}

async function read(file: string, where: string): Promise<string> {
  return readFile(file, 'utf8').catch((error) => {
    throw new MindiError(`${file} cannot be read: ${messageOf(error)}`, { code: 'restore.file', where });
  });
}

const wrongPassword = (text: string) => (text.split(/\r?\n/)[0] === '' ? 'has no password in its first line' : null);

function wrongKey(text: string): string | null {
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) return 'holds no private key';
  const [, body] = OPENSSH.exec(text) ?? [];
  // The name of the cipher stands behind "openssh-key-v1", a zero byte and its length.
  const isOpen =
    body === undefined ? !/ENCRYPTED/.test(text) : Buffer.from(body, 'base64').toString('latin1', 19, 23) === 'none';
  return isOpen ? null : 'is protected by a passphrase, which nobody could type at the restore';
}
