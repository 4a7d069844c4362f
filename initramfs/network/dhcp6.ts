import { existsSync, mkdirSync } from 'node:fs';
import { run } from '../process.ts';

/** busybox has no DHCPv6. */
const DHCPCD = '/usr/sbin/dhcpcd';
/** Called with what routers and the server said. */
const SCRIPT = '/etc/udhcpc/dhcp6.script';
/** Where it keeps the machine's identity and, as long as it runs, its process id. */
const STATE = '/var/lib/dhcpcd';
const RUNS = '/run/dhcpcd';
/** Seconds a server may take. */
const LIMIT = 15;

export const hasDhcp6 = (): boolean => existsSync(DHCPCD);

/** Asks for an IPv6 address on a card; it is renewed from then on. Whether a server gave one. */
export async function askByDhcp6(nic: string): Promise<boolean> {
  if (!hasDhcp6()) return false;
  mkdirSync(STATE, { recursive: true });
  if (existsSync(RUNS)) await run(DHCPCD, ['-6', '-x', nic], { limit: LIMIT });
  const wishes = ['-o', 'dhcp6_name_servers', '-o', 'dhcp6_domain_search'];
  const words = ['-6', '-w', '-t', String(LIMIT), '-f', '/dev/null', '-c', SCRIPT, ...wishes, nic];
  const { code } = await run(DHCPCD, words, { limit: 2 * LIMIT });
  return code === 0;
}
