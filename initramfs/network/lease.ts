import { existsSync, readFileSync } from 'node:fs';
import { busybox } from '../process.ts';

const SCRIPT = '/etc/udhcpc/default.script';
/** What is asked for besides address, mask, gateways and name servers. */
const WISHES = ['tftp', 'serverid', 'ntpsrv', 'search', 'mtu', 'staticroutes'].flatMap((name) => ['-O', name]);
/** Questions, and seconds between two of them. */
const PATIENCE = ['-t', '3', '-T', '2'];

/** What a DHCP server said. */
export interface Lease {
  /** Whoever starts machines from this network. */
  server: string | null;
  ntp: string[];
}

/**
 * Asks for an address on a card; the address is renewed from then on. Null when no server answers.
 * @param wish the address that is asked for, if that is free
 */
export async function askForLease(nic: string, wish: string | null, hostname: string | null): Promise<Lease | null> {
  endLease(nic);
  const own = ['-i', nic, '-s', SCRIPT, '-p', pidFile(nic), '-n', ...PATIENCE, ...WISHES];
  const more = [...(wish ? ['-r', wish] : []), ...(hostname ? ['-x', `hostname:${hostname}`] : [])];
  const result = await busybox(['udhcpc', ...own, ...more], { limit: 30 });
  if (result.code !== 0) return null;
  return { server: told(nic, 'server')[0] ?? null, ntp: told(nic, 'ntp') };
}

/** Nobody renews the card's address any more. */
export function endLease(nic: string): void {
  const file = pidFile(nic);
  const pid = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  try {
    if (pid > 1) process.kill(pid);
  } catch {
    // It has ended already.
  }
}

const pidFile = (nic: string) => `/run/mindi/udhcpc.${nic}.pid`;

/** As the script wrote it. */
function told(nic: string, what: 'server' | 'ntp'): string[] {
  const file = `/run/mindi/dhcp-${what}.${nic}`;
  return existsSync(file) ? readFileSync(file, 'utf8').split(/\s+/).filter(Boolean) : [];
}
