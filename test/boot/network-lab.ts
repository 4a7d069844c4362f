import { execFile, execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type Machine, startMachine } from '../../boot/qemu.ts';
import { scratch } from '../../builder/scratch.ts';
import { findReady, type ReadyReport } from '../../contract/report.ts';
import { CONSOLES, PATIENCE, shell } from './shell.ts';
import { witness } from './witness.ts';

/** What a lab saw: the machine's report, its console, and what commands in its shell said. */
export interface NetworkLab {
  report: ReadyReport;
  text: string;
  said: Record<string, string>;
  /** Whether the disk is as it was. */
  untouched: boolean;
}

/** A card whose other end is a port of this machine's, `user` for QEMU's own network with a DHCP server. */
type Port = string;
const mac = (n: number) => `52:54:00:00:00:0${n}`;

interface Scenario {
  ports: Port[];
  more?: readonly string[];
  append: string;
  /** Makes networks and servers before the machine starts. */
  prepare?: () => void;
  /** Between the start and the ready line. */
  meanwhile?: (machine: Machine) => Promise<void>;
  /** In the machine's shell, by what is asked. */
  ask: Record<string, string>;
  /** Pings from here to there. */
  reach?: string[];
}

const VLAN = 5;
/** UDP ports between QEMU and the switch below: two cards, and this machine's networks, untagged and of the VLAN. */
const UDP = { trunk1: 7001, trunk2: 7002, native: 7003, five: 7004 } as const;
const wire = (to: number) =>
  `dgram,local.type=inet,local.host=127.0.0.1,local.port=${to + 100},remote.type=inet,remote.host=127.0.0.1,remote.port=${to}`;
const SWITCHED: Record<string, string> = { trunk1: wire(UDP.trunk1), trunk2: wire(UDP.trunk2) };
/** QEMU joins this machine's networks to the switch: only it can open them. */
const SWITCH_PORTS = (['native', 'five'] as const).flatMap((name, n) => [
  ...['-netdev', `tap,ifname=${name},script=no,downscript=no,id=${name}`],
  ...['-netdev', `hubport,hubid=${n},netdev=${name},id=${name}-hub`],
  ...[
    '-netdev',
    `${wire(UDP[name])},id=${name}-wire`,
    '-netdev',
    `hubport,hubid=${n},netdev=${name}-wire,id=${name}-out`,
  ],
]);

const SCENARIOS: Record<string, Scenario> = {
  /** Every kind of setting on one machine, each card with another. */
  words: {
    ports: ['user', 'lan', 'six', 'trunk1', 'trunk2'],
    more: SWITCH_PORTS,
    append: [
      'ip=52-54-00-00-00-01:dhcp ifname=lan0:52:54:00:00:00:02',
      'ipconf=lan0:10.1.0.5:255.255.255.0:10.1.0.255:10.1.0.1',
      'ip=[2001:db8:1::5]:::64:web01:lan0:none nameserver=10.1.0.53',
      'ip=52-54-00-00-00-03:auto6',
      'bond=bond0:52-54-00-00-00-04,52-54-00-00-00-05:mode=active-backup,miimon=100',
      'vlan=vlan5:bond0 ip=10.3.0.5:::24::bond0:none ip=bond0:dhcp6 ip=vlan5:dhcp',
      'mindi.ntp=10.1.0.1 nfsmount=10.1.0.1:/backup ping=2',
    ].join(' '),
    prepare: () => {
      port('lan', '10.1.0.1/24', '2001:db8:1::1/64');
      port('six', '2001:db8:2::1/64');
      dnsmasq('six', '--enable-ra', '--dhcp-range=2001:db8:2::,ra-only', dns6('2001:db8:2::53'));
      port('native', '10.3.0.1/24', '2001:db8:3::1/64');
      dnsmasq('native', '--enable-ra', '--dhcp-range=2001:db8:3::100,2001:db8:3::1ff,64,1h', dns6('2001:db8:3::53'));
      port('five', '10.5.0.1/24');
      trunkSwitch();
      dnsmasq('five', '--dhcp-range=10.5.0.50,10.5.0.60,1h');
      timeServer('10.1.0.1');
    },
    ask: {
      addresses: 'ip -o addr',
      routes: 'ip route',
      bond: 'cat /proc/net/bonding/bond0',
      resolver: 'cat /etc/resolv.conf',
      host: 'hostname',
      clock: 'date -u +%s',
      state: 'mindi network',
      again: 'mindi network vlan5:dhcp; echo "exit $?"',
      json: 'mindi network --json',
      wrong: 'mindi network eth0; echo "exit $?"',
    },
    reach: ['10.1.0.5', '2001:db8:1::5', '10.3.0.5'],
  },
  /** The first card has no cable; the DHCP server of the other comes late; the time comes from a web server. */
  late: {
    ports: ['user', 'lan'],
    append: 'ip=dhcp mindi.log=http://10.4.0.1/',
    prepare: () => {
      port('lan', '10.4.0.1/24');
      createServer((_request, response) => response.end()).listen(80, '10.4.0.1');
    },
    meanwhile: async (machine) => {
      await machine.qmp('set_link', { name: 'net0', up: false });
      await machine.waitForText('asking for an address on eth1', PATIENCE);
      await sleep(8000);
      dnsmasq('lan', '--dhcp-range=10.4.0.50,10.4.0.60,1h', '--dhcp-option=option:ntp-server,10.4.0.9');
    },
    ask: { addresses: 'ip -o addr', clock: 'date -u +%s', state: 'mindi network' },
  },
  /** No card at all. */
  none: { ports: [], append: 'net ping udevtimeout=2', ask: { state: 'mindi network' } },
  /** The classic words, one machine. */
  classic: {
    ports: ['user', 'user'],
    append: [
      `pxe hwaddr=${mac(2)} ping=2 prefix=web01 denymods=qemu_fw_cfg,floppy forcemods="loop" udevtimeout=20 donteject noresize`,
      'textonly nopart nolvm excludedevs=sdb nohw pre=/root/before post=/root/after nuke compare mindi.ssh mindi.frobnicate=1',
    ].join(' '),
    ask: { addresses: 'ip -o addr', modules: 'cut -d" " -f1 /proc/modules' },
  },
};

/** Runs one scenario in `unshare --net`, and prints a NetworkLab as JSON. */
async function main([kernel = '', initrd = '', name = '']: string[]): Promise<void> {
  const scenario = SCENARIOS[name] as Scenario;
  ip('link set lo up');
  scenario.prepare?.();
  const direct = { kernel, initrd, append: `${CONSOLES} expert ${scenario.append}` };
  await using work = await scratch('test');
  const disk = await witness(work.path);
  const machine = await startMachine({
    direct,
    nics: [],
    drives: [disk.drive],
    more: ['-rtc', 'base=2001-01-01', ...cards(scenario.ports), ...(scenario.more ?? [])],
  });
  try {
    await scenario.meanwhile?.(machine);
    const report = await machine.waitFor('the ready line', findReady, PATIENCE);
    await machine.waitForText(/mindi:~# $/m, PATIENCE);
    const said: Record<string, string> = {};
    for (const [what, command] of Object.entries(scenario.ask)) said[what] = await shell(machine, command);
    for (const address of scenario.reach ?? []) said[address] = await pinged(address);
    const untouched = await disk.untouched();
    process.stdout.write(JSON.stringify({ report, text: machine.text, said, untouched } satisfies NetworkLab));
  } finally {
    await machine.stop();
    process.exit();
  }
}

function cards(ports: readonly Port[]): string[] {
  return ports.flatMap((name, n) => {
    const tap = `tap,ifname=${name},script=no,downscript=no`;
    const backend = name === 'user' ? 'user' : (SWITCHED[name] ?? tap);
    return ['-netdev', `${backend},id=net${n}`, '-device', `virtio-net-pci,romfile=,netdev=net${n},mac=${mac(n + 1)}`];
  });
}

/** A port a card is plugged into, with this machine's addresses on it. */
function port(name: string, ...addresses: string[]): void {
  ip(`tuntap add ${name} mode tap`);
  for (const address of addresses) ip(`address add ${address} dev ${name}${address.includes(':') ? ' nodad' : ''}`);
  ip(`link set ${name} up`);
}

function dnsmasq(nic: string, ...more: string[]): void {
  const own = ['-k', '-p', '0', '-C', '/dev/null', '-i', nic, '--bind-interfaces', '--leasefile-ro', '--pid-file='];
  const server = spawn('dnsmasq', [...own, ...more], { stdio: ['ignore', 'ignore', 'inherit'] });
  process.on('exit', () => server.kill());
}

const dns6 = (address: string) => `--dhcp-option=option6:dns-server,[${address}]`;

/** A switch whose first two ports are a trunk (802.1Q); this kernel need have no VLANs for that. */
function trunkSwitch(): void {
  const send = (frame: Buffer, to: number) => sockets.get(to)?.send(frame, to + 100, '127.0.0.1');
  const both = (frame: Buffer) => {
    for (const to of [UDP.trunk1, UDP.trunk2]) send(frame, to);
  };
  const fromCard = (frame: Buffer) => {
    const tagged = frame.readUInt16BE(12) === 0x8100;
    if (!tagged) send(frame, UDP.native);
    else if ((frame.readUInt16BE(14) & 0xfff) === VLAN)
      send(Buffer.concat([frame.subarray(0, 12), frame.subarray(16)]), UDP.five);
  };
  const tag = Buffer.from([0x81, 0x00, 0, VLAN]);
  const work = new Map<number, (frame: Buffer) => void>([
    [UDP.trunk1, fromCard],
    [UDP.trunk2, fromCard],
    [UDP.native, both],
    [UDP.five, (frame) => both(Buffer.concat([frame.subarray(0, 12), tag, frame.subarray(12)]))],
  ]);
  const sockets = new Map(
    [...work].map(([at, take]) => [at, createSocket('udp4').on('message', take).bind(at, '127.0.0.1')]),
  );
}

/** An NTP server with this machine's time. */
function timeServer(address: string): void {
  const socket = createSocket('udp4');
  socket.on('message', (question, { port, address: from }) => {
    const answer = Buffer.alloc(48);
    answer.set([0x24, 2]);
    question.copy(answer, 24, 40, 48);
    answer.writeUInt32BE(Math.floor(Date.now() / 1000) + 2_208_988_800, 40);
    socket.send(answer, port, from);
  });
  socket.bind(123, address);
}

/** Not synchronously: the switch above works meanwhile. */
async function pinged(address: string): Promise<string> {
  const words = ['ping', '-c', '1', '-W', '5', address];
  return promisify(execFile)('busybox', words).then(
    ({ stdout }) => stdout,
    (error: { stdout: string }) => error.stdout,
  );
}

const ip = (words: string) => execFileSync('ip', words.split(' '));

await main(process.argv.slice(2));
