import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startMachine } from '../../boot/qemu.ts';
import { build } from '../../builder/build.ts';
import { hashFile } from '../../builder/cache.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { run } from '../../builder/run.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { findReady } from '../../contract/report.ts';
import { STEPS } from '../../initramfs/steps/index.ts';
import { startFiles } from '../plain-kernel.ts';
import { hangingDisk } from './hanging-disk.ts';
import { CONSOLES, PATIENCE, shell } from './shell.ts';
import { type Witness, witness } from './witness.ts';

let work: Scratch;
let direct: { kernel: string; initrd: string };
/** In every machine that fails here, in whatever way and mode: nothing is written to it. */
let disk: Witness;
beforeAll(async () => {
  work = await scratch('test');
  disk = await witness(work.path);
  const { media } = await build(await loadProfile('minimal'), join(work.path, 'minimal'));
  direct = await startFiles(media[0]?.path ?? '', work.path);
});
afterAll(() => work[Symbol.asyncDispose]());

/** Counts them. */
const ZOMBIES = "busybox awk '/^State:\\tZ/ { n++ } END { print n + 0 }' /proc/[0-9]*/status 2>/dev/null";

test('process 1 reaps orphans, outlives the init, tells why it died, starts it again, restarts the machine on `exit`', async () => {
  await using machine = await startMachine({
    direct: { ...direct, append: `${CONSOLES} expert` },
    drives: [disk.drive],
  });
  await machine.waitFor('the ready line', findReady, PATIENCE);
  await machine.waitForText(/mindi:~# $/m, PATIENCE);
  const orphan = 'for i in $(busybox seq 1000); do (busybox true &) ; done';
  await shell(machine, orphan);
  expect(await shell(machine, `busybox sleep 1; ${ZOMBIES}`)).toBe('0');

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
  expect(await disk.untouched()).toBe(true);
});

test('nuke mode does not ask: a failing script, its reason, a countdown a key stops; memory runs out, zombies pile up; `poweroff`', async () => {
  const append = `${CONSOLES} RESTORE pre=/bin/false mindi.onfail=poweroff`;
  await using machine = await startMachine({ direct: { ...direct, append }, memory: 256, drives: [disk.drive] });
  await machine.waitForText('PROBLEM: The pre script /bin/false failed: exit 1.', PATIENCE);
  await machine.waitForText('The machine is switched off in', PATIENCE);
  machine.type('x');
  await machine.waitForText('It stays as it is.', PATIENCE);
  await machine.waitForText(/It stays as it is\.[\s\S]*s {2}Shell/, PATIENCE);
  machine.type('s');
  await machine.waitForText(/mindi:~# $/m, PATIENCE);
  expect(findReady(machine.text)?.mode).toBe('nuke');

  const pids = 'echo $$; cat /run/mindi/init.pid; kill -0 $(cat /run/mindi/init.pid) && echo alive';
  const before = await shell(machine, pids);
  expect(before).toMatch(/alive$/);
  expect(await shell(machine, 'busybox tail /dev/zero; echo $?')).toMatch(/137$/);
  expect(await shell(machine, pids)).toBe(before);

  // Their parent lives and does not look after them.
  await shell(
    machine,
    '(for i in $(busybox seq 200); do busybox sleep 1 & done; exec busybox sleep 1000) & busybox sleep 4',
  );
  expect(Number(await shell(machine, ZOMBIES))).toBeGreaterThanOrEqual(200);
  await shell(machine, 'kill $!; busybox sleep 1');
  expect(await shell(machine, ZOMBIES)).toBe('0');
  expect(await shell(machine, pids)).toBe(before);

  machine.type('poweroff\r');
  await machine.waitForEnd(PATIENCE);
  expect(machine.endedBy).toBe('guest-shutdown');
  expect(await disk.untouched()).toBe(true);
});

test('the init is killed in each of its steps: it says why, and comes up again', async () => {
  const killing = { kernel: direct.kernel, initrd: withKiller() };
  await using machine = await startMachine({
    direct: { ...killing, append: `${CONSOLES} expert` },
    drives: [disk.drive],
  });
  await machine.waitForText(`killed ${STEPS.length} times`, 2 * PATIENCE);
  await machine.waitForText('mindi: The init was ended by signal 9 (KILL', PATIENCE);
  // What the supervisor shows of the log has a ready line as well, cut short.
  const last = (text: string) => {
    const after = text.slice(text.lastIndexOf(`killed ${STEPS.length} times`));
    return after.slice(after.indexOf('mindi rescue system "'));
  };
  const report = await machine.waitFor('the last ready line', (text) => findReady(last(text)), PATIENCE);
  expect(report.problems).toEqual([]);
  // The shell of the last failure is still there, its prompt somewhere above.
  machine.type('\r');
  await machine.waitForText(/mindi:~# $/m, PATIENCE);
  const started = await shell(machine, 'grep -c "init started" /var/log/mindi.log');
  expect(Number(started)).toBe(STEPS.length + 1);
  expect(await disk.untouched()).toBe(true);
});

/** The initrd with one more segment: a program beside process 1 that kills the init in its first step, then in its second, … */
function withKiller(): string {
  const root = join(work.path, 'root');
  mkdirSync(join(root, 'etc'), { recursive: true });
  const inittab = readFileSync(new URL('../../initramfs/root/etc/inittab', import.meta.url), 'utf8');
  writeFileSync(join(root, 'etc/inittab'), `${inittab}::once:/killer\n`);
  writeFileSync(
    join(root, 'killer'),
    killer(['init started', ...STEPS.slice(0, -1).map(({ name }) => `step ${name}:`)]),
  );
  chmodSync(join(root, 'killer'), 0o755);
  const initrd = join(work.path, 'killing.img');
  copyFileSync(direct.initrd, initrd);
  const files = ['etc/inittab', 'killer'].join('\n');
  appendFileSync(initrd, execFileSync('cpio', ['-o', '-H', 'newc', '--quiet'], { cwd: root, input: files }));
  return initrd;
}

/** @param signs lines of the log after which it kills, one for each time */
function killer(signs: readonly string[]): string {
  const turns = signs.map((sign, i) => `turn ${i + 1} '${sign}'`);
  return `#!/usr/bin/busybox sh
log=/var/log/mindi.log
seen() {
  busybox awk -v turn="$1" -v sign="$2" '
    /init started/ { n++ } n == turn && index($0, sign) { found = 1 } END { exit !found }' $log 2>/dev/null
}
turn() {
  until seen "$1" "$2"; do busybox usleep 20000; done
  # Before: what it waits for may be there at once.
  busybox rm -f /run/mindi/screen
  busybox kill -9 "$(busybox cat /run/mindi/init.pid)"
  until busybox grep -qs 'signal 9' /run/mindi/screen; do busybox usleep 20000; done
  [ "$1" = ${signs.length} ] && echo "killed $1 times" >/dev/ttyS0
  /usr/sbin/mindi-init
}
${turns.join('\n')}
`;
}

test('a disk that stops answering is told and left alone; the others are used', async () => {
  using hung = await hangingDisk(16 << 20, 8 << 20);
  const hanging = [
    '-drive',
    `if=none,id=hanging,format=raw,file=${hung.url}`,
    '-device',
    'virtio-blk-pci,drive=hanging',
  ];
  const other = join(work.path, 'other.img');
  await run('mkfs.vfat', ['-n', 'OTHER', '-C', other, '4096']);
  const before = await hashFile(other);
  await using machine = await startMachine({
    direct: { ...direct, append: `${CONSOLES} expert` },
    drives: [`${other}:ahci`],
    more: hanging,
  });
  const report = await machine.waitFor('the ready line', findReady, PATIENCE);
  expect(report.problems).toEqual(['The disk /dev/vda does not answer; it is left alone.']);
  expect(report.storage.silent).toEqual(['/dev/vda']);
  await machine.waitForText(/mindi:~# $/m, PATIENCE);
  expect(await shell(machine, 'readlink /dev/disk/by-label/OTHER')).toBe('/dev/sda');
  expect(await hashFile(other)).toEqual(before);
});
