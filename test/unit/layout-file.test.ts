import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { scratch } from '../../builder/scratch.ts';
import { MindiError } from '../../contract/error.ts';
import { formatLayout, parseLayout, readLayout } from '../../contract/layout/file.ts';
import { orderOf } from '../../contract/layout/graph.ts';
import { emptyLayout } from '../../contract/layout/schema.ts';
import { parseSize, sizeText } from '../../contract/layout/size.ts';
import { layoutOf, randomLayouts } from '../layouts.ts';

const SMALL = `layout: 1
disks:
  sda: { size: 20GiB, serial: "0123" }
tables:
  sda: { type: gpt }
partitions:
  # starts the machine
  sda1: { on: sda, number: 1, size: 512MiB, type: efi }
  sda2: { on: sda, number: 2 } # all the rest
filesystems:
  sda1: { type: vfat, label: EFI, mounts: [ { at: /boot/efi } ] }
  sda2: { type: ext4, mounts: [ { at: / } ] }
`;

/** `line:column code`, of everything that is wrong with a text. */
function wrongWith(text: string): string[] {
  try {
    parseLayout(text, 'l');
    return [];
  } catch (error) {
    if (!(error instanceof MindiError)) throw error;
    const all = error.problems.length > 0 ? error.problems : [error];
    return all.map(({ where, code }) => `${where?.replace(/^l:/, '')} ${code.replace(/^layout\./, '')}`);
  }
}

test('random layouts are the same after YAML, and after JSON', () => {
  fc.assert(
    fc.property(randomLayouts, (layout) => {
      expect(parseLayout(formatLayout(layout), 'l')).toEqual(layout);
      expect(parseLayout(JSON.stringify(layout), 'l')).toEqual(layout);
    }),
    { numRuns: 15 },
  );
});

test('a short layout is understood, and written as it was', () => {
  const layout = parseLayout(SMALL, 'l');
  expect(layout.disks.sda).toEqual({ size: 20 * 2 ** 30, serial: '0123' });
  expect(formatLayout(layout, SMALL)).toBe(SMALL);
});

test('comments and the order of lines stay when the disks have changed', () => {
  const layout = parseLayout(SMALL, 'l');
  layout.partitions.sda1 = { on: 'sda', number: 1, size: 2 ** 30, type: 'efi' };
  layout.partitions.sda3 = { on: 'sda', number: 3 };
  delete layout.filesystems.sda2;
  const text = formatLayout(layout, SMALL);
  expect(text).toContain('# starts the machine\n  sda1: { on: sda, number: 1, size: 1GiB, type: efi }');
  expect(text).toContain('# all the rest');
  expect(parseLayout(text, 'l')).toEqual(layout);
});

test('everything that is wrong is told at once, each at its place', () => {
  expect(wrongWith('layout: 2\n')).toEqual(['1:9 unknown-value']);
  expect(
    wrongWith(`${SMALL.replace('size: 20GiB', 'size: 20GB').replace('type: efi', 'tipe: efi')}  x: { type: ext5 }\n`),
  ).toEqual(['3:16 bad-value', '8:45 unknown-key', '13:14 unknown-value']);
  const graph = SMALL.replace('on: sda, number: 2', 'on: sdb, number: 2')
    .replace('  sda2: { type: ext4', '  sda2: { type: ext4, agCount: 3')
    .replace('agCount', 'allocationGroups');
  expect(wrongWith(graph)).toEqual(['9:15 no-device', '9:15 no-table', '12:41 field']);
  expect(wrongWith(`${SMALL}arrays:\n  md0: { level: raid5, members: [sda2] }\n`)).toEqual([
    '12:9 used-twice',
    '14:33 members',
  ]);
  expect(
    wrongWith(
      `${SMALL}encrypted:\n  a: { on: b, version: 2 }\n  b: { on: a, version: 2 }\n  sda1: { on: sda2, version: 1 }\n`,
    ),
  ).toEqual(['16:9 duplicate-id', '12:9 used-twice', '14:6 circle']);
  expect(wrongWith(`${SMALL}volumes:\n  vg/a: { group: vh }\n  vh/t: { group: vh, kind: thin }\n`)).toEqual([
    '14:18 no-group',
    '15:18 no-group',
    '14:18 group',
    '15:9 pool',
    '15:9 size',
  ]);
});

test('partitions that overlap and logical ones without an extended one are refused', () => {
  const mbr = 'layout: 1\ndisks: { a: { size: 1GiB } }\ntables: { a: { type: mbr } }\npartitions:\n';
  expect(
    wrongWith(
      `${mbr}  a5: { on: a, number: 5, start: 1MiB, size: 2MiB }\n  b: { on: a, number: 5, start: 2MiB, size: 1MiB }\n`,
    ),
  ).toEqual(
    ['6:21 duplicate-number', '5:23 no-extended', '6:21 no-extended', '6:31 overlap'].map((line) =>
      expect.stringContaining(line.split(' ')[1] as string),
    ),
  );
});

test('names every object has are ids as others are', () => {
  const text = 'layout: 1\ndisks:\n  constructor: { size: 1GiB }\n  __proto__: { size: 1GiB }\n';
  const layout = parseLayout(text, 'l');
  expect(Object.keys(layout.disks)).toEqual(['constructor', '__proto__']);
  expect(wrongWith('layout: 1\nfilesystems:\n  toString: { type: ext4 }\n')).toEqual(['3:13 no-device']);
});

test('a device comes after all it lies on', () => {
  fc.assert(
    fc.property(randomLayouts, (layout) => {
      const { order, circle } = orderOf(layout);
      expect(circle).toEqual([]);
      const place = (id: string) => order.indexOf(`device:${id}`);
      for (const [id, { members }] of Object.entries(layout.arrays))
        for (const member of members) expect(place(member)).toBeLessThan(place(id));
    }),
    { numRuns: 20 },
  );
});

test('sizes say exactly the bytes there are', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (bytes) => {
      expect(parseSize(sizeText(bytes))).toBe(bytes);
    }),
  );
  expect(sizeText(512 * 2 ** 20)).toBe('512MiB');
});

test('a file that is none is an error, no crash', async () => {
  await using work = await scratch('test');
  const file = join(work.path, 'layout.yaml');
  await expect(readLayout(file)).rejects.toMatchObject({ code: 'layout.not-found' });
  await writeFile(file, formatLayout(layoutOf(7)));
  expect(await readLayout(file)).toEqual(layoutOf(7));
  fc.assert(
    fc.property(fc.string(), fc.nat(SMALL.length), (junk, at) => {
      wrongWith(SMALL.slice(0, at) + junk + SMALL.slice(at));
    }),
    { numRuns: 40 },
  );
  expect(parseLayout('layout: 1\n', 'l')).toEqual(emptyLayout());
});
