import { Command } from 'commander';
import { answer, talk } from './output.ts';

interface Options {
  out?: string;
  json?: boolean;
}

/** `mindi probe`. */
export function probeCommand(): Command {
  return new Command('probe')
    .description('tell what hardware this machine has, as a file that media can be made for')
    .option('--out <file>', 'write it there instead of printing it')
    .option('--json', 'print it though --out is given; it is JSON in any case')
    .addHelpText(
      'after',
      `
It holds the machine's make and model, its kernel, the modaliases its devices ask for drivers with, every PCI, USB and
other device with its driver, the disks and the network cards. No serial numbers, no network addresses, no times.

scripts/probe does the same without mindi: copy that one file to any Linux machine and run it there. On rescue media it
is the command mindi-probe.

Media for these machines:      drivers: { scope: hardware-files, hardware: [web1.json, web2.json] }
Do media have their drivers?   mindi coverage rescue.yaml --hardware web1.json

Examples:
  mindi probe --out web1.json
  mindi probe | jq .disks
  ssh web2 sh -s <scripts/probe >web2.json`,
    )
    .action(probe);
}

async function probe({ out, json }: Options): Promise<void> {
  const [{ probeMachine }, { parseHardware }] = await Promise.all([
    import('../builder/drivers/probe.ts'),
    import('../builder/drivers/hardware-file.ts'),
  ]);
  const text = await probeMachine(out);
  const { modaliases, devices = [], disks = [], nics = [] } = parseHardware(text, out ?? 'scripts/probe');
  if (out === undefined || json) answer(text);
  if (out === undefined) return;
  const counts = [
    [devices.length, 'device'],
    [modaliases.length, 'modalias'],
    [disks.length, 'disk'],
    [nics.length, 'network card'],
  ] as const;
  talk(`mindi: ${counts.map(([count, what]) => counted(count, what)).join(', ')} in ${out}`);
}

const counted = (count: number, what: string) =>
  `${count} ${what}${count === 1 ? '' : what.endsWith('s') ? 'es' : 's'}`;
