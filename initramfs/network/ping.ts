import { lookup } from 'node:dns/promises';
import { type Context, tell } from '../boot.ts';
import { busybox } from '../process.ts';

/** Seconds to wait for one answer. */
const ANSWER_LIMIT = '2';

/**
 * Pings a host until it answers, at most so many times.
 * @returns what is wrong, for people; null when it answers
 */
export async function ping(context: Pick<Context, 'consoles'>, host: string, times: number): Promise<string | null> {
  const address = await lookup(host).then(
    (found) => found.address,
    () => null,
  );
  if (address === null)
    return `No name server knows ${host}. Give an address, or a name server: mindi.nameserver=ADDRESS.`;
  for (let n = 1; n <= times; n += 1) {
    const { code } = await busybox(['ping', '-c', '1', '-W', ANSWER_LIMIT, address], { limit: 10 });
    if (code !== 0) continue;
    tell(context, `${host} answers, ping ${n} of ${times}`);
    return null;
  }
  return `${host} did not answer ${times} pings. It is off, not reached from here ('mindi network' tells), or answers none.`;
}
