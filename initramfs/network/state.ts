import { readFileSync } from 'node:fs';
import { type Card, cardsFor } from './cards.ts';

/** As of now. */
export interface NetworkState {
  cards: Card[];
  gateways: { gateway: string; nic: string }[];
  nameservers: string[];
}

export function networkState(): NetworkState {
  return { cards: cardsFor(null), gateways: gateways(), nameservers: nameservers() };
}

/** For the screen: one line for each card with its addresses, then gateways and name servers. */
export function networkLines(state: NetworkState = networkState()): string[] {
  const cards = state.cards.map(({ name, mac, driver, link, addresses }) => {
    return `${name}  ${mac}  (${driver})  ${link ? 'cable in' : 'no cable'}  ${addresses.join(', ') || 'no address'}`;
  });
  const routes = state.gateways.map(({ gateway, nic }) => `${gateway} on ${nic}`);
  return [
    ...(cards.length > 0 ? cards : ['no network card, or none with a driver']),
    ...(routes.length > 0 ? [`gateway ${routes.join(', ')}`] : []),
    ...(state.nameservers.length > 0 ? [`name servers ${state.nameservers.join(', ')}`] : []),
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
