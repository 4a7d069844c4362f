import { once } from 'node:events';
import { Command, InvalidArgumentError } from 'commander';
import type { Served } from '../boot/serve/serve.ts';
import { answerJson, table, talk } from './output.ts';

interface Options {
  interface?: string;
  listen?: string;
  httpPort: number;
  httpOnly?: boolean;
  range?: string;
  json?: boolean;
}

/** `mindi serve DIR`: a boot server for a lab. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('serve a netboot folder to a lab by DHCP, TFTP and HTTP, until Ctrl-C')
    .argument('<dir>', 'a folder that `media: [netboot]` made')
    .option('--interface <card>', 'the network card to serve on; default: the only one there is')
    .option('--listen <address>', 'the address to listen at; default: that of the card')
    .option('--range <first,last>', 'give addresses, too; default: the network’s own DHCP server does (proxy-DHCP)')
    .option('--http-port <port>', 'port of the HTTP server; 0: any that is free', port, 80)
    .option('--http-only', 'no DHCP and TFTP: for a boot server that has these')
    .option('--json', 'print what is served as JSON')
    .addHelpText(
      'after',
      `
DHCP and TFTP come from dnsmasq, which must be installed, and need root. Beside another DHCP server this reaches BIOS
machines and iPXE; UEFI's own PXE loads GRUB, which looks for its menu on the server that gave the address. Nothing outside DIR is served.

Exit status: 0 stopped by Ctrl-C, 1 a server ended by itself.

Examples:
  mindi serve out/netboot                                    in a network that has a DHCP server
  mindi serve out/netboot --interface eth1 --range 10.9.0.100,10.9.0.200
  mindi serve out/netboot --http-only --http-port 8080 --listen 127.0.0.1`,
    )
    .action(run);
}

async function run(folder: string, { json, ...options }: Options): Promise<void> {
  const { serve } = await import('../boot/serve/serve.ts');
  const log = (line: string) => talk(`${new Date().toISOString().slice(11, 19)} ${line}`);
  const { ended, stop, ...served } = await serve({
    ...options,
    folder,
    httpOnly: options.httpOnly ?? false,
    range: options.range ?? null,
    log,
  });
  if (json) answerJson(served);
  talk(summary(served));
  const ending = await Promise.race([interrupted(), ended.then(() => 'dnsmasq')]);
  await stop();
  talk(ending === 'dnsmasq' ? 'mindi: dnsmasq has ended, so nothing is served any more' : 'mindi: stopped');
  process.exitCode = ending === 'dnsmasq' ? 1 : 0;
}

/** A server's usual end: what it started is stopped first, and that is no failure. */
async function interrupted(): Promise<string> {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.removeAllListeners(signal);
  await Promise.race(signals.map((signal) => once(process, signal)));
  return 'signal';
}

function summary({ folder, url, tftp, dhcp, interface: card }: Served): string {
  const rows = [
    ['folder', folder],
    ['HTTP', `${url}  (iPXE: ${url}boot.ipxe)`],
    ...(tftp ? [['TFTP', `${tftp.address}  (BIOS: ${tftp.bios}, UEFI: ${tftp.uefi})`]] : []),
    ...(dhcp ? [['DHCP', dhcp === 'proxy' ? BESIDE : `gives ${dhcp}`]] : []),
    ['on', card],
  ];
  return `${table(rows)}\nCtrl-C ends it.`;
}

/** GRUB takes the server from the answer with the address, and not from ours beside it. */
const BESIDE =
  'beside that of the network; UEFI machines without iPXE need that to name this one as next server, or --range here';

function port(value: string): number {
  const number = /^\d{1,5}$/.test(value) ? Number(value) : Number.NaN;
  if (number <= 65535) return number;
  throw new InvalidArgumentError('It must be a port, 0 to 65535.');
}
