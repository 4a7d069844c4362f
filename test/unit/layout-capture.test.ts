import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { captureLayout, captureMachine } from '../../capture/capture.ts';
import { placeOf } from '../../capture/disks.ts';
import { type Facts, type Machine, recorded } from '../../capture/machine.ts';
import { formatLayout, parseLayout } from '../../contract/layout/file.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/layout');
/** Recorded by test/boot/layout.test.ts. */
const facts = (): Facts => JSON.parse(readFileSync(join(FIXTURES, 'guest.json'), 'utf8'));

/** The machine as one program tells it; the others are missing. */
function machineWith(programs: Record<string, string>, files: Record<string, string> = {}): Machine {
  return {
    run: async (program, args) => {
      const name = Object.keys(programs).find((call) => [program, ...args].join(' ').startsWith(call));
      return { code: name ? 0 : 127, stdout: (name && programs[name]) ?? '', stderr: '' };
    },
    read: async (path) => files[path] ?? null,
  };
}

const lsblk = (...blockdevices: object[]) => ({ lsblk: JSON.stringify({ blockdevices }) });

test('a machine with everything on it, as its programs told it', async () => {
  const layout = await captureLayout(recorded(facts()), null);
  const text = formatLayout(layout);
  await expect(text).toMatchFileSnapshot(join(FIXTURES, 'guest.yaml'));
  expect(parseLayout(text, 'guest.yaml')).toEqual(layout);
});

test('what is in use is known beside the layout', async () => {
  const { there, swapping, locked } = await captureMachine(recorded(facts()));
  expect(swapping).toEqual([]);
  expect(locked).toEqual([expect.stringMatching(/^luks-/)]);
  expect(Object.values(there.filesystems).flatMap(({ mounts = [] }) => mounts.map(({ at }) => at))).toContain('/mnt');
});

test('programs that are missing are notes, and the disks are there all the same', async () => {
  const all = facts();
  for (const call of Object.keys(all.programs)) if (!call.startsWith('lsblk')) delete all.programs[call];
  const layout = await captureLayout(recorded(all), null);
  expect(Object.keys(layout.disks)).toContain('vda');
  expect(layout.notes.map(({ device }) => device)).toContain('md0');
  expect(parseLayout(formatLayout(layout), 'l')).toEqual(layout);
});

test('a container without disks, and no program at all', async () => {
  const { notes } = await captureLayout(machineWith({}), 'c1');
  expect(notes).toEqual([{ device: '-', note: 'lsblk shows no disk' }]);
});

describe('mounts', () => {
  const disk = { name: 'sda', kname: 'sda', type: 'disk', size: 1e9, fstype: 'ext4', uuid: 'ABCD', label: 'root' };
  const mountsWith = async (fstab: string, mountinfo = '') => {
    const files = { '/etc/fstab': fstab, '/proc/self/mountinfo': mountinfo };
    return (await captureLayout(machineWith(lsblk(disk), files), null)).filesystems.sda?.mounts;
  };

  test.each(['UUID=abcd', 'LABEL=root', '/dev/sda', '/dev/disk/by-uuid/ABCD'])('fstab names it by %s', async (spec) => {
    expect(await mountsWith(`${spec} / ext4 noatime 0 1\n`)).toEqual([{ at: '/', options: 'noatime' }]);
  });

  test('without fstab as it is mounted now, but not where somebody only looks at it', async () => {
    const line = (at: string) => `22 1 8:0 / ${at} rw - ext4 /dev/sda rw\n`;
    expect(await mountsWith('', line('/srv') + line('/mnt/x'))).toEqual([{ at: '/srv' }]);
  });
});

test('sticks are left out, multipath is one disk, discs and memory are none', async () => {
  const path = (name: string) => ({
    name,
    kname: name,
    type: 'disk',
    size: 1e9,
    fstype: 'mpath_member',
    children: [mpath],
  });
  const mpath = { name: 'mpatha', kname: 'dm-0', type: 'mpath', size: 1e9 };
  const others = [
    { name: 'sdc', kname: 'sdc', type: 'disk', size: 1e9, rm: true },
    { name: 'sr0', kname: 'sr0', type: 'rom', size: 1e9 },
    { name: 'zram0', kname: 'zram0', type: 'disk', size: 1e9 },
  ];
  const files = { '/sys/block/dm-0/dm/uuid': 'mpath-35000c50015ea71ac\n' };
  const layout = await captureLayout(machineWith(lsblk(path('sda'), path('sdb'), ...others), files), null);
  expect(layout.disks).toEqual({
    mpatha: { size: 1e9, multipath: '35000c50015ea71ac' },
  });
  expect(layout.notes.map(({ device }) => device)).toEqual(['sdc']);
});

test('where a disk is plugged in, in the words of udev', () => {
  const pci = '/sys/devices/pci0000:00/0000:00:1f.2';
  expect(placeOf(`${pci}/ata3/host2/target2:0:0/2:0:0:0/block/sda`, '1')).toBe('pci-0000:00:1f.2-ata-1');
  expect(placeOf(`${pci}/host2/target2:0:1/2:0:1:0/block/sda`)).toBe('pci-0000:00:1f.2-scsi-0:0:1:0');
  expect(placeOf(`${pci}/nvme/nvme0/nvme0n1`)).toBe('pci-0000:00:1f.2-nvme-1');
  expect(placeOf(`${pci}/virtio3/block/vda`)).toBe('pci-0000:00:1f.2');
  expect(placeOf('/sys/devices/virtual/block/md0')).toBe('');
});
