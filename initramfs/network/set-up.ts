import { writeFileSync } from 'node:fs';
import { chosenSource } from '../../contract/boot-request.ts';
import {
  type IpSetting,
  macOf,
  type NetworkSetting,
  NOTHING,
  noSetting,
  readNetworkWords,
} from '../../contract/network-setting.ts';
import { bootCard } from '../address.ts';
import { type Boot, type Context, type Network, problem } from '../boot.ts';
import { wantsSsh, wantsStatusPage } from '../remote/wanted.ts';
import { giveAddress, NoAddress, type Up } from './addresses.ts';
import { switchOn } from './cards.ts';
import { makeBonds, makeVlans, renameCards } from './made-of-cards.ts';
import { useNameservers } from './resolver.ts';

/** When nothing says how. */
export const ANY_CARD: IpSetting = { ...NOTHING, auto: 'dhcp' };

/** What came of it. */
export interface NetworkResult {
  /** The first card that has an address; null: none has. */
  network: Network | null;
  /** One sentence each. */
  problems: string[];
}

/** Sets the network up as told; where nothing is told, by DHCP on the first card that has an answer. */
export async function setUpNetwork(context: Context, setting: NetworkSetting): Promise<NetworkResult> {
  // Sockets for DHCP and IPv6, which no device asks for.
  await context.modules.loadAll(['net-pf-17', 'net-pf-10']);
  await switchOn();
  const problems = [
    ...(await renameCards(setting)),
    ...(await makeBonds(context, setting)),
    ...(await makeVlans(context, setting)),
  ];
  const { hwaddr, bootif } = context.parameters;
  const only = macOf(hwaddr ?? '') ?? bootCard(bootif ?? '');
  const ups: Up[] = [];
  const wanted = setting.ip.length > 0 ? setting.ip : [ANY_CARD];
  for (const one of wanted) {
    try {
      ups.push(await giveAddress(context, one, only));
    } catch (error) {
      if (!(error instanceof NoAddress)) throw error;
      problems.push(error.message);
    }
  }
  useNameservers([...setting.nameservers, ...wanted.flatMap(({ nameservers }) => nameservers)]);
  const hostname = wanted.find((one) => one.hostname)?.hostname;
  if (hostname) writeFileSync('/proc/sys/kernel/hostname', hostname);
  const [first] = ups;
  const server = ups.find((up) => up.server)?.server ?? null;
  return {
    network: first ? { nic: first.nic, server, ntp: [...setting.ntp, ...ups.flatMap(({ ntp }) => ntp)] } : null,
    problems,
  };
}

/** The same for the boot: what fails becomes a problem. */
export async function bringUp(boot: Boot, setting: NetworkSetting): Promise<void> {
  const { network, problems } = await setUpNetwork(boot, setting);
  boot.network = network;
  for (const sentence of problems) problem(boot, sentence);
}

/** What is set up at boot: as the command line says, else the profile; null when nothing asks for a network. */
export function settingFor({ parameters, config, mode }: Boot): NetworkSetting | null {
  const said = parameters.network;
  if (said.off) return null;
  const { setting: profile } = readNetworkWords(config.network ?? {});
  const both = { nameservers: [...said.nameservers, ...profile.nameservers], ntp: [...said.ntp, ...profile.ntp] };
  if (says(said)) return { ...said, ...both };
  if (says(profile)) return { ...profile, ...both };
  const source =
    mode === 'interactive' || mode === 'expert' ? parameters.source : chosenSource(parameters, config.restore.source);
  return needed({ parameters, config }) || isRemote(source) ? { ...noSetting(), ...both } : null;
}

const says = ({ ip, vlans, bonds }: NetworkSetting) => ip.length + vlans.length + bonds.length > 0;

/** What else cannot do without. */
function needed(boot: Pick<Boot, 'parameters' | 'config'>): boolean {
  const { net, hwaddr, ping, log } = boot.parameters;
  return net || hwaddr !== null || ping !== null || log.length > 0 || wantsSsh(boot) || wantsStatusPage(boot);
}

/** Sources that are part of the machine. */
const LOCAL = ['cd:', 'dvd:', 'usb:', 'disk:', 'tape:'];

/** Whether restore data come over the network. */
export function isRemote(source: string | null): source is string {
  return source !== null && URL.canParse(source) && !LOCAL.includes(new URL(source).protocol);
}
