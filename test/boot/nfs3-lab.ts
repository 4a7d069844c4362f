import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { startMachine } from '../../boot/qemu.ts';
import { scratch } from '../../builder/scratch.ts';
import { findReady } from '../../contract/report.ts';
import { plainKernel } from '../plain-kernel.ts';
import { serveNfs } from './ganesha.ts';
import { CONSOLES, PATIENCE } from './shell.ts';

/** NFS's own; the network is one of its own, where it is free. */
const PORT = 2049;
/** Beside the loopback interface there must be one with an address: else ganesha knows none, not even 127.0.0.1. */
const NETWORK = ['link set lo up', 'link add lab type bridge', 'address add 10.9.0.1/24 dev lab', 'link set lab up'];

/**
 * An NFSv3 server with its portmapper, for `unshare --net --mount`, and a machine that starts from the same netboot
 * folder. Prints the ready report as JSON.
 */
async function main(folder = ''): Promise<void> {
  for (const words of NETWORK) execFileSync('ip', words.split(' '));
  execFileSync('mount', ['-t', 'tmpfs', 'none', '/run']);
  await using work = await scratch('test');
  const portmapper = spawn('rpcbind', ['-f', '-w']);
  const stop = await serveNfs(folder, 3, PORT, work.path);
  const kernel = await plainKernel(join(folder, 'vmlinuz'));
  const append = `${CONSOLES} mindi.server=10.0.2.2`;
  await using machine = await startMachine({ direct: { kernel, initrd: join(folder, 'initrd.img'), append } });
  try {
    console.log(JSON.stringify(await machine.waitFor('the ready line', findReady, PATIENCE)));
  } finally {
    stop();
    portmapper.kill();
  }
}

await main(process.argv[2]);
