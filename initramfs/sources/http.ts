import { VOLUME_FILE } from '../../contract/volume.ts';
import { type Context, tell } from '../boot.ts';
import { clockFrom } from '../network/clock.ts';
import { placeOf, userOf } from './address.ts';
import { passwordOf } from './password.ts';
import { reachServer } from './server.ts';
import { SourceError, type SourceKind } from './source.ts';
import {
  ADVICE,
  type Answer,
  encodePath,
  openSite,
  type Site,
  volumesOfSet,
  type WebVolume,
  webVolume,
} from './web.ts';

/**
 * Address: `http[s]://[USER[:PASSWORD]@]SERVER[:PORT]/PATH[?QUERY]`. Servers need not list what they have. What stands
 * after ? is a token for all files there, and is sent for each.
 */
export const http: SourceKind = {
  schemes: ['http', 'https'],
  name: 'web server',
  about: 'a directory of a web server with a mindi/volume.json: https://server/web01',
  async open(address, context) {
    await reachServer(context, address, Number(address.port) || (address.protocol === 'https:' ? 443 : 80));
    const site = await siteOf(address, context);
    tell(context, `opening ${site.name}`);
    return openSite(site, await volumesOf(site));
  },
};

/** The site itself where it is a volume; the set it is, or the newest one there. */
async function volumesOf(site: Site): Promise<WebVolume[]> {
  const own = await webVolume(site).catch((error: Error) => error);
  if (own && !(own instanceof Error)) return [{ folder: '', volume: own }];
  const found = await volumesOfSet(site);
  if (found.length > 0) return found;
  throw own ?? new SourceError(`${VOLUME_FILE} of ${site.name} describes no restore data.`, ADVICE);
}

async function siteOf(address: URL, context: Context): Promise<Site> {
  const { protocol, host, origin, pathname, search } = address;
  const user = userOf(address);
  const login = user && `Basic ${Buffer.from(`${user}:${await passwordOf(address, context)}`).toString('base64')}`;
  const base = `${origin}${pathname.replace(/\/*$/, '/')}`;
  const name = `${protocol}//${host}${placeOf(address)}`;
  return {
    name,
    address: (file) => new URL(`${base}${encodePath(file)}${search}`),
    // A login is for the server it was given for, and goes to no other.
    headers: (url): Record<string, string> => (login && url.origin === origin ? { Authorization: login } : {}),
    setClock: ({ origin }) => clockFrom(context, origin),
    refusal: (file, answer) => refusal(name, user !== '', file, answer),
  };
}

function refusal(name: string, known: boolean, file: string, { status, statusMessage }: Answer): SourceError {
  if (status === 401 || status === 403) {
    const hint = known ? 'Check user and password, then try again.' : 'Write the address as https://user@server/path.';
    return new SourceError(`${name} refuses the login (${status}).`, hint);
  }
  if (status === 404) return new SourceError(`${file} is not on ${name}.`, 'Check the path of the address.');
  return new SourceError(`${name} answers ${file} with ${status} ${statusMessage}.`, ADVICE);
}
