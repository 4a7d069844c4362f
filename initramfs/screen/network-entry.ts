import { NETWORK_WORDS, noSetting } from '../../contract/network-setting.ts';
import { nics } from '../hardware.ts';
import { setUpNetwork } from '../network/set-up.ts';
import { networkLines } from '../network/state.ts';
import type { Entry, Session } from './session.ts';

export const networkEntry: Entry = {
  name: 'network',
  key: 'n',
  text: 'Network',
  state: ({ boot }) => (boot.network ? `up on ${boot.network.nic}` : 'not set up'),
  run: setUp,
};

const OWN = 'An address of your own, as 10.0.0.5::10.0.0.1:255.255.255.0 (CLIENT::GATEWAY:NETMASK, or as ip= has it)';

async function setUp({ boot, screen }: Session): Promise<void> {
  const cards = nics();
  const choices = [
    ...(cards.length > 1 ? [{ value: 'dhcp', text: 'DHCP on whichever card has an answer' }] : []),
    ...cards.map(({ name, mac, link }) => ({
      value: `${name}:dhcp`,
      text: `DHCP on ${name}  ${mac}  ${link ? 'cable in' : 'no cable'}`,
    })),
    { value: 'own', text: 'An address of your own' },
  ];
  const chosen = await screen.choose('How does this machine get its address?', choices);
  const words = chosen === 'own' ? await screen.enter(OWN) : chosen;
  const setting = noSetting();
  const wrong = NETWORK_WORDS.ip(words, setting);
  if (wrong) return screen.show([`That cannot be used: ${wrong}.`, 'Choose Network again to correct it.']);
  const { network, problems } = await setUpNetwork(boot, setting);
  boot.network = network ?? boot.network;
  await screen.show([...problems, ...networkLines()]);
}
