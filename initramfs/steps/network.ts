import type { Boot, Step } from '../boot.ts';
import { ANY_CARD, setUpNetwork, switchOn } from '../network.ts';

/** Brings the network up when that was asked for and is not done yet; else its cards tell at least whether a cable is in. */
export const network: Step = {
  name: 'network',
  async run(boot) {
    await switchOn();
    const setting = wanted(boot);
    if (setting && !boot.network) await setUpNetwork(boot, setting);
  },
};

function wanted({ parameters, config }: Boot) {
  const { net, network } = parameters;
  if (network.off) return null;
  return network.ip[0] ?? (net || config.ip === 'dhcp' ? ANY_CARD : null);
}
