import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeIso } from '../../boot/iso.ts';
import { type MediumParts, volumeId } from '../../boot/medium.ts';
import { findMemtest } from '../../boot/memtest.ts';
import { type MenuFacts, menuModel } from '../../boot/menu.ts';
import { type Attachment, type Machine, type MachineOptions, startMachine } from '../../boot/qemu.ts';
import { makeUsb } from '../../boot/usb.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { MENU_DEFAULTS } from '../medium-parts.ts';
import { comes } from './shell.ts';
import { biosDisk, STARTED, uefiDisk } from './speaking-disks.ts';

/** Longer than any menu takes under software emulation on a busy machine. */
const PATIENCE = 60;
/** What a terminal sends for that key. */
const F1 = '\x1bOP';

let work: Scratch;
const disks = { bios: '', uefi: '' };
const isos = { waiting: '', hasty: '', silent: '' };
let stick: string;

beforeAll(async () => {
  work = await scratch('test');
  disks.bios = await biosDisk(work.path);
  disks.uefi = await uefiDisk(work.path);
  stick = await menuOnly('stick', { timeout: 0 }, 'img');
  isos.waiting = await menuOnly('waiting', { timeout: 0 });
  isos.hasty = await menuOnly('hasty', { timeout: 2, default: 'local' });
  isos.silent = await menuOnly('silent', { timeout: 0, serial: false });
});
afterAll(() => work[Symbol.asyncDispose]());

const at = (name: string) => join(work.path, name);

/** A medium that is all menu: nothing here gets as far as its kernel. */
async function menuOnly(name: string, boot: Partial<MenuFacts['boot']>, kind: 'iso' | 'img' = 'iso'): Promise<string> {
  await writeFile(at('nothing'), Buffer.alloc(300_000, 'x'));
  const out = at(`${name}.${kind}`);
  const parts: MediumParts = {
    out,
    volumeId: volumeId(name),
    epoch: 1700000000,
    id: '01'.repeat(32),
    kernel: at('nothing'),
    initrd: at('nothing'),
    stage2: null,
    extraFiles: {},
    menu: menuModel({
      name,
      generator: 'mindi',
      machine: null,
      epoch: 1700000000,
      source: 'nfs://backup.example.org/web01',
      memtest: findMemtest(),
      boot: { ...MENU_DEFAULTS, ...boot },
    }),
  };
  if (kind === 'iso') await makeIso(parts);
  else await makeUsb(parts, { size: null, table: 'mbr' });
  return out;
}

const start = (firmware: 'bios' | 'uefi', iso: string, as: Attachment, more: Partial<MachineOptions> = {}) =>
  startMachine({ firmware, memory: 256, medium: { path: iso, as }, drives: [disks[firmware]], ...more });

/** What a menu shows when it is up. */
const SHOWN = { bios: '[Tab] add parameters', uefi: 'boot the selected OS' };

/** Does something again and again until `done`, because keys are lost before a menu listens. */
async function persist<T>(act: () => unknown, done: Promise<T>): Promise<T> {
  const again = setInterval(act, 3000);
  try {
    return await done;
  } finally {
    clearInterval(again);
  }
}

/** Takes the last entry but one. QEMU ends where the machine would restart. */
async function reboot(machine: Machine): Promise<void> {
  await persist(() => machine.key('end', 'up', 'ret').catch(() => {}), machine.waitForEnd(PATIENCE));
}

describe.each(['bios', 'uefi'] as const)('boot menu on %s', (firmware) => {
  it('shows every entry on the serial console, and help, and starts the local disk', async () => {
    await using machine = await start(firmware, isos.waiting, 'cdrom');
    await machine.waitForText(SHOWN[firmware], PATIENCE);
    await machine.waitForText(/Help +explain every entry/, PATIENCE);
    const rescue = ['Network', 'Interactive', 'Expert', 'Compare', 'Nuke', 'Check'];
    for (const label of [...rescue, 'Memory test', 'Local disk', 'Reboot'])
      expect(machine.text).toMatch(new RegExp(`^.?.?.?${label} {2,}\\S`, 'm'));
    await persist(() => machine.type(F1), machine.waitForText('Press Esc to go back to the menu', PATIENCE));
    const again = comes(machine, SHOWN[firmware]);
    machine.type('\x1b');
    await again;
    await machine.key('end', 'up', 'up', 'ret');
    await machine.waitForText(STARTED, PATIENCE);
  });

  it('is the same on a USB image', async () => {
    await using machine = await start(firmware, stick, 'usb');
    await machine.waitForText(SHOWN[firmware], PATIENCE);
    await machine.waitForText(/Help +explain every entry/, PATIENCE);
    await persist(() => machine.type(F1), machine.waitForText('Press Esc to go back to the menu', PATIENCE));
    machine.type('\x1b');
    await reboot(machine);
  });

  it('takes the default entry when its time is over', async () => {
    await using machine = await start(firmware, isos.hasty, 'cdrom');
    await machine.waitForText(STARTED, PATIENCE);
  });

  it.each(['waiting', 'silent'] as const)('works without any serial port (%s)', async (iso) => {
    await using machine = await start(firmware, isos[iso], 'usb', { serial: false });
    await reboot(machine);
  });

  it('leaves the serial port alone when the profile says so', async () => {
    await using machine = await start(firmware, isos.silent, 'cdrom');
    await reboot(machine);
    expect(machine.text).not.toMatch(/Interactive +ask/);
  });
});
