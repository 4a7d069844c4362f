import { readFileSync } from 'node:fs';
import { addAuthorizedKeys } from '../remote/authorized-keys.ts';
import { NoSsh, sshText, startSsh } from '../remote/ssh.ts';
import type { Command } from './index.ts';

/** Further keys, and SSH itself where it does not run. */
export const ssh: Command = {
  name: 'ssh',
  about: 'let people in by SSH, with further public keys',
  run: runSsh,
};

const HELP = `mindi ssh                 starts SSH if it does not run, and shows its host key
mindi ssh FILE...         lets the public keys in FILE in, too; - is standard input
  --json                  shows it as JSON
`;

async function runSsh(words: readonly string[]): Promise<number> {
  if (words.includes('--help')) {
    process.stdout.write(HELP);
    return 0;
  }
  const wrong = words.filter((word) => word !== '--json').flatMap(letIn);
  process.stderr.write(wrong.map((sentence) => `${sentence}\n`).join(''));
  try {
    const state = await startSsh();
    process.stdout.write(words.includes('--json') ? `${JSON.stringify(state)}\n` : `SSH: ${sshText(state)}\n`);
    return wrong.length > 0 ? 1 : 0;
  } catch (error) {
    if (!(error instanceof NoSsh)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

/** Returns what is wrong. */
function letIn(file: string): string[] {
  try {
    return addAuthorizedKeys(readFileSync(file === '-' ? 0 : file, 'utf8'), file);
  } catch (error) {
    return [`${file} cannot be read: ${(error as Error).message}.`];
  }
}
