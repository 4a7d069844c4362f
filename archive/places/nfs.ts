import { pathOf, SAFE, type ServerKind } from './server.ts';

/** A server that stops answering ends a write with an error after half a minute, and never hangs the run. */
const SOFT = ['proto=tcp', 'soft', 'timeo=100', 'retrans=3', 'retry=0', 'sec=sys'];

/** `nfs://SERVER[:PORT]/PATH[?vers=3]`, version 4 before 3. */
export const nfs: ServerKind = {
  schemes: ['nfs'],
  async ways(address, { folder, readOnly }) {
    const asked = address.searchParams.get('vers');
    const port = address.port ? [`port=${address.port}`] : [];
    const options = [...SOFT, ...SAFE, ...port, readOnly ? 'ro' : 'rw'];
    return (asked ? [asked] : ['4', '3']).map((version) => {
      const own = version === '3' ? ['nolock', 'mountproto=tcp'] : [];
      const what = `${address.hostname}:${pathOf(address) || '/'}`;
      const args = [what, folder, '-o', [`vers=${version}`, ...own, ...options].join(',')];
      return { program: 'mount.nfs', args, package: 'nfs-common' };
    });
  },
};
