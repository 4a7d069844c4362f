import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { type Block, diskFacts, everyBlock, parseContents, withBtrfs } from '../../builder/write/block.ts';
import { type DiskCase, refusals } from '../../builder/write/disk-refusals.ts';
import { bootImage } from '../../builder/write/image.ts';
import { describeVolume, volumeAt } from '../../builder/write/volume.ts';

/**
 * Recorded in a virtual machine, seen from the system on vda: LVM with root and swap beside /boot and /boot/efi, a RAID 1
 * of vda4 and vdb1, a btrfs of vdb2 and sdb, and the stick sda with a file system and an opened LUKS volume.
 */
const recorded = () =>
  withBtrfs(
    (JSON.parse(readFileSync(join(import.meta.dirname, '../fixtures/lsblk.json'), 'utf8')) as { blockdevices: Block[] })
      .blockdevices,
    [['vdb2', 'sdb']],
  );

let work: Scratch;
beforeAll(async () => {
  work = await scratch('test');
});
afterAll(() => work[Symbol.asyncDispose]());

const image = { path: '/srv/x.iso', size: 5 << 20, title: 'x', starts: ['cdrom', 'usb'] as const, notes: [] };

function diskCase(kname: string, change: Partial<DiskCase> = {}, block: Partial<Block> = {}): DiskCase {
  const all = [...everyBlock(recorded())];
  const found = all.find((one) => one.kname === kname) as Block;
  const disk = all.find((one) => one.kname === found.pkname);
  const usual = { image, removable: found.rm, file: null, imageOn: '0:40', access: 'free' as const, force: false };
  return { ...usual, block: { ...found, ...block }, disk, ...change };
}

/** The stick as it is when nothing on it is in use. */
const idle = { children: [] };
const codes = (disk: DiskCase) => refusals(disk).map(({ code }) => code);
const messages = (disk: DiskCase) => refusals(disk).map(({ message }) => message);

describe('what is refused', () => {
  test('nothing, when a stick is idle; a fixed disk only with --force', () => {
    expect(codes(diskCase('sda', {}, idle))).toEqual([]);
    expect(codes(diskCase('sda', { removable: false }, idle))).toEqual(['write.fixed']);
    expect(codes(diskCase('sda', { removable: false, force: true }, idle))).toEqual([]);
  });

  test("the system's own disk, through LVM, and no --force helps", () => {
    for (const force of [false, true]) {
      const disk = diskCase('vda', { force });
      expect(codes(disk)).toEqual(['write.system-disk', 'write.mounted', 'write.in-use']);
      expect(messages(disk)[0]).toBe(
        'this running system is on it: /boot/efi on /dev/vda1, /boot on /dev/vda2, / on /dev/mapper/vg0-root, ' +
          'swap on /dev/mapper/vg0-swap',
      );
    }
  });

  test('a disk of a RAID that is mounted, and of a btrfs that is', () => {
    const disk = diskCase('vdb', { force: true });
    expect(messages(disk)).toEqual([
      'it is mounted: /dev/md0 on /mnt/md, /dev/vdb2 on /mnt/b',
      'it is part of /dev/md0 (raid1)',
    ]);
    expect(refusals(disk).map(({ hint }) => hint)).toContain('End that first: mdadm --stop /dev/md0');
  });

  test('the other disk of the btrfs, of which lsblk tells no mount', () => {
    expect(messages(diskCase('sdb'))).toEqual(['it is mounted: /dev/sdb on /mnt/b']);
  });

  test('a stick that is mounted and has an opened LUKS volume', () => {
    const disk = diskCase('sda', { access: 'busy' });
    expect(messages(disk)).toEqual(['it is mounted: /dev/sda1 on /mnt/s', 'it is part of /dev/mapper/vault (crypt)']);
    expect(refusals(disk).map(({ hint }) => hint)).toEqual([
      'Unmount it first: umount /mnt/s',
      'End that first: cryptsetup close /dev/mapper/vault',
    ]);
  });

  test('a partition: names the disk', () => {
    expect(codes(diskCase('sda2', {}, idle))).toEqual(['write.partition']);
    expect(refusals(diskCase('sda2', {}, idle))[0]?.hint).toBe('If you mean the whole disk, name /dev/sda.');
  });

  test.each<[string, DiskCase, string[]]>([
    ['a volume', diskCase('dm-0', { force: true }), ['write.not-a-disk', 'write.system-disk']],
    ['an array', diskCase('md0', { force: true }, { mountpoints: [] }), ['write.not-a-disk']],
    ['a card reader without a card', diskCase('sda', {}, { ...idle, size: 0 }), ['write.no-medium']],
    ['a locked card', diskCase('sda', {}, { ...idle, ro: true }), ['write.read-only']],
    ['what something else uses', diskCase('sda', { access: 'busy' }, idle), ['write.busy']],
    ['what one may not write', diskCase('sda', { access: 'denied' }, idle), ['write.denied']],
    ['a small one', diskCase('sda', { image: { ...image, size: 2 ** 40 } }, idle), ['write.too-small']],
    ['an image for discs', diskCase('sda', { image: { ...image, starts: ['cdrom'] } }, idle), ['write.disc-only']],
    [
      'the disk the image is on',
      diskCase('sda', { imageOn: '8:1' }),
      ['write.mounted', 'write.in-use', 'write.image-on-target'],
    ],
    ['the image itself', diskCase('sda', { file: image.path }, idle), ['write.image-on-target']],
    [
      'all at once',
      diskCase('sda', { removable: false, access: 'busy' }, { ...idle, ro: true }),
      ['write.read-only', 'write.busy', 'write.fixed'],
    ],
  ])('%s', (_, disk, expected) => {
    expect(codes(disk)).toEqual(expected);
  });
});

describe('what sysfs says of a disk', () => {
  /** A sysfs with one disk, as a kernel has it: files by their path below the disk's place. */
  async function sysfs(place: string, files: Record<string, string>): Promise<string> {
    const sys = join(work.path, place.replaceAll('/', '_'));
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(sys, 'devices', path)), { recursive: true });
      await writeFile(join(sys, 'devices', path), `${text}\n`);
    }
    await mkdir(join(sys, 'dev/block'), { recursive: true });
    await symlink(`../../devices/${place}`, join(sys, 'dev/block/8:0'));
    return sys;
  }
  const stick = () => diskCase('sda').block;

  test('a USB stick: the serial number of the USB device above', async () => {
    const usb = 'pci0000:00/0000:00:02.0/usb2/2-1';
    const scsi = `${usb}/2-1:1.0/host6/target6:0:0/6:0:0:0`;
    const place = `${scsi}/block/sda`;
    const sys = await sysfs(place, {
      [`${usb}/idVendor`]: '46f4',
      [`${usb}/serial`]: 'STICK-C',
      [`${scsi}/vendor`]: 'QEMU',
      [`${place}/size`]: '819200',
      [`${place}/diskseq`]: '15',
    });
    await symlink('../../../6:0:0:0', join(sys, 'devices', place, 'device'));
    const facts = { serial: 'STICK-C', size: 419430400, sequence: '15', removable: true, file: null };
    expect(diskFacts(stick(), sys)).toEqual(facts);
  });

  test('an SD card is removable though the kernel does not say so; eMMC is not', async () => {
    for (const [type, removable] of [
      ['SD', true],
      ['MMC', false],
    ] as const) {
      const place = `platform/${type}/block/mmcblk0`;
      const sys = await sysfs(place, { [`${place}/device/type`]: type, [`${place}/device/serial`]: '0x1a2b' });
      expect(diskFacts({ ...stick(), rm: false }, sys)).toMatchObject({ serial: '0x1a2b', removable });
    }
  });

  test('what is gone has no size', () => {
    expect(diskFacts(stick(), join(work.path, 'empty'))).toMatchObject({ serial: null, size: 0, sequence: null });
  });
});

test('what blkid finds', () => {
  const text =
    'DEVNAME=/dev/sda\nPTUUID=0ff0\nPTTYPE=dos\n\nDEVNAME=/dev/sda1\nLABEL=MY\\ PHOTOS\nTYPE=vfat\nUSAGE=filesystem\n';
  expect([...parseContents(text)]).toEqual([
    ['/dev/sda', { table: 'dos', type: undefined, label: undefined }],
    ['/dev/sda1', { table: undefined, type: 'vfat', label: 'MY PHOTOS' }],
  ]);
  expect(parseContents('').size).toBe(0);
});

describe('what a medium calls itself', () => {
  const epoch = { SOURCE_DATE_EPOCH: '1700000000', TZ: 'UTC', MTOOLS_SKIP_CHECK: '1' };

  async function iso(volume: string): Promise<string> {
    const [path, tree] = [join(work.path, `${volume}.iso`), join(work.path, 'tree')];
    await mkdir(tree, { recursive: true });
    const args = ['-as', 'mkisofs', '-quiet', '-V', volume, '--modification-date=2023111422132000', '-o', path, tree];
    execFileSync('xorriso', args, { env: { ...process.env, ...epoch }, stdio: 'pipe' });
    return path;
  }

  async function stick(table: 'dos' | 'gpt'): Promise<string> {
    const path = join(work.path, `${table}.img`);
    await writeFile(path, '');
    await truncate(path, 48 << 20);
    execFileSync('sfdisk', ['--quiet', path], { input: `label: ${table}\nstart=2048, size=81920\n` });
    const env = { ...process.env, ...epoch };
    execFileSync('mformat', ['-i', `${path}@@1M`, '-F', '-T', '81920', '-v', 'MINDI_WEB1', '::'], { env });
    return path;
  }

  test('an ISO of mindi, with its time, and one of others', async () => {
    expect(describeVolume(volumeAt(await iso('MINDI_WEB1')) ?? expect.fail())).toBe(
      'MINDI_WEB1 (ISO 9660), made by mindi 2023-11-14T22:13:20Z',
    );
    expect(describeVolume(volumeAt(await iso('DEBIAN')) ?? expect.fail())).toBe('DEBIAN (ISO 9660)');
  });

  test.each(['dos', 'gpt'] as const)('a stick under a %s table', async (table) => {
    expect(describeVolume(volumeAt(await stick(table)) ?? expect.fail())).toBe(
      'MINDI_WEB1 (FAT), made by mindi 2023-11-14T22:13:20Z',
    );
    expect(bootImage(join(work.path, `${table}.img`))).toMatchObject({ starts: ['usb'], notes: [], size: 48 << 20 });
  });

  test('half an image is not written; nor is a tape', async () => {
    const path = await stick('dos');
    await truncate(path, 20 << 20);
    expect(() => bootImage(path)).toThrow(/the image is not whole: it should have \d+ bytes and has 20971520/);
  });

  test('whatever the bytes, an answer', async () => {
    const path = join(work.path, 'random');
    const start = Buffer.concat([readFileSync(await stick('gpt')).subarray(0, (1 << 20) + 4096), Buffer.alloc(4096)]);
    const damage = fc.array(fc.tuple(fc.nat({ max: (1 << 20) + 1024 }), fc.nat({ max: 255 })), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(damage, fc.nat({ max: start.length }), async (changes, length) => {
        const bytes = Buffer.from(start);
        for (const [at, value] of changes) bytes[at % 3 === 0 ? at : at % 2048] = value;
        await writeFile(path, bytes.subarray(0, length));
        const volume = volumeAt(path);
        return volume === undefined || describeVolume(volume).length > 0;
      }),
      { numRuns: 25 },
    );
  });
});
