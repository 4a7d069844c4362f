import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseBootParameters } from '../../contract/command-line.ts';
import type { Volume } from '../../contract/volume.ts';
import type { Context } from '../../initramfs/boot.ts';
import { nobody, type Person, Unanswered } from '../../initramfs/person.ts';
import { run } from '../../initramfs/process.ts';
import { inTime } from '../../initramfs/reading.ts';
import { type Change, changeVolume, wrongVolume } from '../../initramfs/sources/change.ts';
import { parseWhere } from '../../initramfs/sources/disks.ts';
import { SourceError } from '../../initramfs/sources/source.ts';

const WEB01: Volume = { format: 1, set: 'a', number: 1, of: 2, machine: 'web01', created: '2026-03-01T12:00:00Z' };

describe('the place an address names on a disk', () => {
  const where = (address: string) => parseWhere(new URL(address));

  test.each([
    ['disk:', { by: 'volume' }],
    ['disk:/dev/sda3', { by: 'device', path: '/dev/sda3' }],
    ['disk:/dev/vg0/store/my%20backup', { by: 'device', path: '/dev/vg0/store/my backup' }],
    ['disk:/dev/sda3/../../etc', null],
    ['usb:LABEL=store', { by: 'LABEL', value: 'store', folder: '/' }],
    ['usb:LABEL=my%20disk/a/../b', { by: 'LABEL', value: 'my disk', folder: '/b' }],
    ['usb:UUID=01-2f/../..', { by: 'UUID', value: '01-2f', folder: '/' }],
    ['usb:UUID=', null],
    ['disk:backup', null],
    ['disk://server/dev/sda', null],
    ['disk:%', null],
  ])('%s', (address, expected) => {
    if (expected) expect(where(address)).toEqual(expected);
    else expect(() => where(address)).toThrow(SourceError);
  });

  test('any text is one or an error with a hint', () => {
    const answered = (text: string) => {
      if (!URL.canParse(`disk:${text}`)) return;
      try {
        where(`disk:${text}`);
      } catch (error) {
        expect(error).toBeInstanceOf(SourceError);
      }
    };
    fc.assert(fc.property(fc.oneof(fc.string(), fc.webPath()), answered));
  });
});

describe('another volume of the set', () => {
  /** Finds what it is given, one after the other, and keeps what was asked and done. */
  function change(person: Partial<Person>, ...found: (object | string)[]) {
    const events: string[] = [];
    const choose: Person['choose'] = async (question) => {
      events.push(question);
      return 'in';
    };
    const context = {
      parameters: parseBootParameters(''),
      consoles: { write: () => {} },
      person: { ...nobody, there: true, choose, ...person },
    } as unknown as Context;
    const how: Change<object> = {
      ...{ thing: 'disc', of: WEB01, number: 2 },
      look: async () => found.shift() ?? 'Nothing.',
      letGo: async () => void events.push('out'),
    };
    return { events, done: changeVolume(context, how) };
  }

  test('is taken when it is there', async () => {
    const { events, done } = change({}, { volume: 2 });
    expect(await done).toEqual({ volume: 2 });
    expect(events).toEqual([]);
  });

  test('is asked for, with what is wrong with the one that came', async () => {
    const { events, done } = change({}, 'The old one.', 'The wrong one.', { volume: 2 });
    expect(await done).toEqual({ volume: 2 });
    const question = 'Put in disc 2 of 2 (web01, 2026-03-01T12:00:00Z).';
    expect(events).toEqual(['out', question, 'out', `The wrong one. ${question}`]);
  });

  test('is not there when a person says so', async () => {
    const { done } = change({ choose: async () => 'stop' });
    await expect(done).rejects.toThrow(SourceError);
  });

  test('is not asked for where nobody is, and the old one stays in', async () => {
    const { events, done } = change(nobody, 'The old one.');
    await expect(done).rejects.toThrow(Unanswered);
    expect(events).toEqual([]);
  });

  test.each([
    [{}, null],
    [{ number: 1 }, 'is disc 1, not disc 2'],
    [{ set: 'b', number: 1, machine: 'mail' }, 'belongs to another set: disc 1 of mail, 2026-03-01T12:00:00Z'],
  ])('%o', (differs, wrong) => {
    expect(wrongVolume({ ...WEB01, number: 2, ...differs }, WEB01, 2, 'disc')).toBe(wrong);
  });
});

describe('limits', () => {
  const tick = 0.02;
  let bytes = 0;
  const more = () => String(bytes++);

  test('end what gives nothing', async () => {
    await expect(inTime(new Promise(() => {}), tick)).rejects.toThrow(`no answer within ${tick} seconds`);
    const { code, stderr } = await run('sleep', ['60'], { limit: tick });
    expect({ code, stderr }).toEqual({ code: 124, stderr: `no answer within ${tick} seconds` });
  });

  test('never end what goes on', async () => {
    expect(await inTime(sleep(10 * tick * 1000, 'all'), tick, more)).toBe('all');
    expect(await run('sleep', [String(10 * tick)], { limit: tick, progress: more })).toMatchObject({ code: 0 });
  });
});
