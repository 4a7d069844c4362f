import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Machine, startMachine } from '../../boot/qemu.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { findReady, type ReadyReport } from '../../contract/report.ts';
import { freePort } from '../free-port.ts';
import { plainKernel } from '../plain-kernel.ts';
import { serveNfs } from './ganesha.ts';
import { FEW_DRIVERS, netbootFolder } from './netboot-folder.ts';
import { CONSOLES, PATIENCE, shell } from './shell.ts';
import { waitForScreen } from './terminal.ts';
import { type Witness, witness } from './witness.ts';

/** The second stage of machines that started over the network: where it comes from, and what happens without it. */
const ROOT = join(import.meta.dirname, '../..');
const STAGE = 'mindi/stage2.squashfs';
/** A byte of the kernel that nothing on the way looks at: in the header of DOS programs. */
const UNUSED_IN_KERNEL = 0x10;

let work: Scratch;
let folder: string;

beforeAll(async () => {
  work = await scratch('test');
  await chmod(work.path, 0o755);
  folder = await netbootFolder(work.path, 'plain', null);
});
afterAll(() => work[Symbol.asyncDispose]());

/** The same, signed. */
async function signedFolder(name: string, url: string, more: string): Promise<string> {
  const key = join(work.path, `${name}.key`);
  execFileSync('minisign', ['-G', '-W', '-p', `${key}.pub`, '-s', key], { stdio: 'pipe' });
  return netbootFolder(work.path, name, url, `${more}\ntrust: { publicKey: ${key}.pub }`, key);
}

/** A copy of a netboot folder with one byte flipped in each of these files. */
async function damaged(from: string, name: string, places: Readonly<Record<string, number>>): Promise<string> {
  const copy = join(work.path, name);
  await cp(from, copy, { recursive: true });
  for (const [path, offset] of Object.entries(places)) {
    const file = await open(join(copy, path), 'r+');
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, offset);
    await file.write(Buffer.of(~(byte[0] ?? 0) & 255), 0, 1, offset);
    await file.close();
  }
  return copy;
}

/** Runs `mindi serve --http-only` of that folder meanwhile. Returns what it logged, and how it ended on Ctrl-C. */
async function whileServed(at: string, port: number, work: () => Promise<void>) {
  const options = ['--http-only', '--listen', '127.0.0.1', '--http-port', String(port)];
  const server = spawn(join(ROOT, 'bin/mindi'), ['serve', at, ...options], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exit = once(server, 'exit');
  let log = '';
  server.stderr.on('data', (chunk: Buffer) => {
    log += chunk;
  });
  try {
    await work();
  } finally {
    server.kill('SIGINT');
  }
  return { exit: await exit, log };
}

/** Starts kernel and initrd of the folder with what pxelinux would tell them; the folder is on a TFTP server as well. */
async function start(from: string, parameters: string, drives: readonly string[] = []): Promise<Machine> {
  const append = `${CONSOLES} mindi.server=10.0.2.2 ${parameters}`;
  const kernel = await plainKernel(join(from, 'vmlinuz'));
  const direct = { kernel, initrd: join(from, 'initrd.img'), append };
  return startMachine({ card: { model: 'virtio-net-pci,romfile=', folder: from }, direct, drives });
}

const ready = (machine: Machine) => machine.waitFor('the ready line', findReady, PATIENCE);

async function reportOf(from: string, parameters = ''): Promise<ReadyReport> {
  await using machine = await start(from, parameters);
  return await ready(machine);
}

describe('a signed medium on a web server', () => {
  test('e1000, pxelinux: all of it from the URL of the profile, which `mindi serve --http-only` gives out, and checked', async () => {
    const port = await freePort();
    const url = `http://10.0.2.2:${port}/`;
    const own = await signedFolder('http', url, '');
    const { exit, log } = await whileServed(own, port, async () => {
      await using machine = await startMachine({ card: { model: 'e1000', folder: own, bootFile: 'pxelinux.0' } });
      await machine.waitForText('Starting the marked entry', PATIENCE);
      machine.type('k\r');
      const report = await ready(machine);
      expect(report).toMatchObject({ medium: `${url}${STAGE}`, problems: [], missing: [], trusted: true });
      expect(report.nics).toMatchObject([{ driver: 'e1000' }]);
      expect(report.check).toMatchObject({ whole: true });
      expect(report.check?.files).toBeGreaterThan(20);
    });
    expect(exit).toEqual([0, null]);
    expect(log).toMatch(/GET \/mindi\/stage2.squashfs 200 \d+ bytes/);
    expect(log).toMatch(/mindi: stopped\n$/);
  });

  test('with a flipped byte in kernel and manifest: it boots, is not trusted, and both are found', async () => {
    const port = await freePort();
    const own = await signedFolder('tampered', `http://10.0.2.2:${port}/`, FEW_DRIVERS);
    const bad = await damaged(own, 'tampered-copy', { vmlinuz: UNUSED_IN_KERNEL, 'mindi/manifest.json': 100 });
    await whileServed(bad, port, async () => {
      const report = await reportOf(bad, 'mindi.check');
      expect(report).toMatchObject({ trusted: false, check: { whole: false } });
      expect(report.check?.sentences).toEqual([
        expect.stringMatching(/^mindi\/manifest\.json is damaged/),
        'vmlinuz is damaged between 0 and 1 MiB.',
      ]);
      expect(report.problems.join('\n')).toMatch(/^The medium's manifest is not trusted: its checksum is/);
    });
  });
});

describe('the second stage in place on an NFS server', () => {
  test('version 4', async () => {
    const port = await freePort();
    const url = `nfs://10.0.2.2:${port}/netboot`;
    const own = await netbootFolder(work.path, 'nfs', url);
    await using server = await scratch('nfs');
    const stop = await serveNfs(own, 4, port, server.path);
    try {
      expect(await reportOf(own)).toMatchObject({ problems: [], medium: `${url}/${STAGE}` });
    } finally {
      stop();
    }
  });

  test('version 3, with a portmapper', async () => {
    const own = await netbootFolder(work.path, 'nfs3', 'nfs://10.0.2.2/netboot');
    const node = [process.execPath, '--conditions=source', join(import.meta.dirname, 'nfs3-lab.ts')];
    const { stdout } = await promisify(execFile)('unshare', ['--net', '--mount', ...node, own], { maxBuffer: 1 << 24 });
    expect(JSON.parse(stdout)).toMatchObject({ problems: [], medium: `nfs://10.0.2.2/netboot/${STAGE}` });
  });
});

/** In every mode: a sentence, a way to a shell, and not a byte written to the machine's disk. */
describe('without it', () => {
  const DAMAGED =
    /^The second stage on tftp:\S+ is not used: its checksum is \w{64} instead of \w{64}\. The file on the server is damaged/;
  const ABSENT = /^The second stage could not be fetched\. http:\S+: .*; tftp:\S+: /;
  let disk: Witness;
  const bad = { damaged: '', absent: '' };

  beforeAll(async () => {
    bad.damaged = await damaged(folder, 'damaged', { [STAGE]: 1 << 20 });
    bad.absent = join(work.path, 'absent');
    await cp(folder, bad.absent, { recursive: true });
    await rm(join(bad.absent, STAGE));
    disk = await witness(work.path);
  });

  test.each([
    ['damaged', 'interactive', DAMAGED],
    ['absent', 'compare', ABSENT],
    ['absent', 'expert', ABSENT],
  ] as const)('%s, in %s mode', async (how, mode, sentence) => {
    await using machine = await start(bad[how], `${mode} usb=/dev/sdz udevtimeout=1`, [disk.drive]);
    const report = await ready(machine);
    const source = { address: 'usb:/dev/sdz', path: null, failure: expect.stringContaining('sdz') };
    expect(report).toMatchObject({ mode, medium: null, trusted: false, source });
    expect(report.problems[0]).toMatch(sentence);
    if (mode !== 'expert') {
      const screen = await waitForScreen(machine, /Switch it off[\s\S]*Arrow keys/, PATIENCE);
      expect(screen).toMatch(/^Medium +NOT FOUND, only the first stage is here$/m);
      expect(screen).toMatch(new RegExp(`^Problems +${report.problems[0]?.slice(0, 40)}`, 'm'));
      machine.type('s');
    }
    await machine.waitForText(/mindi:~# $/m, PATIENCE);
    expect(await shell(machine, 'cat /sys/block/vda/ro')).toBe('1');
    expect(await disk.untouched()).toBe(true);
  });

  test('damaged, in nuke mode: the machine restarts, as the parameter says', async () => {
    await using machine = await start(bad.damaged, 'nuke mindi.onfail=reboot udevtimeout=1', [disk.drive]);
    const { problems } = await ready(machine);
    expect(problems[0]).toMatch(DAMAGED);
    await machine.waitForText('PROBLEM: Nothing can be restored: the second stage', PATIENCE);
    await machine.waitForEnd(PATIENCE);
    expect(machine.text).toContain('The machine restarts in');
    expect(machine.endedBy).toBe('guest-reset');
    expect(await disk.untouched()).toBe(true);
  });
});
