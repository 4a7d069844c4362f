import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { type Context, tell } from '../boot.ts';
import { busybox } from '../process.ts';
import { readRescueConfig } from '../rescue-config.ts';

/** Milliseconds a time server may take to answer, and how often it is asked. */
const ANSWER_LIMIT = 2000;
const QUESTIONS = 2;
/** Seconds from 1900, where NTP counts from, to 1970; NTP's 32 bits begin anew in 2036. */
const NTP_EPOCH = 2_208_988_800;
const NTP_ERA = 2 ** 32;
const NTP_BYTES = 48;
const NTP_PORT = 123;
/** Milliseconds below which the clock is right enough for TLS and file times. */
const RIGHT = 2000;

/**
 * Sets the clock from the first NTP server that answers, else from the Date of an HTTP server: a certificate is not valid
 * before its time. The machine's own hardware clock is left as it is.
 * @param created the medium was made then: an earlier time is believed of nobody
 * @returns what is wrong, for people; null when the clock is right
 */
export async function setClock(
  context: Pick<Context, 'consoles'>,
  { ntp, http, created }: { ntp: readonly string[]; http: readonly string[]; created: string },
): Promise<string | null> {
  const asked = [
    ...ntp.map((server) => ({ server, ask: () => askNtp(server) })),
    ...http.map((server) => ({ server, ask: () => askHttp(server) })),
  ];
  for (const { server, ask } of asked) {
    const time = await ask();
    if (time === null || time < Date.parse(created)) continue;
    if (Math.abs(time - Date.now()) <= RIGHT) return null;
    await busybox(['date', '-u', '-s', `@${Math.round(time / 1000)}`]);
    tell(context, `clock: ${new Date(time).toISOString()}, as ${server} says`);
    return null;
  }
  const names = asked.map(({ server }) => server).join(', ');
  return (
    names && `The clock is not set: ${names} told no time after ${created}. Set it with 'date -s', or TLS may fail.`
  );
}

/** The same from one server that is asked for data, by the Date of its answers. */
export function clockFrom(context: Pick<Context, 'consoles'>, origin: string): Promise<string | null> {
  return setClock(context, { ntp: [], http: [origin], created: readRescueConfig([]).created });
}

/** Milliseconds since 1970 as an NTP server has it (SNTP, RFC 4330); null when it does not answer. */
export async function askNtp(server: string, port: number = NTP_PORT): Promise<number | null> {
  for (let n = 0; n < QUESTIONS; n += 1) {
    const time = await askNtpOnce(server, port);
    if (time !== null) return time;
  }
  return null;
}

function askNtpOnce(server: string, port: number): Promise<number | null> {
  const { promise, resolve } = Promise.withResolvers<number | null>();
  const question = Buffer.alloc(NTP_BYTES);
  question[0] = 0x23; // version 4, client
  // Comes back with the answer to this question alone.
  const mark = randomBytes(8);
  mark.copy(question, 40);
  const sent = performance.now();
  const socket = createSocket(server.includes(':') ? 'udp6' : 'udp4');
  const timer = setTimeout(() => resolve(null), ANSWER_LIMIT);
  socket.on('error', () => resolve(null));
  socket.on('message', (answer) => {
    const time = parseNtp(answer, mark);
    if (time !== null) resolve(time + (performance.now() - sent) / 2);
  });
  socket.send(question, port, server, (error) => error && resolve(null));
  return promise.finally(() => {
    clearTimeout(timer);
    socket.close();
  });
}

/** The time in an NTP server's answer; null for what is no answer to that question, or comes from a server that has no time. */
export function parseNtp(answer: Buffer, mark: Buffer): number | null {
  if (answer.length < NTP_BYTES || !answer.subarray(24, 32).equals(mark)) return null;
  const [first = 0, stratum = 0] = answer;
  const isServer = (first & 7) === 4 && first >> 6 !== 3;
  if (!isServer || stratum === 0 || stratum > 15) return null;
  const seconds = answer.readUInt32BE(40);
  const whole = seconds < NTP_ERA / 2 ? seconds + NTP_ERA : seconds;
  return (whole - NTP_EPOCH + answer.readUInt32BE(44) / NTP_ERA) * 1000;
}

/** Milliseconds since 1970 as the Date of an HTTP server's answer has it; null without one. */
export async function askHttp(url: string): Promise<number | null> {
  const { protocol } = new URL(url);
  const { promise, resolve } = Promise.withResolvers<number | null>();
  const { request } = protocol === 'https:' ? await import('node:https') : await import('node:http');
  // With a wrong clock no certificate is valid; nothing but the date is taken from the answer.
  const asked = request(url, { method: 'HEAD', timeout: ANSWER_LIMIT, rejectUnauthorized: false }, (response) => {
    response.destroy();
    const time = Date.parse(response.headers.date ?? '');
    resolve(Number.isNaN(time) ? null : time);
  });
  asked.on('timeout', () => asked.destroy());
  asked.on('error', () => resolve(null));
  asked.end();
  return promise;
}
