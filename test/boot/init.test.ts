import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { takeKernel } from '../../boot/bootable.ts';
import { type Machine, type MachineOptions, startMachine } from '../../boot/qemu.ts';
import { build } from '../../builder/build.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { findReady } from '../../contract/report.ts';
import { CONSOLES, PATIENCE, shell } from './shell.ts';

let work: Scratch;
let direct: Omit<NonNullable<MachineOptions['direct']>, 'append'>;

beforeAll(async () => {
  work = await scratch('test');
  const { media } = await build(await loadProfile('minimal'), join(work.path, 'minimal'));
  direct = await takeKernel(media[0]?.path ?? '', work.path);
});
afterAll(() => work[Symbol.asyncDispose]());

/** A machine whose rescue system has reached its ready line and whose serial console shows a prompt. */
async function booted(): Promise<Machine> {
  const machine = await startMachine({ direct: { ...direct, append: `${CONSOLES} expert` } });
  await machine.waitFor('the ready line', findReady, PATIENCE);
  await machine.waitForText(/mindi:~# $/m, PATIENCE);
  return machine;
}

describe('process 1', () => {
  test('reaps orphans, outlives the init, tells why it died, starts it again, and restarts the machine on `exit`', async () => {
    await using machine = await booted();
    const orphan = 'for i in $(busybox seq 1000); do (busybox true &) ; done';
    await shell(machine, orphan);
    const zombies = "busybox awk '/^State:\\tZ/ { n++ } END { print n + 0 }' /proc/[0-9]*/status 2>/dev/null";
    expect(await shell(machine, `busybox sleep 1; ${zombies}`)).toBe('0');

    await shell(machine, 'kill -11 $(cat /run/mindi/init.pid)');
    await machine.waitForText('mindi: The init was ended by signal 11 (SEGV).', PATIENCE);
    await machine.waitForText('The end of the log:', PATIENCE);
    await machine.waitForText("mindi-init starts the init again, 'exit' restarts the machine", PATIENCE);
    expect(await shell(machine, 'grep -c "init started" /var/log/mindi.log')).toBe('1');

    expect(await shell(machine, 'mindi-init')).toBe('');
    await machine.waitForText(/mindi: ready \{[\s\S]*mindi: ready \{[\s\S]*Expert mode/, PATIENCE);
    expect(await shell(machine, 'mindi-init')).toBe('mindi-init: the init is running already.');

    machine.type('exit\r');
    await machine.waitForText('The machine restarts in 3 seconds. Press Enter to stay.', PATIENCE);
    machine.type('\r');
    await machine.waitForText(/mindi:~# $/, PATIENCE);
    expect(await shell(machine, 'echo stayed')).toBe('stayed');
    machine.type('exit\r');
    await machine.waitForEnd(PATIENCE);
    expect(machine.endedBy).toBe('guest-reset');
  });

  test('`poweroff` switches the machine off', async () => {
    await using machine = await booted();
    machine.type('poweroff\r');
    await machine.waitForEnd(PATIENCE);
    expect(machine.endedBy).toBe('guest-shutdown');
  });

  test('Ctrl-Alt-Del restarts the machine', async () => {
    await using machine = await booted();
    await machine.key('ctrl-alt-delete');
    await machine.waitForEnd(PATIENCE);
    expect(machine.endedBy).toBe('guest-reset');
  });
});
