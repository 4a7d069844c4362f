import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import type { IpSetting } from '../../contract/network-setting.ts';
import { type Context, tell } from '../boot.ts';
import { attribute } from '../devices.ts';
import { busybox, complaint } from '../process.ts';
import { type Card, cardsFor, named, setKernel, setLink, waitUntil } from './cards.ts';
import { askByDhcp6, askRouter, hasDhcp6 } from './dhcp6.ts';
import { askForLease, endLease, type Lease } from './lease.ts';

/** Milliseconds a card may take to appear (one on USB is found in the background), and to find its switch. */
const CARD_LIMIT = 10_000;
const LINK_LIMIT = 10_000;
/** Milliseconds without an answer: a switch that looks for loops first lets nothing through for 30 seconds. */
const ANSWER_LIMIT = 45_000;

/** A card that has an address. */
export interface Up extends Lease {
  nic: string;
}

/** A setting that came to nothing: one sentence what was tried, one what to do. */
export class NoAddress extends Error {}

const CHECK_CABLE =
  "Check cable and switch, then run 'mindi network dhcp', or give an address: mindi network CLIENT::GATEWAY:NETMASK.";

/**
 * Gives a card its address, by itself or as told.
 * @param only hardware address of the only card to take where the setting names none
 * @throws NoAddress
 */
export async function giveAddress(context: Context, setting: IpSetting, only: string | null): Promise<Up> {
  const cards = () => cardsFor(setting.nic, only);
  const { wait } = context.parameters;
  const within = (usual: number) => (wait === null ? usual : wait * 1000);
  await waitUntil(context, within(CARD_LIMIT), () => cards().length > 0);
  if (cards().length === 0) throw noCard(setting.nic ?? only);
  await waitUntil(context, within(LINK_LIMIT), () => cards().some(({ link }) => link));
  for (const { name } of setting.nic ? cards() : []) await adjust(name, setting);
  if (setting.auto === null) return setAddress(context, setting, cards());
  const methods = METHODS[setting.auto];
  const end = performance.now() + within(ANSWER_LIMIT);
  do {
    for (const { name } of cards().filter(({ link }) => link)) {
      for (const { says, ask } of methods) {
        tell(context, `${says} on ${name}`);
        const lease = await ask(context, name, setting);
        if (lease) return { nic: name, ...lease };
      }
    }
    await waitUntil(context, Math.max(0, end - performance.now()), () => cards().some(({ link }) => link));
  } while (performance.now() < end && cards().some(({ link }) => link));
  throw noAnswer(cards(), methods);
}

interface Method {
  /** For people: what is done, and whose answer was missing. */
  says: string;
  whose: string;
  ask: (context: Context, nic: string, setting: IpSetting) => Promise<Lease | null>;
}
const DHCP: Method = {
  says: 'asking for an address',
  whose: 'DHCP server',
  ask: (_context, nic, { address, hostname }) => askForLease(nic, address, hostname),
};
const ADVERTISEMENTS: Method = {
  says: 'asking for an IPv6 router',
  whose: 'IPv6 router',
  ask: async (context, nic) => {
    const lease = await solicit(context, nic, GLOBAL);
    if (lease) await askRouter(nic);
    return lease;
  },
};
const DHCP6: Method = {
  says: 'asking for an IPv6 address by DHCPv6',
  whose: 'DHCPv6 server',
  ask: async (context, nic) => ((await askByDhcp6(nic)) ? solicit(context, nic, GLOBAL) : null),
};
const OWN: Method = {
  says: 'taking the link-local IPv6 address',
  whose: 'IPv6 neighbour',
  ask: (context, nic) => solicit(context, nic, LINK_LOCAL),
};
const METHODS: Record<NonNullable<IpSetting['auto']>, Method[]> = {
  dhcp: [DHCP],
  auto6: [ADVERTISEMENTS],
  either6: [ADVERTISEMENTS, DHCP6],
  dhcp6: [DHCP6],
  link6: [OWN],
};

function noCard(nic: string | null): NoAddress {
  const all = cardsFor(null);
  if (all.length === 0)
    return new NoAddress(
      "There is no network card, or none with a driver here: 'mindi-missing' tells. Put one in, or go on without a network.",
    );
  const there = all.map(({ name, mac }) => `${name} (${mac})`).join(', ');
  return new NoAddress(
    `There is no network card ${nic}; there are ${there}. Run 'mindi network NIC:dhcp' for one of them.`,
  );
}

function noAnswer(cards: readonly Card[], methods: readonly Method[]): NoAddress {
  if (!cards.some(({ link }) => link))
    return new NoAddress(`No cable is in, or its other side is off: ${named(cards)}. ${CHECK_CABLE}`);
  if (methods.includes(DHCP6) && !hasDhcp6())
    return new NoAddress(`DHCPv6 needs dhcpcd, which is not on the medium (tool set network). ${CHECK_CABLE}`);
  const whose = methods.map((method) => method.whose).join(' and no ');
  return new NoAddress(`No ${whose} answered on ${named(cards)}. ${CHECK_CABLE}`);
}

/** What a setting says of the card itself. What it does not take, it keeps. */
async function adjust(nic: string, { mac, mtu }: IpSetting): Promise<void> {
  if (mtu) await setLink(nic, 'mtu', String(mtu));
  if (!mac) return;
  await setLink(nic, 'down');
  await setLink(nic, 'address', mac);
  await setLink(nic, 'up');
}

async function setAddress(context: Context, setting: IpSetting, [card]: readonly Card[]): Promise<Up> {
  const { address, prefix, broadcast, gateway, peer, ntp } = setting;
  const nic = card?.name ?? '';
  const family = isIPv6(address ?? '') ? '-6' : '-4';
  endLease(nic);
  await busybox(['ip', family, 'addr', 'flush', 'dev', nic, ...(family === '-6' ? ['scope', 'global'] : [])]);
  // Nobody waits for others who might have it.
  setKernel('ipv6', nic, 'accept_dad', '0');
  const more = broadcast ? ['broadcast', broadcast] : [];
  const result = await busybox(['ip', family, 'addr', 'add', `${address}/${prefix}`, ...more, 'dev', nic]);
  if (result.code !== 0)
    throw new NoAddress(
      `${nic} does not take the address ${address}/${prefix}: ${complaint(result)}. Give another one.`,
    );
  if (gateway) await setGateway(nic, gateway);
  tell(context, `${nic}: ${address}/${prefix}${card?.link ? '' : ', but no cable is in'}`);
  return { nic, server: peer, ntp: ntp ? [ntp] : [] };
}

/**
 * A gateway outside the card's own network is reached directly all the same; that of a second card is for when the first
 * card has gone.
 * @throws NoAddress
 */
async function setGateway(nic: string, gateway: string): Promise<void> {
  const family = isIPv6(gateway) ? '-6' : '-4';
  const { stdout } = await busybox(['ip', family, 'route']);
  const metric = /^default /m.test(stdout) ? ['metric', attribute('/sys/class/net', nic, 'ifindex')] : [];
  const add = () => busybox(['ip', family, 'route', 'add', 'default', 'via', gateway, 'dev', nic, ...metric]);
  if ((await add()).code === 0) return;
  await busybox(['ip', family, 'route', 'add', `${gateway}/${family === '-6' ? 128 : 32}`, 'dev', nic]);
  const result = await add();
  if (result.code !== 0)
    throw new NoAddress(`${nic} does not take the gateway ${gateway}: ${complaint(result)}. Give another one.`);
}

/** Scopes of /proc/net/if_inet6. */
const GLOBAL = '00';
const LINK_LOCAL = '20';
/** IFA_F_TENTATIVE: whether somebody else has it is not known yet. */
const TENTATIVE = 0x40;
/** Milliseconds; the kernel asks three times, four seconds apart. */
const ADVERTISEMENT_LIMIT = 13_000;

/** Routers are asked when a card goes on. */
async function solicit(context: Context, nic: string, scope: string): Promise<Lease | null> {
  if (!ipv6Of(nic, scope)) {
    setKernel('ipv6', nic, 'disable_ipv6', '0');
    setKernel('ipv6', nic, 'accept_ra', scope === GLOBAL ? '2' : '0');
    setKernel('ipv6', nic, 'autoconf', '1');
    await setLink(nic, 'down');
    await setLink(nic, 'up');
    await waitUntil(context, ADVERTISEMENT_LIMIT, () => ipv6Of(nic, scope) !== null);
  }
  const address = ipv6Of(nic, scope);
  if (address) tell(context, `${nic}: ${address}`);
  return address ? { server: null, ntp: [] } : null;
}

/** An address that can be used; null when there is none. */
function ipv6Of(nic: string, wanted: string): string | null {
  for (const line of readFileSync('/proc/net/if_inet6', 'latin1').split('\n')) {
    const [hex = '', , prefix = '', scope, flags = '', name] = line.split(/ +/);
    const usable = (Number.parseInt(flags, 16) & TENTATIVE) === 0;
    if (name === nic && scope === wanted && usable) {
      const address = new URL(`http://[${hex.replace(/(.{4})(?!$)/g, '$1:')}]`).hostname.slice(1, -1);
      return `${address}/${Number.parseInt(prefix, 16)}`;
    }
  }
  return null;
}
