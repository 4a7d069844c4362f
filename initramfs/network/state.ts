import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { cardsFor } from './cards.ts';

/** For the screen: one line for each card with its addresses, then gateways and name servers. */
export function networkLines(): string[] {
  const cards = cardsFor(null);
  if (cards.length === 0) return ['no network card, or none with a driver'];
  const addresses = networkInterfaces();
  const lines = cards.map(({ name, mac, driver, link }) => {
    const own = (addresses[name] ?? []).filter(({ address }) => !address.startsWith('fe80:'));
    const state = own.map(({ cidr }) => cidr).join(', ') || 'no address';
    return `${name}  ${mac}  (${driver})  ${link ? 'cable in' : 'no cable'}  ${state}`;
  });
  const routes = gateways().map(({ gateway, nic }) => `${gateway} on ${nic}`);
  const servers = nameservers();
  return [
    ...lines,
    ...(routes.length > 0 ? [`gateway ${routes.join(', ')}`] : []),
    ...(servers.length > 0 ? [`name servers ${servers.join(', ')}`] : []),
  ];
}

/** Column of /proc/net/route. */
const METRIC = 6;

/** IPv4's, the one that is used first; of /proc/net/route: the destination is 0, the gateway's bytes are the wrong way round. */
export function gateways(): { gateway: string; nic: string }[] {
  return readFileSync('/proc/net/route', 'latin1')
    .split('\n')
    .map((line) => line.split('\t'))
    .filter(([, destination, gateway]) => destination === '00000000' && gateway !== '00000000')
    .sort((a, b) => Number(a[METRIC]) - Number(b[METRIC]))
    .map(([nic = '', , gateway = '']) => ({ gateway: Buffer.from(gateway, 'hex').reverse().join('.'), nic }));
}

function nameservers(): string[] {
  try {
    return [...readFileSync('/etc/resolv.conf', 'utf8').matchAll(/^nameserver\s+(\S+)/gm)].map(
      (found) => found[1] ?? '',
    );
  } catch {
    return [];
  }
}
