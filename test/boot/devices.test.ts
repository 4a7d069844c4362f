import { execFileSync } from 'node:child_process';
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Machine, type MachineOptions, startMachine } from '../../boot/qemu.ts';
import { build } from '../../builder/build.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { findReady } from '../../contract/report.ts';
import { startFiles } from '../plain-kernel.ts';
import { CONSOLES, PATIENCE, shell } from './shell.ts';
import { witness } from './witness.ts';

/** What a disk is behind, and the driver that must find it there. */
const DISKS = {
  q35: {
    virtio: 'virtio_blk',
    'virtio-scsi': 'virtio_scsi',
    nvme: 'nvme',
    ahci: 'ahci',
    lsi53c895a: 'sym53c8xx',
    am53c974: 'am53c974',
    mptsas: 'mptsas',
    megasas: 'megaraid_sas',
    pvscsi: 'vmw_pvscsi',
  },
  pc: {
    ide: 'ata_piix',
    usb: 'usb-storage',
    'usb-ehci': 'usb-storage',
    'usb-uhci': 'usb-storage',
    uas: 'uas',
    sd: 'sdhci-pci',
  },
} as const;

/** Models of network cards, and their drivers. */
const NICS: Record<string, string> = {
  virtio: 'virtio_net',
  e1000: 'e1000',
  e1000e: 'e1000e',
  rtl8139: '8139cp',
  vmxnet3: 'vmxnet3',
  pcnet: 'pcnet32',
  ne2k_pci: 'ne2k-pci',
  'usb-net': 'cdc_ether',
  // QEMU has it from 8.0 on.
  ...(qemuHas('igb') ? { igb: 'igb' } : {}),
};

function qemuHas(device: string): boolean {
  const known = execFileSync('qemu-system-x86_64', ['-device', 'help'], { encoding: 'utf8' });
  return known.includes(`"${device}"`);
}

let work: Scratch;
beforeAll(async () => {
  work = await scratch('test');
});
afterAll(() => work[Symbol.asyncDispose]());

async function iso(name: string, profile: string): Promise<string> {
  const file = join(work.path, `${name}.yaml`);
  await writeFile(file, `name: ${name}\n${profile}`);
  const { media } = await build(await loadProfile(file), join(work.path, name));
  return media[0]?.path ?? '';
}

/** Its kernel and initrd, the image in the CD drive; up, with a prompt on the serial console. */
async function booted(image: string, options: MachineOptions): Promise<Machine> {
  const direct = { ...(await startFiles(image, work.path)), append: `${CONSOLES} expert` };
  const machine = await startMachine({ ...options, direct, medium: { path: image, as: 'cdrom' } });
  await machine.waitFor('the ready line', findReady, PATIENCE);
  await machine.waitForText(/mindi:~# $/m, PATIENCE);
  return machine;
}

/** An empty disk for each controller, no two of one size. A card must be a power of two. */
async function disks(controllers: readonly string[]): Promise<{ drive: string; bytes: number }[]> {
  const made = controllers.map(async (controller, i) => {
    const path = join(work.path, `${controller}.img`);
    const bytes = (controller === 'sd' ? 64 : 16 + i) << 20;
    await writeFile(path, '');
    await truncate(path, bytes);
    return { drive: `${path}:${controller}`, bytes };
  });
  return Promise.all(made);
}

/** Types with the keys of an American keyboard. */
async function typeKeys(machine: Machine, text: string): Promise<void> {
  const names: Record<string, string> = { ' ': 'spc', '/': 'slash', '>': 'shift-dot', '\n': 'ret' };
  const key = (letter: string) => names[letter] ?? (/[A-Z]/.test(letter) ? `shift-${letter.toLowerCase()}` : letter);
  await machine.key(...[...text].map(key));
}

describe('standalone finds every device QEMU has', () => {
  let image: string;
  beforeAll(async () => {
    image = await iso('all', 'extends: standalone\n');
  });

  test.each(['q35', 'pc'] as const)('on %s: each disk behind its controller', async (type) => {
    const expected = Object.entries(DISKS[type]);
    const made = await disks(expected.map(([controller]) => controller));
    const drives = made.map(({ drive }) => drive);
    const nics = type === 'q35' ? Object.keys(NICS) : [];
    // Without the PS/2 keyboard, so that keys reach the machine by USB alone.
    const keyboard = type === 'q35' ? { devices: ['usb-kbd,bus=usb.0'], more: ['-machine', 'i8042=off'] } : {};
    await using machine = await booted(image, { machine: type, drives, nics, ...keyboard });
    const report = findReady(machine.text);
    expect(report).toMatchObject({ medium: '/dev/sr0', missing: [], requested: [], problems: [] });
    const found = report?.disks.map(({ bytes, driver }) => [bytes, driver]);
    expect(new Map(found as [number, string][])).toEqual(
      new Map(expected.map(([, driver], i) => [made[i]?.bytes ?? 0, driver])),
    );
    if (type === 'pc') return;

    expect(report?.nics.map(({ driver }) => driver).sort()).toEqual(Object.values(NICS).sort());

    await typeKeys(machine, 'echo typed by usb >/dev/ttyS0\n');
    await machine.waitForText('typed by usb', PATIENCE);
    expect(report?.modules).not.toContain('atkbd');

    // What the kernel asks for is served from the second stage.
    const mount = 'mount -t xfs /dev/zero /mnt 2>/dev/null; grep -c ^xfs /proc/modules; mindi-missing';
    expect(await shell(machine, mount)).toMatch(/^1\nNothing is missing/);
  });
});

test('a profile without the drivers of the controller, of a card and of a filesystem: up, and each is named', async () => {
  const image = await iso('blind', 'extends: standalone\ndrivers: { exclude: [ahci, e1000, xfs] }\n');
  const disk = await witness(work.path);
  await using machine = await booted(image, { nics: ['e1000', 'virtio'], drives: [disk.drive] });
  const report = findReady(machine.text);
  expect(report?.medium).toBeNull();
  expect(report?.problems.join()).toMatch(/^The medium this boot image belongs to was not found/);
  const why = { excluded: 'left out by drivers.exclude', later: 'it is in the second stage, which was not found' };
  expect(report?.missing).toMatchObject([
    { name: 'network card 8086:100e', modules: [{ module: 'e1000', why: why.excluded }] },
    { device: '0000:00:1f.2', name: 'SATA controller 8086:2922', modules: [{ module: 'ahci', why: why.excluded }] },
    { device: 'virtio0', modules: [{ module: 'virtio_net', why: why.later }] },
  ]);
  const line = 'SATA controller 8086:2922 at 0000:00:1f.2: ahci is not here (left out by drivers.exclude)';
  expect(machine.text).toContain(`            ${line}\n`);

  // Served from the first stage, with the soft dependencies busybox does not know.
  await shell(machine, 'mknod /dev/tape c 9 0; cat /dev/tape 2>/dev/null; /usr/lib/mindi/modprobe -q -- uhci_hcd');
  const loaded = await shell(machine, 'cut -d " " -f 1 /proc/modules | sort | grep -xE "st|uhci_hcd|ehci_pci" | xargs');
  expect(loaded).toBe('ehci_pci st uhci_hcd');

  await shell(machine, 'mount -t xfs /dev/zero /mnt; mount -t nosuchfs /dev/zero /mnt');
  await machine.waitForText('MISSING: fs-xfs for the kernel: xfs is not here (left out by drivers.exclude)', PATIENCE);
  const missing = await shell(machine, 'mindi-missing');
  expect(missing.split('\n')).toHaveLength(4);
  expect(missing).toContain('fs-xfs for the kernel: xfs is not here (left out by drivers.exclude)');
  expect(missing).toContain(line);
  expect(missing).not.toContain('nosuchfs');
  expect(await disk.untouched()).toBe(true);
});
