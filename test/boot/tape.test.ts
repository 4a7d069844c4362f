import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeSimh } from '../../boot/simh.ts';
import { tryBoot } from '../../boot/trial.ts';
import { build } from '../../builder/build.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { type Guest, startGuest } from '../debian-guest.ts';
import { serveTapes, type TapeServer } from '../tape-server.ts';

/**
 * Tapes are written by the command itself in a Debian guest whose SCSI drives tgtd emulates: a good tape, one that is
 * too short, one that is write-protected, and a drive without a tape.
 */
const DRIVES = { good: 0, short: 1, protected: 2, empty: 3 } as const;
type Drive = keyof typeof DRIVES;

/** Seconds; longer than anything here takes under software emulation on a busy machine. */
const PATIENCE = 150;

let work: Scratch;
let tape: string;
let server: TapeServer;
let guest: Guest;

beforeAll(async () => {
  work = await scratch('test');
  const profile = join(work.path, 'small.yaml');
  await writeFile(profile, 'name: small\nextends: minimal\nmedia: [obdr]\n');
  const { media } = await build(await loadProfile(profile), work.path);
  expect(media.map(({ path }) => path)).toEqual([join(work.path, 'small.iso'), join(work.path, 'small.tap')]);
  tape = join(work.path, 'small.tap');
  server = await serveTapes(
    [{ size: 128 }, { size: 4 }, { size: 4, protected: true }, { size: 4, empty: true }],
    work.path,
  );
  guest = await startGuest({ 'small.tap': tape }, server.devices);
});
afterAll(async () => {
  await guest?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  await work?.[Symbol.asyncDispose]();
});

/** Operations of mt, those that no emulator has among them. */
const OPERATIONS = ['rewind', 'setblk 0', 'compression 0', 'compression 1', 'setdensity 0', 'offline', 'rewind'];
const TRACE = '/sys/kernel/tracing';
const COMMANDS = `${TRACE}/events/scsi/scsi_dispatch_cmd_done/enable`;

/** Shell commands that run one of them and print its exit code, what it said, and the SCSI commands the kernel sent. */
const recorded = (drive: string) => (operation: string) =>
  [
    `echo >${TRACE}/trace; echo 1 >${COMMANDS}`,
    `said=$(mt -f ${drive} ${operation} 2>&1); echo mt ${operation}: $? $said | sed s,${drive},DRIVE,`,
    `echo 0 >${COMMANDS}; sed -n 's/.*cmnd=(\\([A-Z_]*\\).*raw=\\([0-9a-f ]*\\)).*status=SAM_STAT_\\([A-Z_]*\\).*/  \\1 \\2: \\3/p' ${TRACE}/trace`,
  ].join('; ');

const serialOf = (drive: Drive) => `TAPE-${DRIVES[drive]}`;

/** A drive's device, whatever name the kernel gave it. */
async function device(drive: Drive): Promise<string> {
  const { said } = await guest.shell(`grep -l ${serialOf(drive)} /sys/class/scsi_tape/nst?/device/vpd_pg80`);
  return `/dev/${said.split('/')[4]}`;
}

/** Runs `mindi write` for one of the drives. */
async function write(drive: Drive, options: string, sure = true): Promise<{ code: number; said: string }> {
  const command = `mindi write /opt/mindi/small.tap ${await device(drive)} ${options}`;
  return guest.shell(sure ? `${command} --yes ${serialOf(drive)}` : command);
}

describe('mindi write, on a tape drive', () => {
  test('refuses one that does not say it can start machines, unless told', async () => {
    const { code, said } = await write('good', '');
    expect(said).toContain('does not say that it can start a machine ($DR-10 in its INQUIRY)');
    expect(code).toBe(2);
    expect(server.tape(DRIVES.good)).toEqual([]);
  });

  test('writes the records of the .tap and nothing else, and reads them back', async () => {
    const { code, said } = await write('good', '--any-drive --json');
    expect(said).toContain('the drive does not switch its compression off (mt compression 0: Input/output error)');
    expect(said).toMatch(/"serial": "TAPE-0"[\s\S]*"write": \{[\s\S]*"compare": \{/);
    expect(code).toBe(0);
    const written = join(work.path, 'written.tap');
    writeSimh(written, server.tape(DRIVES.good));
    expect((await readFile(written)).equals(await readFile(tape))).toBe(true);
  });

  test('then knows what is on it, and asks for the serial number', async () => {
    const asked = write('good', '--any-drive', false);
    await guest.machine.waitForText('Type the serial number TAPE-0 to go on: ', PATIENCE);
    guest.machine.type('TAPE-1\r');
    const { code, said } = await asked;
    expect(said).toMatch(/^holds +a tape of mindi: MINDI_SMALL, made \d{4}-\d\d-\d\dT/m);
    expect(said).toContain('the serial number is TAPE-0, not TAPE-1; nothing was written');
    expect(code).toBe(2);
  });

  test('a tape that ends early: says so, and that it starts nothing', async () => {
    const { code, said } = await write('short', '--any-drive');
    expect(said).toMatch(
      /the tape has come to its end. Of \d+ bytes \d+ were written: no machine starts from the tape now/,
    );
    expect(code).toBe(1);
  });

  test('a write-protected tape, and none', async () => {
    expect(await write('protected', '--any-drive')).toMatchObject({
      code: 1,
      said: expect.stringContaining('the tape is write-protected. Nothing was written.'),
    });
    expect(server.tape(DRIVES.protected)).toEqual([]);
    expect(await write('empty', '--any-drive')).toMatchObject({
      code: 1,
      said: expect.stringContaining('there is no tape in the drive. Nothing was written.'),
    });
  });

  test('what the emulated drive can and cannot do is as recorded, SCSI command by command', async () => {
    const record = OPERATIONS.map(recorded(await device('short'))).join('; ');
    const { said } = await guest.shell(`mount -t tracefs none ${TRACE}; ${record}`);
    await expect(`${said}\n`).toMatchFileSnapshot('../fixtures/tape/emulated.exchange');
  });

  test('the disc a drive would show of what is on the tape boots', async () => {
    await guest.machine.stop();
    const { report } = await tryBoot({
      image: join(work.path, 'written.tap'),
      firmware: 'bios',
      memory: 512,
      drives: [],
      devices: [],
      timeout: PATIENCE,
    });
    expect(report).toMatchObject({ name: 'small', mode: 'expert', problems: [] });
  });
});
