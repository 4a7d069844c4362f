import { existsSync, readFileSync } from 'node:fs';
import { type IpSetting, macOf, NOTHING } from '../contract/network-setting.ts';
import { bootCard } from './address.ts';
import { type Boot, problem, tell } from './boot.ts';
import { loadForNewDevices } from './coldplug.ts';
import { nics } from './hardware.ts';
import { busybox, complaint } from './process.ts';
import { deviceEvent, eventNumber } from './settle.ts';

/** Milliseconds a network card and its switch may take to find each other. */
const LINK_LIMIT = 10_000;
/** Milliseconds a card may take to appear: one on USB is found in the background. */
const CARD_LIMIT = 10_000;

/** When nothing says how. */
export const ANY_CARD: IpSetting = { ...NOTHING, auto: 'dhcp' };

/** Switches the cards on, so that they can tell whether a cable is in. */
export async function switchOn(): Promise<void> {
  await busybox(['ip', 'link', 'set', 'lo', 'up']);
  for (const { name } of nics()) await busybox(['ip', 'link', 'set', name, 'up']);
}

/** Gives a card its address, by DHCP or as told, and remembers it in `boot.network`. What fails becomes a problem. */
export async function setUpNetwork(boot: Boot, setting: IpSetting): Promise<void> {
  // DHCP needs packet sockets, which no device asks for.
  await boot.modules.loadAll(['net-pf-17']);
  const cards = () => chosenCards(boot, setting.nic);
  await waitUntil(
    () => cards().length > 0,
    CARD_LIMIT,
    () => loadForNewDevices(boot),
  );
  await switchOn();
  if (cards().length === 0) {
    problem(boot, setting.nic ? `There is no network card called ${setting.nic}.` : 'There is no network card.');
    return;
  }
  await waitUntil(() => cards().some(({ link }) => link), LINK_LIMIT);
  if (setting.address) await setAddress(boot, setting, cards());
  else await askForAddress(boot, cards());
}

/** The card told by name, else the one the machine started from, else all; those with a cable in first. */
function chosenCards(boot: Boot, nic: string | null): ReturnType<typeof nics> {
  const all = nics().sort((a, b) => Number(b.link) - Number(a.link));
  if (nic) return all.filter(({ name, mac }) => name === nic || mac === nic);
  const mac = macOf(boot.parameters.hwaddr ?? '') ?? bootCard(boot.parameters.bootif ?? '');
  return mac ? all.filter((card) => card.mac === mac) : all;
}

async function askForAddress(boot: Boot, cards: ReturnType<typeof nics>): Promise<void> {
  for (const { name, link } of cards) {
    if (!link && cards.some((other) => other.link)) break;
    if (await lease(boot, name)) return;
  }
  const names = cards.map(({ name, link }) => `${name}${link ? '' : ' (no cable)'}`);
  problem(boot, `No DHCP server answered on ${names.join(', ')}.`);
}

async function lease(boot: Boot, nic: string): Promise<boolean> {
  tell(boot, `asking for an address on ${nic}`);
  const script = '/etc/udhcpc/default.script';
  const wishes = ['-O', 'tftp', '-O', 'serverid'];
  const result = await busybox(['udhcpc', '-i', nic, '-s', script, '-n', '-t', '4', '-T', '2', ...wishes], {
    limit: 30,
  });
  if (result.code !== 0) return false;
  boot.network = { nic, server: serverOf(nic) };
  await tellAddress(boot, nic);
  return true;
}

/** As /etc/udhcpc/default.script wrote it. */
function serverOf(nic: string): string | null {
  const file = `/run/mindi/boot-server.${nic}`;
  return (existsSync(file) && readFileSync(file, 'utf8').trim()) || null;
}

async function setAddress(
  boot: Boot,
  { address, prefix, gateway, peer }: IpSetting,
  [card]: ReturnType<typeof nics>,
): Promise<void> {
  const nic = card?.name ?? '';
  await busybox(['ip', 'addr', 'flush', 'dev', nic]);
  const result = await busybox(['ip', 'addr', 'add', `${address}/${prefix}`, 'dev', nic]);
  if (result.code !== 0) {
    problem(boot, `${nic} does not take the address ${address}/${prefix}: ${complaint(result)}.`);
    return;
  }
  if (gateway) await busybox(['ip', 'route', 'add', 'default', 'via', gateway, 'dev', nic]);
  boot.network = { nic, server: peer };
  await tellAddress(boot, nic);
}

async function tellAddress(boot: Boot, nic: string): Promise<void> {
  const { stdout } = await busybox(['ip', '-o', '-4', 'addr', 'show', 'dev', nic]);
  tell(boot, `${nic}: ${/inet (\S+)/.exec(stdout)?.[1] ?? 'no address'}`);
}

/** Link changes are no device events, so this looks again and again, for at most so many milliseconds. */
async function waitUntil(done: () => boolean, limit: number, act: () => unknown = () => {}): Promise<void> {
  const end = performance.now() + limit;
  while (!done() && performance.now() < end) {
    await deviceEvent(eventNumber(), 100);
    await act();
  }
}
