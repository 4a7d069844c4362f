import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { readFile as read } from 'node:fs/promises';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Machine, startMachine } from '../../boot/qemu.ts';
import { findReady, type ReadyReport } from '../../contract/report.ts';
import { serveS3 } from '../s3-server.ts';
import { serveNfs } from './ganesha.ts';
import { addUsers, passwordStick, serveIscsi, serveLate, serveSmb, serveSsh, serveWeb } from './servers.ts';
import { PATIENCE, shell } from './shell.ts';
import { type Witness, witness } from './witness.ts';

/** What the lab begins with: its first line of output. */
export interface LabStart {
  report: ReadyReport;
  /** Fingerprint of the SSH server. */
  hostKey: string;
}

/** One line of input, answered by one line with a string. */
export type LabCall =
  /** What a command in the shell of the guest prints. */
  | { shell: string }
  /** Types it, and gives what the console says that fits the pattern; only what is new is looked at. */
  | { type: string; until: string }
  /** Starts a web server at that port. */
  | { serve: number }
  /** And ends it. */
  | { end: number }
  /** Whether the machine's disk is as it was: "true". */
  | { untouched: true };

/** Beside the loopback interface there must be one with an address: else ganesha knows none, not even 127.0.0.1. */
const NETWORK = ['link set lo up', 'link add lab type bridge', 'address add 10.9.0.1/24 dev lab', 'link set lab up'];

/**
 * All servers of restore data, for `unshare --net --mount`, and a machine that is started with an NFS source whose server
 * comes late and whose clock is years ahead. `folder` has the data as
 * `share`, the authority `ca` and the SSH key `key`.
 */
async function main([folder = '', image = '', kernel = '', initrd = '', append = '']: string[]): Promise<void> {
  for (const words of NETWORK) execFileSync('ip', words.split(' '));
  execFileSync('mount', ['-t', 'tmpfs', 'none', '/run']);
  const [share, work] = [join(folder, 'share'), join(folder, 'servers')];
  mkdirSync(work);
  addUsers(work);
  await serveSmb(share, work);
  const { hostKey } = await serveSsh(join(folder, 'key'), work);
  await serveWeb(share, folder, work);
  await serveIscsi(share, work);
  const s3 = await serveS3(join(work, 's3'), ['backups'], 9000);
  for (const name of ['mindi/volume.json', 'payload'])
    await s3.put('backups', `web01/${name}`, new Uint8Array(await read(join(share, name))));
  passwordStick(join(work, 'stick.img'), work);
  spawn('rpcbind', ['-f', '-w'], { stdio: 'ignore' });
  const disk = await witness(work);
  const machine = await startMachine({
    drives: [disk.drive],
    direct: { kernel, initrd, append },
    medium: { path: image, as: 'cdrom' },
    more: [
      ...['-rtc', 'base=2041-01-01'],
      ...['-drive', `if=none,id=stick,format=raw,readonly=on,file=${join(work, 'stick.img')}`],
      ...['-device', 'usb-storage,bus=usb.0,drive=stick'],
    ],
  });
  await machine.waitForText('waiting for port 2049 of 10.0.2.2: it refuses connections', PATIENCE);
  await serveNfs(share, '3, 4', 2049, work, { name: '/share', access: 'RW' });
  const report = await machine.waitFor('the ready line', findReady, PATIENCE);
  answer({ report, hostKey } satisfies LabStart);
  for await (const line of createInterface({ input: process.stdin }))
    answer(await obey({ machine, share, disk }, JSON.parse(line)).catch((error) => `failed: ${error.message}`));
}

interface Obedient {
  machine: Machine;
  share: string;
  disk: Witness;
}

const late = new Map<number, Server>();

async function obey({ machine, share, disk }: Obedient, call: LabCall): Promise<string> {
  if ('shell' in call) return shell(machine, call.shell);
  if ('untouched' in call) return String(await disk.untouched());
  if ('serve' in call) late.set(call.serve, await serveLate(share, call.serve));
  if ('end' in call) late.get(call.end)?.close().closeAllConnections();
  if (!('type' in call)) return '';
  const from = machine.text.length;
  machine.type(call.type);
  return machine.waitFor(call.until, (text) => new RegExp(call.until).exec(text.slice(from))?.[0], PATIENCE);
}

const answer = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);

await main(process.argv.slice(2));
