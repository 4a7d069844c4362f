import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeIso } from '../../boot/iso.ts';
import { BLOCK, bootImages, isoFiles } from '../../boot/iso9660.ts';
import { findLoaders } from '../../boot/loaders.ts';
import { type MediumParts, volumeId } from '../../boot/medium.ts';
import { run } from '../../builder/run.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { MindiError } from '../../contract/error.ts';
import { SUMS } from '../../contract/sums.ts';
import { mediumParts } from '../medium-parts.ts';

const MIB = 1 << 20;
const EXTRA = {
  'mindi/notes.txt': Buffer.from('hello\n'),
  'mindi/odd name = with\\everything.bin': randomBytes(MIB / 2 + 3),
  'a/long/way/down/manifest.json': Buffer.from('{}'),
  'mindi/long.json': Buffer.alloc(2 * MIB + 3, '{}'),
};

let work: Scratch;
/** One image for all tests that only look at it. */
let shared: { work: Scratch; medium: MediumParts; sha256: string | undefined; image: Buffer };

beforeAll(async () => {
  work = await scratch('test');
  const medium = await parts({ extraFiles: EXTRA });
  const sha256 = await makeIso(medium);
  shared = { work, medium, sha256, image: await readFile(medium.out) };
});
afterAll(() => shared.work[Symbol.asyncDispose]());
beforeEach(async () => {
  work = await scratch('test');
});
afterEach(() => work[Symbol.asyncDispose]());

const at = (...path: string[]) => join(work.path, ...path);

const parts = (change: Partial<MediumParts> = {}) => mediumParts(work.path, change);

/** What another program takes out of an image. */
async function extract(image: string, path: string): Promise<Buffer> {
  const file = at('extracted');
  await run('isoinfo', ['-R', '-i', image, '-x', path], { stdoutFile: file });
  return readFile(file);
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('ISO image', () => {
  it('has the SHA-256 that writing it told', () => {
    expect(sha256(shared.image)).toBe(shared.sha256);
  });

  it('holds every file as it is, for isoinfo and for xorriso', async () => {
    const { medium, work } = shared;
    const wanted: Record<string, Uint8Array> = {
      '/mindi/vmlinuz': await readFile(medium.kernel),
      '/mindi/initrd.img': await readFile(medium.initrd),
      '/mindi/stage2.squashfs': await readFile(join(work.path, 'stage2')),
      '/mindi/id': Buffer.from(`${'5a'.repeat(32)}\n`),
      '/mindi/notes.txt': Buffer.from('hello\n'),
      '/a/long/way/down/manifest.json': Buffer.from('{}'),
    };
    for (const [path, bytes] of Object.entries(wanted))
      expect((await extract(medium.out, path)).equals(bytes), path).toBe(true);
    await run('osirrox', ['-no_rc', '-indev', medium.out, '-extract', '/mindi', at('mindi')]);
    for (const [path, source] of Object.entries(medium.extraFiles)) {
      if (path.startsWith('mindi/')) expect((await readFile(at(path))).equals(source as Uint8Array), path).toBe(true);
    }
  });

  it('lists the sums of its files, and of the long ones those of each MiB', async () => {
    const { medium } = shared;
    const { files } = JSON.parse((await extract(medium.out, '/mindi/regions.json')).toString());
    const long = EXTRA['mindi/long.json'];
    const each = [long.subarray(0, MIB), long.subarray(MIB, 2 * MIB), long.subarray(2 * MIB)].map(sha256);
    expect(files['mindi/long.json']).toEqual(each.map((hash) => hash.slice(0, files['mindi/long.json'][0].length)));
    const list = (await extract(medium.out, `/${SUMS.list}`)).toString();
    expect(list).toContain(`${sha256(long)}  mindi/long.json`);
    expect(list).toContain(`${sha256(await readFile(medium.kernel))}  mindi/vmlinuz`);
  });

  it('has its boot record where firmware and tape drives look', async () => {
    const { medium, image } = shared;
    expect(image.toString('latin1', 17 * BLOCK + 7, 17 * BLOCK + 30)).toBe('EL TORITO SPECIFICATION');
    const { bios } = bootImages(image);
    // What a tape drive keeps of the image (OBDR) must hold the loader.
    expect(bios * BLOCK + 38912).toBeLessThan(250 * 1024);
    const { stdout, stderr } = await run('xorriso', ['-no_rc', '-indev', medium.out, '-report_el_torito', 'plain']);
    expect(stdout).toMatch(/boot img : +1 +BIOS +y +none/);
    expect(stdout).toMatch(/boot img : +2 +UEFI +y +none/);
    expect(stdout).toContain('boot-info-table isohybrid-suitable');
    expect(stderr).toContain("'MINDI_TEST'");
  });

  it('has partition tables for sticks that foreign tools find whole', async () => {
    const { medium, image } = shared;
    const { uefi } = bootImages(image);
    const { stdout } = await run('xorriso', ['-no_rc', '-indev', medium.out, '-report_system_area', 'plain']);
    expect(stdout).toContain('MBR isohybrid cyl-align-on GPT');
    expect(stdout).toMatch(/MBR partition path : +2 +\/boot\/grub\/efi.img/);
    expect(stdout).toMatch(/GPT partition path : +2 +\/boot\/grub\/efi.img/);
    // So xorriso complains about wrong checksums and a misplaced or missing second table.
    expect(stdout).not.toMatch(/should be|backup problems|damaged/i);
    const table = JSON.parse((await run('sfdisk', ['-J', medium.out])).stdout).partitiontable;
    expect(table.label).toBe('dos');
    expect(table.partitions[1]).toMatchObject({ start: uefi.block * 4, size: uefi.sectors, type: 'ef' });
  });

  it('carries GRUB in a FAT file system mtools can read', async () => {
    const { medium, image } = shared;
    const { uefi } = bootImages(image);
    const listed = await run('mdir', ['-/', '-b', '-i', `${medium.out}@@${uefi.block * BLOCK}`, '::']);
    expect(listed.stdout).toContain('::/EFI/BOOT/BOOTX64.EFI');
    await run('mtype', ['-i', `${medium.out}@@${uefi.block * BLOCK}`, '::/EFI/BOOT/BOOTX64.EFI'], {
      stdoutFile: at('loader'),
    });
    expect((await readFile(at('loader'))).toString('latin1', 0, 2)).toBe('MZ');
  });

  it('is the same, byte for byte, whatever the place, time zone, umask and cache', async () => {
    const { medium, image } = shared;
    const before = { umask: process.umask(0o077), zone: process.env.TZ, cache: process.env.MINDI_CACHE };
    Object.assign(process.env, { TZ: 'Pacific/Auckland', MINDI_CACHE: at('cache'), SOURCE_DATE_EPOCH: '1' });
    try {
      await symlink(medium.initrd, at('elsewhere'));
      await makeIso({ ...medium, out: at('other', 'name.iso'), initrd: at('elsewhere') });
    } finally {
      process.umask(before.umask);
      delete process.env.SOURCE_DATE_EPOCH;
      for (const [name, value] of [['TZ', before.zone] as const, ['MINDI_CACHE', before.cache] as const]) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
    expect(image.equals(await readFile(at('other', 'name.iso')))).toBe(true);
  });

  it('adds less than 2 MiB to its contents', async () => {
    expect(shared.image.length).toBeLessThan((1 + 3 + 2 + 1 + 2 + 2) * MIB);
  });

  it('has no second stage when that is in the initrd', async () => {
    const medium = await parts({ stage2: null });
    await makeIso(medium);
    const { stdout } = await run('isoinfo', ['-R', '-f', '-i', medium.out]);
    expect(stdout).toContain('/mindi/initrd.img');
    expect(stdout).not.toMatch(/stage2|\/mindi\/id/);
  });

  it('names media as ISO 9660 and FAT allow', () => {
    expect(volumeId('web-01.example')).toBe('MINDI_WEB_01_EXAMPLE');
    expect(volumeId('x'.repeat(50))).toHaveLength(32);
  });
});

describe('ISO image that cannot be written', () => {
  it.each([
    ['at once', 256 * 1024],
    ['half way', 4 * MIB],
  ])('leaves the old one whole when the disk is full %s', async (_, bytes) => {
    const medium = await parts({ out: at('small', 'test.iso') });
    await mkdir(at('small'));
    await run('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', at('small')]);
    try {
      await writeFile(medium.out, 'the old image');
      const error = await failure(makeIso(medium));
      expect(error).toMatchObject({ code: 'output.unwritable', where: medium.out, exitCode: 2 });
      expect((error as MindiError).format()).toMatch(/no space left .*\n {2}hint: Free some space/);
      expect(await readFile(medium.out, 'utf8')).toBe('the old image');
      expect(await readdir(at('small'))).toEqual(['test.iso']);
    } finally {
      await run('umount', [at('small')]);
    }
  });

  it('says so when the directory is a file, or the image a directory', async () => {
    await writeFile(at('file'), '');
    expect(await failure(makeIso(await parts({ out: at('file', 'test.iso') })))).toMatchObject({
      code: 'output.unwritable',
    });
    await mkdir(at('directory', 'test.iso'), { recursive: true });
    expect(await failure(makeIso(await parts({ out: at('directory', 'test.iso') })))).toMatchObject({
      code: 'output.unwritable',
    });
    expect(await readdir(at('directory'))).toEqual(['test.iso']);
  });

  it('names every package whose boot loader files are missing', () => {
    let error: unknown;
    try {
      findLoaders(['isolinux', 'menu', 'grubKernel', 'grubFont'], at('empty'));
    } catch (thrown) {
      error = thrown;
    }
    const text = (error as MindiError).format();
    for (const name of ['isolinux', 'syslinux-common', 'grub-efi-amd64-bin', 'grub-common'])
      expect(text).toContain(`Install the package ${name} `);
  });
});

describe('reading ISO images', () => {
  it('throws nothing but MindiError, and ends, whatever the bytes', () => {
    const good = shared.image.subarray(0, 200 * BLOCK);
    const damage = fc.array(
      fc.tuple(fc.integer({ min: 16 * BLOCK, max: 60 * BLOCK }), fc.integer({ min: 0, max: 255 })),
      {
        minLength: 1,
        maxLength: 40,
      },
    );
    const check = (image: Buffer) => {
      for (const read of [isoFiles, bootImages]) {
        try {
          read(image);
        } catch (error) {
          expect(error).toBeInstanceOf(MindiError);
        }
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => check(Buffer.from(bytes))));
    fc.assert(fc.property(fc.integer({ min: 0, max: good.length }), (length) => check(good.subarray(0, length))));
    fc.assert(
      fc.property(damage, (changes) => {
        const image = Buffer.from(good);
        for (const [where, value] of changes) image[where] = value;
        check(image);
      }),
    );
  });
});
