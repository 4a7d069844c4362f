import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type StorageDevice, storageLines, storageReport } from '../../contract/storage.ts';
import { volumeName } from '../../initramfs/storage/block-devices.ts';
import { parseBlkid } from '../../initramfs/storage/contents.ts';
import { pathName, samePaths } from '../../initramfs/storage/paths.ts';
import { storageTree } from '../../initramfs/storage/tree.ts';

const content = (type: string, label = '') => ({ type, label, uuid: '', partitionUuid: '', partitionLabel: '' });
const device = (name: string, kind: StorageDevice['kind'], on: string[], more: Partial<StorageDevice> = {}) => {
  const plain = { device: `/dev/${name}`, name, kind, on, bytes: 1e9, writable: false, array: null, content: null };
  return { ...plain, ...more };
};

const MACHINE: StorageDevice[] = [
  device('sda', 'disk', []),
  device('sda1', 'partition', ['sda'], { content: content('linux_raid_member', 'web1:0'), writable: true }),
  device('sdb', 'disk', [], { content: content('crypto_LUKS') }),
  device('md0', 'array', ['sda1'], {
    array: { level: 'raid1', metadata: '1.2', disks: 2, missing: 1, active: true },
    content: content('LVM2_member'),
  }),
  device('dm-0', 'volume', ['md0'], { device: '/dev/vg/root', content: content('ext4', 'root') }),
];

describe('blkid', () => {
  test('several devices, and special characters', () => {
    const text =
      'DEVNAME=/dev/sda1\nLABEL=a\\ b\nUUID=1-2\nTYPE=vfat\nPARTUUID=x-01\n\nDEVNAME=/dev/sdb\nTYPE=crypto_LUKS\n';
    expect(parseBlkid(text)).toEqual([
      ['/dev/sda1', { ...content('vfat', 'a b'), uuid: '1-2', partitionUuid: 'x-01' }],
      ['/dev/sdb', content('crypto_LUKS')],
    ]);
  });
  test('whatever a disk makes it say gives an answer', () => {
    fc.assert(fc.property(fc.string(), (text) => Array.isArray(parseBlkid(text))));
  });
});

test('names of device-mapper', () => {
  expect(volumeName('my--group-root--1')).toEqual({ group: 'my-group', volume: 'root-1' });
  expect(volumeName('luks')).toBeNull();
});

test('one disk by two names; disks without a name are not one', () => {
  const disks = [
    { name: 'sda', wwid: 'naa.5' },
    { name: 'sdb', wwid: '' },
    { name: 'sdc', wwid: 'naa.5' },
    { name: 'sdd', wwid: '' },
  ];
  expect(samePaths(disks)).toEqual([
    [
      { name: 'sda', wwid: 'naa.5' },
      { name: 'sdc', wwid: 'naa.5' },
    ],
  ]);
});

test.each([
  ['naa.5000c50015ea71ac', '35000c50015ea71ac'],
  ['eui.0025385b71b0c0e1', '20025385b71b0c0e1'],
  ['t10.ATA     QEMU HARDDISK   QM00001', '1ATA_QEMU_HARDDISK_QM00001'],
  ['nvme.1af4-12', '0nvme.1af4-12'],
])('the disk %s is called %s over all its paths', (wwid, name) => {
  expect(pathName(wwid)).toBe(name);
});

test('the tree', () => {
  expect(storageTree(MACHINE).map((line) => line.replaceAll(/ {2,}/g, (gap, at) => (at === 0 ? gap : ' ')))).toEqual([
    'sda 1.0 GB',
    '  sda1 1.0 GB RAID member "web1:0" WRITABLE',
    '    md0 1.0 GB raid1 DEGRADED, 1 of 2 disks missing LVM',
    '      vg/root 1.0 GB ext4 "root"',
    'sdb 1.0 GB LUKS',
  ]);
});

test('in short', () => {
  expect(storageLines(storageReport(MACHINE, ['/dev/sdc']))).toEqual([
    'md0  raid1, DEGRADED: 1 of 2 disks missing',
    'LVM vg: root',
    'sdb  encrypted, locked: mindi storage unlock /dev/sdb',
    'sdc  DOES NOT ANSWER',
  ]);
});
