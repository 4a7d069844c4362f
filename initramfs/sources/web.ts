import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { parseVolume, VOLUME_FILE, VOLUME_FILE_LIMIT, type Volume } from '../../contract/volume.ts';
import { firstByte, get, Untrusted } from '../http.ts';
import { SourceError } from './source.ts';

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
