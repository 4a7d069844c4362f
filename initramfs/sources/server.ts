import { lookup } from 'node:dns/promises';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { type Context, tell } from '../boot.ts';
import { reason } from '../reasons.ts';
import { SourceError } from './source.ts';

/** Seconds a server that refuses, or does not answer, is waited for: it may be starting, too. */
const LATE = 30;
/** Milliseconds for one connection. */
const ANSWER = 5000;
/** Milliseconds between two tries: a refusal comes at once. */
const AGAIN = 1000;

/**
 * Waits until a server takes connections.
 * @throws SourceError when its name is unknown, or it does not in time
 */
export async function reachServer(context: Context, address: URL | string, port: number): Promise<void> {
  const host = typeof address === 'string' ? address : hostOf(address);
  await lookup(host).catch(() => {
    throw new SourceError(
      `The server ${host} is not known by that name.`,
      'Check the name, or write its IP address; "ip address" and /etc/resolv.conf show whether the network is up.',
    );
  });
  const end = performance.now() + (context.parameters.wait ?? LATE) * 1000;
  let wrong = await tryToConnect(host, port);
  if (wrong) tell(context, `waiting for port ${port} of ${host}: ${wrong}`);
  while (wrong && performance.now() < end) {
    await pause(AGAIN);
    wrong = await tryToConnect(host, port);
  }
  if (!wrong) return;
  throw new SourceError(
    `Port ${port} of the server ${host} cannot be reached: ${wrong}.`,
    'Check the address, the cable and the server, then try again; mindi.ip=dhcp at boot brings the network up.',
  );
}

/** Without the brackets of IPv6. */
export const hostOf = ({ hostname }: URL) => hostname.replace(/^\[(.*)\]$/, '$1');

function tryToConnect(host: string, port: number): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const socket = connect({ host, port, timeout: ANSWER });
  socket.once('connect', () => resolve(null));
  socket.once('timeout', () => resolve(reason({ code: 'ETIMEDOUT' })));
  socket.once('error', (error) => resolve(reason(error)));
  return promise.finally(() => socket.destroy());
}
