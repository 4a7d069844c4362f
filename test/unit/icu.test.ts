import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dropForeignLanguages } from '../../builder/tools/icu.ts';

/** ICU common data of the named items, each of 16 bytes of 0xff, behind some bytes of a program. */
function program(names: string[], before = 100): Buffer {
  const header = Buffer.alloc(32);
  header.writeUInt16LE(32);
  Buffer.from('da271400000000000200436d6e44', 'hex').copy(header, 2);
  const table = Buffer.alloc(4 + 8 * names.length);
  const texts = Buffer.from(names.map((name) => `${name}\0`).join(''));
  const data = Math.ceil((table.length + texts.length) / 16) * 16;
  table.writeUInt32LE(names.length);
  let at = table.length;
  for (const [i, name] of names.entries()) {
    table.writeUInt32LE(at, 4 + 8 * i);
    table.writeUInt32LE(data + 16 * i, 8 + 8 * i);
    at += name.length + 1;
  }
  const gap = Buffer.alloc(data - table.length - texts.length);
  return Buffer.concat([Buffer.alloc(before, 1), header, table, texts, gap, Buffer.alloc(16 * names.length, 0xff)]);
}

const NAMES = [
  'brkitr/thaidict.dict',
  'de.res',
  'en.res',
  'ibm-37.cnv',
  'nfc.nrm',
  'root.res',
  'zone/tr.res',
  'zone/root.res',
];

describe('dropForeignLanguages', () => {
  test('zeroes other languages, dictionaries and converters and keeps English and what all share', () => {
    const bytes = program(NAMES.map((name) => `icudt78l/${name}`));
    const size = bytes.length;
    expect(dropForeignLanguages(bytes)).toBe(4 * 16);
    expect(bytes.length).toBe(size);
    const kept = NAMES.map((name, i) => [name, bytes[size - 16 * (NAMES.length - i)] === 0xff]);
    expect(kept.filter(([, is]) => is).map(([name]) => name)).toEqual([
      'en.res',
      'nfc.nrm',
      'root.res',
      'zone/root.res',
    ]);
  });

  test('leaves a program without ICU, or with a table it does not understand, as it is', () => {
    const unknown = program(['zoneinfo/de.res', 'zoneinfo/fr.res']);
    const before = Buffer.from(unknown);
    expect(dropForeignLanguages(unknown)).toBe(0);
    expect(unknown.equals(before)).toBe(true);
    expect(dropForeignLanguages(Buffer.from('no data here'))).toBe(0);
  });

  test('survives any table', () => {
    const whole = program(NAMES.map((name) => `icudt78l/${name}`));
    fc.assert(
      fc.property(fc.nat(whole.length), fc.uint8Array({ maxLength: 64 }), fc.nat(whole.length), (at, bytes, cut) => {
        const broken = Buffer.from(whole);
        broken.set(bytes.subarray(0, broken.length - at), at);
        expect(dropForeignLanguages(broken.subarray(0, cut))).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});
