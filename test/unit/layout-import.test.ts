import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MindiError } from '../../contract/error.ts';
import { formatLayout, parseLayout } from '../../contract/layout/file.ts';
import { formatLvmScript, parseLvmScript } from '../../contract/layout/import/lvm-script.ts';
import { layoutOfMountlist, mountlistOfLayout } from '../../contract/layout/import/mountlist.ts';
import { namedDevice } from '../../contract/layout/import/names.ts';
import { formatRaidtab, parseRaidtab } from '../../contract/layout/import/raidtab.ts';
import { layoutOfRear } from '../../contract/layout/import/rear.ts';
import type { emptyLayout } from '../../contract/layout/schema.ts';
import { formatMountlist, parseMountlist } from '../../contract/mountlist-file.ts';
import { randomLayouts } from '../layouts.ts';

/** As MondoRescue left them on a machine with RAID and LVM. */
const MOUNTLIST = `/dev/md0 lvm lvm 8000000
/dev/sda1 /boot ext3 100000 boot
/dev/mapper/vg--a-root / ext3 lvm
/dev/sda5 swap swap 500000
/dev/sda6 raid raid 8000000
/dev/sdb1 raid raid 8000000
/dev/sdb2 image 7 1000
`;
const RAIDTAB = `# made from mdstat
raiddev /dev/md0
  raid-level 5
  nr-raid-disks 3
  persistent-superblock 1
  chunk-size 64
  parity-algorithm left-symmetric
  device /dev/sda6
  raid-disk 0
  device /dev/sdb1
  raid-disk 1
`;
const LVM = `>>>>> /dev/md0
# lvm vgchange -an
# echo y | lvm pvcreate -ff /dev/md0
# lvm vgscan
# lvm vgcreate vg-a -l 255 -p 255 -s 4096k /dev/md0
# lvm vgchange -a y vg-a
# lvm lvcreate -i 2 -I 64 -L 4g -r 120 -n root vg-a
(mkfs -t ext3 /dev/vg-a/root)
`;

/** A layout reads back from its own file: whatever was imported is right. */
const holds = (layout: ReturnType<typeof emptyLayout>) =>
  expect(parseLayout(formatLayout(layout), 'l')).toEqual(layout);

function codeOf(action: () => unknown): string {
  try {
    action();
    return '';
  } catch (error) {
    if (!(error instanceof MindiError)) throw error;
    return `${error.where ?? error.problems[0]?.where} ${error.code}`;
  }
}

test('a mountlist with raidtab and i-want-my-lvm becomes a layout', () => {
  const beside = { raidtab: parseRaidtab(RAIDTAB, 'raidtab'), lvm: parseLvmScript(LVM, 'lvm') };
  const layout = layoutOfMountlist(parseMountlist(MOUNTLIST, 'm'), beside);
  expect(layout.arrays.md0).toEqual({
    level: 'raid5',
    members: ['sda6', 'sdb1', 'missing'],
    chunk: 65536,
    layout: 'left-symmetric',
  });
  expect(layout.volumes['vg-a/root']).toMatchObject({
    kind: 'striped',
    stripes: 2,
    stripeSize: 65536,
    size: 4 * 2 ** 30,
  });
  expect(layout.physicalVolumes.md0).toEqual({ group: 'vg-a' });
  expect(layout.partitions.sda4).toEqual({ on: 'sda', number: 4, type: 'extended' });
  expect(layout.filesystems['vg-a/root']?.mounts).toEqual([{ at: '/' }]);
  expect(layout.notes.map(({ device }) => device)).toEqual(['sdb2', 'sda', 'sdb']);
  holds(layout);
});

test('and back: what a layout writes for programs of old reads as the same', () => {
  const beside = { raidtab: parseRaidtab(RAIDTAB, 'raidtab'), lvm: parseLvmScript(LVM, 'lvm') };
  const layout = layoutOfMountlist(parseMountlist(MOUNTLIST, 'm'), beside);
  const written = parseMountlist(formatMountlist(mountlistOfLayout(layout)), 'm');
  expect(written.entries.map(({ device, mountpoint }) => `${device} ${mountpoint}`)).toEqual([
    ...[
      '/dev/md0 lvm',
      '/dev/sda1 /boot',
      '/dev/mapper/vg--a-root /',
      '/dev/sda5 swap',
      '/dev/sda6 raid',
      '/dev/sdb1 raid',
    ],
  ]);
  expect(parseRaidtab(formatRaidtab(layout), 'r')).toEqual(parseRaidtab(RAIDTAB, 'r'));
  expect(parseLvmScript(formatLvmScript(layout), 'l')).toEqual(parseLvmScript(LVM, 'l'));
});

const FIXTURES = join(import.meta.dirname, '../fixtures/mountlist');
test.each(readdirSync(FIXTURES).filter((name) => name.endsWith('.mountlist')))(
  'the mountlist %s becomes a layout',
  (name) => {
    const mountlist = parseMountlist(readFileSync(join(FIXTURES, name), 'utf8'), name);
    const layout = layoutOfMountlist(mountlist);
    const mounted = mountlist.entries.filter(({ mountpoint }) => mountpoint.startsWith('/'));
    const places = Object.values(layout.filesystems).flatMap(({ mounts = [] }) => mounts.map(({ at }) => at));
    const noted = new Set(layout.notes.map(({ device }) => device));
    for (const { device, mountpoint } of mounted)
      expect(places.includes(mountpoint) || noted.has(namedDevice(device).id), `${device} ${mountpoint}`).toBe(true);
  },
);

test('what random layouts write for programs of old can be read', () => {
  fc.assert(
    fc.property(randomLayouts, (layout) => {
      parseMountlist(formatMountlist(mountlistOfLayout(layout)), 'm');
      const arrays = parseRaidtab(formatRaidtab(layout), 'r');
      expect(arrays.map(({ device }) => device)).toEqual(Object.keys(layout.arrays).map((id) => `/dev/${id}`));
      const { groups } = parseLvmScript(formatLvmScript(layout), 'l');
      expect(Object.keys(groups)).toEqual(Object.keys(layout.groups));
    }),
    { numRuns: 20 },
  );
});

test('devices are taken apart by the rules of the kernel', () => {
  const parts = [
    '/dev/sda12',
    '/dev/nvme0n1p2',
    '/dev/mmcblk0p1',
    '/dev/md127p3',
    '/dev/cciss/c0d0p2',
    '/dev/mapper/mp-part1',
  ];
  expect(parts.map((path) => namedDevice(path)).map(({ disk, number }) => `${disk} ${number}`)).toEqual([
    ...['sda 12', 'nvme0n1 2', 'mmcblk0 1', 'md127 3', 'cciss!c0d0 2', 'mp 1'],
  ]);
  const others = ['/dev/sda', '/dev/nvme0n1', '/dev/md0', '/dev/vg/root', '/dev/mapper/a--b-c', '/dev/mapper/luks'];
  expect(others.map((path) => namedDevice(path)).map(({ kind, id }) => `${kind} ${id}`)).toEqual([
    ...['disk sda', 'disk nvme0n1', 'array md0', 'volume vg/root', 'volume a-b/c', 'mapped luks'],
  ]);
});

const REAR = `# Disk layout dated 20240101
disk /dev/sda 21474836480 gpt
part /dev/sda 1048576 1048576 rear-noname bios_grub /dev/sda1
part /dev/sda 536870912 2097152 EFI%20System boot,esp /dev/sda2
part /dev/sda 20000000000 538968064 rear-noname lvm /dev/sda3
raidarray /dev/md127 level=raid1 raid-devices=2 devices=/dev/sdb1,/dev/sdc1 metadata=1.2 uuid=1:2:3:4 name=web:0
lvmdev /dev/system /dev/sda3 abc-def 39062500
lvmgrp /dev/system 4096 4768 19529728
lvmvol /dev/system root 10737418240b linear
lvmvol /dev/system pool 1073741824b thin,pool chunksize:65536b
crypt /dev/mapper/box /dev/system/root type=luks2 cipher=aes-xts-plain64 key_size=512 hash=sha256 uuid=u password=topsecret
fs /dev/mapper/box / btrfs uuid=b-b label=my%20root options=rw,subvolid=256,subvol=/@,noatime
btrfsdefaultsubvol /dev/mapper/box / 5 /
btrfsnormalsubvol /dev/mapper/box / 256 @
btrfsmountedsubvol /dev/mapper/box / rw,noatime,subvolid=256,subvol=/@ @
fs /dev/sda2 /boot/efi vfat uuid=AAAA-BBBB label= options=rw
swap /dev/mapper/system-swap uuid=s-s label=
smartarray 3
`;

test('disklayout.conf of ReaR becomes a layout, without its passwords', () => {
  const layout = layoutOfRear(REAR, 'd');
  expect(layout.partitions.sda2).toEqual({
    ...{ on: 'sda', number: 2, start: 2097152, size: 536870912, type: 'efi', name: 'EFI System' },
  });
  expect(layout.arrays.md127).toMatchObject({ members: ['sdb1', 'sdc1'], metadata: '1.2', name: 'web:0' });
  expect(layout.volumes).toMatchObject({
    'system/root': { size: 10737418240 },
    'system/pool': { kind: 'thin-pool', chunk: 65536 },
  });
  expect(layout.encrypted.box).toMatchObject({ on: 'system/root', version: 2, keyBits: 512 });
  expect(layout.filesystems.box).toEqual({
    ...{ type: 'btrfs', uuid: 'b-b', label: 'my root', subvolumes: ['@'] },
    mounts: [{ at: '/', options: 'rw,noatime', subvolume: '@' }],
  });
  expect(JSON.stringify(layout)).not.toContain('topsecret');
  expect(layout.notes.map(({ device }) => device)).toEqual(['box', '3']);
});

test('lines that are wrong are told with their place; junk never crashes', () => {
  expect(codeOf(() => layoutOfRear('disk /dev/sda\n', 'd'))).toBe('d:1:1 rear.line');
  expect(codeOf(() => parseRaidtab('  chunk-size 4\n', 'r'))).toBe('r:1:3 raidtab.line');
  expect(codeOf(() => parseRaidtab('raiddev /dev/md0\nraid-disk 9999999999\n', 'r'))).toBe('r:2:1 raidtab.line');
  expect(codeOf(() => parseLvmScript('# lvm lvcreate -n x vg\n', 'l'))).toBe('l:1:7 lvm-script.line');
  const words = fc.constantFrom(
    'disk',
    'part',
    'raidarray',
    'fs',
    'lvmvol',
    'crypt',
    '/dev/sda',
    '1',
    'a=b',
    '\n',
    'devices=,',
    '# lvm lvcreate',
    '-L',
    'raiddev',
    'raid-disk',
    'constructor',
  );
  fc.assert(
    fc.property(fc.array(words, { maxLength: 30 }), (all) => {
      for (const read of [layoutOfRear, parseRaidtab, parseLvmScript]) codeOf(() => read(all.join(' '), 'x'));
    }),
  );
});
