import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Machine, startMachine } from '../../boot/qemu.ts';
import { tryBoot } from '../../boot/trial.ts';
import { build } from '../../builder/build.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { findReady, type ReadyReport } from '../../contract/report.ts';
import { startFiles } from '../plain-kernel.ts';

/** Longer than any boot takes under software emulation on a busy machine. */
const PATIENCE = 150;

let work: Scratch;
const images = { usb: '', gpt: '', iso: '' };

beforeAll(async () => {
  work = await scratch('test');
  const profile = join(work.path, 'gpt.yaml');
  await writeFile(profile, 'name: gpt\nextends: usb\nmedia: [usb, iso]\nusb: { table: gpt, size: 4096 }\n');
  [images.usb = ''] = await buildImages('usb');
  [images.gpt = '', images.iso = ''] = await buildImages(profile);
});
afterAll(() => work[Symbol.asyncDispose]());

async function buildImages(profile: string): Promise<string[]> {
  const { media } = await build(await loadProfile(profile), work.path);
  return media.map(({ path }) => path);
}

const ready = (machine: Machine): Promise<ReadyReport> => machine.waitFor('the ready line', findReady, PATIENCE);

describe('the USB image', () => {
  const stick = { as: 'usb', memory: 512, drives: [], devices: [], timeout: PATIENCE } as const;

  test.each([
    ['usb', 'bios'],
    ['usb', 'uefi'],
    ['gpt', 'uefi'],
  ] as const)('%s boots by %s on xHCI, finds itself and reports', async (name, firmware) => {
    const { report } = await tryBoot({ image: images[name], firmware, ...stick });
    expect(report).toMatchObject({ name, mode: 'interactive', medium: '/dev/sda1', problems: [], missing: [] });
    expect(report.trusted).toBeNull();
    expect(report.disks.map(({ driver }) => driver)).toEqual(['usb-storage']);
  });

  test('gpt boots by BIOS on EHCI', async () => {
    await using machine = await startMachine({
      devices: ['usb-ehci,id=ehci', 'usb-storage,bus=ehci.0,drive=stick,bootindex=1'],
      more: ['-drive', `if=none,id=stick,format=raw,readonly=on,file=${images.gpt}`],
    });
    await machine.waitForText('[Tab] add parameters', PATIENCE);
    machine.type('\r');
    expect(await ready(machine)).toMatchObject({ name: 'gpt', medium: '/dev/sda1', problems: [], missing: [] });
  });

  test('on UHCI (USB 1.1) finds itself, a medium of 1 MB/s: no loader on the way, which takes minutes there', async () => {
    const profile = join(work.path, 'few.yaml');
    await writeFile(profile, 'name: few\nextends: usb\nmountlist: none\ntools: { sets: [base] }\n');
    const [image = ''] = await buildImages(profile);
    const direct = { ...(await startFiles(image, work.path)), append: 'console=tty0 console=ttyS0,115200 expert' };
    await using machine = await startMachine({ machine: 'pc', direct, drives: [`${image}:usb-uhci`] });
    const report = await ready(machine);
    expect(report).toMatchObject({ name: 'few', medium: '/dev/sda1', problems: [], missing: [] });
    expect(machine.text).toContain('uhci_hcd');
  });
});

/** Starts kernel and initrd of the image directly, with toram. */
async function toRam(image: string, as: 'cdrom' | 'usb', memory: number): Promise<Machine> {
  const append = 'console=tty0 console=ttyS0,115200 expert toram';
  const direct = { ...(await startFiles(image, work.path)), append };
  return startMachine({ memory, medium: { path: image, as }, direct });
}

describe('toram', () => {
  test('the disc can be taken out, and the tools of the second stage still run', async () => {
    await using machine = await toRam(images.iso, 'cdrom', 512);
    expect(await ready(machine)).toMatchObject({ medium: 'ram', problems: [], missing: [] });
    expect(machine.text).toContain('the medium in /dev/sr0 can be taken out now');
    await machine.waitForText('This is a shell', PATIENCE);
    // QEMU refuses while anything holds the drive's door.
    await machine.qmp('eject', { device: 'medium' });
    machine.type('\recho 3 >/proc/sys/vm/drop_caches; lvm version && rsync --version && echo both-$((1 + 1))-work\r');
    await machine.waitForText('both-2-work', PATIENCE);
  });

  test('with too little memory: says so, and goes on from the medium', async () => {
    await using machine = await toRam(images.usb, 'usb', 224);
    const { medium, problems } = await ready(machine);
    expect(medium).toBe('/dev/sda1');
    expect(problems.join()).toMatch(/^The second stage is not copied to RAM: it needs \d+ MiB of free memory/);
  });
});
