import { readFileSync } from 'node:fs';
import { armor, Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { MindiError, messageOf } from '../../contract/error.ts';
import { isRecipient, VERSION } from './seal.ts';

/** `archive.encryption` of a profile. */
export interface EncryptionSettings {
  /** Public keys `age1…`, or files of them. */
  age: readonly string[];
  passphraseFile: string | null;
}

/** What a set is encrypted for. */
export interface SetKeys {
  recipients: string[];
  /** The set's own secret key, encrypted by the passphrase, as it lies on each volume; null without a passphrase. */
  identity: Buffer | null;
}

/**
 * Reads the public keys; for a passphrase a key of the set's own is made, so that the passphrase need be tried only once.
 * @throws MindiError `archive.key`, a problem for each
 */
export async function setKeys({ age, passphraseFile }: EncryptionSettings): Promise<SetKeys> {
  const problems: MindiError[] = [];
  const recipients = age.flatMap((text) => {
    if (isRecipient(text)) return [text];
    const found = recipientsIn(text);
    if (found instanceof MindiError) problems.push(found);
    return found instanceof MindiError ? [] : found;
  });
  if (problems.length > 0) throw MindiError.all(problems, 'These are no keys to encrypt for:', 'archive.key');
  if (passphraseFile === null) return { recipients, identity: null };
  const secret = await generateX25519Identity();
  const encrypter = new Encrypter();
  encrypter.setPassphrase(firstLine(passphraseFile));
  const identity = Buffer.from(await encrypter.encrypt(`${secret}\n`));
  return { recipients: [...recipients, await identityToRecipient(secret)], identity };
}

function recipientsIn(file: string): string[] | MindiError {
  const problem = (message: string, hint: string) =>
    new MindiError(message, { code: 'archive.key', where: file, hint });
  try {
    const lines = keyLines(readFileSync(file, 'utf8'));
    const wrong = lines.findIndex((line) => !isRecipient(line));
    if (lines.some((line) => line.startsWith(SECRET)))
      return problem('this is a secret key: sets are encrypted for public ones', '`age-keygen -y FILE` shows it.');
    if (lines.length === 0 || wrong >= 0)
      return problem('no public key of age, age1…, stands there', '`age-keygen -o key.txt` makes a pair of keys.');
    return lines;
  } catch (error) {
    return problem(`the file of public keys cannot be read: ${messageOf(error)}`, 'Check the spelling.');
  }
}

const SECRET = 'AGE-SECRET-KEY-1';
/** Lines of a file of keys without comments. */
const keyLines = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));

/** What a person gives to open an encrypted set. */
export interface Keys {
  /** Files of secret keys, as age-keygen makes them; encrypted by a passphrase or not. */
  identities: readonly string[];
  passphraseFile?: string | undefined;
  /** Asks for a passphrase; missing where nobody can be asked. */
  ask?: ((what: string) => Promise<string>) | undefined;
}

export const NO_KEYS: Keys = { identities: [] };

/**
 * What opens a set's files.
 * @param own the set's own key as it lies on its volumes, null when it has none
 * @returns null when there is no key to try
 * @throws MindiError `set.key` when a key cannot be read
 */
export async function decrypterOf(keys: Keys, own: Buffer | null): Promise<Decrypter | null> {
  const secrets: string[] = [];
  for (const file of keys.identities) secrets.push(...(await secretsIn(readKey(file), file, keys)));
  const passphrase = keys.passphraseFile !== undefined || (keys.identities.length === 0 && keys.ask);
  if (own && passphrase) secrets.push(...(await secretsIn(own, 'the set', keys)));
  if (secrets.length === 0) return null;
  const decrypter = new Decrypter();
  for (const secret of secrets) decrypter.addIdentity(secret);
  return decrypter;
}

async function secretsIn(bytes: Buffer, what: string, keys: Keys): Promise<string[]> {
  const text = isSealed(bytes) ? await opened(bytes, what, keys) : bytes.toString();
  const lines = keyLines(text);
  if (lines.length > 0 && lines.every((line) => line.startsWith(SECRET))) return lines;
  throw new MindiError('there is no secret key of age, AGE-SECRET-KEY-1…', {
    code: 'set.key',
    where: what,
    hint: 'Keys of other kinds: decrypt with the program age by hand, as the README on each volume says.',
  });
}

const ARMOR = '-----BEGIN AGE ENCRYPTED FILE-----';
const isSealed = (bytes: Buffer) => [VERSION, ARMOR].some((words) => bytes.toString('latin1').startsWith(words));

async function opened(bytes: Buffer, what: string, { passphraseFile, ask }: Keys): Promise<string> {
  const passphrase = passphraseFile === undefined ? await ask?.(`Passphrase of ${what}`) : firstLine(passphraseFile);
  if (passphrase === undefined)
    throw new MindiError('a passphrase is needed', { code: 'set.key', where: what, hint: '--passphrase-file FILE' });
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  const binary = bytes.toString('latin1').startsWith(ARMOR) ? armor.decode(bytes.toString()) : bytes;
  return decrypter.decrypt(binary, 'text').catch(() => {
    throw new MindiError('the passphrase is wrong', { code: 'set.key', where: what, exitCode: 1 });
  });
}

/** @throws MindiError `archive.key` when there is none */
function firstLine(file: string): string {
  const [line = ''] = readKey(file).toString().split(/\r?\n/);
  if (line !== '') return line;
  throw new MindiError('the first line, the passphrase, is empty', { code: 'archive.key', where: file });
}

function readKey(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new MindiError(`the key cannot be read: ${messageOf(error)}`, { code: 'set.key', where: file });
  }
}
