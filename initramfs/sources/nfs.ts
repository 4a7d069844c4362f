import { placeOf } from './address.ts';
import { hostOf, reachServer } from './server.ts';
import { openShare } from './share.ts';
import { SourceError, type SourceKind } from './source.ts';

const PORT = 2049;
/** A server that stops answering ends a read with an error, never hangs it; locks are not needed to read. */
const ALWAYS = 'proto=tcp,soft,timeo=100,retrans=3,retry=0,sec=sys';

/** Address: `nfs://SERVER[:PORT]/PATH[?vers=3][&mountport=N]`. */
export const nfs: SourceKind = {
  schemes: ['nfs'],
  name: 'NFS server',
  about: 'a directory of an NFS server (version 4, else 3): nfs://server/backup',
  async open(address, context) {
    const { searchParams, hostname } = address;
    if (!hostname) throw new SourceError('The address names no server.', 'Write it as nfs://server/backup.');
    const [vers, mountPort] = [searchParams.get('vers'), searchParams.get('mountport')];
    if ((vers && !/^(3|4(\.[012])?)$/.test(vers)) || (mountPort && !/^\d{1,5}$/.test(mountPort)))
      throw new SourceError('The address asks for an NFS version or port there is not.', 'vers is 3 or 4.');
    const port = Number(address.port) || PORT;
    await reachServer(context, address, port);
    const place = placeOf(address) || '/';
    const own = address.port ? `,port=${port}` : '';
    const options = (vers ? [vers] : ['4', '3']).map((version) =>
      version === '3'
        ? `vers=3,nolock,mountproto=tcp,${ALWAYS}${own}${mountPort ? `,mountport=${mountPort}` : ''}`
        : `vers=${version},${ALWAYS}${own}`,
    );
    return openShare(context, {
      name: `nfs://${address.host}${place}`,
      program: 'mount.nfs',
      what: `${hostOf(address).includes(':') ? hostname : hostOf(address)}:${place}`,
      options,
      modules: ['nfs', 'nfsv4', 'nfsv3'],
    });
  },
};
