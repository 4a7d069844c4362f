import { join } from 'node:path';
import fs from 'fs-extra';
import type { KernelTree } from '../../builder/kernel/source.ts';
import { run } from '../../builder/run.ts';
import { MindiError } from '../../contract/error.ts';
import { type Bench, coldSeconds } from './build.ts';
import { megabytes, progress, ratio, row, timed, watchOthers } from './measure.ts';

const ON_A_COPY = join(import.meta.dirname, 'on-a-copy.sh');

interface Peer {
  name: string;
  program: string;
  /** Debian's. */
  package: string;
  wanted?: string;
  /** Builds, and gives the file that was built. */
  build: (kernel: KernelTree, work: string) => Promise<{ seconds: number; bytes: number }>;
}

const PEERS: readonly Peer[] = [
  {
    name: 'rear mkrescue, ISO, all modules',
    program: 'rear',
    package: 'rear',
    wanted: 'at least 8',
    build: rear,
  },
  {
    name: 'dracut --no-hostonly, initrd only',
    program: 'dracut',
    package: 'dracut-core',
    build: (kernel, work) => dracut(kernel, work),
  },
  {
    name: 'dracut --no-hostonly --no-compress',
    program: 'dracut',
    package: 'dracut-core',
    build: (kernel, work) => dracut(kernel, work, '--no-compress'),
  },
];

/** Others of the trade with the same kernel on the same machine, once each; who is not installed is named. */
export async function benchPeers(bench: Bench): Promise<void> {
  const ours = coldSeconds(await bench.rounds());
  const kernel = await bench.kernel();
  console.log(`peers, with ${kernel.release}, against our cold build of ${ours.toFixed(2)} s`);
  const report = watchOthers();
  for (const peer of PEERS) {
    progress(peer.name);
    try {
      await run(peer.program, ['--version'], { accept: [1], package: peer.package });
      const { seconds, bytes } = await peer.build(kernel, bench.work);
      const beside = ratio(seconds / ours, 'ours', peer.wanted);
      row(peer.name, `${seconds.toFixed(2)} s`, `${beside}  (${megabytes(bytes)})`);
    } catch (error) {
      if (!(error instanceof MindiError)) throw error;
      row(peer.name, 'not run', whyNot(error, peer));
    }
  }
  report();
}

function whyNot(error: MindiError, peer: Peer): string {
  if (error.code !== 'tool.missing') return error.message;
  return `not installed (Debian: apt-get install --no-install-recommends ${peer.package})`;
}

/** ReaR looks for kernel and modules in the system itself and writes to /var, so it runs on a copy of the system. */
async function rear({ release, modulesDir, image }: KernelTree, work: string) {
  const output = await fs.mkdtemp(join(work, 'rear-'));
  const onACopy = ['--mount', ON_A_COPY, output, release, modulesDir, image];
  const command = 'rear -r "$1" mkrescue && cp /var/lib/rear/output/*.iso /var/tmp/rear.iso';
  const seconds = await timed('unshare', [...onACopy, 'sh', '-c', command, 'sh', release], { package: 'util-linux' });
  return { seconds, bytes: (await fs.stat(join(output, 'tmp/rear.iso'))).size };
}

async function dracut(kernel: KernelTree, work: string, ...more: string[]) {
  const { release, modulesDir, image } = kernel;
  const target = join(work, 'dracut.img');
  // It knows directories for modules only where their path ends as in the system itself.
  const modules = join(modulesDir.slice(0, -'usr/lib/modules/'.length - release.length), 'lib/modules', release);
  const which = ['--kver', release, '--kmoddir', (await fs.pathExists(modules)) ? modules : modulesDir];
  const args = ['--no-hostonly', '--force', '--quiet', '--tmpdir', work, ...more, ...which, '--kernel-image', image];
  const seconds = await timed('dracut', [...args, target], { package: 'dracut-core' });
  return { seconds, bytes: (await fs.stat(target)).size };
}
