import { execFileSync } from 'node:child_process';
import { mkdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeUsb } from '../../boot/usb.ts';
import { diffImages } from '../../builder/inspect/diff.ts';
import { allEntries, openImage, readFrom } from '../../builder/inspect/image.ts';
import { summarize } from '../../builder/inspect/summary.ts';
import { run } from '../../builder/run.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { mediumParts } from '../medium-parts.ts';

let work: Scratch;
const images = { mbr: '', gpt: '', other: '' };

beforeAll(async () => {
  work = await scratch('test');
  images.mbr = await usbImage('mbr', 'the first');
  images.gpt = await usbImage('gpt', 'the second');
  images.other = await usbImage('mbr', 'the third', 'other');
});
afterAll(() => work[Symbol.asyncDispose]());

const at = (...path: string[]) => join(work.path, ...path);
const opened = (path: string) => openImage(path, work.path);

/** A USB image whose initrd and second stage are real, with one text of their own in each. */
async function usbImage(table: 'mbr' | 'gpt', text: string, name: string = table): Promise<string> {
  const folder = at(name);
  await mkdir(join(folder, 'tree'), { recursive: true });
  const parts = await mediumParts(folder, { out: join(folder, 'test.img') });
  await writeFile(join(folder, 'tree', 'hello'), text);
  const archive = execFileSync('sh', [
    '-euc',
    'cd "$1"; echo hello | cpio -o -H newc --quiet',
    'sh',
    join(folder, 'tree'),
  ]);
  await writeFile(parts.initrd, zstdCompressSync(archive));
  await run('mksquashfs', [join(folder, 'tree'), join(folder, 'stage2'), '-noappend', '-quiet', '-comp', 'zstd']);
  await makeUsb(parts, { size: null, table });
  return parts.out;
}

describe('inspecting a USB image', () => {
  it.each(['mbr', 'gpt'] as const)('with %s: lists its files and what is in the images on it', async (table) => {
    const image = await opened(images[table]);
    expect(image).toMatchObject({ kind: 'disk', facts: { volume: 'MINDI_TEST', table, firmware: ['BIOS', 'UEFI'] } });
    const paths = [...allEntries(image)].map(({ path }) => path);
    expect(paths).toEqual(
      expect.arrayContaining([
        'EFI/BOOT/BOOTX64.EFI',
        'mindi/vmlinuz',
        'mindi/initrd.img:/hello',
        'mindi/stage2.squashfs:/hello',
        'syslinux/ldlinux.sys',
      ]),
    );
    expect(paths.every((path) => !path.includes('bytes free'))).toBe(true);
  });

  it('gives every file as it is', async () => {
    const image = await opened(images.mbr);
    const read = (path: string) => readFrom(image, path, images.mbr);
    expect(Buffer.from(await read('mindi/vmlinuz')).equals(await readFile(at('mbr', 'kernel')))).toBe(true);
    expect(Buffer.from(await read('mindi/initrd.img:/hello')).toString()).toBe('the first');
    expect(Buffer.from(await read('mindi/stage2.squashfs:/hello')).toString()).toBe('the first');
    expect(Buffer.from(await read('mindi/README.txt')).toString()).toContain('mindi rescue system');
  });

  it('tells its menu', async () => {
    const { menu, volume } = await summarize(await opened(images.mbr), (await stat(images.mbr)).size);
    expect(volume).toBe('MINDI_TEST');
    expect(menu?.map(({ name }) => name)).toContain('expert');
  });

  it('tells what differs between two, down to the files in the images on them', async () => {
    const changes = await diffImages(await opened(images.mbr), await opened(images.other), at('diff'));
    const content = changes.filter(({ differs }) => differs?.includes('content')).map(({ path }) => path);
    expect(content).toEqual([
      'mindi/initrd.img',
      'mindi/initrd.img:/hello',
      // The lists that the medium is checked by name all of them.
      'mindi/regions.json',
      'mindi/sha256sums',
      'mindi/stage2.squashfs',
      'mindi/stage2.squashfs:/hello',
      'mindi/vmlinuz',
    ]);
    expect(await diffImages(await opened(images.mbr), await opened(images.mbr), at('same'))).toEqual([]);
  });

  it('reads what people have put there since: odd names, files in pieces, big ones', async () => {
    const image = at('used.img');
    // FAT16, in which mtools looks for room from the beginning.
    await run('mformat', ['-C', '-i', image, '-T', '60000', '-h', '16', '-s', '63', '::']);
    const random = (await readFile(at('mbr', 'kernel'))).subarray(0, 300_000);
    await writeFile(at('piece'), random.subarray(0, 100_000));
    await writeFile(at('whole'), random);
    const copy = (from: string, to: string) =>
      run('mcopy', ['-i', image, from, `::/${to}`], { env: { LC_ALL: 'C.UTF-8' } });
    for (const name of ['one', 'two']) await copy(at('piece'), name);
    await run('mdel', ['-i', image, '::/one']);
    await copy(at('whole'), '[1] größe  x.tar.gz');
    const layer = await opened(image);
    expect(layer.entries.map(({ path }) => path)).toEqual(['[1] größe  x.tar.gz', 'two']);
    expect(layer.slice(layer.entries[0] as never)).toBeUndefined();
    expect(Buffer.from(await readFrom(layer, '[1] größe  x.tar.gz', image)).equals(random)).toBe(true);
  });

  it('says so when the image is not whole, or damaged', async () => {
    await run('cp', [images.mbr, at('short.img')]);
    await truncate(at('short.img'), 20 << 20);
    await expect(opened(at('short.img'))).rejects.toMatchObject({ code: 'disk.truncated' });
    await run('cp', [images.mbr, at('damaged.img')]);
    await run('dd', [
      'if=/dev/urandom',
      `of=${at('damaged.img')}`,
      'bs=1M',
      'seek=1',
      'count=4',
      'conv=notrunc',
      'oflag=seek_bytes',
      'seek=1064960',
    ]);
    await expect(opened(at('damaged.img'))).rejects.toMatchObject({ code: expect.stringMatching(/^disk\./) });
  });
});
