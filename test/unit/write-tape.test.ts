import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TapeObject } from '../../boot/simh.ts';
import { writeSimh } from '../../boot/simh.ts';
import { hashFile } from '../../builder/cache.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { lookAt } from '../../builder/write/look.ts';
import { parseStatus } from '../../builder/write/mt.ts';
import { compareRecords, writeRecords } from '../../builder/write/records.ts';
import { scsiFacts, startsMachines } from '../../builder/write/scsi.ts';
import { lookInto } from '../../builder/write/tape.ts';
import { encodeLabel, type TapeLabel } from '../../contract/tape.ts';
import { sampleTape } from './tape-sample.ts';

/**
 * What no emulator can do: drives that say they start machines, compression, density, unload. Drives are played here by
 * a directory as sysfs has it, an `mt` that says what was recorded (test/fixtures/tape), and a file for the tape, which
 * has no records; tapes with records are written in test/boot/tape.test.ts.
 */
const FIXTURES = join(import.meta.dirname, '../fixtures/tape');

let work: Scratch;
let tape: TapeObject[];
beforeAll(async () => {
  work = await scratch('test');
  tape = await sampleTape(work.path);
  const { sha256 } = await hashFile(at('web1.tap'));
  expect(writeSimh(at('web1.tap'), tape)).toBe(sha256);
});
afterAll(() => work[Symbol.asyncDispose]());

const at = (...path: string[]) => join(work.path, ...path);

/** A drive's entry in sysfs. */
function sysfs(name: string, inquiry: string, serial?: string): string {
  const device = at(`${name}-2:0:6:0`);
  mkdirSync(device, { recursive: true });
  const attributes = { vendor: 'HP      \n', model: 'Ultrium 5-SCSI  \n', rev: 'Z61D\n' };
  for (const [file, text] of Object.entries(attributes)) writeFileSync(join(device, file), text);
  writeFileSync(join(device, 'inquiry'), readFileSync(join(FIXTURES, `${inquiry}.inquiry`)));
  if (serial) writeFileSync(join(device, 'vpd_pg80'), `\x01\x80\0${String.fromCharCode(serial.length)}${serial}`);
  mkdirSync(at(name), { recursive: true });
  symlinkSync(device, at(name, 'device'));
  return at(name);
}

describe('what a drive says of itself', () => {
  test('its model and serial number, and that it starts machines', () => {
    const drive = scsiFacts(sysfs('nst0', 'obdr', 'HU1234567X  '));
    expect(drive).toMatchObject({ name: 'nst0', model: 'HP Ultrium 5-SCSI Z61D', serial: 'HU1234567X' });
    expect(drive && startsMachines(drive)).toBe(true);
  });

  test('without any of that, its place on the bus', () => {
    const drive = scsiFacts(sysfs('nst1', 'emulated'));
    expect(drive).toMatchObject({ serial: null, address: 'nst1-2:0:6:0' });
    expect(drive && startsMachines(drive)).toBe(false);
    expect(scsiFacts(at('nst9'))).toBeUndefined();
  });

  test.each([
    ['emulated', { loaded: true, protected: false, density: null }],
    ['lto5', { loaded: true, protected: false, density: '0x58 (LTO-5)' }],
    ['protected', { loaded: true, protected: true, density: null }],
    ['empty', { loaded: false, protected: false, density: null }],
  ])('the status of its tape: %s', (name, status) => {
    expect(parseStatus(readFileSync(join(FIXTURES, `${name}.status`), 'utf8'))).toEqual(status);
  });

  test('an mt that says nothing of the kind is not relied on', () => {
    expect(parseStatus('drive type = 114\ndrive status = 0\n')).toEqual({
      loaded: null,
      protected: false,
      density: null,
    });
  });
});

describe('a drive that knows everything', () => {
  const path = process.env.PATH;
  const device = () => at('nst');
  const calls = () => readFileSync(at('calls'), 'utf8').trim().split('\n');

  /** An `mt` that notes each call with the size of the tape's file at that moment. What it is not told to fail works. */
  function playMt({ status = 'lto5', fails = ['nothing'], says = 'Input/output error' } = {}): void {
    mkdirSync(at('bin'), { recursive: true });
    writeFileSync(
      at('bin/mt'),
      `#!/bin/sh
shift 2
echo "$* at $(stat -c %s '${device()}')" >>'${at('calls')}'
case "$*" in
${fails.map((words) => words.replaceAll(' ', '\\ ')).join('|')}) echo "/dev/nst0: ${says}" >&2; exit 2 ;;
status) cat '${FIXTURES}/${status}.status' ;;
esac
`,
    );
    chmodSync(at('bin/mt'), 0o755);
  }

  beforeEach(() => {
    process.env.PATH = `${at('bin')}:${path}`;
    writeFileSync(device(), '');
    writeFileSync(at('calls'), '');
    playMt();
    return () => {
      process.env.PATH = path;
    };
  });

  const drive = (inquiry: 'obdr' | 'emulated') => ({
    name: 'nst0',
    model: 'HP Ultrium 5-SCSI Z61D',
    serial: 'HU1234567X',
    address: '2:0:6:0',
    inquiry: readFileSync(join(FIXTURES, `${inquiry}.inquiry`)),
  });
  const notes: string[] = [];
  const look = (inquiry: 'obdr' | 'emulated' = 'obdr', anyDrive = false) => {
    notes.length = 0;
    const note = (text: string) => void notes.push(text);
    return lookInto(device(), drive(inquiry), { image: at('web1.tap'), anyDrive, note });
  };

  test('is shown with its density and what its tape holds', async () => {
    const label = { ...(JSON.parse(text(tape.at(-2)).split('\n')[1] ?? '') as TapeLabel), name: 'MINDI_OLD' };
    writeFileSync(device(), encodeLabel(label, 512));
    const { facts, refusals } = await look();
    expect(facts.holds).toBe('a tape of mindi: MINDI_OLD, made 2023-11-14T22:13:20.000Z');
    expect(facts.more).toEqual([
      ['starts machines', 'yes ($DR-10)'],
      ['density', '0x58 (LTO-5)'],
    ]);
    expect(refusals).toEqual([]);
    expect(calls().map((call) => call.split(' at ')[0])).toEqual(['status', 'rewind', 'setblk 0', 'rewind']);
    writeFileSync(device(), 'REAR-000'.padEnd(512, '\0'));
    expect((await look()).facts.holds).toBe('something mindi did not write');
  });

  test('has its compression off for header and image, on from then, and gives the tape out', async () => {
    const target = await look();
    writeFileSync(at('calls'), '');
    const done: number[] = [];
    await target.write((bytes, total) => done.push(bytes / total));
    await target.eject();
    expect(done.at(-1)).toBe(1);
    const image = target.size - 2048;
    expect(calls()).toEqual([
      'rewind at 0',
      'setblk 0 at 0',
      'compression 0 at 0',
      `compression 1 at ${image}`,
      // The label, written over the file's beginning.
      `offline at ${image}`,
    ]);
    expect(notes).toEqual([]);
  });

  test('may lack a compression to switch, as recorded of the emulated one: noted, and written all the same', async () => {
    const failed = [
      ...readFileSync(join(FIXTURES, 'emulated.exchange'), 'utf8').matchAll(/^mt (.+): 2 DRIVE: (.+)$/gm),
    ];
    expect(failed.map(([, operation]) => operation)).toEqual(['compression 0', 'compression 1']);
    playMt({ fails: failed.map(([, operation = '']) => operation), says: failed[0]?.[2] ?? '' });
    await (await look()).write(() => {});
    expect(statSync(device()).size).toBeGreaterThan(0);
    expect(notes).toEqual(
      ['off', 'on'].map((word) => expect.stringContaining(`does not switch its compression ${word}`)),
    );
  });

  test('is refused for every reason at once', async () => {
    playMt({ status: 'protected' });
    const { refusals } = await look('emulated');
    expect(refusals.map(({ code }) => code)).toEqual(['tape.protected', 'tape.no-obdr']);
    expect((await look('emulated', true)).refusals.map(({ code }) => code)).toEqual(['tape.protected']);
    playMt({ status: 'empty' });
    const empty = await look();
    expect(empty.facts.holds).toBeNull();
    expect(empty.refusals.map(({ code }) => code)).toEqual(['tape.none']);
  });

  test('that is busy, or fails, is told with what became of the tape', async () => {
    playMt({ fails: ['status'], says: 'Device or resource busy' });
    await expect(look()).rejects.toMatchObject({ code: 'tape.busy', exitCode: 1 });
    playMt();
    const target = await look();
    playMt({ fails: ['setblk 0'] });
    await expect(target.write(() => {})).rejects.toMatchObject({
      code: 'tape.failed',
      message: 'mt setblk 0: Input/output error. Nothing was written.',
    });
  });

  test('is not written with what no drive would start, or what is not there', async () => {
    writeSimh(at('broken.tap'), tape.slice(3));
    const options = { anyDrive: true, note: () => {} };
    await expect(lookInto(device(), drive('obdr'), { ...options, image: at('broken.tap') })).rejects.toMatchObject({
      code: 'tape.rules',
    });
    await expect(lookInto(device(), drive('obdr'), { ...options, image: at('none') })).rejects.toMatchObject({
      code: 'image.missing',
    });
    for (const path of ['/dev/null', at('web1.tap'), at('none')])
      await expect(lookAt(path, { ...options, image: at('web1.tap') })).rejects.toMatchObject({
        code: 'write.no-device',
      });
    expect(statSync(device()).size).toBe(0);
  });
});

describe('records', () => {
  const records = Array.from({ length: 700 }, (_, index) => Buffer.alloc(index < 20 ? 512 : 2048, `${index} `));
  const bytes = Buffer.concat(records);

  test('go out in order, and files end where filemarks are', async () => {
    writeFileSync(at('out'), '');
    const heard: (number | string)[] = [];
    await writeRecords(
      at('out'),
      [...records, null],
      (count) => heard.push(count),
      async (files) => void heard.push(`filemark ${files}`),
    );
    expect(readFileSync(at('out')).equals(bytes)).toBe(true);
    expect(heard).toEqual([20 * 512 + 492 * 2048, 188 * 2048, 'filemark 1']);
    expect(() => statSync(at('gone'))).toThrow();
    await expect(
      writeRecords(
        at('gone'),
        records,
        () => {},
        async () => {},
      ),
    ).rejects.toMatchObject({ code: 'ENOENT' });
    expect(() => statSync(at('gone'))).toThrow();
  });

  test.each([
    ['are the same', bytes, null],
    [
      'one byte differs',
      Buffer.concat([bytes.subarray(0, 20_000), Buffer.from('x'), bytes.subarray(20_001)]),
      'record 24 holds other bytes',
    ],
    ['the tape ends in the middle of one', bytes.subarray(0, 10_240 + 2048 + 100), 'record 21 is too short'],
    ['the tape ends after one', bytes.subarray(0, 10_240 + 2048), 'record 21 is a filemark'],
    ['more comes than should', Buffer.concat([bytes, bytes]), 'record 700 should be a filemark'],
  ])('are compared: %s', async (_, found, says) => {
    writeFileSync(at('in'), found);
    const comparing = compareRecords(at('in'), [...records, null], () => {});
    if (says === null) await comparing;
    else await expect(comparing).rejects.toMatchObject({ code: 'write.differs', message: says, exitCode: 1 });
  });
});

const text = (object: TapeObject | undefined) => object?.toString('latin1').replaceAll('\0', '') ?? '';
