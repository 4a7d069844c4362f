import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ReadyReport } from '../../contract/report.ts';
import type { Context } from '../boot.ts';
import { loadForNewDevices } from '../coldplug.ts';
import { attribute, list } from '../devices.ts';
import { addressesOf, nics } from '../hardware.ts';
import { log } from '../log.ts';
import { busybox, complaint } from '../process.ts';
import { deviceEvent, eventNumber } from '../settle.ts';

/** A network card, or a VLAN or bond made of cards. */
export type Card = ReadyReport['nics'][number];

const NET = '/sys/class/net';

/**
 * The cards meant by a name or hardware address; all where nothing is said, what is made of cards first. Those with a
 * cable in come first.
 * @param only hardware address of the only card to take where nothing is said
 */
export function cardsFor(nic: string | null, only: string | null = null): Card[] {
  const hardware = nics();
  const made = list(NET)
    .filter((name) => isMade(name))
    .map(described);
  if (nic) return [...hardware, ...made].filter(({ name, mac }) => name === nic || (mac === nic && !isMade(name)));
  if (only) return hardware.filter(({ mac }) => mac === only);
  const free = [...made, ...hardware].filter(({ name }) => !existsSync(join(NET, name, 'master')));
  return free.sort((a, b) => Number(b.link) - Number(a.link));
}

/** Whether it is a VLAN or a bond. */
const isMade = (name: string) => existsSync(join(NET, name, 'bonding')) || existsSync(`/proc/net/vlan/${name}`);

function described(name: string): Card {
  const path = join(NET, name);
  const link = attribute(path, 'carrier') === '1';
  return { name, mac: attribute(path, 'address'), driver: 'made of cards', link, addresses: addressesOf(name) };
}

/** For people: `eth0, eth1 (no cable)`. */
export function named(cards: readonly Card[]): string {
  return cards.map(({ name, link }) => `${name}${link ? '' : ' (no cable)'}`).join(', ');
}

/** Switches the cards on, so that they can tell whether a cable is in. */
export async function switchOn(): Promise<void> {
  const names = ['lo', ...nics().map(({ name }) => name)];
  for (const name of names) if (!isOn(name)) await busybox(['ip', 'link', 'set', name, 'up']);
}

/** IFF_UP */
const isOn = (name: string) => (Number(attribute(NET, name, 'flags')) & 1) === 1;

/** Sets one thing of a card. Returns what is wrong, for people; null when it took it. */
export async function setLink(nic: string, ...words: string[]): Promise<string | null> {
  const result = await busybox(['ip', 'link', 'set', nic, ...words]);
  return result.code === 0 ? null : `${nic} does not take ${words.join(' ')}: ${complaint(result)}.`;
}

/** A setting of the kernel's for one card; older kernels may not have it. */
export function setKernel(family: 'ipv4' | 'ipv6', nic: string, name: string, value: string): void {
  const file = `/proc/sys/net/${family}/conf/${nic}/${name}`;
  try {
    writeFileSync(file, value);
  } catch (error) {
    log(`${file} stays as it is: ${(error as Error).message}`);
  }
}

/**
 * Link changes are no device events, so this looks again and again. Cards that appear meanwhile get their drivers.
 * @param limit milliseconds
 */
export async function waitUntil(context: Context, limit: number, done: () => boolean): Promise<boolean> {
  const end = performance.now() + limit;
  while (!done()) {
    if (performance.now() >= end) return false;
    await deviceEvent(eventNumber(), 100);
    await loadForNewDevices(context);
    await switchOn();
  }
  return true;
}
