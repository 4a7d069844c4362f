import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MindiError } from '../../contract/error.ts';
import { comment, padded, readHeader, renamed, type TarHeader, writeHeader } from '../../contract/tar.ts';

/** Bytes of a name: anything but NUL, and no `/` at its end. */
const names = fc
  .uint8Array({ min: 1, max: 255, minLength: 1, maxLength: 300 })
  .filter((bytes) => bytes.at(-1) !== 0x2f)
  .map((bytes) => Buffer.from(bytes));

const read = (bytes: Buffer) => readHeader(bytes, 0, bytes.length) as TarHeader;

describe('headers of tar members', () => {
  test('what is written is read, whatever the bytes of the name', () => {
    fc.assert(
      fc.property(names, names, fc.integer({ min: 0, max: 2 ** 33 - 1 }), (path, target, size) => {
        const file = writeHeader({ path, size });
        expect(read(file)).toMatchObject({ type: 'file', path, size, data: size, headers: file.length });
        const link = writeHeader({ path, target });
        expect(read(link)).toMatchObject({ type: 'link', path, target, data: 0, headers: link.length });
        expect(read(renamed(file, target))).toMatchObject({ path: target, size });
      }),
    );
  });

  test('any bytes give a header, the wish for more, the end, or an error with a code', () => {
    const good = Buffer.concat([comment('x'), writeHeader({ path: Buffer.from('a'.repeat(200)), size: 7 })]);
    const spoiled = fc.array(fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 4 });
    fc.assert(
      fc.property(spoiled, fc.nat(good.length), (changes, end) => {
        const bytes = Buffer.from(good);
        for (const [at, byte] of changes) bytes[at] = byte;
        try {
          const header = readHeader(bytes, 0, end);
          if (typeof header === 'object') expect(header.headers).toBeLessThanOrEqual(end);
        } catch (error) {
          expect(error).toBeInstanceOf(MindiError);
          expect((error as MindiError).code).toBe('tar.header');
        }
      }),
      { numRuns: 500 },
    );
  });

  test('cut short it asks for more; two empty blocks are the end', () => {
    const header = writeHeader({ path: Buffer.from('a'.repeat(200)), size: 7 });
    for (let end = 0; end < header.length; end += 100) expect(readHeader(header, 0, end)).toBe('more');
    expect(readHeader(Buffer.alloc(1024), 0, 1024)).toBe('end');
  });

  test('GNU tar reads what is written, and takes a comment for nothing', () => {
    const path = Buffer.from(`${'d'.repeat(120)}/${'f'.repeat(90)}`);
    const parts = [comment('mindi set x archive 1'), writeHeader({ path, size: 2 }), Buffer.alloc(padded(2), 'ab')];
    const input = Buffer.concat([...parts, writeHeader({ path: Buffer.from('l'), target: path }), Buffer.alloc(1024)]);
    expect(execFileSync('tar', ['-tf', '-'], { input }).toString()).toBe(`${path}\nl\n`);
  });
});
