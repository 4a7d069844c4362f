import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { parseVolume, VOLUME_FILE, VOLUME_FILE_LIMIT, type Volume } from '../../contract/volume.ts';
import { type Context, tell } from '../boot.ts';
import { placeOf } from './address.ts';
import { reachServer } from './server.ts';
import { type OpenSource, SourceError, type SourceKind } from './source.ts';

/** Seconds without a byte after which a server is given up. */
const STALL = 60;
const REDIRECTS = 5;
const ADVICE = 'Check the address and the server, then try again, or choose another source.';

/** A directory of a web server and who asks for it. */
interface Site {
  /** For people. No password. */
  name: string;
  /** Ends with a slash; no user. */
  base: URL;
  /** `user:password`, or null. */
  login: string | null;
}

/** Address: `http[s]://[USER[:PASSWORD]@]SERVER[:PORT]/PATH`. Servers need not list what they have. */
export const http: SourceKind = {
  schemes: ['http', 'https'],
  name: 'web server',
  about: 'a directory of a web server with a mindi/volume.json: https://server/web01',
  async open(address, context) {
    await reachServer(context, address, Number(address.port) || (address.protocol === 'https:' ? 443 : 80));
    const site = await siteOf(address, context);
    tell(context, `opening ${site.name}`);
    const volume = await volumeOf(site);
    return {
      name: site.name,
      path: null,
      volumes: async () => [volume],
      read: (name, offset) => read(site, name, offset),
      async close() {},
    } satisfies OpenSource;
  },
};

async function siteOf(address: URL, { person }: Context): Promise<Site> {
  const { protocol, host, username, pathname } = address;
  const base = new URL(`${protocol}//${host}${pathname.replace(/\/*$/, '/')}`);
  const name = `${protocol}//${host}${placeOf(address)}`;
  if (!username) return { name, base, login: null };
  const user = decodeURIComponent(username);
  const password = address.password
    ? decodeURIComponent(address.password)
    : await person.enter(`Password of ${user} on ${host}`, { secret: true });
  return { name, base, login: `${user}:${password}` };
}

async function volumeOf(site: Site): Promise<Volume> {
  let text = '';
  for await (const chunk of await read(site, VOLUME_FILE)) {
    text += String(chunk);
    if (text.length > VOLUME_FILE_LIMIT) break;
  }
  const volume = text.length > VOLUME_FILE_LIMIT ? null : parseVolume(text);
  if (volume) return volume;
  throw new SourceError(`${VOLUME_FILE} of ${site.name} describes no restore data.`, ADVICE);
}

async function read(site: Site, name: string, offset = 0): Promise<Readable> {
  const path = name.split('/').map(encodeURIComponent).join('/');
  const response = await ask(site, new URL(path, site.base), offset, REDIRECTS).catch((error) => {
    if (error instanceof SourceError) throw error;
    throw new SourceError(`${name} of ${site.name} cannot be read: ${(error as Error).message}.`, ADVICE);
  });
  const skip = firstByte(response) === offset ? 0 : offset;
  if (![200, 206].includes(response.statusCode ?? 0) || (skip > 0 && response.statusCode === 206)) {
    response.destroy();
    throw refusal(site, name, response);
  }
  return Readable.from(pieces(site, name, response, skip), { objectMode: false });
}

/** Where what comes begins: some servers send all of a file though a part was asked for. */
function firstByte({ statusCode, headers }: IncomingMessage): number {
  return statusCode === 206 ? Number(/^bytes (\d+)-/.exec(headers['content-range'] ?? '')?.[1]) : 0;
}

function refusal(
  { name, login }: Site,
  file: string,
  { statusCode = 0, statusMessage = '' }: IncomingMessage,
): SourceError {
  if (statusCode === 401 || statusCode === 403) {
    const hint = login ? 'Check user and password, then try again.' : 'Write the address as https://user@server/path.';
    return new SourceError(`${name} refuses the login (${statusCode}).`, hint);
  }
  if (statusCode === 404) return new SourceError(`${file} is not on ${name}.`, 'Check the path of the address.');
  return new SourceError(`${name} answers ${file} with ${statusCode} ${statusMessage}.`, ADVICE);
}

/** A login is for the server it was given for, and goes to no other. */
async function ask({ login, base }: Site, url: URL, offset: number, redirects: number): Promise<IncomingMessage> {
  const client = url.protocol === 'https:' ? await import('node:https') : await import('node:http');
  const headers = {
    ...(offset > 0 && { Range: `bytes=${offset}-` }),
    ...(login !== null &&
      url.origin === base.origin && { Authorization: `Basic ${Buffer.from(login).toString('base64')}` }),
  };
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const asked = client.get(url, { headers, timeout: STALL * 1000 }, resolve);
  asked.on('timeout', () => asked.destroy(new Error(`no answer within ${STALL} seconds`)));
  asked.on('error', reject);
  const response = await promise;
  const { location } = response.headers;
  if (!location || ![301, 302, 303, 307, 308].includes(response.statusCode ?? 0) || redirects === 0) return response;
  response.destroy();
  const next = new URL(location, url);
  if (next.protocol !== url.protocol && next.protocol !== 'https:')
    throw new Error('it leads to an address without TLS');
  return ask({ name: '', login, base }, next, offset, redirects - 1);
}

async function* pieces(site: Site, name: string, response: IncomingMessage, skip: number): AsyncGenerator<Buffer> {
  let at = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      const rest = chunk.subarray(Math.min(chunk.length, Math.max(0, skip - at)));
      at += chunk.length;
      if (rest.length > 0) yield rest;
    }
  } catch (error) {
    throw new SourceError(`${name} of ${site.name} ended after ${at} bytes: ${(error as Error).message}.`, ADVICE);
  }
}
