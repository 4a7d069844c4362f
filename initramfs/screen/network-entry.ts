import { NETWORK_WORDS, noSetting } from '../../contract/network-setting.ts';
import { addressesOf, nics } from '../hardware.ts';
import { settingFor, setUpNetwork } from '../network/set-up.ts';
import { networkLines } from '../network/state.ts';
import type { Entry, Session } from './session.ts';

export const networkEntry: Entry = {
  name: 'network',
  key: 'n',
  text: 'Network',
  state: ({ boot }) =>
    boot.network ? `${boot.network.nic} ${addressesOf(boot.network.nic).join(', ')}` : 'not set up',
  run: setUp,
};

const OWN = 'An address of your own, as 10.0.0.5::10.0.0.1:255.255.255.0 (CLIENT::GATEWAY:NETMASK, or as ip= has it)';

async function setUp({ boot, screen }: Session): Promise<void> {
  const cards = nics();
  const told = settingFor(boot);
  const choices = [
    ...(told && told.ip.length > 0 ? [{ value: 'told', text: 'As the boot parameters or the profile say' }] : []),
    ...(cards.length > 1 ? [{ value: 'dhcp', text: 'DHCP on whichever card has an answer' }] : []),
    ...cards.map(({ name, mac, link }) => ({
      value: `${name}:dhcp`,
      text: `DHCP on ${name}  ${mac}  ${link ? 'cable in' : 'no cable'}`,
    })),
    { value: 'own', text: 'An address of your own' },
  ];
  const chosen = await screen.choose('How does this machine get its address?', choices);
  const setting = chosen === 'told' && told ? told : noSetting();
  const words = chosen === 'own' ? await screen.enter(OWN) : chosen;
  const wrong = chosen === 'told' ? null : NETWORK_WORDS.ip(words, setting);
  if (wrong) return screen.show([`That cannot be used: ${wrong}.`, 'Choose Network again to correct it.']);
  const { network, problems } = await setUpNetwork(boot, setting);
  boot.network = network ?? boot.network;
  await screen.show([...problems, ...networkLines()]);
}
