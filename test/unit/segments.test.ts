import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { beforeEach, expect, test } from 'vitest';
import { readCpio } from '../../builder/pack/cpio-reader.ts';
import { concatenate } from '../../builder/pack/initrd.ts';
import { packAhead, packSegments } from '../../builder/pack/segments.ts';
import type { Contents, Entry, Manifest, Segment } from '../../contract/manifest.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const scratch = temporaryFolder('segments');
beforeEach(() => {
  process.env.MINDI_CACHE = mkdtempSync(join(scratch, 'cache-'));
});

const common = { uid: 0, gid: 0, why: [] };
const directory = (path: string): Entry => ({ ...common, type: 'directory', path, mode: 0o755 });

/** Entries and contents for some texts. */
function files(texts: Record<string, string | Buffer>, mode = 0o644): { entries: Entry[]; contents: Contents } {
  const contents: Contents = new Map();
  const entries = Object.entries(texts).map(([path, text]): Entry => {
    const bytes = Buffer.from(text);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    contents.set(sha256, { from: 'bytes', bytes });
    return { ...common, type: 'file', path, mode, size: bytes.length, sha256, origin: 'mindi' };
  });
  return { entries, contents };
}

function manifest(...segments: Segment[]): Manifest {
  const kernel = { release: '', banner: '', size: 0, sha256: '', origin: '' };
  return { format: 1, name: 'test', generator: 'mindi', epoch: 1_700_000_000, kernel, segments };
}

const cpio = (name: string, entries: Entry[], level: number | null = 3): Segment => {
  return { name, format: 'cpio', level, entries };
};
const squashfs = (name: string, entries: Entry[]): Segment => ({ name, format: 'squashfs', level: 3, entries });
const pathOf = (packed: Awaited<ReturnType<typeof packSegments>>, name: string) => packed.get(name)?.path ?? '';

/** Text of a size; it compresses, because nothing here is about the compressor. */
const prose = (size: number) => {
  const block = createHash('shake256', { outputLength: 48 << 10 })
    .update('prose')
    .digest('base64');
  return block.repeat(Math.ceil(size / block.length)).slice(0, size);
};

test('an initrd of a stored, a compressed and an embedding segment, opened by zstd, cpio and unsquashfs', async () => {
  const base = files({ '/init': '#!/bin/sh\n' }, 0o755);
  const node = files({ '/bin/node': 'ELF' }, 0o755);
  const entries: Entry[] = [{ ...common, type: 'segment', path: '/runtime.squashfs', mode: 0o644, segment: 'image' }];
  const packed = await packSegments(
    manifest(
      cpio('base', base.entries),
      cpio('runtime', entries, null),
      squashfs('image', [directory('/bin'), ...node.entries]),
    ),
    new Map([...base.contents, ...node.contents]),
  );
  const listing = execFileSync('sh', [
    '-c',
    'zstd -dc "$1" | cpio -t --quiet',
    'sh',
    pathOf(packed, 'base'),
  ]).toString();
  expect(listing).toBe('init\n');
  const image = packed.get('image');
  const [member] = readCpio(readFileSync(pathOf(packed, 'runtime'))).members;
  expect(member?.name).toBe('runtime.squashfs');
  expect(
    createHash('sha256')
      .update(member?.data ?? '')
      .digest('hex'),
  ).toBe(image?.sha256);
  expect(execFileSync('unsquashfs', ['-cat', image?.path ?? '', 'bin/node']).toString()).toBe('ELF');

  const initrd = join(scratch, 'initrd.img');
  await concatenate([pathOf(packed, 'base'), pathOf(packed, 'runtime')], initrd);
  const second = Math.ceil((packed.get('base')?.size ?? 0) / 4) * 4;
  expect(readCpio(readFileSync(initrd), second).members).toHaveLength(1);
});

test('squashfs keeps modes, device nodes, long names and times, and all in it is root’s', async () => {
  const long = 'n'.repeat(180);
  const { entries, contents } = files({ [`/etc/${long}`]: 'x' });
  const all: Entry[] = [
    { ...common, type: 'char', path: '/console', mode: 0o600, major: 5, minor: 1 },
    directory('/etc'),
    ...entries,
    { ...common, type: 'symlink', path: '/link', mode: 0o777, target: `/etc/${long}` },
  ];
  const packed = await packSegments(manifest(squashfs('s', all)), contents);
  const listing = execFileSync('unsquashfs', ['-lln', '-d', '', pathOf(packed, 's')], {
    env: { ...process.env, TZ: 'UTC' },
  });
  const lines = listing.toString().trim().split('\n').slice(-5);
  const fields = lines.map((line) => line.replaceAll(/ {2,}/g, ' ').replace(/^(d\S+ \S+) \d+/, '$1'));
  expect(fields).toEqual([
    'drwxr-xr-x 0/0 1970-01-01 00:00 ',
    'crw------- 0/0 5, 1 1970-01-01 00:00 /console',
    'drwxr-xr-x 0/0 1970-01-01 00:00 /etc',
    `-rw-r--r-- 0/0 1 1970-01-01 00:00 /etc/${long}`,
    `lrwxrwxrwx 0/0 185 1970-01-01 00:00 /link -> /etc/${long}`,
  ]);
  const others = [{ ...directory('/home'), uid: 1000 }];
  await expect(packSegments(manifest(squashfs('s', others)), contents)).rejects.toMatchObject({
    message: 'segment s has /home, which is not root’s',
  });
});

test('segments above one frame are several whole archives, the same bytes at every build', async () => {
  const texts = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`/f${i}`, `${i}${prose(4 << 20)}`]));
  const { entries, contents } = files(texts);
  const build = async () => {
    process.env.MINDI_CACHE = mkdtempSync(join(scratch, 'cache-'));
    const packed = await packSegments(manifest(cpio('modules', entries, 1), squashfs('s', entries)), contents);
    return [...packed.values()].map(({ path, sha256, cached }) => ({ path, sha256, cached }));
  };
  const [first, second] = [await build(), await build()];
  expect(first.map(({ sha256 }) => sha256)).toEqual(second.map(({ sha256 }) => sha256));
  expect(first.map(({ cached }) => cached)).toEqual([false, false]);
  const plain = execFileSync('zstd', ['-dc', first[0]?.path ?? ''], { maxBuffer: 64 << 20 });
  const names: string[] = [];
  let archives = 0;
  for (let at = 0; at < plain.length; archives++) {
    const { members, end } = readCpio(plain, at);
    names.push(...members.map(({ name }) => name));
    at = end;
  }
  expect(names).toEqual(entries.map((entry) => entry.path.slice(1)));
  expect(archives).toBe(3);
});

test('a second build takes everything from the cache, and reasons or origins do not matter', async () => {
  const { entries, contents } = files({ '/a': 'a' });
  const first = await packSegments(manifest(cpio('base', entries)), contents);
  const explained = entries.map((entry) => ({ ...entry, origin: 'elsewhere', why: [{ rule: 'another' }] }) as Entry);
  const second = await packSegments(manifest(cpio('base', explained)), new Map());
  expect(second.get('base')).toMatchObject({ cached: true, sha256: first.get('base')?.sha256 });
  const moded = entries.map((entry) => ({ ...entry, mode: 0o600 }));
  expect((await packSegments(manifest(cpio('base', moded)), contents)).get('base')?.cached).toBe(false);
});

test('a cached segment that is cut short is built again', async () => {
  const { entries, contents } = files({ '/a': 'a' });
  const first = (await packSegments(manifest(cpio('base', entries)), contents)).get('base');
  writeFileSync(first?.path ?? '', 'short');
  const again = (await packSegments(manifest(cpio('base', entries)), contents)).get('base');
  expect(again).toMatchObject({ cached: false, sha256: first?.sha256, size: first?.size });
});

test('the config is made from the packed second stage', async () => {
  const config: Entry = { ...common, type: 'config', path: '/config.json', mode: 0o644 };
  const packed = await packSegments(manifest(cpio('host', [config], null), squashfs('stage2', [])), new Map(), {
    config: async (segment) => Buffer.from((await segment('stage2')).sha256),
  });
  const [member] = readCpio(readFileSync(pathOf(packed, 'host'))).members;
  expect(Buffer.from(member?.data ?? '').toString()).toBe(packed.get('stage2')?.sha256);
});

test.each(['cpio', 'squashfs'] as const)(
  'a file that changed since the plan stops the %s, and leaves nothing',
  async (format) => {
    const path = join(scratch, 'changing');
    const { entries } = files({ '/big': prose(6 << 20), '/small': 'before' });
    const contents: Contents = new Map();
    for (const entry of entries) if (entry.type === 'file') contents.set(entry.sha256, { from: 'file', path });
    writeFileSync(path, `${prose(6 << 20).slice(1)}!`);
    const packing = packSegments(manifest({ name: 's', format, level: 1, entries }), contents);
    await expect(packing).rejects.toMatchObject({ code: 'pack.changed', message: expect.stringContaining('/big') });
    expect(execFileSync('find', [process.env.MINDI_CACHE ?? '', '-type', 'f']).toString()).toBe('');
  },
);

test('a kernel module goes onto the medium decompressed', async () => {
  const ko = readFileSync('/bin/true');
  const path = join(scratch, 'x.ko.zst');
  writeFileSync(path, zstdCompressSync(ko));
  const { entries, contents } = files({ '/x.ko': ko });
  for (const sha256 of contents.keys()) contents.set(sha256, { from: 'module', path });
  const packed = await packSegments(manifest(cpio('modules', entries, null)), contents);
  expect(readCpio(readFileSync(pathOf(packed, 'modules'))).members[0]?.data.length).toBe(ko.length);
});

test('every file that cannot be read is told once, with its path', async () => {
  const { entries } = files({ '/a': 'a' });
  const sha256 = entries[0]?.type === 'file' ? entries[0].sha256 : '';
  const contents: Contents = new Map([[sha256, { from: 'file', path: join(scratch, 'gone') }]]);
  const packing = packSegments(manifest(cpio('one', entries), cpio('two', entries, 5)), contents);
  await expect(packing).rejects.toMatchObject({ code: 'pack.unreadable', where: join(scratch, 'gone'), problems: [] });
});

test('a manifest that cannot be packed says why', async () => {
  const self: Entry = { ...common, type: 'segment', path: '/s', mode: 0o644, segment: 'one' };
  await expect(packSegments(manifest(cpio('one', [self])), new Map())).rejects.toThrow('embedded in itself');
  const lost: Entry = { ...self, segment: 'nowhere' };
  await expect(packSegments(manifest(cpio('one', [lost])), new Map())).rejects.toThrow('no segment nowhere');
  const { entries, contents } = files({ '/no/parent': '' });
  await expect(packSegments(manifest(squashfs('s', entries)), contents)).rejects.toThrow('not the directory /no');
});

test('progress counts up to the whole', async () => {
  const { entries, contents } = files({ '/a': 'aaaa', '/b': 'bb' });
  const seen: [string, number, number][] = [];
  await packSegments(manifest(cpio('base', entries)), contents, { onProgress: (...step) => seen.push(step) });
  expect(seen).toEqual([
    ['base', 4, 6],
    ['base', 6, 6],
  ]);
});

test('what is packed ahead is not packed again, unless it was given up', async () => {
  const { entries, contents } = files({ '/a': 'a' });
  const [given, up] = [new AbortController(), new AbortController()];
  await packAhead(squashfs('s', entries), contents, given.signal);
  // Nothing says where the bytes are: only what was packed ahead can be the answer.
  const packed = await packSegments(manifest(squashfs('s', entries)), new Map());
  expect(packed.get('s')).toMatchObject({ cached: false });

  const other = files({ '/b': prose(1 << 20) });
  await packAhead(squashfs('s', other.entries), other.contents, up.signal);
  up.abort();
  await expect(packSegments(manifest(squashfs('s', other.entries)), new Map())).rejects.toThrow('nothing says where');
});
