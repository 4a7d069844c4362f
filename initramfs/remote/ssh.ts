import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SshReport } from '../../contract/report.ts';
import { complaint, findProgram, run } from '../process.ts';
import { authorizedKeys } from './authorized-keys.ts';
import { fingerprintOf } from './fingerprint.ts';

const FOLDER = '/run/mindi/ssh';
const HOST_KEY = `${FOLDER}/host_key`;
const PID = `${FOLDER}/sshd.pid`;
const LOG = '/var/log/sshd.log';
/** Milliseconds. */
const LISTENS_WITHIN = 10_000;
const LOOK_EVERY = 20;

/** Why there is no SSH: a sentence, and what to do. */
export class NoSsh extends Error {}

/**
 * Starts sshd where it does not run yet, with a host key of this boot. It listens on every address, those to come
 * included, and stays when this process ends.
 * @throws NoSsh
 */
export async function startSsh(): Promise<SshReport> {
  const running = sshState();
  if (running) return running;
  const [sshd, keygen] = [findProgram('sshd'), findProgram('ssh-keygen')];
  if (!sshd || !keygen)
    throw new NoSsh(
      'SSH is not on this medium. Build it with access.authorizedKeys in the profile, or with the tool set ssh.',
    );
  mkdirSync(FOLDER, { recursive: true, mode: 0o700 });
  if (!existsSync(HOST_KEY)) {
    const made = await run(keygen, ['-q', '-t', 'ed25519', '-N', '', '-C', 'mindi', '-f', HOST_KEY]);
    if (made.code !== 0) throw new NoSsh(`SSH is not started: no host key could be made (${complaint(made)}).`);
  }
  const started = await run('/usr/lib/mindi/sshd', [sshd]);
  const state = started.code === 0 ? await listening() : null;
  if (!state) throw new NoSsh(`SSH is not started: ${lastLine() || complaint(started)}.`);
  return state;
}

/** sshd writes its process id when it listens, a moment after it went to the background. */
async function listening(): Promise<SshReport | null> {
  const end = performance.now() + LISTENS_WITHIN;
  while (!sshState() && performance.now() < end) await sleep(LOOK_EVERY);
  return sshState();
}

/** null: it does not run. */
export function sshState(): SshReport | null {
  const pid = existsSync(PID) ? readFileSync(PID, 'utf8').trim() : '';
  return pid && existsSync(`/proc/${pid}`) ? { hostKey: fingerprint(), keys: authorizedKeys() } : null;
}

/** For people: what to compare when logging in. */
export function sshText({ hostKey, keys }: SshReport, address?: string): string {
  return keys > 0
    ? `root${address ? `@${address}` : ''}, host key ${hostKey}`
    : 'lets nobody in: there are no authorized keys';
}

function fingerprint(): string {
  const [, key = ''] = readFileSync(`${HOST_KEY}.pub`, 'utf8').split(' ');
  return fingerprintOf(key);
}

function lastLine(): string {
  return existsSync(LOG) ? (readFileSync(LOG, 'utf8').trim().split('\n').at(-1) ?? '') : '';
}
