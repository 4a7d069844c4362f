import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { createConnection, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { uptime } from '../log.ts';

/** One datagram or a piece of a stream. */
export interface Connection {
  /** @throws Error with why it was not sent, of those before, too */
  send(messages: readonly string[]): Promise<void>;
}

export type Connect = (host: string, port: number) => Connection;

/** Milliseconds a server may take to answer or to take something, and an error to come back after something was sent. */
const ANSWER_LIMIT = 10_000;
const ERROR_COMES = 250;
/** Bytes of a message: what every server takes and one UDP datagram may have. */
const LONGEST = 8192;
/** Facility "user", severities "warning" and "informational". RFC 5424, 6.2.1 */
const USER = 8;
const WARNING = 4;
const INFORMATION = 6;

export async function sendLines(connection: Connection, text: string): Promise<void> {
  const zero = Date.now() - uptime() * 1000;
  await connection.send(syslogMessages(text, { zero, host: hostname() }));
}

/**
 * The log's lines as RFC 5424 has messages, none with a line break.
 * @param zero when the kernel started, milliseconds since 1970: lines begin with seconds since then
 */
export function syslogMessages(text: string, { zero, host }: { zero: number; host: string }): string[] {
  let at = zero;
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [, seconds, words = line] = /^\[ *(\d{1,9}(?:\.\d+)?)\] (.*)$/.exec(line) ?? [];
      if (seconds) at = zero + Number(seconds) * 1000;
      const priority = USER + (/^(PROBLEM|CRASH|MISSING|shim: FAILED)\b/.test(words) ? WARNING : INFORMATION);
      const plain = Buffer.from(words.replaceAll(/[\0-\x1f\x7f]/g, ' '))
        .subarray(0, LONGEST)
        .toString();
      return `<${priority}>1 ${new Date(at).toISOString()} ${host} mindi - - - ${plain}`;
    });
}

/** A message each (RFC 5426). That nobody listens is known only where the server's system says so. */
export const udp: Connect = (host, port) => ({
  async send(messages) {
    const { address, family } = await lookup(host);
    const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
    const failed = Promise.withResolvers<never>();
    failed.promise.catch(() => {});
    socket.on('error', failed.reject);
    try {
      await Promise.race([failed.promise, called((done) => socket.connect(port, address, done))]);
      for (const message of messages)
        await Promise.race([failed.promise, called((done) => socket.send(message, done))]);
      await Promise.race([failed.promise, pause(ERROR_COMES)]);
    } finally {
      socket.close();
    }
  },
});

/** A line each (RFC 6587, 3.4.2), over one connection as long as that lasts. */
export const tcp: Connect = (host, port) => {
  let open: Socket | null = null;
  return {
    async send(messages) {
      const socket = open && !open.destroyed ? open : await connectTcp(host, port);
      open = socket;
      const failed = Promise.withResolvers<never>();
      failed.promise.catch(() => {});
      const gone = (error?: Error) => {
        open = null;
        failed.reject(error instanceof Error ? error : new Error('the server closed the connection'));
      };
      socket.on('error', gone).on('close', gone);
      const late = setTimeout(() => gone(noAnswer()), ANSWER_LIMIT);
      try {
        const lines = messages.map((one) => `${one}\n`).join('');
        const written = called((done) => socket.write(lines, done));
        await Promise.race([failed.promise, written.then(() => pause(ERROR_COMES))]);
      } catch (error) {
        socket.destroy();
        throw error;
      } finally {
        clearTimeout(late);
        socket.off('error', gone).off('close', gone);
      }
    },
  };
};

async function connectTcp(host: string, port: number): Promise<Socket> {
  const socket = createConnection({ host, port, timeout: ANSWER_LIMIT });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once('connect', resolve).once('error', reject);
  socket.once('timeout', () => reject(noAnswer()));
  try {
    await promise;
  } catch (error) {
    socket.destroy();
    throw error;
  }
  // An error while nothing is sent is seen at the next time; no process stays for it.
  return socket
    .setTimeout(0)
    .on('error', () => {})
    .unref()
    .resume();
}

const noAnswer = () => new Error(`no answer within ${ANSWER_LIMIT / 1000} seconds`);

/** What tells by a callback that it is done. */
function called(start: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => start((error) => (error ? reject(error) : resolve())));
}

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));
