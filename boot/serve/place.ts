import { run } from '../../builder/run.ts';
import { MindiError } from '../../contract/error.ts';

/** Where a boot server listens. */
export interface Place {
  interface: string;
  /** Its own address there. */
  server: string;
  netmask: string;
  /** The network's address. */
  network: string;
}

interface Found extends Place {
  loopback: boolean;
}

/**
 * The network card and address to serve on: as told, else the only one there is.
 * @throws MindiError `serve.interface` naming those there are
 */
export async function choosePlace(name: string | undefined, address: string | undefined): Promise<Place> {
  const told = name !== undefined || address !== undefined;
  const all = await places();
  const fit = all.filter(
    (place) =>
      (name === undefined || place.interface === name) &&
      (address === undefined || place.server === address) &&
      (told || !place.loopback),
  );
  const [first] = fit;
  if (first && new Set(fit.map((place) => place.interface)).size === 1) {
    const { loopback: _, ...place } = first;
    return place;
  }
  const shown = all.map((place) => `${place.interface} ${place.server}`).join(', ') || 'none';
  const several = 'this machine has several network cards';
  throw new MindiError(first ? several : 'this machine has no such network card with an IPv4 address', {
    code: 'serve.interface',
    hint: `Name one with --interface or --listen. There are: ${shown}.`,
  });
}

/** IPv4 addresses of this machine, also those of cards without a cable, which Node's own list leaves out. */
async function places(): Promise<Found[]> {
  const { stdout } = await run('ip', ['-j', '-4', 'address'], { package: 'iproute2' });
  const cards = JSON.parse(stdout || '[]') as {
    ifname: string;
    flags: string[];
    addr_info: { local: string; prefixlen: number }[];
  }[];
  return cards.flatMap(({ ifname, flags, addr_info }) =>
    addr_info.map(({ local, prefixlen }) => {
      const mask = (0xffffffff << (32 - prefixlen)) >>> 0;
      const network = dotted((numeric(local) & mask) >>> 0);
      const loopback = flags.includes('LOOPBACK');
      return { interface: ifname, server: local, netmask: dotted(mask), network, loopback };
    }),
  );
}

const numeric = (address: string) => address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
const dotted = (address: number) => [24, 16, 8, 0].map((bits) => (address >>> bits) & 255).join('.');
