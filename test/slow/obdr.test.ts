import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { discOf } from '../../boot/bootable.ts';
import { obdrTape } from '../../boot/obdr.ts';
import { checkTape } from '../../boot/obdr-rules.ts';
import { isSimh, readSimh, type TapeObject, writeSimh } from '../../boot/simh.ts';
import { openImage } from '../../builder/inspect/image.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { MindiError } from '../../contract/error.ts';
import { decodeLabel, encodeLabel, TAPE, type TapeLabel } from '../../contract/tape.ts';
import { EPOCH, sampleTape } from '../unit/tape-sample.ts';

const MINDI = join(import.meta.dirname, '../../bin/mindi');

let work: Scratch;
let iso: Buffer;
let tap: string;
/** The tape of the ISO, for tests to break. */
let good: TapeObject[];

beforeAll(async () => {
  work = await scratch('test');
  good = await sampleTape(work.path);
  tap = at('web1.tap');
  iso = await readFile(at('web1.iso'));
});
afterAll(() => work[Symbol.asyncDispose]());

const at = (...path: string[]) => join(work.path, ...path);

describe('the tape', () => {
  test('is, byte for byte, what the format says', async () => {
    const image = { sha256: sha256(iso), size: iso.length, record: 2048, start: 20 };
    const label: TapeLabel = { format: 1, name: 'MINDI_WEB1', epoch: EPOCH, image };
    const header = Buffer.from(encodeLabel(label, 512));
    const wanted = [
      framed(header),
      ...Array.from({ length: 19 }, () => framed(Buffer.alloc(512))),
      ...Array.from({ length: iso.length / 2048 }, (_, block) =>
        framed(iso.subarray(block * 2048, block * 2048 + 2048)),
      ),
      Buffer.alloc(4),
      framed(Buffer.from(encodeLabel({ ...label, data: null }, 2048))),
      Buffer.alloc(4),
    ];
    expect((await readFile(tap)).equals(Buffer.concat(wanted))).toBe(true);
  });

  test('passes the rules of drives', () => {
    expect(checkTape(good)).toMatchObject({
      header: { records: 20 },
      image: { records: iso.length / 2048, sha256: sha256(iso) },
      bytes: 20 * 512 + iso.length + 2048,
      violations: [],
    });
  });

  test('shows the ISO as its disc', async () => {
    const disc = await discOf(tap, work.path);
    expect((await readFile(disc)).equals(iso)).toBe(true);
    expect(await discOf(at('web1.iso'), work.path)).toBe(at('web1.iso'));
  });

  test('cannot be made of half an ISO', async () => {
    await writeFile(at('half.iso'), iso.subarray(0, 100_001));
    await expect(obdrTape(at('half.iso'))).rejects.toMatchObject({ code: 'iso.malformed', where: at('half.iso') });
    await writeFile(at('no.iso'), 'no ISO');
    await expect(obdrTape(at('no.iso'))).rejects.toMatchObject({ code: 'iso.malformed' });
  });
});

/** How a tape is broken, and what the drive's rules say of that. */
const BROKEN: [what: string, change: (tape: TapeObject[]) => TapeObject[], says: RegExp][] = [
  ['no records', () => [], /^the tape ends after 0 records/],
  ['a header by one write', ([, ...rest]) => [Buffer.alloc(10240), ...rest.slice(19)], /^record 0 is of 10240 bytes;/],
  ['a header of 19', (tape) => tape.slice(1), /^record 19 is of 2048 bytes;/],
  ['a filemark in the header', (tape) => tape.with(7, null), /^a filemark comes after 7 records/],
  ['a filemark behind the header', (tape) => tape.toSpliced(20, 0, null), /^there is a filemark between the first 20/],
  [
    'a record of the image of another size',
    (tape) => tape.with(25, Buffer.alloc(1024)),
    /^record 5 of the image is of 1024/,
  ],
  ['no image', (tape) => tape.slice(0, 20), /there is no image on the tape/],
  [
    'no boot record',
    (tape) => tape.with(37, Buffer.alloc(2048)),
    /^EL TORITO SPECIFICATION is not at byte 7 of block 17/,
  ],
  [
    'no volume descriptor',
    (tape) => tape.with(36, Buffer.alloc(2048)),
    /^block 16 of the image is no volume descriptor/,
  ],
  [
    'half an image',
    (tape) => [...tape.slice(0, 200), ...tape.slice(-3)],
    /^the image ends after 180 of its \d+ blocks/,
  ],
  [
    'a catalog far away',
    (tape) => bootRecord(tape, 122),
    /^the boot catalog at block 122 is not inside the first 250 KB/,
  ],
  [
    'a catalog at the end of 32 bits',
    (tape) => bootRecord(tape, 0xffff_ffff),
    /^the boot catalog at block 4294967295 is/,
  ],
  ['a catalog that is none', (tape) => bootRecord(tape, 16), /^the boot catalog is damaged/],
  [
    'a catalog without a BIOS',
    (tape) => catalog(tape, (bytes) => bytes.writeUInt8(0, 32)),
    /no loader for a BIOS first/,
  ],
  [
    'a loader far away',
    (tape) => catalog(tape, (bytes) => bytes.writeUInt32LE(122, 40)),
    /^the loader at block 122 is not/,
  ],
  ['a loader that goes on too far', (tape) => longLoader(tape), /^the loader at block \d+ is not inside/],
  ['another image than the label names', (tape) => tape.with(300, Buffer.alloc(2048, 1)), /^the image is not the one/],
  ['no label', (tape) => tape.with(-2, Buffer.alloc(2048)), /^the record behind the image is no label of mindi/],
  ['no label at the front', (tape) => tape.with(0, Buffer.alloc(512)), /^the first record is not a label/],
  ['nothing behind the label', (tape) => tape.slice(0, -1), /^no filemark ends the label/],
  ['nothing behind the image', (tape) => tape.slice(0, -3), /^no filemark ends the image/],
];

/** A copy of a record, changed. */
function changed(tape: TapeObject[], index: number, change: (record: Buffer) => void): TapeObject[] {
  const record = Buffer.from(tape[index] as Buffer);
  change(record);
  return tape.with(index, record);
}

const bootRecord = (tape: TapeObject[], block: number) =>
  changed(tape, 20 + 17, (record) => void record.writeUInt32LE(block, 71));
const catalogBlock = (tape: TapeObject[]) => (tape[20 + 17] as Buffer).readUInt32LE(71);
const catalog = (tape: TapeObject[], change: (record: Buffer) => void) =>
  changed(tape, 20 + catalogBlock(tape), (record) => void change(record));

/** The loader's boot information table names 300 KB. */
function longLoader(tape: TapeObject[]): TapeObject[] {
  const block = (tape[20 + catalogBlock(tape)] as Buffer).readUInt32LE(40);
  return changed(tape, 20 + block, (record) => void record.writeUInt32LE(300_000, 16));
}

describe('the rules of drives', () => {
  test.each(BROKEN)('%s', (_, change, says) => {
    const { violations } = checkTape(change(good));
    expect(
      violations.some((one) => says.test(one)),
      violations.join('\n'),
    ).toBe(true);
  });

  test('answer for whatever is on a tape', () => {
    const object = fc.oneof(
      fc.constant(null),
      fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes)),
    );
    fc.assert(fc.property(fc.array(object, { maxLength: 60 }), (tape) => checkTape(tape).violations.length > 0));
    const change = fc.tuple(fc.nat({ max: good.length - 1 }), fc.nat({ max: 2047 }), fc.integer({ min: 1, max: 255 }));
    const parts = fc.constantFrom(0, 20 + 16, 20 + 17, 20 + catalogBlock(good), good.length - 2);
    fc.assert(
      fc.property(parts, change, (index, [, byte, flip]) => {
        const broken = changed(good, index, (record) => {
          record.writeUInt8((record[byte % record.length] ?? 0) ^ flip, byte % record.length);
        });
        return Array.isArray(checkTape(broken).violations);
      }),
      { numRuns: 30 },
    );
  });
});

describe("SIMH's format", () => {
  const tapes = fc.array(
    fc.oneof(
      fc.constant(null),
      fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    ),
  );

  test('gives back what was written', async () => {
    await fc.assert(
      fc.asyncProperty(tapes, async (tape) => {
        writeSimh(at('any.tap'), tape);
        expect([...readSimh(at('any.tap'))]).toEqual(tape);
      }),
      { numRuns: 50 },
    );
  });

  test('a file that ends too early, wherever, is an error or a shorter tape', async () => {
    await fc.assert(
      fc.asyncProperty(tapes, fc.double({ min: 0, max: 1, noNaN: true }), async (tape, part) => {
        writeSimh(at('any.tap'), tape);
        const whole = await readFile(at('any.tap'));
        await writeFile(at('any.tap'), whole.subarray(0, Math.floor(whole.length * part)));
        const found = outcome(at('any.tap'));
        if (found instanceof MindiError) expect(found.code).toBe('tape.truncated');
        else expect(found).toEqual(tape.slice(0, found.length));
      }),
      { numRuns: 50 },
    );
  });

  test('any bytes are a tape or a clear error', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        await writeFile(at('any.tap'), bytes);
        const found = outcome(at('any.tap'));
        if (found instanceof MindiError) expect(found.code).toMatch(/^tape\.(truncated|malformed)$/);
      }),
      { numRuns: 100 },
    );
  });

  test('the end-of-medium marker ends it; other markers and lengths that differ are errors', async () => {
    const record = framed(Buffer.from('abc'));
    const end = Buffer.from('ffffffff', 'hex');
    await writeFile(at('any.tap'), Buffer.concat([record, end, record]));
    expect([...readSimh(at('any.tap'))]).toEqual([Buffer.from('abc')]);
    await writeFile(at('any.tap'), Buffer.from('feffffff', 'hex'));
    expect(outcome(at('any.tap'))).toMatchObject({ code: 'tape.malformed' });
    await writeFile(at('any.tap'), Buffer.concat([record.subarray(0, 8), Buffer.from([5, 0, 0, 0])]));
    expect(outcome(at('any.tap'))).toMatchObject({ message: expect.stringContaining('two lengths are 3 and 5') });
  });

  test('is known by its first record, or by name', async () => {
    writeSimh(at('nameless'), [Buffer.from('abc')]);
    expect([at('nameless'), tap, at('web1.iso'), at('kernel'), work.path, at('nothing.tap')].map(isSimh)).toEqual([
      true,
      true,
      ...[false, false, false, false],
    ]);
  });
});

describe('labels', () => {
  test('come back from their record, and only from one', () => {
    const image = { sha256: 'ab'.repeat(32), size: 4096, record: 2048, start: 20 };
    const label: TapeLabel = {
      format: 1,
      name: 'X'.repeat(32),
      epoch: 2 ** 33,
      image,
      data: { format: 'tar', record: 65536 },
    };
    expect(decodeLabel(encodeLabel(label, TAPE.header.size))).toEqual(label);
    const volume = { format: 1, set: 'f00', number: 2, of: null, machine: 'kölnsrv', created: '2026-01-01' } as const;
    const plain: TapeLabel = { ...label, image: null, data: { format: 'tar', record: 65536, volume } };
    expect(decodeLabel(encodeLabel(plain, TAPE.label))).toEqual(plain);
    const record = Buffer.from(encodeLabel(label, TAPE.label));
    for (const [from, to] of [
      ['"format":1', '"format":2'],
      ['"start":20', '"start":-1'],
      ['abab', 'xxxx'],
      ['8589934592', '8640000000001'],
      ['"data":{', '"data":[{'],
      ['65536', '0'],
      ['65536', '16777216'],
    ])
      expect(decodeLabel(Buffer.from(record.toString('latin1').replace(from ?? '', to ?? '')))).toBeNull();
  });

  test('any bytes are a label or none', () => {
    const text = fc.oneof(fc.string(), fc.json()).map((json) => Buffer.from(`mindi-tape\n${json}`));
    fc.assert(fc.property(fc.oneof(fc.uint8Array(), text), (bytes) => decodeLabel(bytes) === null));
  });
});

describe('the command', () => {
  const mindi = (...args: string[]) =>
    promisify(execFile)(MINDI, args).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      ({ code, stdout, stderr }) => ({ code: code as number, stdout: stdout as string, stderr: stderr as string }),
    );

  test('inspects a tape as the disc it shows', async () => {
    const [summary, same] = await Promise.all([mindi('inspect', tap), mindi('inspect', tap, 'diff', at('web1.iso'))]);
    expect(summary.stdout).toMatch(
      /^image +tape \(OBDR\), .*\non tape +20 records, \d+ of the image, a label; a drive starts it/,
    );
    expect(same).toMatchObject({ code: 0, stdout: 'The images hold the same.\n' });
  });

  test('names every broken rule, with exit code 1; what is not whole, with 2', async () => {
    writeSimh(at('broken.tap'), bootRecord(good.with(3, Buffer.alloc(100)), 122));
    await writeFile(at('cut.tap'), (await readFile(tap)).subarray(0, 70_000));
    const [broken, cut] = await Promise.all([mindi('inspect', at('broken.tap')), mindi('inspect', at('cut.tap'))]);
    expect(broken.stdout).toMatch(
      /^No drive starts a machine from this tape:\n {2}record 3 is of 100 bytes.*\n {2}the boot catalog/,
    );
    expect(broken.code).toBe(1);
    expect(cut).toMatchObject({ code: 2, stderr: expect.stringContaining('cut.tap: the tape file ends in a record') });
    await expect(openImage(at('cut.tap'), work.path)).rejects.toMatchObject({ code: 'tape.truncated' });
  });

  test('does not boot what no drive would start', async () => {
    writeSimh(at('broken.tap'), good.slice(0, 30));
    await expect(discOf(at('broken.tap'), work.path)).rejects.toMatchObject({ code: 'tape.rules', exitCode: 1 });
  });
});

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** As SIMH's documentation has it: length, bytes, one more to make them even, length. */
function framed(record: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(record.length);
  return Buffer.concat([length, record, Buffer.alloc(record.length % 2), length]);
}

function outcome(path: string): TapeObject[] | MindiError {
  try {
    return [...readSimh(path)];
  } catch (error) {
    if (error instanceof MindiError) return error;
    throw error;
  }
}
