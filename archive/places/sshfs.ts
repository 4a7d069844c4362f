import { readCredentials } from './credentials.ts';
import { pathOf, SAFE, type ServerKind } from './server.ts';

/** A server that stops answering ends the connection after half a minute. */
const ALIVE = ['ServerAliveInterval=10', 'ServerAliveCountMax=3', 'ConnectTimeout=20'];

/**
 * `sshfs://[USER@]SERVER[:PORT]/PATH`, `/~/PATH` below the user's home: as ~/.ssh/config and known_hosts have it, by key,
 * or by the password of the credentials.
 */
export const sshfs: ServerKind = {
  schemes: ['sshfs', 'sftp', 'ssh'],
  async ways(address, { folder, readOnly, credentials }) {
    const known = credentials ? await readCredentials(credentials) : undefined;
    const user = address.username ? decodeURIComponent(address.username) : known?.username;
    const login = known
      ? ['password_stdin', 'PubkeyAuthentication=no', 'NumberOfPasswordPrompts=1']
      : ['BatchMode=yes'];
    const options = [...ALIVE, ...SAFE, ...login, ...(readOnly ? ['ro'] : [])].flatMap((option) => ['-o', option]);
    const port = address.port ? ['-p', address.port] : [];
    const what = `${user ? `${user}@` : ''}${address.hostname}:${pathOf(address).replace(/^\/~\/?/, '')}`;
    return [
      {
        program: 'sshfs',
        args: [...port, ...options, '--', what, folder],
        ...(known && { input: `${known.password}\n` }),
        package: 'sshfs',
      },
    ];
  },
};
