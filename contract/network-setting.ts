/**
 * How a network is set up, in the words of dracut.cmdline(7): `ip=`, `vlan=`, `bond=`, `nameserver=`, `ifname=`; and the
 * classic `ipconf=`. The kernel command line and the profile have the same. Any text gives an answer.
 */
import { isIP, isIPv4 } from 'node:net';

/** One card, VLAN or bond and its address. */
export interface IpSetting {
  /** Name, or hardware address with colons, as Linux writes it; null: whichever card has an answer. */
  nic: string | null;
  /** How it gets an address by itself; null: only the one that is told. */
  auto: Automatic | null;
  /** IPv4 or IPv6; null: none is told. */
  address: string | null;
  /** Length of the network's prefix, bits. */
  prefix: number;
  broadcast: string | null;
  gateway: string | null;
  /** The server that started the machine, as the kernel's own grammar has it. */
  peer: string | null;
  hostname: string | null;
  nameservers: string[];
  /** Address of a time server. */
  ntp: string | null;
  mtu: number | null;
  /** The hardware address it is given. */
  mac: string | null;
}

/** either6: by router advertisements, else DHCPv6; link6: only the address that IPv6 has by itself. */
export const AUTOMATIC = ['dhcp', 'dhcp6', 'auto6', 'either6', 'link6'] as const;
export type Automatic = (typeof AUTOMATIC)[number];

export interface NetworkSetting {
  /** In their order. Empty: nothing was said. */
  ip: IpSetting[];
  /** It was said that the network is left alone. */
  off: boolean;
  vlans: { name: string; id: number; nic: string }[];
  bonds: { name: string; nics: string[]; options: [key: string, value: string][]; mtu: number | null }[];
  nameservers: string[];
  /** Time servers. */
  ntp: string[];
  /** Names of their own for cards with these hardware addresses. */
  names: { name: string; mac: string }[];
}

export const noSetting = (): NetworkSetting => ({
  ...{ ip: [], off: false, vlans: [], bonds: [], nameservers: [], ntp: [], names: [] },
});

/** Adds what one word says. Returns what is wrong with it, for people; null when it is understood. */
type Reader = (value: string, setting: NetworkSetting) => string | null;
export type NetworkWord = 'ip' | 'ipconf' | 'vlan' | 'bond' | 'nameserver' | 'ntp' | 'ifname';

/** As the profile says them. */
export type NetworkWords = Partial<Record<NetworkWord, string[]>>;

export const NETWORK_WORDS: Record<NetworkWord, Reader> = {
  ip: addIp,
  ipconf: addIpconf,
  vlan: addVlan,
  bond: addBond,
  nameserver: addNameserver,
  ntp: addTimeServer,
  ifname: addName,
};

/** What a profile says; the words' mistakes are `problems`. */
export function readNetworkWords(words: NetworkWords): { setting: NetworkSetting; problems: string[] } {
  const setting = noSetting();
  const problems = Object.entries(words).flatMap(([word, values]) =>
    values.flatMap((value) => {
      const wrong = NETWORK_WORDS[word as NetworkWord](value, setting);
      return wrong === null ? [] : [`network.${word}: ${value} is not used: ${wrong}`];
    }),
  );
  return { setting, problems };
}

const NAME = /^\w[\w.-]{0,14}$/;
const MAC = /^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i;
/** What dracut and the kernel have for DHCP. */
const SYNONYMS: Record<string, Automatic> = { on: 'dhcp', any: 'dhcp', 'single-dhcp': 'dhcp', both: 'dhcp' };
export const NOTHING: IpSetting = {
  ...{ nic: null, auto: null, address: null, prefix: 0, broadcast: null, gateway: null, peer: null, hostname: null },
  ...{ nameservers: [], ntp: null, mtu: null, mac: null },
};
const FORMS = 'dhcp, auto6, NIC:dhcp, CLIENT::GATEWAY:NETMASK or CLIENT::GATEWAY:NETMASK:HOSTNAME:NIC:none';

/** The hardware address as Linux writes it, from colons or dashes; null for what is none. */
export function macOf(text: string): string | null {
  return MAC.test(text) ? text.toLowerCase().replaceAll('-', ':') : null;
}

function addIp(value: string, setting: NetworkSetting): string | null {
  if (value === 'none' || value === 'off') {
    setting.off = true;
    return null;
  }
  const [first = '', second = '', ...rest] = fields(value) ?? [];
  const short = automatic(first) ? { nic: '', auto: automatic(first) } : { nic: first, auto: automatic(second) };
  if (short.auto && (automatic(first) ? second === '' : first !== '' && isIP(first) === 0))
    return add({ ...NOTHING, auto: short.auto, ...linkOf(rest) }, short.nic, setting);
  return addLong(fields(value) ?? [], setting);
}

/** `CLIENT:PEER:GATEWAY:NETMASK:HOSTNAME:NIC:AUTO:…`, where most may be empty; pxelinux appends the first four. */
function addLong(parts: string[], setting: NetworkSetting): string | null {
  const [client = '', peer = '', gateway = '', netmask = '', hostname = '', nic = '', how = '', ...rest] = parts;
  const auto = automatic(how);
  if (!auto && !['', 'none', 'off', 'ibft'].includes(how)) return `"${how}" is none of ${AUTOMATIC.join(', ')}, none`;
  const address = addressOf(client);
  if (address === null && (client !== '' || auto === null)) return `it is none of ${FORMS}`;
  const prefix = address === null ? 0 : prefixOf(address, netmask);
  if (prefix === null) return `"${netmask}" is no netmask`;
  const wrong = [peer, gateway].find((one) => one !== '' && one !== '0.0.0.0' && addressOf(one) === null);
  if (wrong !== undefined) return `"${wrong}" is no address`;
  const more = serversOf(rest) ?? linkOf(rest);
  const told = { address, prefix, gateway: addressOf(gateway), peer: addressOf(peer), hostname: hostname || null };
  return add({ ...NOTHING, auto, ...told, ...more }, nic, setting);
}

/** Classic: `NIC:ADDRESS:NETMASK:BROADCAST:GATEWAY` or `NIC:dhcp`. */
function addIpconf(value: string, setting: NetworkSetting): string | null {
  const [nic = '', client = '', netmask = '', broadcast = '', gateway = ''] = value.split(':');
  const auto = automatic(client);
  if (auto) return add({ ...NOTHING, auto }, nic, setting);
  if (!isIPv4(client)) return 'it is neither NIC:dhcp nor NIC:ADDRESS:NETMASK:BROADCAST:GATEWAY';
  const prefix = prefixOf(client, netmask);
  if (prefix === null) return `"${netmask}" is no netmask`;
  const told = { address: client, prefix, broadcast: addressOf(broadcast), gateway: addressOf(gateway) };
  return add({ ...NOTHING, ...told }, nic, setting);
}

function addVlan(value: string, setting: NetworkSetting): string | null {
  const [name = '', told = ''] = value.split(':');
  const nic = nicOf(told || name.replace(/\.\d+$/, ''));
  const id = Number(/\d+$/.exec(name)?.[0] ?? 0);
  if (!NAME.test(name) || !nic || nic === name) return 'it is not VLAN:NIC, as vlan5:eth0';
  if (id < 1 || id > 4094) return `the number of the VLAN, at the end of "${name}", is not between 1 and 4094`;
  setting.vlans.push({ name, id, nic });
  return null;
}

/** Any switch can do this, and a cable that is pulled out is noticed. */
const BOND_OPTIONS: [string, string][] = [
  ['mode', 'active-backup'],
  ['miimon', '100'],
];

function addBond(value: string, setting: NetworkSetting): string | null {
  const [name = '', list = '', told = '', mtu = ''] = value.split(':');
  const nics = list.split(',').map(nicOf);
  if (!NAME.test(name) || nics.some((nic) => nic === null)) return 'it is not BOND:NIC,NIC:OPTIONS, as bond0:eth0,eth1';
  const options = told.split(',').filter(Boolean);
  const wrong = options.find((option) => !/^\w+=[\w.;+-]+$/.test(option));
  if (wrong !== undefined) return `"${wrong}" is no option of a bond, as mode=802.3ad`;
  const pairs = options.map((option): [string, string] => {
    const [key = '', text = ''] = option.split('=');
    return [key, text.replaceAll(';', ',')];
  });
  const used = pairs.length > 0 ? pairs : BOND_OPTIONS;
  setting.bonds.push({ name, nics: nics.filter((nic) => nic !== null), options: used, mtu: mtuOf(mtu) });
  return null;
}

function addNameserver(value: string, setting: NetworkSetting): string | null {
  const address = addressOf(value.replace(/^\[(.*)\]$/, '$1'));
  if (!address) return 'it is no address';
  setting.nameservers.push(address);
  return null;
}

function addTimeServer(value: string, setting: NetworkSetting): string | null {
  const bare = value.replace(/^\[(.*)\]$/, '$1');
  if (isIP(bare) === 0 && !/^[A-Za-z0-9]([\w.-]*\w)?$/.test(bare)) return 'it is neither an address nor a name';
  setting.ntp.push(bare);
  return null;
}

function addName(value: string, setting: NetworkSetting): string | null {
  const colon = value.indexOf(':');
  const name = value.slice(0, Math.max(colon, 0));
  const mac = macOf(value.slice(colon + 1));
  if (!NAME.test(name) || !mac) return 'it is not NAME:MAC, as backup0:52:54:00:12:34:56';
  setting.names.push({ name, mac });
  return null;
}

function add(one: IpSetting, nic: string, setting: NetworkSetting): string | null {
  const card = nic === '' ? null : nicOf(nic);
  if (nic !== '' && !card) return `"${nic}" is no name of a network card`;
  setting.ip.push({ ...one, nic: card });
  return null;
}

/** A name, or a hardware address written with dashes. */
function nicOf(text: string): string | null {
  return macOf(text) ?? (NAME.test(text) ? text : null);
}

function automatic(text: string): Automatic | null {
  return SYNONYMS[text] ?? AUTOMATIC.find((one) => one === text) ?? null;
}

/** Between colons; an IPv6 address is in brackets, which go. Null when brackets are not where they belong. */
function fields(value: string): string[] | null {
  const parts = value.match(/(?<=^|:)(?:\[[^[\]]*\]|[^:[\]]*)(?=:|$)/g) ?? [];
  return parts.join(':') === value ? parts.map((part) => part.replace(/^\[(.*)\]$/, '$1')) : null;
}

/** Null for what is none, or stands for none. */
function addressOf(text: string): string | null {
  return isIP(text) > 0 && text !== '0.0.0.0' ? text : null;
}

/** 255.255.255.0 or 24 -> 24; an IPv6 address without any has 64. Null for what is no netmask. */
function prefixOf(address: string, netmask: string): number | null {
  const most = isIPv4(address) ? 32 : 128;
  if (netmask === '' && most === 128) return 64;
  if (/^\d{1,3}$/.test(netmask)) return Number(netmask) <= most ? Number(netmask) : null;
  if (most === 128 || !isIPv4(netmask)) return null;
  const bits = netmask
    .split('.')
    .map((byte) => Number(byte).toString(2).padStart(8, '0'))
    .join('');
  return /^1+0*$/.test(bits) ? bits.lastIndexOf('1') + 1 : null;
}

/** `DNS[:DNS[:NTP]]` at the end of an address; null when it is something else. */
function serversOf(rest: string[]): { nameservers: string[]; ntp: string | null } | null {
  if (!rest.some((one) => isIP(one) > 0)) return null;
  const [first, second, third] = rest.map(addressOf);
  return { nameservers: [first, second].filter((one) => typeof one === 'string'), ntp: third ?? null };
}

/** `MTU[:MAC]`, where the MAC has colons itself. */
function linkOf([mtu = '', ...mac]: string[]): { mtu: number | null; mac: string | null } {
  return { mtu: mtuOf(mtu), mac: macOf(mac.join(':')) };
}

function mtuOf(text: string): number | null {
  return /^\d{2,5}$/.test(text) ? Number(text) : null;
}
