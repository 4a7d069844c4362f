import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MindiError } from '../../contract/error.ts';
import type { Mountlist, MountlistEntry } from '../../contract/mountlist.ts';
import { checkEntries } from '../../contract/mountlist-check.ts';
import { formatMountlist, parseMountlist } from '../../contract/mountlist-file.ts';
import { mountlistTable } from '../../contract/mountlist-table.ts';

const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 24 });
const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
const uuid = fc.oneof(
  fc.uuid(),
  fc.tuple(hex(4), hex(4)).map(([a, b]) => `${a}-${b}`.toUpperCase()),
  hex(16).map((text) => text.toUpperCase()),
  fc.constantFrom(
    'hYrPnS-spNs-BivY-Edsu-qd0p-1q23-nqSR62',
    '6f0c1c2e:11111111:22222222:33333333',
    '2008-10-20-18-41-00-00',
  ),
  name,
);
const entry: fc.Arbitrary<MountlistEntry> = fc.record(
  {
    device: name.map((text) => `/dev/${text}`),
    mountpoint: fc.oneof(
      fc.constantFrom('swap', 'lvm', 'raid', '/'),
      name.map((text) => `/${text}`),
      name,
    ),
    format: fc.oneof(fc.constantFrom('ext4', 'vfat', '7'), name),
    size: fc.oneof(fc.constant('lvm' as const), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })),
    label: fc.oneof(
      name,
      uuid,
      name.map((text) => `UUID=${text}`),
      name.map((text) => `#${text}`),
    ),
    uuid,
  },
  { requiredKeys: ['device', 'mountpoint', 'format', 'size'] },
);
const mountlist: fc.Arbitrary<Mountlist> = fc.record({
  entries: fc.array(entry),
  machine: fc.option(name),
  captured: fc.option(fc.integer({ min: 0, max: 253_402_300_799 })),
});

describe('the classic file', () => {
  test('reads back what it wrote, whatever the names are', () => {
    fc.assert(
      fc.property(mountlist, (list) => {
        expect(parseMountlist(formatMountlist(list), 'm')).toEqual(list);
      }),
    );
  });

  test('has as many lines and columns as the original reader expects', () => {
    fc.assert(
      fc.property(mountlist, (list) => {
        const lines = formatMountlist(list).split('\n').slice(0, -1);
        const devices = lines.filter((line) => !line.startsWith('#'));
        expect(devices).toHaveLength(list.entries.length);
        for (const line of devices) expect(line).toMatch(/^\/\S* \S+ \S+ (?:lvm|\d+)(?: \S+){0,2}$/);
      }),
    );
  });

  test.each(['\u00a0', '\u2028', '\u3000', '\ufeff'])('a blank of Unicode (%j) never splits a field', (blank) => {
    const device = `/dev/a${blank}b`;
    const list: Mountlist = {
      entries: [{ device, mountpoint: '/', format: 'ext4', size: 1 }],
      machine: null,
      captured: null,
    };
    const text = formatMountlist(list);
    expect(text).toMatch(/^\/dev\/a(?:\\\d{3})+b \/ ext4 1$/m);
    expect(parseMountlist(text, 'm')).toEqual(list);
  });

  test('any text is read, or refused with the places that are wrong', () => {
    const line = fc
      .array(fc.oneof(name, fc.constantFrom('/dev/sda1', '/', 'ext4', '1024', 'lvm', '\\040', '\\377', '#')))
      .map((words) => words.join(' '));
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 400 }),
      fc.array(line).map((lines) => lines.join('\n')),
    );
    fc.assert(
      fc.property(text, (input) => {
        try {
          const list = parseMountlist(input, 'm');
          expect(parseMountlist(formatMountlist(list), 'm')).toEqual(list);
          mountlistTable(list);
          checkEntries(list);
        } catch (error) {
          expect(error).toBeInstanceOf(MindiError);
          expect((error as MindiError).code).toMatch(/^mountlist\./);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('the original’s own sample', () => {
    const sample = '/dev/hda1 / ext2 233336\n/dev/hda6 swap swap 248968\n';
    expect(parseMountlist(sample, 'mountlist.txt')).toEqual({
      entries: [
        { device: '/dev/hda1', mountpoint: '/', format: 'ext2', size: 233_336 },
        { device: '/dev/hda6', mountpoint: 'swap', format: 'swap', size: 248_968 },
      ],
      machine: null,
      captured: null,
    });
  });

  test('comments, empty lines, tabs, CRLF, a BOM and pseudo devices are no entries', () => {
    const text = '\uFEFF# old\r\n\r\n  \t\r\n  # indented\nproc /proc proc 0\n\t/dev/sda1\t/\text4   1024\thome\r\n';
    expect(parseMountlist(text, 'm').entries).toEqual([
      { device: '/dev/sda1', mountpoint: '/', format: 'ext4', size: 1024, label: 'home' },
    ]);
  });

  test('a size that is not above zero means LVM, as atoll made it', () => {
    const text = '/dev/vg/a /a ext3 lvm\n/dev/vg/b /b ext3 0\n/dev/vg/c /c ext3 -1\n';
    expect(parseMountlist(text, 'm').entries.map((found) => found.size)).toEqual(['lvm', 'lvm', 'lvm']);
  });

  test.each([
    ['/dev/a / ext4 1 home', { label: 'home' }],
    ['/dev/a / ext4 1 4FFC-EBC4', { uuid: '4FFC-EBC4' }],
    ['/dev/a / ext4 1 home 4FFC-EBC4', { label: 'home', uuid: '4FFC-EBC4' }],
    ['/dev/a / ext4 1 UUID=1234', { uuid: '1234' }],
    ['/dev/a / ext4 1 \\0644FFC-EBC4', { label: '44FFC-EBC4' }],
    ['/dev/a / ext4 1 my\\040disk', { label: 'my disk' }],
    ['/dev/a / ext4 1 donn\\303\\251es', { label: 'données' }],
    ['/dev/a / ext4 1 donn\\351es', { label: 'donn\uFFFDes' }],
    ['/dev/a / ext4 1 a\\b\\04', { label: 'a\\b\\04' }],
  ])('%s', (line, names) => {
    expect(parseMountlist(line, 'm').entries).toEqual([
      { device: '/dev/a', mountpoint: '/', format: 'ext4', size: 1, ...names },
    ]);
  });

  test.each([
    ['sda1 / ext4 1024', 'mountlist.device', 'm:1:1'],
    ['/dev/sda1 / ext4', 'mountlist.fields', 'm:1'],
    ['  /dev/sda1 / ext4 12MB', 'mountlist.size', 'm:1:20'],
    ['/dev/sda1 / ext4 99999999999999999999', 'mountlist.size', 'm:1:18'],
    ['/dev/sda1 / ext4 1024 My Disk', 'mountlist.fields', 'm:1:26'],
    ['/dev/sda1 / ext4 1024 4FFC-EBC4 home', 'mountlist.fields', 'm:1:33'],
    ['/dev/sda1 / ext4 1024 home 4FFC-EBC4 x', 'mountlist.fields', 'm:1:28'],
    ['/dev/sda1 / ext4 1024 UUID=', 'mountlist.uuid', 'm:1:23'],
    ['/dev/sda1 / ext4 1024 a\u0007b', 'mountlist.control', 'm:1:23'],
  ])('refuses %j', (line, code, where) => {
    expect(() => parseMountlist(line, 'm')).toThrow(expect.objectContaining({ code, where, exitCode: 2 }));
  });

  test('names all bad lines at once, but no thousands of them', () => {
    const refused = (text: string) => {
      try {
        parseMountlist(text, 'm');
      } catch (error) {
        return error as MindiError;
      }
      throw new Error('was read');
    };
    expect(refused('a\n/dev/sda1 / ext4 1\nb\n').problems.map((problem) => problem.where)).toEqual(['m:1:1', 'm:3:1']);
    const many = refused('x y z\n'.repeat(5000));
    expect(many.problems).toHaveLength(10);
    expect(many.message).toContain('5000 lines');
  });

  test('2,000 lines are nothing special', () => {
    const entries = Array.from(
      { length: 2000 },
      (_, i): MountlistEntry => ({
        device: `/dev/mapper/vg-lv${i}`,
        mountpoint: `/srv/${i}`,
        format: 'xfs',
        size: 'lvm',
      }),
    );
    const list = { entries, machine: 'big', captured: 1_700_000_000 };
    expect(parseMountlist(formatMountlist(list), 'm')).toEqual(list);
  });
});

describe('the screen table', () => {
  test('columns of 15, sizes in MB of 7, longer names push on', () => {
    const entries: MountlistEntry[] = [
      { device: '/dev/sda6', mountpoint: 'lvm', format: 'lvm', size: 143_363_072 },
      { device: '/dev/mapper/vg_lml-home', mountpoint: '/home', format: 'ext3', size: 'lvm', label: 'my home' },
      { device: '/dev/sdb1', mountpoint: '/data', format: 'vfat', size: 1023, uuid: '4FFC-EBC4' },
    ];
    expect(mountlistTable({ entries, machine: null, captured: null }).split('\n')).toEqual([
      'DEVICE          MOUNTPOINT      FORMAT          SIZE (MB)       LABEL/UUID',
      '/dev/sda6       lvm             lvm              140003',
      '/dev/mapper/vg_lml-home /home           ext3                lvm         my\\040home',
      '/dev/sdb1       /data           vfat                  0         4FFC-EBC4',
    ]);
  });

  test('no label reaches the terminal as a control code', () => {
    fc.assert(
      fc.property(mountlist, (list) => {
        expect(mountlistTable(list).replaceAll('\n', '')).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
      }),
    );
  });
});

describe('what the mountlist tells of itself', () => {
  const codes = (text: string) =>
    checkEntries(parseMountlist(text, 'm')).map((found) => `${found.device} ${found.code}`);
  const root = '/dev/sda1 / ext4 10485760 4FFC-0001\n';

  test('nothing wrong', () => {
    expect(codes(`${root}/dev/sda2 swap swap 1048576 4FFC-0002\n/dev/sda3 lvm lvm 10485760 4FFC-0003\n`)).toEqual([]);
    expect(
      codes(`${root}/dev/mapper/vg-home /home xfs lvm\n/dev/sda4 image 7 1024\n/dev/sda5 biosboot biosboot 1024\n`),
    ).toEqual([]);
    expect(codes(`${root}/dev/sdb1 raid raid 99999 4FFC-0009\n/dev/sdc1 raid raid 99999 4FFC-0009\n`)).toEqual([]);
    expect(codes(`${root}/dev/sdb /data btrfs 99999 4FFC-0009\n/dev/sdc btrfs btrfs 99999 4FFC-0009\n`)).toEqual([]);
  });

  test.each([
    ['/dev/sda1 / ext4 10485760 4FFC-0001', ['/dev/sda1 device.duplicate']],
    ['/dev/sda1 /home ext4 10485760 4FFC-0002', ['/dev/sda1 device.duplicate']],
    ['/dev/sda2 / ext4 10485760 4FFC-0002', ['/dev/sda2 mountpoint.duplicate']],
    ['/dev/sda2 /home ext4 10485760 4FFC-0001', ['/dev/sda2 uuid.duplicate']],
    ['/dev/sda2 home ext4 10485760 4FFC-0002', ['/dev/sda2 mountpoint.weird']],
    ['/dev/sda2 /a/../b ext4 10485760 4FFC-0002', ['/dev/sda2 mountpoint.weird']],
    ['/dev/sda2 constructor ext4 10485760 4FFC-0002', ['/dev/sda2 mountpoint.weird']],
    ['/dev/sda2 /tank zfs 10485760 4FFC-0002', ['/dev/sda2 format.unknown']],
    ['/dev/sda2 image ntfs 10485760 4FFC-0002', ['/dev/sda2 format.unknown']],
    ['/dev/sda2 /tiny ext4 8191 4FFC-0002', ['/dev/sda2 size.tiny']],
    ['/dev/sda2 /home ext4 10485760', ['/dev/sda2 identity.none']],
    ['/dev/sda2 /home ext4 10485760 a\\377', ['/dev/sda2 text.encoding']],
  ])('%s', (line, expected) => {
    expect(codes(`${root}${line}\n`)).toEqual(expected);
  });

  test('a list without a root', () => {
    expect(codes('')).toEqual(['- root.missing']);
  });
});
