import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { PATHS } from '../../contract/rescue-config.ts';
import { type Context, tell } from '../boot.ts';
import { complaint, findProgram, type ProcessResult, run } from '../process.ts';
import { placeOf, userOf } from './address.ts';
import { openFolder } from './folder.ts';
import { checkHostKey, KNOWN_HOSTS, SSH_OPTIONS } from './host-key.ts';
import { passwordOf } from './password.ts';
import { CARRIER, leaveSource } from './places.ts';
import { hostOf, reachServer } from './server.ts';
import { SourceError, type SourceKind } from './source.ts';

const PORT = 22;
/** Seconds for login and mount. */
const LIMIT = 60;
const COMPLAINTS = '/run/mindi/sshfs.log';
/** What ssh says: where a password is typed sshfs hides it. */
const SSH_LOG = '/run/mindi/ssh.log';
/** A server that stops answering ends a read with an error, never hangs it. */
const OPTIONS = [
  ...['ro', 'nosuid', 'nodev', 'StrictHostKeyChecking=yes', `UserKnownHostsFile=${KNOWN_HOSTS}`],
  ...[`ssh_command=ssh -E ${SSH_LOG}`, 'ServerAliveInterval=15', 'ServerAliveCountMax=3', 'NumberOfPasswordPrompts=1'],
];

/** Address: `sftp://[USER[:PASSWORD]@]SERVER[:PORT]/PATH`, `/~/PATH` below the user's home; `ssh:` is the same. */
export const sftp: SourceKind = {
  schemes: ['sftp', 'ssh'],
  name: 'SSH server',
  about: 'a directory of an SSH server, by its key or a password: sftp://user@server/srv/web01',
  async open(address, context) {
    // What begins with a dash would be an option of sshfs and ssh.
    if (!/^[^-]/.test(hostOf(address)) || userOf(address).startsWith('-'))
      throw new SourceError('The address names no server.', 'Write it as sftp://user@server/srv/web01.');
    const [sshfs, ssh] = [findProgram('sshfs'), findProgram('ssh')];
    if (!sshfs || !ssh)
      throw new SourceError(
        'sshfs is not on this medium.',
        'Build it with the tool set "sshfs" (tools.sets: [..., sshfs]), or choose another source.',
      );
    const port = Number(address.port) || PORT;
    const place = placeOf(address);
    const name = `sftp://${address.host}${place}`;
    await reachServer(context, address, port);
    await leaveSource();
    await context.modules.loadAll(['fuse']);
    mkdirSync(CARRIER, { recursive: true });
    await checkHostKey(context, ssh, { host: hostOf(address), port });
    tell(context, `opening ${name}`);
    const login = await loginFor(address, context);
    const what = `${userOf(address) || 'root'}@${address.hostname}:${place.replace(/^\/~\/?/, '')}`;
    const options = ['-p', `${port}`, ...[...OPTIONS, ...login.options].flatMap((option) => ['-o', option])];
    rmSync(SSH_LOG, { force: true });
    const mounting = { input: login.input, limit: LIMIT, complaints: COMPLAINTS };
    const done = await run(sshfs, [what, CARRIER, ...SSH_OPTIONS, ...options], mounting);
    if (done.code !== 0) throw failure(name, done, existsSync(SSH_LOG) ? readFileSync(SSH_LOG, 'utf8') : '');
    try {
      return await openFolder(context, { path: CARRIER, device: null, name });
    } catch (error) {
      await leaveSource();
      throw error;
    }
  },
};

/** A password in the address comes before the medium's key, and that before a password from elsewhere. */
async function loginFor(address: URL, context: Context): Promise<{ options: string[]; input: string }> {
  if (!address.password && existsSync(PATHS.sshKey))
    return { options: [`IdentityFile=${PATHS.sshKey}`, 'IdentitiesOnly=yes', 'BatchMode=yes'], input: '' };
  const { host, password } = address;
  const secret = await passwordOf({ host, password, username: address.username || 'root' }, context);
  return { options: ['password_stdin', 'PubkeyAuthentication=no'], input: `${secret}\n` };
}

function failure(name: string, done: ProcessResult, ssh: string): SourceError {
  if (/permission denied|too many authentication/i.test(ssh))
    return new SourceError(`${name} refuses the login.`, 'Check user and key or password, then try again.');
  if (/no such file/i.test(done.stderr))
    return new SourceError(`There is no such directory on ${name}.`, 'Check the path of the address.');
  const [why] = (ssh || done.stderr).trim().split('\n');
  return new SourceError(
    `${name} cannot be opened: ${why || complaint(done)}.`,
    'Check address and server, then try again, or choose another source.',
  );
}
