import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { captureMountlist, mountlistOf } from '../../builder/mountlist/capture.ts';
import { checkMountlist } from '../../builder/mountlist/check.ts';
import type { HostFacts } from '../../builder/mountlist/facts.ts';
import { formatMountlist, parseMountlist } from '../../contract/mountlist-file.ts';
import { mountlistTable } from '../../contract/mountlist-table.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/mountlist');
const machines = readdirSync(FIXTURES)
  .filter((name) => name.endsWith('.json'))
  .map((name) => name.replace('.json', ''));
const recorded = (machine: string): HostFacts => JSON.parse(readFileSync(join(FIXTURES, `${machine}.json`), 'utf8'));

/** What `mindi makemountlist --check` shows: the table, then warnings and problems. */
function shown(facts: HostFacts): string {
  const { mountlist, warnings } = mountlistOf(facts);
  const problems = checkMountlist(mountlist, facts).map(({ code, message }) => `- ${message} [${code}]`);
  const lines = [mountlistTable(mountlist), '', ...warnings.map((warning) => `warning: ${warning}`), ...problems];
  return `${lines.join('\n').trimEnd()}\n`;
}

const codes = (facts: HostFacts) =>
  checkMountlist(mountlistOf(facts).mountlist, facts).map(({ device, code }) => `${device} ${code}`);
const devices = (facts: HostFacts) =>
  mountlistOf(facts).mountlist.entries.map((entry) => `${entry.device} ${entry.mountpoint} ${entry.format}`);

describe.each(machines)('recorded machine %s', (machine) => {
  test('its table and problems', async () => {
    await expect(shown(recorded(machine))).toMatchFileSnapshot(join(FIXTURES, `${machine}.table`));
  });

  test('its classic file, which reads back', async () => {
    const list = await captureMountlist(recorded(machine));
    const file = formatMountlist(list);
    await expect(file).toMatchFileSnapshot(join(FIXTURES, `${machine}.mountlist`));
    expect(parseMountlist(file, 'm')).toEqual(list);
  });

  test('without any program, what is mounted and swapped to is still found', () => {
    const facts = recorded(machine);
    const bare: HostFacts = {
      ...facts,
      lsblk: null,
      pvs: null,
      lvs: null,
      failures: { lsblk: 'the program lsblk is not installed' },
    };
    const { mountlist, warnings } = mountlistOf(bare);
    const mounted = (list: typeof mountlist) => list.entries.filter(({ mountpoint }) => mountpoint.startsWith('/'));
    const inUse = new Set(facts.mountinfo?.split('\n').map((line) => line.split(' ')[4]?.replaceAll('\\040', ' ')));
    const expected = mounted(mountlistOf(facts).mountlist).map(({ mountpoint }) => mountpoint);
    expect(mounted(mountlist).map(({ mountpoint }) => mountpoint)).toEqual(
      expect.arrayContaining(expected.filter((mountpoint) => inUse.has(mountpoint))),
    );
    expect(warnings[0]).toContain('lsblk is not installed');
  });
});

test('the table of the 2008 paper, from a machine laid out as in it', () => {
  expect(shown(recorded('paper')).split('\n').slice(0, 7)).toEqual([
    'DEVICE          MOUNTPOINT      FORMAT          SIZE (MB)       LABEL/UUID',
    '/dev/sda1       /               ext3               1239',
    '/dev/sdb1       /home           ext2             476937         /home',
    '/dev/sda8       /tmp            ext3               1129',
    '/dev/sda6       /usr            ext3              12033',
    '/dev/sda7       /var            ext3               4235',
    '/dev/sda5       swap            swap                980',
  ]);
});

test('what mindi 2.0.4 printed of a machine with LVM, from one laid out like it', () => {
  expect(mountlistTable(mountlistOf(recorded('classic-lvm')).mountlist).split('\n')).toEqual([
    'DEVICE          MOUNTPOINT      FORMAT          SIZE (MB)       LABEL/UUID',
    `/dev/sda6       lvm             lvm              140003         ${pvUuid('classic-lvm')}`,
    '/dev/sda1       /               ext3               9554',
    '/dev/mapper/vg_lml-home /home           ext3                lvm',
    '/dev/mapper/vg_lml-var /var            ext3                lvm',
    '/dev/mapper/vg_lml-var+spool+cups /var/spool/cups ext3                lvm',
    '/dev/sda5       swap            swap               3067',
  ]);
});

function pvUuid(machine: string): string {
  return /"pv_uuid":"([^"]+)"/.exec(recorded(machine).pvs ?? '')?.[1] ?? '';
}

/** One disk: vda1 is ext4 on /, vda2 what the test says. */
function small(changes: Partial<HostFacts> = {}, second: Record<string, unknown> = {}): HostFacts {
  const part = (n: number, more: object) => ({
    name: `vda${n}`,
    kname: `vda${n}`,
    'maj:min': `254:${n}`,
    type: 'part',
    size: 4 << 30,
    ...more,
  });
  const disk = { name: 'vda', kname: 'vda', 'maj:min': '254:0', type: 'disk', size: 10 * 2 ** 30 };
  const root = part(1, { fstype: 'ext4', uuid: '11111111-1111-1111-1111-111111111111', label: 'root' });
  const children = [root, part(2, { size: 4 * 2 ** 30, ...second })].map((row) => ({ ...row, size: 4 * 2 ** 30 }));
  return {
    hostname: 'small',
    time: 1_700_000_000,
    lsblk: JSON.stringify({ blockdevices: [{ ...disk, children }] }),
    pvs: null,
    lvs: null,
    mountinfo: '22 1 254:1 / / rw - ext4 /dev/root rw\n',
    fstab: null,
    swaps: null,
    partitions: null,
    mdstat: null,
    links: {},
    failures: {},
    ...changes,
  };
}

const XFS = {
  fstype: 'xfs',
  uuid: '22222222-2222-2222-2222-222222222222',
  label: 'da ta',
  partuuid: 'ABCD-02',
  partlabel: 'my part',
};

describe('fstab', () => {
  test.each([
    '/dev/vda2',
    'UUID=22222222-2222-2222-2222-222222222222',
    'UUID="22222222-2222-2222-2222-222222222222"',
    'LABEL=da\\040ta',
    'PARTUUID=abcd-02',
    'PARTLABEL="my\\040part"',
    '/dev/disk/by-uuid/22222222-2222-2222-2222-222222222222',
    '/dev/disk/by-label/da\\x20ta',
    '/dev/disk/by-partuuid/abcd-02',
    '/dev/disk/by-id/virtio-x-part2',
  ])('%s', (spec) => {
    const links = { '/dev/disk/by-id/virtio-x-part2': '/dev/vda2' };
    const facts = small({ fstab: `${spec} /da\\040ta auto noauto 0 0\n`, links }, XFS);
    expect(devices(facts)).toEqual(['/dev/vda1 / ext4', '/dev/vda2 /da ta xfs'].toReversed());
    expect(codes(facts)).toEqual([]);
  });

  test('what names no device is left out', () => {
    const lines = [
      'nas:/export /mnt nfs defaults 0 0',
      '//nas/share /mnt cifs defaults 0 0',
      'user@host:/ /mnt fuse.sshfs defaults 0 0',
      'tmpfs /tmp tmpfs defaults 0 0',
      '/swapfile none swap sw 0 0',
      '/srv /var/www none bind 0 0',
      '/dev/vda2 /mnt none rbind 0 0',
      '/images/a.img /mnt ext4 loop 0 0',
      '#/dev/vda2 /mnt xfs defaults 0 0',
      'LABEL=gone /mnt ext4 noauto 0 0',
      'UUID=gone /mnt ext4 nofail 0 0',
      'half a-line',
    ];
    const facts = small({ fstab: lines.join('\n') }, XFS);
    expect(devices(facts)).toEqual(['/dev/vda1 / ext4']);
    expect(codes(facts)).toEqual(['/dev/vda2 device.left-out']);
  });

  test('a line whose device is gone, and two for one mountpoint', () => {
    const facts = small({ fstab: 'UUID=gone /srv ext4 defaults 0 2\n/dev/vda2 / xfs defaults 0 1\n' }, XFS);
    expect(codes(facts)).toEqual(['/dev/vda1 mountpoint.duplicate', 'UUID=gone fstab.no-device']);
  });
});

describe('mounts', () => {
  const mounts = (...lines: string[]) => `22 1 254:1 / / rw - ext4 /dev/root rw\n${lines.join('\n')}\n`;

  test('a bind mount is no mountpoint of its device, one on / is', () => {
    const bound = mounts(
      '23 22 254:1 /etc/hosts /srv/hosts rw - ext4 /dev/vda1 rw',
      '24 22 254:2 /deploy/a / rw - xfs /dev/vda2 rw',
    );
    expect(devices(small({ mountinfo: bound }, XFS))).toEqual(['/dev/vda1 / ext4', '/dev/vda2 / xfs']);
  });

  test('of two mounts of one device the one fstab names counts, else the first', () => {
    const mountinfo = mounts(
      '23 22 254:2 / /mnt/a rw - xfs /dev/vda2 rw',
      '24 22 254:2 / /mnt/b rw - xfs /dev/vda2 rw',
    );
    expect(devices(small({ mountinfo }, XFS))).toContain('/dev/vda2 /mnt/a xfs');
    expect(devices(small({ mountinfo, fstab: 'LABEL=da\\040ta /mnt/b xfs defaults 0 0' }, XFS))).toContain(
      '/dev/vda2 /mnt/b xfs',
    );
  });

  test('what can be unplugged counts only when fstab names it', () => {
    const mountinfo = mounts('23 22 254:2 / /media/x rw - xfs /dev/vda2 rw');
    expect(devices(small({ mountinfo }, XFS))).toEqual(['/dev/vda1 / ext4']);
    expect(mountlistOf(small({ mountinfo }, XFS)).warnings).toEqual([
      expect.stringContaining('/dev/vda2 on /media/x is left out'),
    ]);
    expect(devices(small({ mountinfo, fstab: '/dev/vda2 /media/x xfs nofail 0 0' }, XFS))).toContain(
      '/dev/vda2 /media/x xfs',
    );
  });

  test('a source that should be a device and is none is told', () => {
    const mountinfo = mounts('23 22 0:50 / /tank rw - zfs tank/data rw', '24 22 8:1 / /gone rw - ext4 /dev/sda1 rw');
    expect(mountlistOf(small({ mountinfo })).warnings).toEqual([
      expect.stringContaining('tank/data (zfs)'),
      expect.stringContaining('/dev/sda1 (ext4)'),
    ]);
  });

  test.each([
    ['iso9660', []],
    ['squashfs', []],
    ['msdos', ['/dev/vda2 /mnt vfat']],
    ['ntfs', ['/dev/vda2 /mnt ntfs']],
  ])('%s', (fstype, expected) => {
    const mountinfo = mounts('23 22 254:2 / /mnt rw - fuseblk /dev/vda2 rw');
    expect(devices(small({ mountinfo }, { fstype })).slice(1)).toEqual(expected);
  });
});

describe('layers', () => {
  test('PVs are found by LVM where blkid must not look, and by blkid where LVM is not installed', () => {
    const pvs = JSON.stringify({
      report: [{ pv: [{ pv_name: '/dev/vda2', pv_uuid: 'x', vg_name: 'vg', pv_missing: '' }] }],
    });
    expect(mountlistOf(small({ pvs })).mountlist.entries[0]).toMatchObject({
      device: '/dev/vda2',
      mountpoint: 'lvm',
      uuid: 'x',
    });
    const failures = { pvs: 'the program pvs is not installed' };
    const facts = small({ failures }, { fstype: 'LVM2_member' });
    expect(devices(facts)).toEqual(['/dev/vda2 lvm lvm', '/dev/vda1 / ext4']);
    expect(mountlistOf(facts).warnings).toEqual([failures.pvs]);
    expect(mountlistOf(small({ failures })).warnings).toEqual([]);
  });

  test('a volume group that misses a PV', () => {
    const pvs = JSON.stringify({
      report: [{ pv: [{ pv_name: '[unknown]', pv_uuid: 'x', vg_name: 'vg', pv_missing: 'missing' }] }],
    });
    expect(codes(small({ pvs }, { ...XFS, fstype: 'LVM2_member' }))).toEqual(['[unknown] lvm.missing']);
  });

  test('members of an array without lsblk’s word for them', () => {
    const mdstat =
      'Personalities : [raid1]\nmd0 : active (auto-read-only) raid1 vda2[0](F)\n      1024 blocks super 1.2 [2/1] [U_]\n';
    const facts = small({ mdstat }, { uuid: 'x' });
    expect(devices(facts)).toEqual(['/dev/vda1 / ext4', '/dev/vda2 raid raid']);
    expect(codes(facts)).toEqual(['/dev/md0 array.degraded']);
    expect(codes(small({ mdstat: 'md0 : inactive vda2[0](S)\n' }, { uuid: 'x' }))).toEqual(['/dev/md0 array.inactive']);
  });

  test('ZFS is listed, and said not to be restorable', () => {
    expect(codes(small({}, { fstype: 'zfs_member', label: 'tank', uuid: '123' }))).toEqual([
      '/dev/vda2 format.unknown',
    ]);
  });
});

describe('a mountlist edited by hand', () => {
  const check = (text: string) =>
    checkMountlist(parseMountlist(text, 'm'), small({}, XFS)).map(({ code, message }) => `${code}: ${message}`);

  test('too much on a disk, and a disk that is not there', () => {
    const text = '/dev/vda1 / ext4 8000000 root\n/dev/vda2 /srv xfs 8000000 data\n/dev/sdz1 /mnt ext4 99999 x\n';
    expect(check(text)).toEqual([
      'device.absent: /dev/sdz1 does not exist on this machine',
      'size.over-allocated: 5385 MB over-allocated on /dev/vda',
    ]);
  });
});

describe('a machine that tells nothing', () => {
  const nothing: HostFacts = {
    ...small(),
    ...{ lsblk: null, pvs: null, lvs: null, mountinfo: null, fstab: null, swaps: null, partitions: null, mdstat: null },
  };

  test('an empty mountlist, and the one problem', () => {
    expect(mountlistOf(nothing).mountlist.entries).toEqual([]);
    expect(codes({ ...nothing, fstab: 'UUID=x / ext4 defaults 0 1\n' })).toEqual(['- root.missing']);
  });

  test.each([
    '',
    '{',
    '[]',
    'null',
    '{"blockdevices":null}',
    '{"blockdevices":[null,1,{"kname":3},{"kname":"a","children":7}]}',
  ])('lsblk says %j', (lsblk) => {
    expect(mountlistOf({ ...nothing, lsblk, pvs: lsblk, lvs: lsblk, mdstat: lsblk }).mountlist.entries).toEqual([]);
  });

  test('the strings RHEL 8’s lsblk writes where newer ones write numbers', () => {
    const facts = small({}, XFS);
    const words =
      facts.lsblk?.replaceAll(/":(\d+)/g, '":"$1"').replace('"type":"disk"', '"type":"disk","rm":"1"') ?? '';
    const fstab = '/dev/vda2 /srv xfs noauto 0 0\n';
    expect(devices({ ...facts, lsblk: words, fstab })).toEqual(['/dev/vda1 / ext4']);
    expect(mountlistOf({ ...facts, lsblk: words }).mountlist.entries[0]?.size).toBe(4_194_304);
  });
});
