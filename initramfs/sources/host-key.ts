import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { type Context, tell } from '../boot.ts';
import { complaint, run } from '../process.ts';
import { fingerprintOf } from '../remote/fingerprint.ts';
import { readRescueConfig } from '../rescue-config.ts';
import { SourceError } from './source.ts';

const FOLDER = '/run/mindi/ssh';
/** Keys that were given or accepted, for ssh. */
export const KNOWN_HOSTS = `${FOLDER}/known_hosts`;
const SEEN = `${FOLDER}/seen_hosts`;
/** Kinds of keys a server may have; it shows one of the first kind they agree on. */
const KINDS = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'rsa-sha2-512,rsa-sha2-256'];
/** Nothing but what mindi says: the medium may have a configuration of another machine. */
export const SSH_OPTIONS = ['-F', '/dev/null', '-o', 'ConnectTimeout=20', '-o', 'GlobalKnownHostsFile=/dev/null'];

export interface SshServer {
  host: string;
  port: number;
}

/** A key as a server shows it: a line of a known_hosts file. */
interface ShownKey {
  line: string;
  kind: string;
  fingerprint: string;
}

/**
 * Makes sure that an SSH server is the right one before it gets any password: its key has the fingerprint that the boot
 * parameter or the profile gives, or the person says that it is right. It is then in KNOWN_HOSTS.
 * @param ssh where the program is
 * @throws SourceError where it is not, or nobody can say
 */
export async function checkHostKey(context: Context, ssh: string, server: SshServer): Promise<void> {
  mkdirSync(FOLDER, { recursive: true, mode: 0o700 });
  const { restore } = context.config ?? readRescueConfig([]);
  const wanted = (context.parameters.hostKey ?? restore.hostKey)?.replace(/=+$/, '');
  const key = wanted ? await keyWith(ssh, server, wanted) : await shownKey(ssh, server, KINDS.join(','));
  if (existsSync(KNOWN_HOSTS) && readFileSync(KNOWN_HOSTS, 'utf8').split('\n').includes(key.line)) return;
  if (!wanted) await askForIt(context, server, key);
  tell(context, `the key of ${server.host} is ${key.fingerprint} (${key.kind})`);
  appendFileSync(KNOWN_HOSTS, `${key.line}\n`);
}

/** The fingerprint may be of any of its keys. */
async function keyWith(ssh: string, server: SshServer, wanted: string): Promise<ShownKey> {
  const shown: string[] = [];
  for (const kind of KINDS) {
    const key = await shownKey(ssh, server, kind).catch((error: Error) => error);
    if (!(key instanceof Error) && key.fingerprint === wanted) return key;
    if (!(key instanceof Error)) shown.push(key.fingerprint);
  }
  throw new SourceError(
    `The server ${server.host} has not the key ${wanted}${shown.length > 0 ? `, but ${shown.join(', ')}` : ''}.`,
    'It may be another server that answers there. If it is the right one, give its fingerprint: mindi.hostkey=SHA256:…',
  );
}

async function askForIt({ person }: Context, { host }: SshServer, { fingerprint, kind }: ShownKey): Promise<void> {
  if (!person.there)
    throw new SourceError(
      `Nobody knows whether the server ${host} is the right one: it shows the key ${fingerprint} (${kind}).`,
      'Give the fingerprint: mindi.hostkey=SHA256:… at boot, or restore.hostKey in the profile.',
    );
  const question = `The server ${host} shows the key ${fingerprint} (${kind}). On the server, ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub tells its keys.`;
  const answer = await person.choose(question, [
    { value: 'right', text: 'That is its key: go on' },
    { value: 'wrong', text: 'It is not: stop' },
  ]);
  if (answer === 'wrong')
    throw new SourceError(`The server ${host} shows a key that is not its own.`, 'Check the address and the network.');
}

/** The key the server shows for that kind. It gets no login: ssh ends when it has the key. */
async function shownKey(ssh: string, { host, port }: SshServer, kinds: string): Promise<ShownKey> {
  rmSync(SEEN, { force: true });
  const options = [
    ...['BatchMode=yes', 'PreferredAuthentications=none', 'HashKnownHosts=no', 'StrictHostKeyChecking=accept-new'],
    ...[`UserKnownHostsFile=${SEEN}`, `HostKeyAlgorithms=${kinds}`],
  ].flatMap((option) => ['-o', option]);
  const done = await run(ssh, [...SSH_OPTIONS, ...options, '-p', `${port}`, '-l', 'mindi', '--', host, 'true']);
  const line = existsSync(SEEN) ? (readFileSync(SEEN, 'utf8').trim().split('\n').at(-1) ?? '') : '';
  const [, kind, key] = line.split(' ');
  if (kind && key) return { line, kind, fingerprint: fingerprintOf(key) };
  throw new SourceError(
    `The server ${host} shows no SSH key: ${complaint(done)}.`,
    'Check the address and the port, then try again.',
  );
}
