import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseVolume, type Volume } from '../../contract/volume.ts';

const VOLUME: Volume = { format: 1, set: 'a1', number: 2, of: 3, machine: 'web01', created: '2026-03-01T12:00:00Z' };

describe('what marks a volume', () => {
  test('comes back as it was written', () => {
    expect(parseVolume(JSON.stringify(VOLUME, null, 2))).toEqual(VOLUME);
    expect(parseVolume(JSON.stringify({ ...VOLUME, of: null }))).toEqual({ ...VOLUME, of: null });
  });

  test.each([
    { format: 2 },
    { number: 0 },
    { number: 1.5 },
    { of: 0 },
    { set: '' },
    { set: 7 },
    { created: 'yesterday' },
    { machine: 'web\u001b[2J' },
    { machine: 'x'.repeat(201) },
  ])('is none with %o', (wrong) => {
    expect(parseVolume(JSON.stringify({ ...VOLUME, ...wrong }))).toBeNull();
  });

  test('any text is one or none', () => {
    const near = fc.record({ format: fc.constant(1), set: fc.string(), number: fc.nat(), of: fc.nat() });
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      near.map((value) => JSON.stringify(value)),
    );
    fc.assert(fc.property(text, (any) => parseVolume(any) === null));
  });
});
