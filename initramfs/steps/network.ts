import { type Boot, problem, type Step, tell } from '../boot.ts';
import { nics } from '../hardware.ts';
import { busybox } from '../process.ts';
import { deviceEvent, eventNumber } from '../settle.ts';

/** Milliseconds a network card and its switch may take to find each other. */
const LINK_LIMIT = 10_000;

/** Switches the cards on, so that they can tell whether a cable is in, and asks for an address when that was wanted. */
export const network: Step = {
  name: 'network',
  async run(boot) {
    await busybox(['ip', 'link', 'set', 'lo', 'up']);
    for (const { name } of nics()) await busybox(['ip', 'link', 'set', name, 'up']);
    const wanted = boot.parameters.ip ?? boot.config.ip;
    if (!wanted || wanted === 'none') return;
    const nic = dhcpNic(wanted);
    if (nic === null)
      problem(boot, `The network is not set up: of ip=${wanted} only dhcp and NIC:dhcp are understood.`);
    else await configure(boot, nic);
  },
};

/** `dhcp`, `on`, `any` -> every card (''); `eth0:dhcp` and `:::::eth0:dhcp` -> eth0; anything else -> null. */
export function dhcpNic(value: string): string | null {
  if (/^(dhcp|on|any)$/.test(value)) return '';
  return /^(?:[^:]*:){0,5}([^:\s]+):(?:dhcp|on|any)$/.exec(value)?.[1] ?? null;
}

async function configure(boot: Boot, nic: string): Promise<void> {
  const names = () => nics().filter(({ name }) => nic === '' || name === nic);
  if (names().length === 0) {
    problem(boot, nic ? `There is no network card called ${nic}.` : 'There is no network card.');
    return;
  }
  await linkUp(names);
  const inOrder = names().sort((a, b) => Number(b.link) - Number(a.link));
  for (const { name, link } of inOrder) {
    if (!link && inOrder.some((other) => other.link)) break;
    if (await lease(boot, name)) return;
  }
  problem(
    boot,
    `No DHCP server answered on ${inOrder.map(({ name, link }) => `${name}${link ? '' : ' (no cable)'}`).join(', ')}.`,
  );
}

/** Waits until a card has a link; link changes are no device events, so this looks at the carrier itself. */
async function linkUp(names: typeof nics): Promise<void> {
  const end = performance.now() + LINK_LIMIT;
  while (performance.now() < end && !names().some(({ link }) => link)) await deviceEvent(eventNumber(), 100);
}

async function lease(boot: Boot, name: string): Promise<boolean> {
  tell(boot, `asking for an address on ${name}`);
  const script = '/etc/udhcpc/default.script';
  const result = await busybox(['udhcpc', '-i', name, '-s', script, '-n', '-t', '4', '-T', '2'], { limit: 30 });
  if (result.code !== 0) return false;
  const { stdout } = await busybox(['ip', '-o', '-4', 'addr', 'show', 'dev', name]);
  tell(boot, `${name}: ${/inet (\S+)/.exec(stdout)?.[1] ?? 'no address'}`);
  return true;
}
