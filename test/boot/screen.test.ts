import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { takeKernel } from '../../boot/bootable.ts';
import { type Machine, type MachineOptions, startMachine } from '../../boot/qemu.ts';
import { build } from '../../builder/build.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { findReady } from '../../contract/report.ts';
import { plainKernel } from '../plain-kernel.ts';
import { CONSOLES, PATIENCE, shell } from './shell.ts';
import { waitForScreen } from './terminal.ts';

let work: Scratch;
let direct: { kernel: string; initrd: string };
let plain: string;

beforeAll(async () => {
  work = await scratch('test');
  const { media } = await build(await loadProfile('minimal'), join(work.path, 'minimal'));
  direct = await takeKernel(media[0]?.path ?? '', work.path);
  plain = await plainKernel(direct.kernel);
});
afterAll(() => work[Symbol.asyncDispose]());

const booted = (append: string, options: MachineOptions = {}, kernel = plain): Promise<Machine> =>
  startMachine({ ...options, direct: { ...direct, kernel, append: `${CONSOLES} interactive ${append}`.trim() } });

/** Whether the terminal shows again what is typed. */
const ECHOES = 'busybox stty -a 2>/dev/null | grep -c " echo "';
const MENU = /> r {2}Restore this machine[\s\S]* p {2}Switch it off[\s\S]*Arrow keys/;
const sees = (machine: Machine, what: string | RegExp) => waitForScreen(machine, what, PATIENCE);

describe('the menu on a serial console', () => {
  test('tells what this is, takes arrows, letters and keys of the keyboard, gives a shell, outlives nothing it should not', async () => {
    await using machine = await booted('', { memory: 256 }, direct.kernel);
    await machine.waitFor('the ready line', findReady, PATIENCE);
    const first = await sees(machine, MENU);
    expect(first).toMatch(
      /^ mindi rescue medium "minimal", made \d{4}-\d\d-\d\d .*\nLinux [\s\S]*\nNetwork {3}eth0 {2}52:54:/,
    );
    expect(first.split('\n').length).toBeLessThanOrEqual(24);

    const before = machine.console.length;
    machine.type('\x1b[B\x1b[B\x1b[A');
    await sees(machine, '> c  Compare');
    expect(machine.console.length - before).toBeLessThan(900);
    machine.type('\r');
    await sees(machine, /This version does not compare yet[\s\S]*> 1 {2}Go on/);
    // Someone at the other console answers.
    await machine.key('ret');
    await sees(machine, MENU_AGAIN);

    machine.type('s');
    await sees(machine, /'exit' goes back to the menu[\s\S]*mindi:~#$/);
    expect(await shell(machine, `tty; ${ECHOES}`)).toBe('/dev/ttyS0\n1');
    machine.type('exit\r');
    await sees(machine, '> s  Shell');

    machine.type('s');
    // Ctrl-\ takes the console back even from an init that hangs.
    await leave(machine, 'kill -STOP $(cat /run/mindi/init.pid)');
    await machine.waitForText('stopped-1', PATIENCE);
    machine.type('\x1c');
    await sees(machine, /mindi:~#$/);
    await shell(machine, 'kill -CONT $(cat /run/mindi/init.pid)');

    // And where the init dies, its reason and a shell are there.
    await leave(machine, 'kill -9 $(cat /run/mindi/init.pid)');
    await sees(machine, /mindi: The init was ended by signal 9[\s\S]*mindi-init starts the init again[\s\S]*mindi:~#$/);
    expect(await shell(machine, ECHOES)).toBe('1');
  });
});

test('without a screen, in plain lines: numbers choose, mistakes are told, a shell and back; Ctrl-Alt-Del', async () => {
  await using machine = await booted('textonly', { more: ['-vga', 'none'] });
  await machine.waitFor('the ready line', findReady, PATIENCE);
  await machine.waitForText(/ 1 {2}Restore this machine[\s\S]*Number \(Enter: 1\): $/, PATIENCE);
  expect(machine.console.slice(machine.console.indexOf('mindi: ready'))).not.toContain('\x1b');
  machine.type('99\r');
  await machine.waitForText(/Type a number from 1 to \d+: $/, PATIENCE);
  machine.type('k\r');
  await machine.waitForText('There is no keyboard layout on the medium.', PATIENCE);
  machine.type('\r');
  await machine.waitForText(/Number \(Enter: 6\): $/, PATIENCE);
  machine.type('s\r');
  await machine.waitForText(/mindi:~# $/, PATIENCE);
  expect(await shell(machine, 'tty')).toBe('/dev/ttyS0');
  machine.type('exit\r');
  await machine.waitForText(/Number \(Enter: 9\): $/, PATIENCE);
  await machine.key('ctrl-alt-delete');
  await machine.waitForEnd(PATIENCE);
  expect(machine.endedBy).toBe('guest-reset');
});

test('without a serial port, by a USB keyboard alone: the machine is switched off', async () => {
  const keyboard = { devices: ['usb-kbd,bus=usb.0'], more: ['-machine', 'i8042=off'] };
  await using machine = await booted('', { ...keyboard, serial: false });
  const pressing = setInterval(() => machine.key('p', 'y').catch(() => {}), 3000);
  await machine.waitForEnd(PATIENCE).finally(() => clearInterval(pressing));
  expect(machine.endedBy).toBe('guest-shutdown');
});

/** Leaves the shell for the menu, and runs a command when that is there. */
async function leave(machine: Machine, command: string): Promise<void> {
  await sees(machine, /mindi:~#$/);
  const menu = '[ -e /run/mindi/menu.ttyS0 ]';
  machine.type(
    `(until ${menu}; do usleep 10000; done; sleep 2; ${command}; echo stopped-$((0 + 1)) >/dev/ttyS0) & exit\r`,
  );
}

const MENU_AGAIN = /> c {2}Compare[\s\S]* p {2}Switch it off[\s\S]*Arrow keys/;
