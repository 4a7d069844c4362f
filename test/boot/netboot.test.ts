import { execFile } from 'node:child_process';
import { chmod, copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NetworkCard } from '../../boot/controllers.ts';
import { type Machine, startMachine } from '../../boot/qemu.ts';
import { tryBoot } from '../../boot/trial.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { findReady } from '../../contract/report.ts';
import type { Lab } from './lab.ts';
import { FEW_DRIVERS, netbootFolder } from './netboot-folder.ts';
import { biosDisk, STARTED, uefiDisk } from './speaking-disks.ts';

/** Longer than any boot takes under software emulation on a busy machine. */
const PATIENCE = 200;

let work: Scratch;
let folder: string;

beforeAll(async () => {
  work = await scratch('test');
  await chmod(work.path, 0o755);
  folder = await netbootFolder(work.path, 'plain', null);
});
afterAll(() => work[Symbol.asyncDispose]());

test('pxelinux: with no HTTP server the second stage comes by TFTP, too', async () => {
  const card: NetworkCard = { model: 'virtio-net-pci', folder, bootFile: 'pxelinux.0' };
  await using machine = await startMachine({ card });
  await machine.waitForText('Starting the marked entry', PATIENCE);
  machine.type('\r');
  const report = await machine.waitFor('the ready line', findReady, PATIENCE);
  expect(report).toMatchObject({ name: 'lab', mode: 'interactive', problems: [], missing: [] });
  expect(report.medium).toBe('tftp://10.0.2.2/mindi/stage2.squashfs');
  expect(report.nics).toMatchObject([{ driver: 'virtio_net', link: true }]);
});

describe('the entry for the local disk, of a machine that started over the network', () => {
  test.each([
    ['pxelinux', 'bios', 'pxelinux.0'],
    ['GRUB', 'uefi', 'bootx64.efi'],
  ] as const)('by %s', async (_, firmware, bootFile) => {
    await using machine = await start(firmware, bootFile);
    await machine.waitForText(/Help +explain every entry/, PATIENCE);
    await machine.key('end', 'up', 'up', 'ret');
    await machine.waitForText(STARTED, PATIENCE);
  });

  test('by iPXE', async () => {
    await using machine = await start('bios', 'boot.ipxe');
    // Its menu is on the screen only, where nobody sees when it listens; its keys start an entry at once.
    const keys = setInterval(() => void machine.key('l').catch(() => {}), 1000);
    await machine.waitForText(STARTED, PATIENCE).finally(() => clearInterval(keys));
  });

  async function start(firmware: 'bios' | 'uefi', bootFile: string): Promise<Machine> {
    const drives = [await (firmware === 'bios' ? biosDisk : uefiDisk)(work.path)];
    return startMachine({ firmware, memory: 256, card: { model: 'virtio-net-pci', folder, bootFile }, drives });
  }
});

test('UEFI by PXE with mindi’s own GRUB, where no signed one is wanted', async () => {
  const own = await netbootFolder(work.path, 'unsigned', null, `${FEW_DRIVERS}\nboot: { secureBoot: off, timeout: 1 }`);
  const trial = { firmware: 'uefi', memory: 512, drives: [], devices: [], timeout: PATIENCE } as const;
  const { as, report } = await tryBoot({ image: own, ...trial });
  expect(as).toBe('network');
  expect(report).toMatchObject({ problems: [], medium: 'tftp://10.0.2.2/mindi/stage2.squashfs', secureBoot: false });
});

describe('`mindi serve` in a network of its own', () => {
  /** In a network namespace, so that its DHCP server reaches nobody else. */
  async function lab(firmware: string, dhcp: string, by = 'pxe'): Promise<Lab> {
    const node = [process.execPath, '--conditions=source', join(import.meta.dirname, 'lab.ts')];
    const argv = ['--net', ...node, folder, firmware, dhcp, by];
    const { stdout } = await promisify(execFile)('unshare', argv, { maxBuffer: 1 << 24 });
    return JSON.parse(stdout) as Lab;
  }

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
  await netbootFolder(work.path, 'plain', null);
  expect(await readFile(join(folder, 'mindi/sha256sums'), 'utf8')).toBe(before);
  await copyFile(join(folder, 'README.txt'), join(folder, 'pxelinux.cfg/01-52-54-00-12-34-56'));
  await expect(netbootFolder(work.path, 'plain', null)).rejects.toMatchObject({ code: 'netboot.not-ours' });
  expect(await readFile(join(folder, 'mindi/sha256sums'), 'utf8')).toBe(before);
});
