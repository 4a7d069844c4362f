import { isCancel, password } from '@clack/prompts';
import type { Command } from 'commander';
import type { Keys } from '../archive/encryption/keys.ts';
import { MindiError } from '../contract/error.ts';
import { askAtTerminal } from './ask.ts';

/** What commands that read sets take for servers and for encrypted sets. */
export interface KeyOptions {
  identity?: string[];
  passphraseFile?: string;
  credentials?: string;
}

export function withKeys(command: Command): Command {
  const collected = (file: string, before: string[] = []) => [...before, file];
  return command
    .option('--identity <file>', 'secret key of age that opens an encrypted set; may be given several times', collected)
    .option('--credentials <file>', 'user and password of the server the set is on, as archive.to.credentials')
    .option('--passphrase-file <file>', 'its first line opens an encrypted set; without it a terminal is asked');
}

/** Secrets come from files or a terminal, never from the command line, which everybody on the machine can read. */
export function keysOf({ identity = [], passphraseFile }: KeyOptions): Keys {
  return { identities: identity, passphraseFile, ask: process.stdin.isTTY ? ask : undefined };
}

/** Where sets are read from: servers may want a password, drives another disc or tape. */
export const placeOptions = ({ credentials }: KeyOptions) => ({ credentials, ask: askAtTerminal() });

async function ask(what: string): Promise<string> {
  // stdout is data.
  const answer = await password({ message: what, output: process.stderr });
  if (!isCancel(answer)) return answer;
  throw new MindiError('no passphrase was given', { code: 'set.key', hint: '--passphrase-file FILE' });
}
