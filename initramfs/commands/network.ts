import { NETWORK_WORDS, type NetworkSetting, type NetworkWord, noSetting } from '../../contract/network-setting.ts';
import { setUpNetwork } from '../network/set-up.ts';
import { networkLines, networkState } from '../network/state.ts';
import { commandContext } from './context.ts';
import type { Command } from './index.ts';

export const network: Command = {
  name: 'network',
  about: 'show the state of the network, or set it up',
  run: runNetwork,
};

const HELP = `mindi network                                 shows cards, addresses, gateways and name servers
mindi network dhcp                            asks for an address, those cards first that have a cable in
mindi network eth1:dhcp                       on that card; a hardware address is written 52-54-00-12-34-56
mindi network auto6                           IPv6, by router advertisements
mindi network 10.0.0.5::10.0.0.1:24::eth0     ADDRESS::GATEWAY:NETMASK:HOSTNAME:NIC
mindi network bond=bond0:eth0,eth1 vlan=vlan5:bond0 vlan5:dhcp nameserver=10.0.0.53
                                              bonds, VLANs and more, as the boot parameters of these names
  --json                                      shows it as JSON
`;

async function runNetwork(all: readonly string[]): Promise<number> {
  const words = all.filter((word) => word !== '--json' && word !== '--help');
  if (all.includes('--help')) return write(HELP);
  const { setting, problems } = read(words);
  if (problems.length > 0) {
    process.stderr.write(`${problems.join('\n')}\n${HELP}`);
    return 2;
  }
  const wrong = words.length > 0 ? await setUp(setting) : false;
  const state = networkState();
  write(all.includes('--json') ? `${JSON.stringify(state)}\n` : `${networkLines(state).join('\n')}\n`);
  return wrong ? 1 : 0;
}

function write(text: string): number {
  process.stdout.write(text);
  return 0;
}

/** Returns whether anything of it failed. */
async function setUp(setting: NetworkSetting): Promise<boolean> {
  const context = commandContext();
  try {
    const { problems } = await setUpNetwork(context, setting);
    process.stderr.write(problems.map((problem) => `${problem}\n`).join(''));
    return problems.length > 0;
  } finally {
    context.modules.rest();
  }
}

/** `vlan=vlan5:eth0`; a word without a name is that of ip. */
function read(words: readonly string[]) {
  const setting = noSetting();
  const problems = words.flatMap((word) => {
    const [, name = 'ip', value = word] = /^([a-z]+)=(.*)$/.exec(word) ?? [];
    const known = Object.hasOwn(NETWORK_WORDS, name);
    const wrong = known ? NETWORK_WORDS[name as NetworkWord](value, setting) : `there is no ${name}=`;
    return wrong === null ? [] : [`mindi network: ${word} is not understood: ${wrong}.`];
  });
  return { setting, problems };
}
