import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { xz } from '@napi-rs/lzma';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { elfObject, kernelFixture } from '../../../test/kernel-fixture.ts';
import { KmodError, modinfoValues, openTree, readImports, readModinfo, readModule } from '../src/index.ts';
import { xzContentSize } from '../src/xz.ts';

const directory = mkdtempSync(join(tmpdir(), 'kmod-modinfo-'));
afterAll(() => rm(directory, { recursive: true }));

const module = elfObject(
  { '.text': 'x'.repeat(1000), '.modinfo': 'firmware=a.bin\0license=GPL\0firmware=b.bin\0description=a=b\0odd\0' },
  ['scsi_add_host_with_dma', 'printk'],
);
const FIELDS = [
  ['firmware', 'a.bin'],
  ['license', 'GPL'],
  ['firmware', 'b.bin'],
  ['description', 'a=b'],
];

let count = 0;
function file(content: Uint8Array, suffix = '.ko'): string {
  count += 1;
  const path = join(directory, `m${count}${suffix}`);
  writeFileSync(path, content);
  return path;
}

/** Compressed by the xz program, as distributions do it. */
function xzFile(content: Uint8Array, ...options: string[]): string {
  const path = file(content);
  execFileSync('xz', ['--check=crc32', ...options, path]);
  return `${path}.xz`;
}

describe('.modinfo', () => {
  it.each([
    ['.ko', () => file(module)],
    ['.ko.gz', () => file(gzipSync(module), '.ko.gz')],
    ['.ko.zst', () => file(zstdCompressSync(module), '.ko.zst')],
    ['.ko.xz', () => xzFile(module)],
    ['.ko.xz with the x86 filter', () => xzFile(module, '--x86', '--lzma2=dict=1MiB')],
    ['.ko.xz of several blocks', () => xzFile(module, '--block-size=256')],
    [
      '.ko.xz of two streams',
      () => {
        const halves = [module.subarray(0, 500), module.subarray(500)].map((half) => readFileSync(xzFile(half)));
        return file(Buffer.concat(halves), '.ko.xz');
      },
    ],
  ])('of %s', async (_, make) => {
    const path = make();
    const modinfo = await readModinfo(path);
    expect(modinfo.fields).toEqual(FIELDS);
    expect(modinfoValues(modinfo, 'firmware')).toEqual(['a.bin', 'b.bin']);
    expect(await readImports(path)).toEqual(['scsi_add_host_with_dma', 'printk']);
    expect((await readModule(path)).equals(module)).toBe(true);
  });

  it('equals what modinfo prints', async () => {
    const { directory: modules } = await kernelFixture('bookworm-amd64', { modules: 'stand-ins' });
    const tree = await openTree(modules);
    for (const name of tree.names.filter((_, i) => i % 211 === 0)) {
      const { fields } = await readModinfo(tree.file(name) ?? '');
      for (const key of new Set(fields.map(([each]) => each))) {
        const printed = execFileSync('modinfo', ['-F', key, tree.file(name) ?? ''], { encoding: 'utf8' });
        expect(`${modinfoValues({ fields }, key).join('\n')}\n`).toBe(printed);
      }
    }
  });

  it('of a module without that section is empty', async () => {
    expect((await readModinfo(file(elfObject({ '.text': 'x' })))).fields).toEqual([]);
    expect(await readImports(file(elfObject({ '.text': 'x' })))).toEqual([]);
  });
});

describe('what is no module', () => {
  it.each([
    [
      'text',
      () => file(Buffer.from('hello, this is no module at all, though it is long enough to be one of them')),
      'not-elf',
    ],
    ['nothing', () => file(Buffer.alloc(0)), 'not-elf'],
    ['an ELF header alone', () => file(module.subarray(0, 64)), 'not-elf'],
    ['half a module', () => file(module.subarray(0, 900)), 'not-elf'],
    ['text, compressed', () => file(zstdCompressSync(Buffer.from('hello'))), 'not-elf'],
    ['half a .zst', () => file(zstdCompressSync(module).subarray(0, 50)), 'compression'],
    ['half a .gz', () => file(gzipSync(module).subarray(0, 50)), 'compression'],
    ['half a .xz', () => file(readFileSync(xzFile(module)).subarray(0, 100)), 'compression'],
    ['a missing file', () => join(directory, 'missing.ko'), 'unreadable'],
    ['a directory', () => directory, 'unreadable'],
  ])('%s', async (_, make, code) => {
    const path = make();
    const error = expect.objectContaining({ name: 'KmodError', code: `module.${code}`, where: path });
    await expect(readModinfo(path)).rejects.toThrow(error);
    await expect(readModule(path)).rejects.toThrow(error);
  });

  it.each([
    ['xz', (bomb: Buffer) => xzFile(bomb)],
    ['xz with the x86 filter', (bomb: Buffer) => xzFile(bomb, '--x86', '--lzma2')],
    ['gzip', (bomb: Buffer) => file(gzipSync(bomb))],
    ['zstd', (bomb: Buffer) => file(zstdCompressSync(bomb))],
  ])('a %s bomb is not unpacked', async (_, make) => {
    const path = make(Buffer.alloc(4_000_000));
    const limited = readModule(path, { maxBytes: 1_000_000 });
    await expect(limited).rejects.toThrow(expect.objectContaining({ code: 'module.too-big' }));
  });

  it('an xz file that lies about its size in the index is still counted right', () => {
    const honest = xz.compressSync(Buffer.alloc(3_000_000));
    expect(xzContentSize(honest, 1e9)).toBe(3_000_000);
    expect(xzContentSize(honest, 1000)).toBeGreaterThan(1000);
  });

  it('damage anywhere gives a KmodError or an answer, never another error', async () => {
    const path = join(directory, 'damaged.ko');
    const damage = fc.array(fc.tuple(fc.nat(module.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(damage, fc.integer({ min: 1, max: module.length }), async (changes, length) => {
        const bytes = Buffer.from(module);
        for (const [at, value] of changes) bytes[at] = value;
        writeFileSync(path, bytes.subarray(0, length));
        for (const read of [readModinfo, readImports, readModule]) {
          await read(path).catch((error: unknown) => expect(error).toBeInstanceOf(KmodError));
        }
      }),
      { numRuns: 300 },
    );
  });
});
