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

/** Takes the name servers that the card's IPv6 router advertises (RFC 8106); the kernel heeds the rest of what it says. */
export async function askRouter(nic: string): Promise<void> {
  if (!hasDhcp6()) return;
  mkdirSync(STATE, { recursive: true });
  // As a test, so that it says what it heard and changes nothing.
  const words = ['-6', '-T', '--nodhcp6', '-t', String(LIMIT), '-f', '/dev/null', '-c', SCRIPT, nic];
  await run(DHCPCD, words, { limit: 2 * LIMIT });
}
