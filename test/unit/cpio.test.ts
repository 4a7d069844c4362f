import { execFileSync } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Item } from '../../builder/pack/content.ts';
import { writeCpio } from '../../builder/pack/cpio.ts';
import { readCpio } from '../../builder/pack/cpio-reader.ts';
import { MindiError } from '../../contract/error.ts';
import type { Entry, FileEntry } from '../../contract/manifest.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const scratch = temporaryFolder('cpio');

const common = { uid: 0, gid: 0, why: [] };
const file = (path: string, text: string, mode = 0o644): Item => ({
  entry: { ...common, type: 'file', path, mode, size: Buffer.byteLength(text), sha256: '', origin: '' },
  size: Buffer.byteLength(text),
  bytes: [Buffer.from(text)],
});
const other = (entry: DistributedOmit<Exclude<Entry, FileEntry>, 'uid' | 'gid' | 'why'>, uid = 0): Item => ({
  entry: { ...common, ...entry, uid } as Entry,
  size: 0,
  bytes: [],
});
type DistributedOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

async function archive(items: Item[], mtime = 0): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of writeCpio(items, mtime)) pieces.push(piece);
  return Buffer.concat(pieces);
}

const sample = [
  other({ type: 'directory', path: '/dev', mode: 0o755 }),
  other({ type: 'char', path: '/dev/console', mode: 0o600, major: 5, minor: 1 }, 7),
  other({ type: 'block', path: '/dev/loop0', mode: 0o660, major: 7, minor: 259 }),
  file('/init', '#!/bin/sh\n', 0o755),
  other({ type: 'symlink', path: '/lib', mode: 0o777, target: 'usr/lib' }),
  file('/empty', ''),
];

test('GNU cpio lists what was written: types, modes, owners, device numbers and the time', async () => {
  const bytes = await archive(sample, 1_700_000_000);
  const listing = execFileSync('cpio', ['--list', '--verbose', '--numeric-uid-gid', '--quiet'], {
    input: bytes,
    env: { LC_ALL: 'C', TZ: 'UTC', PATH: process.env.PATH },
  }).toString();
  expect(listing.replaceAll(/ {2,}/g, ' ').trim().split('\n')).toEqual([
    'drwxr-xr-x 2 0 0 0 Nov 14 2023 dev',
    'crw------- 1 7 0 5, 1 Nov 14 2023 dev/console',
    'brw-rw---- 1 0 0 7, 259 Nov 14 2023 dev/loop0',
    '-rwxr-xr-x 1 0 0 10 Nov 14 2023 init',
    'lrwxrwxrwx 1 0 0 7 Nov 14 2023 lib -> usr/lib',
    '-rw-r--r-- 1 0 0 0 Nov 14 2023 empty',
  ]);
});

test('GNU cpio unpacks the bytes, and packs them again to an archive our reader reads the same', async () => {
  const items = [
    file('/a', 'one'),
    other({ type: 'directory', path: '/b', mode: 0o711 }),
    file('/b/ü', 'x'.repeat(9999)),
  ];
  writeFileSync(join(scratch, 'in.cpio'), await archive(items));
  const out = join(scratch, 'unpacked');
  execFileSync('sh', ['-c', 'mkdir "$1" && cd "$1" && cpio -i --quiet < ../in.cpio', 'sh', out]);
  expect(statSync(join(out, 'b')).mode & 0o777).toBe(0o711);
  const again = execFileSync('sh', ['-c', 'cd "$1" && printf "a\\nb\\nb/ü\\n" | cpio -o -H newc --quiet', 'sh', out]);
  const ours = readCpio(await archive(items)).members.map(({ name, data }) => [name, Buffer.from(data).toString()]);
  expect(readCpio(again).members.map(({ name, data }) => [name, Buffer.from(data).toString()])).toEqual(ours);
});

test('hard links read with the data that only the last of them carries', () => {
  const dir = join(scratch, 'links');
  const script = 'mkdir "$1" && cd "$1" && printf data > a && ln a b && printf "a\\nb\\n" | cpio -o -H newc --quiet';
  const bytes = execFileSync('sh', ['-c', script, 'sh', dir]);
  expect(readCpio(bytes).members.map(({ data }) => Buffer.from(data).toString())).toEqual(['data', 'data']);
});

test('a file above 4 GiB is refused before a byte of it is read', async () => {
  const huge = { ...file('/huge', ''), size: 2 ** 32 };
  await expect(archive([huge])).rejects.toThrow(/\/huge cannot be stored in an initrd: it is larger than 4 GiB/);
});

test('bytes that disagree with the size are our fault, not a broken archive', async () => {
  await expect(archive([{ ...file('/a', 'four'), size: 3 }])).rejects.toMatchObject({ code: 'cpio.bad-size' });
});

test('what is written reads back the same, at any size and any name', async () => {
  const name = fc
    .string({ minLength: 1, maxLength: 40, unit: 'grapheme' })
    .map((text) => text.replaceAll(/[\0/.]/g, '_'));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(name, fc.string({ maxLength: 300 }))), async (files) => {
      const { members, end } = readCpio(await archive(files.map(([path, text]) => file(`/${path}`, text))));
      expect(members.map(({ name, data }) => [name, Buffer.from(data).toString()])).toEqual(files);
      expect(end % 4).toBe(0);
    }),
  );
});

test('no bytes make the reader throw anything but a MindiError', async () => {
  const good = await archive(sample);
  const damaged = fc.tuple(fc.nat(good.length - 1), fc.nat(255)).map(([at, byte]) => {
    const bytes = Buffer.from(good);
    bytes[at] = byte;
    return bytes;
  });
  const cut = fc.nat(good.length).map((length) => good.subarray(0, length));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 600 }), damaged, cut), (bytes) => {
      try {
        readCpio(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(MindiError);
      }
    }),
    { numRuns: 2000 },
  );
});
