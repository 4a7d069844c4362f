import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { build } from '../../builder/build.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import type { NetworkState } from '../../initramfs/network/state.ts';
import { startFiles } from '../plain-kernel.ts';
import type { NetworkLab } from './network-lab.ts';

let work: Scratch;
let files: { kernel: string; initrd: string };

const PROFILE = `name: lab
extends: minimal
drivers: { sets: [virtio], include: [net-pf-10, net-pf-17, bonding, 8021q, loop] }
tools: { sets: [base], include: [dhcpcd] }
`;

beforeAll(async () => {
  work = await scratch('test');
  const file = join(work.path, 'lab.yaml');
  await writeFile(file, PROFILE);
  const { media } = await build(await loadProfile(file), join(work.path, 'lab'));
  files = await startFiles(media[0]?.path ?? '', work.path);
});
afterAll(() => work[Symbol.asyncDispose]());

/** Each machine is in a network namespace of its own, so that its servers reach nobody else. */
async function lab(scenario: string): Promise<NetworkLab> {
  const script = join(import.meta.dirname, 'network-lab.ts');
  const argv = ['--net', process.execPath, '--conditions=source', script, files.kernel, files.initrd, scenario];
  const { stdout } = await promisify(execFile)('unshare', argv, { maxBuffer: 1 << 24 });
  const seen = JSON.parse(stdout) as NetworkLab;
  expect(seen.untouched).toBe(true);
  return seen;
}

/** Seconds between the machine's clock and ours that a slow boot explains. */
const CLOCK = 300;
const differs = (clock = '') => Math.abs(Number(clock) - Date.now() / 1000);

/** What the machine said of its clock, which stands at 2001, before a server told it the time. */
const WRONG_CLOCK = expect.stringMatching(/^The machine's clock says 2001-01-01T/);

describe('the network', () => {
  test('DHCP, static, IPv6, DHCPv6, name servers of a router, a bond and a VLAN on it, by names and hardware addresses, on one machine', async () => {
    const { report, text, said } = await lab('words');
    // The source's server is there, to be pinged; it serves nothing.
    expect(report.problems).toEqual([WRONG_CLOCK, expect.stringMatching(/^Port 2049 of the server 10\.1\.0\.1 /)]);
    for (const [nic, address] of [
      ['eth0', 'inet 10.0.2.15/24'],
      ['lan0', 'inet 10.1.0.5/24 brd 10.1.0.255'],
      ['lan0', 'inet6 2001:db8:1::5/64'],
      ['eth2', 'inet6 2001:db8:2:0:5054:ff:fe00:3/64'],
      ['bond0', 'inet 10.3.0.5/24'],
      ['bond0', 'inet6 2001:db8:3::1[0-9a-f]{2}/128'],
      ['vlan5', 'inet 10.5.0.'],
    ])
      expect(said.addresses).toMatch(new RegExp(`^\\d+: ${nic}\\s+${address}`, 'm'));
    expect(said.addresses).not.toMatch(/eth[134]\s+inet /);
    for (const address of ['10.1.0.5', '2001:db8:1::5', '10.3.0.5'])
      expect(said[address]).toContain('1 packets received');
    expect(said.bond).toMatch(/Mode: fault-tolerance \(active-backup\)[\s\S]*Interface: eth3[\s\S]*Interface: eth4/);
    // As told, by DHCPv6, by DHCP, and by the router's advertisement.
    const servers = ['10.1.0.53', '2001:db8:3::53', '10.0.2.3', '2001:db8:2::53'];
    expect(said.resolver).toBe(servers.map((server) => `nameserver ${server}`).join('\n'));
    expect(said.host).toBe('web01');
    expect(text).toContain('10.1.0.1 answers, ping 1 of 2');
    expect(text).toMatch(/clock: 20\S+, as 10\.1\.0\.1 says/);
    expect(differs(said.clock)).toBeLessThan(CLOCK);
    expect(said.state).toMatch(/^vlan5 {2}\S+ {2}\(made of cards\) {2}cable in {2}10\.5\.0\.\d+\/24$/m);
    expect(said.state).toMatch(/^gateway 10\.0\.2\.2 on eth0, 10\.1\.0\.1 on lan0, 10\.5\.0\.1 on vlan5$/m);
    expect(said.again).toMatch(/exit 0$/);
    const { cards, gateways } = JSON.parse(said.json ?? '') as NetworkState;
    expect(cards.find(({ name }) => name === 'eth0')).toMatchObject({ link: true, addresses: ['10.0.2.15/24'] });
    expect(gateways[0]).toEqual({ gateway: '10.0.2.2', nic: 'eth0' });
    expect(said.wrong).toMatch(/^mindi network: eth0 is not understood[\s\S]*exit 2$/);
  });

  test('the one card with a cable in, a DHCP server that comes late, and the time of a web server', async () => {
    const { report, text, said } = await lab('late');
    expect(report.problems).toEqual([WRONG_CLOCK]);
    expect(said.addresses).toMatch(/eth1\s+inet 10\.4\.0\.5/);
    expect(said.state).toMatch(/^eth0 .* no cable {2}no address$/m);
    expect(text).not.toContain('asking for an address on eth0');
    expect(text).toMatch(/clock: 20\S+, as http:\/\/10\.4\.0\.1 says/);
    expect(differs(said.clock)).toBeLessThan(CLOCK);
  });

  test('a machine without a card is told so, and boots', async () => {
    const { report, said } = await lab('none');
    expect(report.problems).toEqual([WRONG_CLOCK, expect.stringMatching(/^There is no network card, or none with a/)]);
    expect(said.state).toBe('no network card, or none with a driver');
  });

  test('classic boot parameters: the card by its hardware address, ping, modules; mistakes are told', async () => {
    const { report, text, said } = await lab('classic');
    expect(said.addresses).toMatch(/eth1\s+inet 10\.0\.2\.15/);
    expect(said.addresses).not.toMatch(/eth0\s+inet /);
    expect(text).toContain('10.0.2.2 answers, ping 1 of 2');
    expect(said.modules?.split('\n')).toContain('loop');
    expect(said.modules?.split('\n')).not.toContain('qemu_fw_cfg');
    expect(report.mode).toBe('expert');
    expect(report.problems).toEqual([
      'The boot parameter mindi.frobnicate is unknown.',
      expect.stringMatching(/^The boot parameters contradict each other/),
      WRONG_CLOCK,
      expect.stringMatching(/^SSH is not on this medium/),
    ]);
  });
});
