import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { diffImages } from '../../builder/inspect/diff.ts';
import { allEntries, openImage, readFrom } from '../../builder/inspect/image.ts';
import { summarize } from '../../builder/inspect/summary.ts';
import { MindiError } from '../../contract/error.ts';
import { PATHS } from '../../contract/rescue-config.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const scratch = temporaryFolder('inspect');
let work = '';
beforeEach(() => {
  work = mkdtempSync(join(scratch, 'work-'));
});

const shell = (script: string, ...args: string[]) => execFileSync('sh', ['-euc', script, 'sh', ...args]);

/** A directory packed by GNU cpio. */
function cpio(tree: Record<string, string>): Buffer {
  const root = mkdtempSync(join(scratch, 'tree-'));
  for (const [path, text] of Object.entries(tree)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    if (text.startsWith('-> ')) symlinkSync(text.slice(3), join(root, path));
    else writeFileSync(join(root, path), text);
  }
  return shell('cd "$1"; find . | LC_ALL=C sort | cpio -o -H newc --quiet --reproducible', root);
}

function squashfs(tree: Record<string, string>): Buffer {
  const root = mkdtempSync(join(scratch, 'squash-'));
  for (const [path, text] of Object.entries(tree)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const image = `${root}.squashfs`;
  const options = ['-comp', 'zstd', '-all-root', '-quiet', '-no-progress', '-all-time', '0', '-mkfs-time', '0'];
  execFileSync('mksquashfs', [root, image, ...options]);
  return readFileSync(image);
}

const config = {
  name: 'test',
  generator: 'mindi 4.0.0',
  created: '2026-01-02T03:04:05.000Z',
  machine: 'web01',
  runtime: 'node',
};

/** An ISO as mindi's are: an initrd with the runtime's squashfs in it, and a second stage. */
function iso(second: Record<string, string>): string {
  const root = mkdtempSync(join(scratch, 'iso-'));
  mkdirSync(join(root, 'mindi'));
  mkdirSync(join(root, 'isolinux'));
  const runtime = Buffer.from(squashfs({ 'bin/node': 'the runtime' }));
  const initrd = mkdtempSync(join(scratch, 'initrd-'));
  writeFileSync(join(initrd, 'runtime.squashfs'), runtime);
  const stored = shell('cd "$1"; echo runtime.squashfs | cpio -o -H newc --quiet', initrd);
  const base = cpio({ init: '#!/bin/sh\n', [PATHS.config.slice(1)]: JSON.stringify(config), 'usr/a.ko': 'module' });
  const packed = zstdCompressSync(base);
  const padding = Buffer.alloc((4 - (packed.length % 4)) % 4);
  writeFileSync(join(root, 'mindi/initrd.img'), Buffer.concat([packed, padding, stored]));
  writeFileSync(join(root, 'mindi/stage2.squashfs'), squashfs(second));
  writeFileSync(join(root, "mindi/it's -> here"), 'odd name');
  const menu = 'UI menu.c32\nLABEL expert\n  MENU LABEL ^Expert   a shell\nLABEL local\n  LOCALBOOT 0\n';
  writeFileSync(join(root, 'isolinux/isolinux.cfg'), menu);
  execFileSync('xorriso', ['-as', 'mkisofs', '-quiet', '-R', '-V', 'MINDI_TEST', '-o', `${root}.iso`, root], {
    stdio: 'ignore',
  });
  return `${root}.iso`;
}

let image = '';
beforeAll(() => {
  image = iso({ 'usr/sbin/lvm': 'lvm', 'usr/b.ko': 'module' });
});

const paths = async (file: string) => [...allEntries(await openImage(file, work))].map(({ path }) => path);

/** `mindi inspect` as people call it. */
function mindi(...args: string[]) {
  const call = ['--conditions=source', new URL('../../cli/main.ts', import.meta.url).pathname, 'inspect', ...args];
  return spawnSync(process.execPath, call, { env: { ...process.env, NO_COLOR: '1', MINDI_LOG: join(work, 'log') } });
}

test('an ISO is listed with what is in its initrd, in the squashfs in that, and in the second stage', async () => {
  expect(await paths(image)).toEqual([
    'isolinux',
    'isolinux/isolinux.cfg',
    'mindi',
    'mindi/initrd.img',
    'mindi/initrd.img:/etc',
    'mindi/initrd.img:/etc/mindi',
    'mindi/initrd.img:/etc/mindi/config.json',
    'mindi/initrd.img:/init',
    'mindi/initrd.img:/runtime.squashfs',
    'mindi/initrd.img:/runtime.squashfs:/bin',
    'mindi/initrd.img:/runtime.squashfs:/bin/node',
    'mindi/initrd.img:/usr',
    'mindi/initrd.img:/usr/a.ko',
    "mindi/it's -> here",
    'mindi/stage2.squashfs',
    'mindi/stage2.squashfs:/usr',
    'mindi/stage2.squashfs:/usr/b.ko',
    'mindi/stage2.squashfs:/usr/sbin',
    'mindi/stage2.squashfs:/usr/sbin/lvm',
  ]);
});

test('any file is read by the path ls gives it', async () => {
  const opened = await openImage(image, work);
  const read = async (path: string) => Buffer.from(await readFrom(opened, path, image)).toString();
  expect(await read('mindi/initrd.img:/init')).toBe('#!/bin/sh\n');
  expect(await read('/mindi/initrd.img:/runtime.squashfs:/bin/node')).toBe('the runtime');
  expect(await read('mindi/stage2.squashfs:/usr/sbin/lvm')).toBe('lvm');
  expect(await read("mindi/it's -> here")).toBe('odd name');
  await expect(read('mindi/none')).rejects.toMatchObject({ code: 'image.no-such-path', where: image });
  await expect(read('mindi')).rejects.toMatchObject({ code: 'image.not-a-file' });
});

test('the summary tells volume, menu, profile, modules and parts', async () => {
  const summary = await summarize(await openImage(image, work), readFileSync(image).length);
  expect(summary).toMatchObject({
    kind: 'iso',
    volume: 'MINDI_TEST',
    menu: [
      { name: 'expert', label: 'Expert a shell' },
      { name: 'local', label: 'local' },
    ],
    rescue: config,
    modules: 2,
  });
  expect(summary.parts.map(({ path, kind, files, detail }) => [path, kind, files, detail])).toEqual([
    ['mindi/initrd.img', 'initrd', 4, '2 archives: zstd, stored'],
    ['mindi/initrd.img:/runtime.squashfs', 'squashfs', 1, 'zstd, 128 KiB blocks'],
    ['mindi/stage2.squashfs', 'squashfs', 2, 'zstd, 128 KiB blocks'],
  ]);
});

test('two images that hold the same do not differ; what is added, removed or changed inside is told', async () => {
  const diff = async (one: string, other: string) => {
    const [before, after] = [await openImage(one, work), await openImage(other, work)];
    const changes = await diffImages(before, after, mkdtempSync(join(work, 'diff-')));
    return changes.map(({ path, change, before: was, after: is, differs }) => [path, change, was, is, differs]);
  };
  expect(await diff(image, image)).toEqual([]);
  const other = iso({ 'usr/sbin/lvm': 'LVM', 'usr/c.ko': 'module' });
  const changes = await diff(image, other);
  expect(changes.filter(([path]) => String(path).includes(':'))).toEqual([
    ['mindi/stage2.squashfs:/usr/b.ko', 'removed', 6, null, undefined],
    ['mindi/stage2.squashfs:/usr/c.ko', 'added', null, 6, undefined],
    ['mindi/stage2.squashfs:/usr/sbin/lvm', 'changed', 3, 3, ['content']],
  ]);
  expect(changes.map(([path]) => path)).toContain('mindi/stage2.squashfs');
});

/** A netboot folder whose second stage holds lvm, from a package of that version. */
function netboot(version: string): string {
  const root = mkdtempSync(join(scratch, 'netboot-'));
  for (const folder of ['mindi', 'pxelinux.cfg']) mkdirSync(join(root, folder));
  const lvm = { segment: 'stage2', path: '/usr/sbin/lvm', package: `lvm2 ${version}`, why: ['tools.sets: lvm'] };
  writeFileSync(join(root, 'pxelinux.0'), 'loader');
  writeFileSync(join(root, 'pxelinux.cfg/default'), 'LABEL expert\n  MENU LABEL ^Expert   a shell\n');
  writeFileSync(join(root, 'initrd.img'), cpio({ 'etc/mindi/config.json': JSON.stringify(config) }));
  writeFileSync(join(root, 'mindi/stage2.squashfs'), squashfs({ 'usr/sbin/lvm': version, 'usr/sbin/mt': 'mt' }));
  writeFileSync(join(root, 'mindi/manifest.json'), JSON.stringify({ files: [lvm] }));
  return root;
}

test('a netboot folder is an image, too', async () => {
  const folder = netboot('2.03.16-2');
  expect(await paths(folder)).toContain('mindi/stage2.squashfs:/usr/sbin/lvm');
  const bytes = await readFrom(await openImage(folder, work), 'mindi/stage2.squashfs:/usr/sbin/lvm', folder);
  expect(Buffer.from(bytes).toString()).toBe('2.03.16-2');
  expect(await summarize(await openImage(folder, work), 0)).toMatchObject({
    kind: 'folder',
    firmware: ['PXE', 'UEFI PXE', 'iPXE'],
    menu: [{ name: 'expert', label: 'Expert a shell' }],
    rescue: config,
  });
  const { stdout, status } = mindi(folder);
  expect({ status, stdout: String(stdout) }).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^image +netboot folder, /),
  });
});

test('a difference is told with package and profile line, as the media know them', async () => {
  const [one, other] = [netboot('2.03.16-2'), netboot('2.03.22-1')];
  const changes = await diffImages(await openImage(one, work), await openImage(other, work), work);
  expect(changes.find(({ path }) => path.endsWith(':/usr/sbin/lvm'))).toMatchObject({
    change: 'changed',
    origin: {
      before: { package: 'lvm2 2.03.16-2', why: ['tools.sets: lvm'] },
      after: { package: 'lvm2 2.03.22-1', why: ['tools.sets: lvm'] },
    },
  });
  expect(changes.find(({ path }) => path === 'mindi/stage2.squashfs')?.origin).toBeUndefined();
  const { stdout, status } = mindi(one, 'diff', other);
  expect(status).toBe(1);
  expect(String(stdout)).toMatch(
    /:\/usr\/sbin\/lvm +content +lvm2 2\.03\.16-2 -> lvm2 2\.03\.22-1; tools\.sets: lvm$/m,
  );
});

test('an initrd is read as the kernel does: early archive, several compressions, zeros, later files win', async () => {
  const xz = (bytes: Buffer, ...args: string[]) => execFileSync('xz', ['-c', ...args], { input: bytes });
  const early = cpio({ 'kernel/x86/microcode.bin': 'early' });
  const named = gzipSync(cpio({ gz: 'gzip', same: 'first' }));
  named[3] = 8; // a gzip header with a file's name
  const gzip = Buffer.concat([named.subarray(0, 10), Buffer.from('name\0'), named.subarray(10)]);
  const path = join(work, 'initrd');
  const tail = zstdCompressSync(cpio({ zst: 'zstd', same: 'last', link: '-> zst' }));
  const middle = xz(cpio({ x: 'xz' }), '--check=crc32', '--x86', '--lzma2');
  writeFileSync(path, Buffer.concat([early, Buffer.alloc(512), gzip, Buffer.alloc(7), middle, tail]));
  const opened = await openImage(path, work);
  const files = opened.entries.filter(({ type }) => type !== 'directory');
  expect(files.map((entry) => [entry.path, entry.target])).toEqual([
    ['/gz', undefined],
    ['/kernel/x86/microcode.bin', undefined],
    ['/link', 'zst'],
    ['/same', undefined],
    ['/x', undefined],
    ['/zst', undefined],
  ]);
  expect(Buffer.from(await readFrom(opened, 'same', path)).toString()).toBe('last');
  const { parts } = await summarize(opened, readFileSync(path).length);
  expect(parts[0]?.detail).toBe('4 archives: stored, gzip, xz, zstd');
});

test('what cannot be read says what it is and what to do', async () => {
  const put = (bytes: Uint8Array | string) => {
    const path = join(mkdtempSync(join(work, 'bad-')), 'image');
    writeFileSync(path, bytes);
    return path;
  };
  const code = async (path: string) => {
    const error = await openImage(path, work).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(MindiError);
    expect(error.where).toContain(path);
    return error.code;
  };
  const whole = readFileSync(image);
  const archive = cpio({ a: 'text '.repeat(1000) });
  const zstd = zstdCompressSync(archive);
  const gzip = gzipSync(archive);
  const xz = execFileSync('xz', ['-c'], { input: archive });
  expect(await code(join(work, 'absent'))).toBe('image.missing');
  expect(await code(work)).toBe('image.unknown');
  expect(await code(put(''))).toBe('image.empty');
  expect(await code(put('just text'))).toBe('image.unknown');
  expect(await code(put(whole.subarray(0, 100_000)))).toBe('iso.truncated');
  expect(await code(put(archive.subarray(0, 3000)))).toBe('cpio.truncated');
  for (const packed of [zstd, gzip, xz]) {
    expect(await code(put(packed.subarray(0, packed.length - 20)))).toBe('initrd.truncated');
    const flipped = Buffer.from(packed);
    flipped[packed.length >> 1] = (flipped[packed.length >> 1] ?? 0) ^ 0xff;
    expect(await code(put(flipped))).toMatch(/^(initrd|cpio)\.(damaged|truncated|junk)$/);
  }
  expect(await code(put(Buffer.concat([archive, Buffer.from('junk after it')])))).toBe('initrd.junk');
  expect(await code(put('BZh91AY&SY'))).toBe('initrd.compression');
  const stage = squashfs({ a: 'x'.repeat(5000) });
  expect(await code(put(stage.subarray(0, 200)))).toBe('squashfs.truncated');
  const broken = Buffer.from(stage);
  broken.fill(0xff, 48, 96);
  expect(await code(put(broken))).toBe('squashfs.damaged');
});

test('no initrd makes it throw anything but a MindiError', async () => {
  const good = Buffer.concat([cpio({ a: '1' }), zstdCompressSync(cpio({ b: '2' })), gzipSync(cpio({ c: '3' }))]);
  const path = join(work, 'initrd');
  const change = fc.tuple(fc.nat(good.length - 1), fc.nat(255));
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(good.length), async (changes, cut) => {
      const bytes = Buffer.from(good.subarray(0, cut % 3 === 0 ? cut : good.length));
      for (const [at, byte] of changes) bytes[at] = byte;
      writeFileSync(path, bytes);
      await openImage(path, work).catch((error) => expect(error).toBeInstanceOf(MindiError));
    }),
    { numRuns: 400 },
  );
});

test('the command: exit 1 when images differ, bytes untouched by cat, JSON on request, no stack trace', () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const other = join(work, 'other.iso');
  writeFileSync(other, readFileSync(iso({ 'usr/binary': bytes.toString('latin1') })));
  const catted = mindi(other, 'cat', 'mindi/stage2.squashfs:/usr/binary');
  const sha = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');
  expect(sha(catted.stdout)).toBe(sha(Buffer.from(bytes.toString('latin1'))));
  const differing = mindi(image, 'diff', other);
  expect(differing.status).toBe(1);
  expect(differing.stdout.toString()).toMatch(/^\+ +256 B|^\+ +\d+ B +mindi\/stage2\.squashfs:\/usr\/binary/m);
  const listed = JSON.parse(mindi(image, 'ls', '--json').stdout.toString());
  expect(listed.find(({ path }: { path: string }) => path === 'mindi/initrd.img:/init')).toMatchObject({ size: 10 });
  expect(JSON.parse(mindi(image, '--json').stdout.toString())).toMatchObject({ volume: 'MINDI_TEST' });
  const piped = `"$0" --conditions=source cli/main.ts inspect "$1" cat mindi/stage2.squashfs:/usr/long | head -c 1`;
  const long = iso({ 'usr/long': 'x'.repeat(1 << 20) });
  const root = new URL('../..', import.meta.url).pathname;
  expect(spawnSync('sh', ['-c', piped, process.execPath, long], { cwd: root }).stderr.toString()).toBe('');
  const failed = mindi('/etc/hostname');
  expect([failed.status, failed.stdout.toString()]).toEqual([2, '']);
  expect(failed.stderr.toString()).toBe(
    'mindi: /etc/hostname: this is neither an ISO, nor a tape, nor a USB image, nor an initrd, nor a squashfs\n  hint: Name an ISO, a tape (NAME.tap), a USB image, a netboot folder, an initrd or a squashfs.\n',
  );
  expect(mindi(image, 'cat').status).toBe(2);
  expect(mindi(image, 'ls', 'surplus').status).toBe(2);
});
