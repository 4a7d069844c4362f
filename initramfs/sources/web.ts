import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { NEWEST_SET, parseSetName, volumeName } from '../../contract/archive-set.ts';
import { parseVolume, VOLUME_FILE, VOLUME_FILE_LIMIT, type Volume } from '../../contract/volume.ts';
import { firstByte, get, Untrusted } from '../http.ts';
import { type OpenSource, SourceError } from './source.ts';

/** Seconds without a byte after which a server is given up. */
const STALL = 60;
export const ADVICE = 'Check the address and the server, then try again, or choose another source.';

/** Something that gives files by HTTP: a directory of a web server, a prefix of a bucket. */
export interface Site {
  /** For people. No password. */
  name: string;
  /** Where a file of it is. */
  address(file: string): URL;
  /** What goes to that address, which may be another server's. */
  headers(url: URL): Record<string, string>;
  /** Takes the time from a server, whose certificate is not valid by this machine's clock. */
  setClock(url: URL): Promise<unknown>;
  /** What is wrong, when the server answers and does not give the file. */
  refusal(file: string, answer: Answer): SourceError;
}

/** Of an answer that is no file. */
export interface Answer {
  status: number;
  statusMessage: string;
  headers: IncomingMessage['headers'];
  /** Its first bytes, as text. */
  text: string;
}

/**
 * What the server has at an address of the site, from any byte on.
 * @throws SourceError when it does not give it; the stream ends with one when it breaks off
 */
export async function readWeb(site: Site, file: string, offset = 0, url = site.address(file)): Promise<Readable> {
  const range: Record<string, string> = offset > 0 ? { Range: `bytes=${offset}-` } : {};
  const headers = (asked: URL) => ({ ...site.headers(asked), ...range });
  const ask = () => get(url, { stall: STALL, headers });
  const response = await ask()
    .catch(async (error) => {
      if (!(error instanceof Untrusted && error.byClock)) throw error;
      await site.setClock(url);
      return ask();
    })
    .catch((error: Error) => {
      const hint = error instanceof Untrusted ? error.hint : ADVICE;
      throw new SourceError(`${file || 'Its list'} of ${site.name} cannot be read: ${error.message}.`, hint);
    });
  const { statusCode: status = 0, statusMessage = '' } = response;
  const skip = firstByte(response) === offset ? 0 : offset;
  if (![200, 206].includes(status) || (skip > 0 && status === 206)) {
    const text = await textOf(response);
    throw site.refusal(file, { status, statusMessage, headers: response.headers, text });
  }
  return Readable.from(pieces(site, file, response, skip), { objectMode: false });
}

/** As in a URL, its slashes as they are. */
export const encodePath = (path: string) => path.split('/').map(encodeURIComponent).join('/');

/** The volume a folder of the site is (`web01/`, or the site itself); null when it says of none. */
export async function webVolume(site: Site, folder = ''): Promise<Volume | null> {
  const text = await textOf(await readWeb(site, `${folder}${VOLUME_FILE}`), VOLUME_FILE_LIMIT + 1);
  return text.length > VOLUME_FILE_LIMIT ? null : parseVolume(text);
}

/** A folder of the site that is a volume: empty for the site itself, else it ends with a slash. */
export interface WebVolume {
  folder: string;
  volume: Volume;
}

/** Bytes of the name of a set. */
const NAME_LIMIT = 300;

/** The volumes of the set that the site is as `mindi archive` wrote it, or of the newest set there; none: it has none. */
export async function volumesOfSet(site: Site): Promise<WebVolume[]> {
  const own = await numbered(site, '');
  if (own.length > 0) return own;
  const newest = await readWeb(site, NEWEST_SET)
    .then((stream) => textOf(stream, NAME_LIMIT))
    .catch(() => '');
  return parseSetName(newest.trim())?.complete ? numbered(site, `${newest.trim()}/`) : [];
}

/** One after the other, up to the one that says it is the last, or is not there. */
async function numbered(site: Site, set: string): Promise<WebVolume[]> {
  const found: WebVolume[] = [];
  do {
    const folder = `${set}${volumeName(found.length + 1)}/`;
    const volume = await webVolume(site, folder).catch(() => null);
    if (!volume) break;
    found.push({ folder, volume });
  } while (found.at(-1)?.volume.of === null);
  return found;
}

/** Reads one volume of these at a time, the first one at first. */
export function openSite(site: Site, found: readonly WebVolume[]): OpenSource {
  let folder = found[0]?.folder ?? '';
  return {
    name: site.name,
    path: null,
    volumes: async () => found.map(({ volume }) => volume),
    read: (name, offset) => readWeb(site, `${folder}${name}`, offset),
    next: async (number) => {
      const wanted = found.find(({ volume }) => volume.number === number);
      if (!wanted)
        throw new SourceError(`Volume ${number} is not on ${site.name}.`, 'Copy it there, or choose another source.');
      folder = wanted.folder;
    },
    async close() {},
  };
}

/** So many bytes at most, as text; what breaks off is as long as it is. */
export async function textOf(stream: Readable, limit = 4096): Promise<string> {
  let text = '';
  try {
    for await (const chunk of stream) {
      text += String(chunk);
      if (text.length >= limit) break;
    }
  } catch (error) {
    if (error instanceof SourceError) throw error;
  }
  return text.slice(0, limit);
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
