import { placeOf, userOf } from './address.ts';
import { passwordOf } from './password.ts';
import { hostOf, reachServer } from './server.ts';
import { openShare } from './share.ts';
import { SourceError, type SourceKind } from './source.ts';

const PORT = 445;
/** What SMB 3 signs and encrypts with; the kernel looks for it only when a session begins. */
const CRYPTO = ['ccm', 'gcm', 'ctr', 'cmac', 'ghash_generic', 'seqiv', 'ecb', 'hmac', 'md5', 'sha256', 'sha512'];

/** Address: `smb://[USER[:PASSWORD]@]SERVER[:PORT]/SHARE[/PATH]`; `cifs:` is the same. */
export const cifs: SourceKind = {
  schemes: ['smb', 'cifs'],
  name: 'Windows share',
  about: 'a share of a Windows or Samba server: smb://user@server/share/web01',
  async open(address, context) {
    const place = placeOf(address);
    if (!address.hostname || !/^\/[^/]/.test(place))
      throw new SourceError('The address names no server and share.', 'Write it as smb://user@server/share.');
    const port = Number(address.port) || PORT;
    await reachServer(context, address, port);
    const user = userOf(address);
    // mount.cifs takes its options apart at commas.
    if (user.includes(',')) throw new SourceError('The name of the user has a comma.', 'Use another user.');
    return openShare(context, {
      name: `smb://${address.host}${place}`,
      program: 'mount.cifs',
      what: `//${hostOf(address)}${place}`,
      options: [`${user ? `username=${user}` : 'guest'},port=${port},vers=3`],
      ...(user && { env: { PASSWD: await passwordOf(address, context) } }),
      modules: ['cifs', ...CRYPTO],
    });
  },
};
