import type { IncomingMessage } from 'node:http';
import { trustOwnAuthorities } from './network/authorities.ts';

const REDIRECTS = 5;
const REDIRECTION = [301, 302, 303, 307, 308];

export interface Question {
  /** Seconds without a byte after which a server is given up. */
  stall: number;
  /** For each address that is asked, also those the server leads to: a login is not for all of them. */
  headers?: (url: URL) => Record<string, string>;
  /** What comes is checked by its hash: any certificate will do, and an address without TLS. */
  unchecked?: boolean;
}

/** A certificate that is not believed. The message says why, after "cannot be read: ". */
export class Untrusted extends Error {
  /** What a person can do about it. */
  readonly hint: string;
  /** Whether another time would help. */
  readonly byClock: boolean;
  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
    this.byClock = hint === TIMES;
  }
}

/**
 * Asks a web server for something (GET) and follows where it leads to. Not fetch(): its parser is WebAssembly, and here
 * nothing is compiled for speed.
 * @throws Untrusted, or an Error whose message tells people why there is no answer
 */
export async function get(url: URL, question: Question, redirects = REDIRECTS): Promise<IncomingMessage> {
  const response = await ask(url, question, 'GET');
  const { location } = response.headers;
  if (!location || !REDIRECTION.includes(response.statusCode ?? 0) || redirects === 0) return response;
  response.destroy();
  const next = new URL(location, url);
  if (url.protocol === 'https:' && next.protocol !== 'https:' && !question.unchecked)
    throw new Error('it leads to an address without TLS');
  return get(next, question, redirects - 1);
}

/**
 * Gives a web server something to keep (PUT), and goes nowhere else with it. A login in the address is used.
 * @throws Untrusted, or an Error whose message tells people why it was not taken
 */
export async function put(url: URL, body: Uint8Array, { stall }: Pick<Question, 'stall'>): Promise<void> {
  const headers = () => ({ 'content-length': String(body.length), 'content-type': 'application/octet-stream' });
  const response = await ask(url, { stall, headers }, 'PUT', body);
  const { statusCode: status = 0, statusMessage = '' } = response;
  response.destroy();
  if (status < 200 || status > 299) throw new Error(`the server says ${status} ${statusMessage}`.trim());
}

async function ask(url: URL, question: Question, method: 'GET' | 'PUT', body?: Uint8Array): Promise<IncomingMessage> {
  const { stall, headers = () => ({}), unchecked = false } = question;
  const secure = url.protocol === 'https:';
  const authorities = secure && !unchecked ? await trustOwnAuthorities() : {};
  const { request } = secure ? await import('node:https') : await import('node:http');
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const options = {
    method,
    headers: headers(url),
    timeout: stall * 1000,
    rejectUnauthorized: !unchecked,
    ...authorities,
  };
  const asked = request(url, options, resolve);
  asked.on('timeout', () => asked.destroy(new Error(`no answer within ${stall} seconds`)));
  asked.on('error', reject);
  asked.end(body);
  return promise.catch((error) => {
    throw untrusted(error) ?? error;
  });
}

/** Where what comes begins: some servers send all of a file though a part was asked for. */
export function firstByte({ statusCode, headers }: IncomingMessage): number {
  return statusCode === 206 ? Number(/^bytes (\d+)-/.exec(headers['content-range'] ?? '')?.[1]) : 0;
}

const TIMES = "Set the clock with 'date -s', or mindi.ntp=SERVER at boot; else the server needs a new certificate.";
const AUTHORITY =
  'Check the address. The certificate of an authority of your own goes into the profile: network.authorities.';

/** OpenSSL's and Node's codes, and what they mean. */
const WRONG: Readonly<Record<string, readonly [why: string, hint: string]>> = {
  CERT_NOT_YET_VALID: ['its certificate is not valid yet', TIMES],
  CERT_HAS_EXPIRED: ['its certificate is not valid any more', TIMES],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    'its certificate is for another name',
    'Write the name the certificate is for, or check that the address leads to the right server.',
  ],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['its certificate is signed by itself alone', AUTHORITY],
  SELF_SIGNED_CERT_IN_CHAIN: ['no authority this medium knows vouches for its certificate', AUTHORITY],
  UNABLE_TO_GET_ISSUER_CERT: ['no authority this medium knows vouches for its certificate', AUTHORITY],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ['no authority this medium knows vouches for its certificate', AUTHORITY],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ['no authority this medium knows vouches for its certificate', AUTHORITY],
  CERT_REVOKED: ['its certificate was revoked', 'Ask who runs the server.'],
};

function untrusted({ code = '' }: NodeJS.ErrnoException): Untrusted | null {
  const [why, hint] = WRONG[code] ?? [];
  if (!why || !hint) return null;
  return new Untrusted(`${why} (this machine's clock says ${new Date().toISOString()})`, hint);
}
