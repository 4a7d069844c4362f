import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { MindiError, messageOf } from '../../contract/error.ts';
import type { Body, Store } from './store.ts';

/** Milliseconds without a byte after which a server is given up. */
const STALL = 60_000;
/** A connection that breaks is tried again so often, after so many milliseconds, twice as many each time. */
const TRIES = 4;
const PAUSE = 500;
/** Bytes of a refusal that are read. */
const ANSWER = 4096;
const EMPTY = createHash('sha256').digest('hex');

/** Refusals that may be over in a moment. RFC 9110, 15.6. */
const PASSING = new Set([429, 500, 502, 503, 504]);

/**
 * Writes a file of the store.
 * @throws MindiError `store.refused`, `store.full`, `store.failed`
 */
export async function put(store: Store, path: string, body: Body): Promise<void> {
  const length = Buffer.isBuffer(body) ? body.length : body.size;
  const sha256 = Buffer.isBuffer(body) ? createHash('sha256').update(body).digest('hex') : body.sha256;
  await trying(store, path, async () => {
    const url = store.url(path);
    const headers = { ...store.headers('PUT', url, sha256), 'Content-Length': String(length) };
    const answer = await send(url, 'PUT', headers, body);
    if (isGood(answer)) return void answer.resume();
    throw await refused(store, path, answer);
  });
}

/** A file of the store, as it comes; null when it is not there. */
export async function get(store: Store, path: string): Promise<AsyncIterable<Uint8Array> | null> {
  const answer = await trying(store, path, async () => {
    const url = store.url(path);
    const answer = await send(url, 'GET', store.headers('GET', url, EMPTY));
    if (isGood(answer) || answer.statusCode === 404) return answer;
    throw await refused(store, path, answer);
  });
  if (answer.statusCode !== 404) return answer;
  answer.resume();
  return null;
}

const isGood = ({ statusCode = 0 }: IncomingMessage) => statusCode >= 200 && statusCode < 300;

async function trying<T>(store: Store, path: string, ask: () => Promise<T>): Promise<T> {
  for (let left = TRIES - 1, pause = PAUSE; ; left -= 1, pause *= 2) {
    try {
      return await ask();
    } catch (error) {
      const passing = !(error instanceof MindiError) || error.code === 'store.passing';
      if (!passing) throw error;
      if (left === 0) throw failed(store, path, error);
      await sleep(pause);
    }
  }
}

function failed({ name }: Store, path: string, error: unknown): MindiError {
  return new MindiError(`${path}: the server does not do it, ${TRIES} times: ${messageOf(error)}`, {
    code: 'store.failed',
    where: name,
    hint: 'Check the address, the server and the network.',
    exitCode: 1,
    cause: error,
  });
}

/** The answer, as soon as it begins. A server may answer before it has read all, and hang up. */
function send(url: URL, method: string, headers: Record<string, string>, body?: Body): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const { request } = url.protocol === 'https:' ? https : http;
  const asked = request(url, { method, headers });
  asked.setTimeout(STALL, () => asked.destroy(new Error(`nothing came for ${STALL / 1000} seconds`)));
  asked.on('response', resolve);
  asked.on('error', reject);
  if (body === undefined) asked.end();
  else if (Buffer.isBuffer(body)) asked.end(body);
  else pipeline(createReadStream(body.path, { highWaterMark: 1 << 20 }), asked).catch(reject);
  return promise;
}

async function refused(store: Store, path: string, answer: IncomingMessage): Promise<MindiError> {
  const { statusCode: status = 0, statusMessage = '' } = answer;
  const text = await beginning(answer);
  const [message, hint, code = 'store.refused'] = store.refusal(status, text) ??
    WORDS[status] ?? [`it answers ${status} ${statusMessage}`, 'Look into its log.'];
  const passing = PASSING.has(status);
  return new MindiError(`${path}: ${message}`, {
    code: passing ? 'store.passing' : code,
    where: store.name,
    hint,
    exitCode: 1,
  });
}

type Words = [message: string, hint: string, code?: string];
const LOGIN: Words = ['the login is refused', 'Check archive.to.credentials, and what that user may do there.'];

/** RFC 9110, RFC 4918. */
const WORDS: Record<number, Words> = {
  401: LOGIN,
  403: LOGIN,
  404: ['there is no such place', 'Check the address; WebDAV servers want the folder to be there.'],
  405: ['it takes no files by PUT', 'Let it take them (WebDAV), or write somewhere else.'],
  409: ['there is no such folder', 'Make it: WebDAV servers want the folder to be there.'],
  413: ['the file is too big for it', 'Let it take bigger ones, or make archive.volume smaller.', 'store.full'],
  507: ['there is no room left', 'Make room there, or write somewhere else.', 'store.full'],
};

async function beginning(answer: IncomingMessage): Promise<string> {
  let text = '';
  try {
    for await (const piece of answer) {
      text += String(piece);
      if (text.length >= ANSWER) break;
    }
  } catch {
    // What came is all there is.
  }
  return text;
}
