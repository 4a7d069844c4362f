import { pathOf, SAFE, type ServerKind } from './server.ts';

/** `smb://[USER@]SERVER[:PORT]/SHARE[/PATH]`; without credentials as guest. */
export const smb: ServerKind = {
  schemes: ['smb', 'cifs'],
  async ways(address, { folder, readOnly, credentials }) {
    const user = address.username ? [`username=${decodeURIComponent(address.username)}`] : [];
    const login = credentials ? [...user, `credentials=${credentials}`] : ['guest'];
    const port = address.port ? [`port=${address.port}`] : [];
    const options = ['vers=3', 'soft', 'echo_interval=10', ...login, ...port, ...SAFE, readOnly ? 'ro' : 'rw'];
    const args = [`//${address.hostname}${pathOf(address)}`, folder, '-o', options.join(',')];
    return [{ program: 'mount.cifs', args, package: 'cifs-utils' }];
  },
};
