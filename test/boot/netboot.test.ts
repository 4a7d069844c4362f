import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, cp, open, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NetworkCard } from '../../boot/controllers.ts';
import { startMachine } from '../../boot/qemu.ts';
import { tryBoot } from '../../boot/trial.ts';
import { build } from '../../builder/build.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { signingKey } from '../../builder/trust/sign.ts';
import { findReady, type ReadyReport } from '../../contract/report.ts';
import { serveNfs } from './ganesha.ts';
import type { Lab } from './lab.ts';
import { biosDisk, STARTED, uefiDisk } from './speaking-disks.ts';

/** Longer than any boot takes under software emulation on a busy machine. */
const PATIENCE = 200;
const ROOT = join(import.meta.dirname, '../..');
/** A byte of the kernel that nothing on the way looks at: in the header of DOS programs. */
const UNUSED_IN_KERNEL = 0x10;

let work: Scratch;
let folder: string;

beforeAll(async () => {
  work = await scratch('test');
  await chmod(work.path, 0o755);
  folder = await netboot('plain', null);
});
afterAll(() => work[Symbol.asyncDispose]());

/** A netboot folder with few tools, whose second stage is at `url`. */
async function netboot(name: string, url: string | null, more = '', key?: string): Promise<string> {
  const file = join(work.path, `${name}.yaml`);
  const lines = ['name: lab', 'extends: netboot', 'mountlist: none', 'tools: { sets: [base] }'];
  await writeFile(file, [...lines, `netboot: { url: ${JSON.stringify(url)} }`, more].join('\n'));
  const options = key ? { sign: await signingKey(key) } : {};
  const { media } = await build(await loadProfile(file), join(work.path, name), {}, options);
  return media[0]?.path ?? '';
}

/** The same, signed. */
async function signedNetboot(name: string, url: string): Promise<string> {
  const key = join(work.path, `${name}.key`);
  execFileSync('minisign', ['-G', '-W', '-p', `${key}.pub`, '-s', key], { stdio: 'pipe' });
  return netboot(name, url, `trust: { publicKey: ${key}.pub }`, key);
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

/** Starts a machine from the folder by pxelinux over TFTP, with the default entry or that of the key, to its ready line. */
async function pxe(model: string, from: string, key = ''): Promise<{ report: ReadyReport; text: string }> {
  const card: NetworkCard = { model, folder: from, bootFile: 'pxelinux.0' };
  await using machine = await startMachine({ card });
  await machine.waitForText('Starting the marked entry', PATIENCE);
  machine.type(`${key}\r`);
  const report = await machine.waitFor('the ready line', findReady, PATIENCE);
  return { report, text: machine.text };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address ? address.port : 0;
}

describe('pxelinux over TFTP', () => {
  test('virtio: with no HTTP server the second stage comes by TFTP, too', async () => {
    const { report } = await pxe('virtio-net-pci', folder);
    expect(report).toMatchObject({ name: 'lab', mode: 'interactive', problems: [], missing: [] });
    expect(report.medium).toBe('tftp://10.0.2.2/mindi/stage2.squashfs');
    expect(report.nics).toMatchObject([{ driver: 'virtio_net', link: true }]);
  });

  test('e1000: all of a signed medium from the URL of the profile, which `mindi serve --http-only` gives out, and checked', async () => {
    const port = await freePort();
    const url = `http://10.0.2.2:${port}/`;
    const own = await signedNetboot('http', url);
    const { exit, log } = await whileServed(own, port, async () => {
      const { report } = await pxe('e1000', own, 'k');
      expect(report).toMatchObject({ medium: `${url}mindi/stage2.squashfs`, problems: [], missing: [], trusted: true });
      expect(report.nics).toMatchObject([{ driver: 'e1000' }]);
      expect(report.check).toMatchObject({ whole: true });
      expect(report.check?.files).toBeGreaterThan(20);
    });
    expect(exit).toEqual([0, null]);
    expect(log).toMatch(/GET \/mindi\/stage2.squashfs 200 \d+ bytes/);
    expect(log).toMatch(/mindi: stopped\n$/);
  });

  test('a signed medium with a flipped byte in kernel and manifest: it boots, is not trusted, and both are found', async () => {
    const port = await freePort();
    const own = await signedNetboot('tampered', `http://10.0.2.2:${port}/`);
    const bad = await damaged(own, 'tampered-copy', { vmlinuz: UNUSED_IN_KERNEL, 'mindi/manifest.json': 100 });
    await whileServed(bad, port, async () => {
      const { report } = await pxe('virtio-net-pci', bad, 'k');
      expect(report).toMatchObject({ trusted: false, check: { whole: false } });
      expect(report.check?.sentences).toEqual([
        expect.stringMatching(/^mindi\/manifest\.json is damaged/),
        'vmlinuz is damaged between 0 and 1 MiB.',
      ]);
      expect(report.problems.join('\n')).toMatch(/^The medium's manifest is not trusted: its checksum is/);
    });
  });

  test('a flipped byte in the second stage: it is refused, and the system is up without it', async () => {
    const bad = await damaged(folder, 'bad', { 'mindi/stage2.squashfs': 1 << 20 });
    const { report } = await pxe('virtio-net-pci', bad);
    expect(report).toMatchObject({ medium: null, trusted: false });
    expect(report.problems[0]).toMatch(
      /^The second stage on tftp:\S+ is not used: its checksum is \w{64} instead of \w{64}\. The file on the server is damaged/,
    );
  });

  test('the second stage in place on an NFS server, version 4', async () => {
    const port = await freePort();
    const url = `nfs://10.0.2.2:${port}/netboot`;
    const own = await netboot('nfs', url);
    await using server = await scratch('nfs');
    const stop = await serveNfs(own, 4, port, server.path);
    try {
      const { report } = await pxe('virtio-net-pci', own);
      expect(report).toMatchObject({ problems: [], medium: `${url}/mindi/stage2.squashfs` });
    } finally {
      stop();
    }
  });

  test('the same by version 3, with a portmapper', async () => {
    const own = await netboot('nfs3', 'nfs://10.0.2.2/netboot');
    const report: ReadyReport = await labOf('nfs3-lab.ts', ['--net', '--mount'], [own]);
    expect(report).toMatchObject({ problems: [], medium: 'nfs://10.0.2.2/netboot/mindi/stage2.squashfs' });
  });
});

/** Runs a script of this folder in namespaces of its own. Returns what it printed. */
async function labOf<T>(script: string, namespaces: readonly string[], args: readonly string[]): Promise<T> {
  const node = [process.execPath, '--conditions=source', join(import.meta.dirname, script)];
  const { stdout } = await promisify(execFile)('unshare', [...namespaces, ...node, ...args], { maxBuffer: 1 << 24 });
  return JSON.parse(stdout) as T;
}

describe('the entry for the local disk, of a machine that started over the network', () => {
  test.each([
    ['pxelinux', 'bios', 'pxelinux.0'],
    ['iPXE', 'bios', 'boot.ipxe'],
    ['GRUB', 'uefi', 'bootx64.efi'],
  ] as const)('by %s', async (_, firmware, bootFile) => {
    const drives = [await (firmware === 'bios' ? biosDisk : uefiDisk)(work.path)];
    const card: NetworkCard = { model: 'virtio-net-pci', folder, bootFile };
    await using machine = await startMachine({ firmware, memory: 256, card, drives });
    // iPXE's menu is on the screen only. Keys are lost before a menu listens.
    const keys = setInterval(() => void machine.key(...KEYS_TO_LOCAL[bootFile]).catch(() => {}), 3000);
    await machine.waitForText(STARTED, PATIENCE).finally(() => clearInterval(keys));
  });
});

/** iPXE starts an entry by its key alone. */
const KEYS_TO_LOCAL = {
  'pxelinux.0': ['l', 'ret'],
  'boot.ipxe': ['l'],
  'bootx64.efi': ['end', 'up', 'up', 'ret'],
} as const;

test('UEFI by PXE with mindi’s own GRUB, where no signed one is wanted', async () => {
  const own = await netboot('unsigned', null, 'boot: { secureBoot: off, timeout: 1 }');
  const trial = { firmware: 'uefi', memory: 512, drives: [], devices: [], timeout: PATIENCE } as const;
  const { as, report } = await tryBoot({ image: own, ...trial });
  expect(as).toBe('network');
  expect(report).toMatchObject({ problems: [], medium: 'tftp://10.0.2.2/mindi/stage2.squashfs', secureBoot: false });
});

describe('`mindi serve` in a network of its own', () => {
  /** In a network namespace, so that its DHCP server reaches nobody else. */
  const lab = (firmware: string, dhcp: string, by = 'pxe') =>
    labOf<Lab>('lab.ts', ['--net'], [folder, firmware, dhcp, by]);

  test('UEFI by PXE with Secure Boot on: shim, GRUB, kernel and initrd from dnsmasq, the second stage by HTTP', async () => {
    const { report, log } = await lab('secureboot', 'alone');
    expect(report).toMatchObject({ problems: [], medium: 'http://10.9.0.1/mindi/stage2.squashfs', secureBoot: true });
    for (const file of ['bootx64.efi', 'grubx64.efi', 'grub/grub.cfg', 'vmlinuz', 'initrd.img'])
      expect(log).toContain(`sent ${folder}/${file} to 10.9.0.111`);
  });

  test('BIOS by iPXE and HTTP, beside a DHCP server that knows nothing of it', async () => {
    const { report, log } = await lab('bios', 'beside');
    expect(report).toMatchObject({ problems: [], medium: 'http://10.9.0.1/mindi/stage2.squashfs' });
    expect(log).toContain('PXE(switch) 52:54:00:12:34:56 proxy');
    for (const file of ['boot.ipxe', 'vmlinuz', 'initrd.img', 'mindi/stage2.squashfs'])
      expect(log.join('\n')).toMatch(new RegExp(`GET /${file} 200 \\d+ bytes`));
  });

  test.each([
    ['PXE, beside a DHCP server that knows nothing of it', 'beside', 'pxe', 'sent \\S+/ipxe.efi to'],
    ['HTTP', 'alone', 'http', 'GET /ipxe.efi 200'],
  ])('UEFI by %s: iPXE is handed out', async (_, dhcp, by, sent) => {
    const { report, log } = await lab('uefi', dhcp, by);
    expect(report).toMatchObject({ problems: [], medium: 'http://10.9.0.1/mindi/stage2.squashfs' });
    expect(log.join('\n')).toMatch(new RegExp(`${sent}[^]*GET /boot.ipxe 200[^]*GET /initrd.img 200`));
  });
});

test('the folder is byte for byte the same when it is built again, and replaces only what is ours', async () => {
  const before = await readFile(join(folder, 'mindi/sha256sums'), 'utf8');
  await netboot('plain', null);
  expect(await readFile(join(folder, 'mindi/sha256sums'), 'utf8')).toBe(before);
  await copyFile(join(folder, 'README.txt'), join(folder, 'pxelinux.cfg/01-52-54-00-12-34-56'));
  await expect(netboot('plain', null)).rejects.toMatchObject({ code: 'netboot.not-ours' });
  expect(await readFile(join(folder, 'mindi/sha256sums'), 'utf8')).toBe(before);
});
