import { existsSync, writeFileSync } from 'node:fs';
import type { NetworkSetting } from '../../contract/network-setting.ts';
import type { Context } from '../boot.ts';
import { attribute } from '../devices.ts';
import { log } from '../log.ts';
import { busybox, complaint } from '../process.ts';
import { cardsFor, setLink } from './cards.ts';

/** Gives cards the names they are to have. Returns what is wrong, one sentence each. */
export async function renameCards({ names }: NetworkSetting): Promise<string[]> {
  const problems: (string | null)[] = [];
  for (const { name, mac } of names) {
    const [card] = cardsFor(mac);
    if (!card) problems.push(`There is no network card with the hardware address ${mac}, which was to be ${name}.`);
    if (!card || card.name === name) continue;
    // The kernel renames no card that is on.
    await setLink(card.name, 'down');
    problems.push(await setLink(card.name, 'name', name));
    await setLink(name, 'up');
  }
  return problems.filter((one) => one !== null);
}

/** Bonds cards. One that is there already is left as it is. Returns what is wrong, one sentence each. */
export async function makeBonds(context: Context, { bonds }: NetworkSetting): Promise<string[]> {
  if (bonds.length === 0) return [];
  await context.modules.loadAll(['bonding']);
  // The module makes one that nobody asked for.
  if (!bonds.some(({ name }) => name === UNASKED) && !hasMembers(UNASKED)) setMasters(`-${UNASKED}`);
  const problems: string[] = [];
  for (const bond of bonds) problems.push(...(await makeBond(bond)));
  return problems;
}

const UNASKED = 'bond0';

const hasMembers = (bond: string) => attribute('/sys/class/net', bond, 'bonding/slaves') !== '';

function setMasters(change: string): void {
  try {
    writeFileSync('/sys/class/net/bonding_masters', change);
  } catch (error) {
    log(`bonding_masters takes no ${change}: ${(error as Error).message}`);
  }
}

async function makeBond({ name, nics, options, mtu }: NetworkSetting['bonds'][number]): Promise<string[]> {
  const folder = `/sys/class/net/${name}/bonding`;
  if (hasMembers(name)) return [];
  const members = nics.map((nic) => ({ nic, card: cardsFor(nic)[0] }));
  const problems = members
    .filter(({ card }) => !card)
    .map(({ nic }) => `There is no network card ${nic}, which was to be part of ${name}.`);
  const set = (file: string, value: string) => {
    try {
      writeFileSync(file, value);
    } catch (error) {
      problems.push(`${name} does not take ${value}: ${(error as NodeJS.ErrnoException).code}.`);
    }
  };
  if (!existsSync(folder)) setMasters(`+${name}`);
  if (!existsSync(folder))
    return [...problems, `The bond ${name} could not be made: this kernel's bonding driver is not here.`];
  // The mode first: others depend on it.
  const ordered = [...options].sort(([a], [b]) => Number(b === 'mode') - Number(a === 'mode'));
  for (const [key, value] of ordered) set(`${folder}/${key}`, value);
  for (const { card } of members) {
    if (!card) continue;
    await setLink(card.name, 'down');
    set(`${folder}/slaves`, `+${card.name}`);
  }
  const wrong = mtu && (await setLink(name, 'mtu', String(mtu)));
  if (wrong) problems.push(wrong);
  await setLink(name, 'up');
  return problems;
}

/** Makes VLANs of cards or bonds. Returns what is wrong, one sentence each. */
export async function makeVlans(context: Context, { vlans }: NetworkSetting): Promise<string[]> {
  if (vlans.length === 0) return [];
  await context.modules.loadAll(['8021q']);
  const problems: string[] = [];
  for (const { name, id, nic } of vlans) {
    if (existsSync(`/proc/net/vlan/${name}`)) continue;
    const [card] = cardsFor(nic);
    const words = ['name', name, 'type', 'vlan', 'id', String(id)];
    const result = card && (await busybox(['ip', 'link', 'add', 'link', card.name, ...words]));
    if (!card) problems.push(`There is no network card ${nic} for the VLAN ${name}.`);
    else if (result?.code !== 0) problems.push(`The VLAN ${name} could not be made: ${result && complaint(result)}.`);
    else await setLink(name, 'up');
  }
  return problems;
}
