import { parseIp } from '../address.ts';
import { problem, type Step } from '../boot.ts';
import { setUpNetwork, switchOn } from '../network.ts';

/** Brings the network up when that was asked for and is not done yet; else its cards tell at least whether a cable is in. */
export const network: Step = {
  name: 'network',
  async run(boot) {
    await switchOn();
    const wanted = boot.parameters.ip ?? boot.config.ip;
    if (!wanted || wanted === 'none' || boot.network) return;
    const setting = parseIp(wanted);
    if (setting) await setUpNetwork(boot, setting);
    else
      problem(
        boot,
        `The network is not set up: ip=${wanted} is neither dhcp, NIC:dhcp nor CLIENT:SERVER:GATEWAY:NETMASK.`,
      );
  },
};
