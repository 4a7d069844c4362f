import { join } from 'node:path';
import fs from 'fs-extra';
import { type Machine, startMachine } from '../../boot/qemu.ts';
import { run } from '../../builder/run.ts';
import { findReady } from '../../contract/report.ts';
import { VOLUME_FILE, type Volume } from '../../contract/volume.ts';
import { serveNfs } from '../../test/boot/ganesha.ts';
import { freePort } from '../../test/free-port.ts';
import type { Bench } from './build.ts';
import { mindiBuild, progress, type Times, timeRow, watchOthers } from './measure.ts';

const RUNS = 3;
/** Seconds. */
const PATIENCE = 90;
const VOLUME: Volume = { format: 1, set: 'a', number: 1, of: 1, machine: 'bench', created: '2026-01-01T00:00:00Z' };
/** QEMU's host, as its guests see it. */
const HOST = '10.0.2.2';

/** A source beside the medium, which is a CD. */
interface Place {
  name: string;
  /** Seconds. */
  wanted: number;
  /** Makes it, of the folder with the data. */
  make: (data: string, work: string) => Promise<Made>;
}

interface Made {
  address: string;
  /** Lines of the profile. */
  profile?: string;
  devices: string[];
  stop?: () => void;
}

const drive = (file: string, more: string, device: string) => [
  ...['-drive', `if=none,id=data,format=raw,${more}file=${file}`, '-device', `${device},drive=data`],
];

const PLACES: Place[] = [
  {
    name: 'CD',
    wanted: 10,
    make: async (data, work) => {
      const disc = join(work, 'data.iso');
      await run('xorriso', ['-as', 'mkisofs', '-quiet', '-R', '-o', disc, data]);
      return { address: 'cd:', devices: drive(disc, 'readonly=on,media=cdrom,', 'ide-cd,bus=ide.2') };
    },
  },
  {
    name: 'USB',
    wanted: 10,
    make: async (data, work) => {
      const stick = join(work, 'data.img');
      await run('mformat', ['-C', '-F', '-T', '131072', '-i', stick, '::']);
      await run('mcopy', ['-s', '-i', stick, join(data, 'mindi'), '::']);
      return { address: 'usb:', devices: drive(stick, '', 'usb-storage,bus=usb.0') };
    },
  },
  {
    name: 'DHCP and NFS',
    wanted: 15,
    make: async (data, work) => {
      const [port, own] = [await freePort(), join(work, 'nfs')];
      await fs.ensureDir(own);
      const stop = await serveNfs(data, 4, port, own);
      return {
        address: `nfs://${HOST}:${port}/netboot`,
        profile: 'network: { ip: dhcp }\n',
        devices: [],
        stop,
      };
    },
  },
];

/**
 * From the choice in the boot menu to the restore data being mounted, read and told, and from the choice in the menu of
 * the rescue system, where the source is opened once more.
 */
export async function benchSource(bench: Bench): Promise<void> {
  console.log('choice in the boot menu (BIOS) to the mounted restore source, 512 MiB, medium as CD');
  const report = watchOthers();
  for (const { name, wanted, make } of PLACES) {
    const work = join(bench.work, 'source', name.replaceAll(' ', '-'));
    const data = join(work, 'data');
    await fs.outputJson(join(data, VOLUME_FILE), VOLUME);
    const made = await make(data, work);
    try {
      await measure(name, wanted, await image(made, work), made.devices);
    } finally {
      made.stop?.();
    }
  }
  report();
}

async function image({ address, profile = '' }: Made, work: string): Promise<string> {
  const file = join(work, 'medium.yaml');
  await fs.writeFile(file, `name: bench\nextends: standalone\nrestore: { source: "${address}" }\n${profile}`);
  const { media } = await mindiBuild(file, join(work, 'out'), undefined);
  return media[0]?.path ?? '';
}

async function measure(name: string, wanted: number, path: string, more: string[]): Promise<void> {
  const [booted, again]: Times[] = [[], []];
  for (let turn = 0; turn < RUNS; turn += 1) {
    progress(`source: ${name}, ${turn + 1} of ${RUNS}`);
    await using machine = await startMachine({ medium: { path, as: 'cdrom' }, more });
    await machine.waitForText('explain every entry', PATIENCE);
    booted?.push(await timeTo(machine, '\r', 'the restore data are there'));
    await machine.waitFor('the ready line', findReady, PATIENCE);
    await machine.waitForText('Alt-F4 the log', PATIENCE);
    await timeTo(machine, 'o', 'Where are the restore data?');
    again?.push(await timeTo(machine, '1', /read-only in \/run/));
  }
  timeRow(name, booted ?? [], `wanted: at most ${wanted} s`);
  timeRow('  from the menu of the rescue system', again ?? []);
}

/** Seconds from a key to what comes after it. */
async function timeTo(machine: Machine, key: string, words: string | RegExp): Promise<number> {
  const from = machine.text.length;
  const started = performance.now();
  machine.type(key);
  const found = (text: string) => text.slice(from).search(words) >= 0 || undefined;
  await machine.waitFor(String(words), found, PATIENCE);
  return (performance.now() - started) / 1000;
}
