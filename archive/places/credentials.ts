import { readFileSync, statSync } from 'node:fs';
import { MindiError, messageOf } from '../../contract/error.ts';

export interface Credentials {
  username: string;
  password: string;
}

/** Names that files of other programs have for the same: mount.cifs, the AWS tools. */
const NAMES: Record<keyof Credentials, readonly string[]> = {
  username: ['username', 'user', 'aws_access_key_id'],
  password: ['password', 'pass', 'aws_secret_access_key'],
};

/**
 * Reads `username=…` and `password=…` lines; where the file has sections, as those of the AWS tools, of the one that
 * AWS_PROFILE names, else `[default]`. Such a file is for its owner only.
 * @throws MindiError `archive.credentials`
 */
export async function readCredentials(file: string): Promise<Credentials> {
  const fail = (message: string, hint: string) =>
    new MindiError(message, { code: 'archive.credentials', where: file, hint });
  let text: string;
  try {
    if ((statSync(file).mode & 0o077) !== 0)
      throw fail('others may read this file of credentials', `chmod 600 ${file}`);
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof MindiError) throw error;
    throw fail(`the credentials cannot be read: ${messageOf(error)}`, 'Check archive.to.credentials.');
  }
  const said = new Map(
    section(text)
      .split(/\r?\n/)
      .flatMap((line): [string, string][] => {
        const [, name, value] = /^\s*(\w+)\s*=\s?(.*)$/.exec(line) ?? [];
        return name === undefined ? [] : [[name.toLowerCase(), value ?? '']];
      }),
  );
  const find = (names: readonly string[]) => names.map((name) => said.get(name)).find((value) => value !== undefined);
  const [username, password] = [find(NAMES.username), find(NAMES.password)];
  if (password === undefined)
    throw fail('the file has no password', 'Write it as `username=…` and `password=…` lines.');
  return { username: username ?? '', password };
}

function section(text: string): string {
  if (!/^\s*\[/m.test(text)) return text;
  const wanted = process.env.AWS_PROFILE ?? 'default';
  const parts = text.split(/^\s*\[([^\]]*)\]\s*$/m);
  const at = parts.findIndex((part, index) => index % 2 === 1 && part.trim() === wanted);
  return at < 0 ? '' : (parts[at + 1] ?? '');
}
