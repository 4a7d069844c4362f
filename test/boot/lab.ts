import { execFileSync, spawn } from 'node:child_process';
import { type Firmware, startMachine } from '../../boot/qemu.ts';
import { serve } from '../../boot/serve/serve.ts';
import { findReady, type ReadyReport } from '../../contract/report.ts';

/** What a lab saw: the machine's report, and what the servers logged. */
export interface Lab {
  report: ReadyReport;
  log: string[];
}

/**
 * A lab network for `unshare --net`: a switch with a machine that starts from it, and our boot server: the only DHCP
 * server there (`alone`), or `beside` one that knows nothing of it. With `http` UEFI starts by HTTP, not by PXE. Prints a Lab as JSON.
 */
async function main([folder = '', firmware = '', dhcp = '', by = '']: string[]): Promise<void> {
  ip('link set lo up');
  ip('link add switch type bridge');
  ip('address add 10.9.0.1/24 dev switch');
  ip('tuntap add port1 mode tap');
  ip('link set port1 master switch up');
  ip('link set switch up');
  const alone = dhcp === 'alone';
  const stopRouter = alone ? () => {} : await startRouter();
  const log: string[] = [];
  const serving = await serve({
    ...{ folder, interface: 'switch', httpPort: 80, httpOnly: false },
    range: alone ? '10.9.0.100,10.9.0.150' : null,
    log: (line) => log.push(line),
  });
  const machine = await startMachine({
    firmware: firmware as Firmware,
    more: [...DECOY, ...(by === 'http' ? NO_PXE : [])],
    // Behind the other one, so that Linux calls it eth1.
    card: { model: 'virtio-net-pci,addr=0x1c', backend: 'tap,ifname=port1,script=no,downscript=no' },
  });
  try {
    const enter = setInterval(() => (machine.console ? machine.type('\r') : machine.key('ret').catch(() => {})), 1000);
    const report = await machine.waitFor('the ready line', findReady, 180).finally(() => clearInterval(enter));
    console.log(JSON.stringify({ report, log } satisfies Lab));
  } finally {
    await machine.stop();
    await serving.stop();
    stopRouter();
  }
}

/** OVMF's switches, so that its HTTP boot is the first that is left. */
const NO_PXE = ['4', '6'].flatMap((ip) => ['-fw_cfg', `name=opt/org.tianocore/IPv${ip}PXESupport,string=n`]);

/** A card with another network, a DHCP server in it: what the machine would use if nobody told it which card it started from. */
const DECOY = [
  ...['-netdev', 'user,id=decoy', '-device', 'virtio-net-pci,addr=0x10,romfile=,netdev=decoy,mac=52:54:00:00:00:99'],
];

/** The network's own DHCP server, in a namespace of its own on the switch's second port. Returns what stops it. */
async function startRouter(): Promise<() => void> {
  const router = spawn('unshare', ['--net', 'sh', '-c', 'echo; read wait; exec dnsmasq "$@"', 'sh', ...ROUTER]);
  await new Promise((resolve) => router.stdout.once('data', resolve));
  ip('link add port2 type veth peer name lan');
  ip('link set port2 master switch up');
  ip(`link set lan netns ${router.pid}`);
  const inside = (words: string) =>
    execFileSync('nsenter', ['-t', String(router.pid), '-n', 'ip', ...words.split(' ')]);
  inside('address add 10.9.0.254/24 dev lan');
  inside('link set lan up');
  router.stdin.write('\n');
  return () => router.kill();
}

const ROUTER = ['-k', '-p', '0', '-C', '/dev/null', '-F', '10.9.0.100,10.9.0.150,1h', '--leasefile-ro', '--pid-file='];

const ip = (words: string) => execFileSync('ip', words.split(' '));

await main(process.argv.slice(2));
