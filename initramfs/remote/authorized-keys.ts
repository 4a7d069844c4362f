import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseAuthorizedKeys } from '../../contract/authorized-keys.ts';
import { PATHS } from '../../contract/rescue-config.ts';

/** Beside the profile's; sshd reads both at each login (etc/mindi/sshd_config). */
const MORE = '/run/mindi/ssh/authorized_keys';

/**
 * Lets further keys in, from now on. Called before the step `remote-access` of the boot it makes SSH start there, and the
 * network before it; later on `startSsh` (ssh.ts) must follow where SSH may not run yet.
 * @param text of a file authorized_keys
 * @param from what people know it by, a path
 * @returns what is wrong with lines of it, which are left out: a sentence each
 */
export function addAuthorizedKeys(text: string, from: string): string[] {
  const { lines, problems } = parseAuthorizedKeys(text);
  mkdirSync(dirname(MORE), { recursive: true, mode: 0o700 });
  appendFileSync(MORE, lines.map((line) => `${line}\n`).join(''), { mode: 0o600 });
  return problems.map(({ line, why }) => `${from}:${line}: The key ${why}.`);
}

/** How many keys are let in. */
export function authorizedKeys(): number {
  const files = [PATHS.authorizedKeys, MORE].filter((path) => existsSync(path));
  return files.flatMap((path) => parseAuthorizedKeys(readFileSync(path, 'utf8')).lines).length;
}
