import { mkdir, open, readdir, readFile, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { attachments, takeKernel } from '../../boot/bootable.ts';
import { diskLayout, smallestDisk } from '../../boot/disk-layout.ts';
import { findFat } from '../../boot/find-fat.ts';
import type { MediumParts } from '../../boot/medium.ts';
import { makeUsb, type UsbOptions } from '../../boot/usb.ts';
import { run } from '../../builder/run.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { MindiError } from '../../contract/error.ts';
import { mediumParts } from '../medium-parts.ts';

const MIB = 1024 ** 2;
const SMALL: UsbOptions = { size: null, table: 'mbr' };
/** Where the one partition begins, for mtools. */
const partition = (image: string) => `${image}@@1M`;

let work: Scratch;
let shared: { work: Scratch; medium: MediumParts; mbr: string; gpt: string };

beforeAll(async () => {
  work = await scratch('test');
  const medium = await parts({
    extraFiles: { 'mindi/notes.txt': Buffer.from('hello\n'), 'a/b/c.json': Buffer.from('{}') },
  });
  const [mbr, gpt] = [at('out', 'test.img'), at('out', 'gpt.img')];
  await makeUsb({ ...medium, out: mbr }, SMALL);
  await makeUsb({ ...medium, out: gpt }, { size: null, table: 'gpt' });
  shared = { work, medium, mbr, gpt };
});
afterAll(() => shared.work[Symbol.asyncDispose]());
beforeEach(async () => {
  work = await scratch('test');
});
afterEach(() => work[Symbol.asyncDispose]());

const at = (...path: string[]) => join(work.path, ...path);
const parts = (change: Partial<MediumParts> = {}) => mediumParts(work.path, { out: at('out', 'test.img'), ...change });

async function failure(promise: Promise<unknown>): Promise<MindiError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(MindiError);
  return error as MindiError;
}

/** The partition as a file, for programs that know no offset. */
async function partitionFile(image: string): Promise<string> {
  await run('dd', [`if=${image}`, `of=${at('fat')}`, 'bs=1M', 'skip=1', 'conv=sparse']);
  const { sectors } = diskLayout((await stat(image)).size / MIB, image.includes('gpt') ? 'gpt' : 'mbr').fat;
  await truncate(at('fat'), sectors * 512);
  return at('fat');
}

const table = async (image: string) => JSON.parse((await run('sfdisk', ['-J', image])).stdout).partitiontable;

/** Changes what a build must not depend on, for as long as `act` takes. */
async function elsewhere(
  change: { umask: number; env: Record<string, string> },
  act: () => Promise<void>,
): Promise<void> {
  const before = { umask: process.umask(change.umask), env: { ...process.env } };
  Object.assign(process.env, change.env);
  try {
    await act();
  } finally {
    process.umask(before.umask);
    for (const name of Object.keys(change.env)) {
      if (before.env[name] === undefined) delete process.env[name];
      else process.env[name] = before.env[name];
    }
  }
}

describe.each(['mbr', 'gpt'] as const)('USB image with %s', (kind) => {
  it('holds every file as it is, in a FAT32 that fsck finds whole', async () => {
    const { medium } = shared;
    const image = shared[kind];
    const wanted: Record<string, Uint8Array> = {
      'mindi/vmlinuz': await readFile(medium.kernel),
      'mindi/initrd.img': await readFile(medium.initrd),
      'mindi/stage2.squashfs': await readFile(join(shared.work.path, 'stage2')),
      'mindi/id': Buffer.from(`${'5a'.repeat(32)}\n`),
      'mindi/notes.txt': Buffer.from('hello\n'),
      'a/b/c.json': Buffer.from('{}'),
    };
    for (const [path, bytes] of Object.entries(wanted)) {
      await run('mtype', ['-i', partition(image), `::/${path}`], { stdoutFile: at('file') });
      expect((await readFile(at('file'))).equals(bytes), path).toBe(true);
    }
    const { stdout } = await run('fsck.vfat', ['-n', '-v', await partitionFile(image)]);
    expect(stdout).toMatch(/FATs, 32 bit entries/);
    expect(stdout).toMatch(/2048 hidden sectors/);
    expect(stdout).toMatch(/files, \d+\/\d+ clusters/);
    expect(stdout).not.toMatch(/differences|dirty|wrong/i);
  });

  it('starts by BIOS and UEFI, with the same menu', async () => {
    const listed = (await run('mdir', ['-/', '-b', '-a', '-i', partition(shared[kind]), '::/'])).stdout;
    const loaders = ['EFI/BOOT/BOOTX64.EFI', 'boot/grub/grub.cfg', 'syslinux/ldlinux.sys', 'syslinux/syslinux.cfg'];
    for (const path of [...loaders, 'syslinux/ldlinux.c32', 'syslinux/menu.c32', 'boot/help.txt'])
      expect(listed).toContain(`::/${path}\n`);
    const start = (await readFile(shared[kind])).subarray(MIB, MIB + 512);
    expect(start.toString('latin1', 3, 11)).toBe('SYSLINUX');
    expect(attachments(shared[kind])).toEqual(['usb']);
  });

  it('gives kernel and initrd to who starts them directly', async () => {
    const { kernel, initrd } = await takeKernel(shared[kind], work.path);
    expect((await readFile(kernel)).equals(await readFile(shared.medium.kernel))).toBe(true);
    expect((await readFile(initrd)).equals(await readFile(shared.medium.initrd))).toBe(true);
  });

  it('is the same, byte for byte, whatever the place, time, zone, umask, rights and cache', async () => {
    const { medium } = shared;
    const out = at('an@@odd place', 'name.img');
    await symlink(medium.initrd, at('elsewhere'));
    const env = { TZ: 'Pacific/Auckland', MINDI_CACHE: at('cache'), SOURCE_DATE_EPOCH: '1', MTOOLS_LOWER_CASE: '1' };
    await elsewhere({ umask: 0o277, env }, async () => {
      await mkdir(at('an@@odd place'), { mode: 0o777 });
      await run('chmod', ['700', at('an@@odd place')]);
      await makeUsb({ ...medium, out, initrd: at('elsewhere') }, { size: null, table: kind });
    });
    expect((await readFile(out)).equals(await readFile(shared[kind]))).toBe(true);
  });
});

describe('partition table of a USB image', () => {
  it('is an MBR with an active FAT32 partition', async () => {
    const { label, id, partitions } = await table(shared.mbr);
    expect(label).toBe('dos');
    expect(id).toMatch(/^0x[0-9a-f]{8}$/);
    expect(partitions).toHaveLength(1);
    expect(partitions[0]).toMatchObject({ start: 2048, type: 'c', bootable: true });
    expect((await run('file', ['-b', shared.mbr])).stdout).toMatch(
      /^DOS\/MBR boot sector; partition 1 : ID=0xc, active/,
    );
  });

  it('is a GPT whose partition BIOS and Windows take, too', async () => {
    const { label, partitions } = await table(shared.gpt);
    expect(label).toBe('gpt');
    expect(partitions).toHaveLength(1);
    expect(partitions[0]).toMatchObject({
      start: 2048,
      type: 'EBD0A0A2-B9E5-4433-87C0-68B6B72699C7',
      name: 'mindi',
      attrs: 'LegacyBIOSBootable',
    });
    expect((await run('sgdisk', ['-v', shared.gpt])).stdout).toContain('No problems found');
  });

  it('has ids of the medium, another medium has others', async () => {
    const other = await parts({ id: 'b6'.repeat(32) });
    await makeUsb(other, SMALL);
    const serial = async (image: string) =>
      /Serial Number is (\S+)/.exec((await run('mdir', ['-i', partition(image), '::/'])).stdout)?.[1];
    expect((await table(other.out)).id).not.toBe((await table(shared.mbr)).id);
    expect(await serial(other.out)).not.toBe(await serial(shared.mbr));
    expect(await serial(shared.gpt)).toBe(await serial(shared.mbr));
  });
});

describe('size of a USB image', () => {
  it('is what the profile says, though what is free takes no room', async () => {
    const medium = await parts();
    await makeUsb(medium, { size: 4096, table: 'gpt' });
    const { size, blocks } = await stat(medium.out);
    expect(size).toBe(4096 * MIB);
    expect(blocks * 512).toBeLessThan(32 * MIB);
    const { stdout } = await run('mdir', ['-i', partition(medium.out), '::/']);
    const free = Number(/([\d ]+) bytes free/.exec(stdout)?.[1]?.replaceAll(' ', ''));
    expect(free).toBeGreaterThan(4070 * MIB);
  });

  it.each(['mbr', 'gpt'] as const)('too small (%s): says what is needed, and that is enough', async (kind) => {
    await writeFile(at('big'), '');
    await truncate(at('big'), 70 * MIB);
    const medium = await parts({ extraFiles: { 'restore/archive': at('big') } });
    const error = await failure(makeUsb(medium, { size: 64, table: kind }));
    expect(error).toMatchObject({ code: 'usb.too-small', where: medium.out, exitCode: 2 });
    const needed = Number(/needs (\d+) MiB/.exec(error.message)?.[1]);
    expect(needed).toBeLessThan(80);
    await makeUsb(medium, { size: needed, table: kind });
    await run('fsck.vfat', ['-n', await partitionFile(medium.out)]);
  });

  it('a file FAT32 cannot hold is named', async () => {
    await writeFile(at('big'), '');
    await truncate(at('big'), 4096 * MIB);
    const medium = await parts({ extraFiles: { 'restore/archive': at('big') } });
    const error = await failure(makeUsb(medium, SMALL));
    expect(error).toMatchObject({ code: 'usb.file-too-big', where: medium.out });
    expect(error.message).toContain('restore/archive');
  });

  it('always gives a file system that is FAT32 by its number of clusters', () => {
    const size = fc.integer({ min: 40, max: 1024 ** 2 });
    fc.assert(
      fc.property(size, fc.constantFrom('mbr', 'gpt'), (mib, kind) => {
        const { sectors, clusterSectors } = diskLayout(mib, kind).fat;
        const tables = 2 * Math.ceil(((sectors / clusterSectors + 2) * 4) / 512);
        const clusters = Math.floor((sectors - 32 - tables) / clusterSectors);
        expect(clusters).toBeGreaterThanOrEqual(65525);
        expect(clusters).toBeLessThan(2 ** 28 - 16);
      }),
    );
    expect(smallestDisk([], 0, 'mbr')).toBe(40);
  });
});

describe('USB image that cannot be made', () => {
  it.each([
    ['at once', 256 * 1024],
    ['half way', 4 * MIB],
  ])('leaves the old one whole when the disk is full %s', async (_, bytes) => {
    const medium = await parts({ out: at('small', 'test.img') });
    await mkdir(at('small'));
    await run('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', at('small')]);
    try {
      await writeFile(medium.out, 'the old image');
      expect(await failure(makeUsb(medium, SMALL))).toMatchObject({ code: 'output.unwritable', where: medium.out });
      expect(await readFile(medium.out, 'utf8')).toBe('the old image');
      expect(await readdir(at('small'))).toEqual(['test.img']);
    } finally {
      await run('umount', [at('small')]);
    }
  });

  it.each([
    ['mformat', 'mtools'],
    ['syslinux', 'syslinux'],
  ])('names the package when %s is missing', async (program, owner) => {
    await mkdir(at('bin'));
    for (const name of ['mformat', 'mmd', 'mcopy', 'syslinux'].filter((one) => one !== program))
      await symlink(`/usr/bin/${name}`, at('bin', name));
    const medium = await parts();
    await elsewhere({ umask: 0o022, env: { PATH: [at('bin')].join(delimiter) } }, async () => {
      const error = await failure(makeUsb(medium, SMALL));
      expect(error).toMatchObject({ code: 'tool.missing' });
      expect(error.hint).toContain(`Install the package ${owner},`);
    });
    expect(await readdir(at('out'))).toEqual([]);
  });
});

describe('finding the FAT of a disk image', () => {
  it('takes a file system without a partition table', async () => {
    await run('mformat', ['-C', '-F', '-i', at('plain'), '-T', '100000', '::']);
    expect(findFat(at('plain'))).toMatchObject({ offset: 0, table: null, size: 100_000 * 512 });
  });

  it('never throws, and ends, whatever the bytes', async () => {
    const good = await Promise.all(
      [shared.mbr, shared.gpt].map(async (image) => (await readFile(image)).subarray(0, MIB + 1024)),
    );
    const file = await open(at('damaged'), 'w+');
    const check = async (bytes: Uint8Array) => {
      await file.truncate(0);
      await file.write(bytes, 0, bytes.length, 0);
      findFat(at('damaged'));
    };
    const damage = fc.array(fc.tuple(fc.nat(1024 + 2048), fc.nat(255)), { minLength: 1, maxLength: 30 });
    try {
      await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 600 }), check), { numRuns: 50 });
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...good), damage, async (image, changes) => {
          const bytes = Buffer.from(image);
          for (const [where, value] of changes) bytes[where < 2048 ? where : MIB + where - 2048] = value;
          await check(bytes);
        }),
        { numRuns: 50 },
      );
    } finally {
      await file.close();
    }
  });
});
