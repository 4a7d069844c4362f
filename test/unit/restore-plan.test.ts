import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MindiError } from '../../contract/error.ts';
import { partitionNode } from '../../contract/layout/nodes.ts';
import { type Disk, emptyLayout, type FileSystem, type Layout } from '../../contract/layout/schema.ts';
import { matchDisks } from '../../restore/identity.ts';
import { type Plan, plan, type Situation } from '../../restore/plan/plan.ts';
import { layoutOf, randomLayouts } from '../layouts.ts';
import { interpret } from '../plan-interpreter.ts';

const GIB = 2 ** 30;
const machine = (disks: Record<string, Disk>): Layout => ({ ...emptyLayout(), disks });

/** The same disks, at other places of another machine. */
const moved = (layout: Layout): Layout =>
  machine(Object.fromEntries(Object.entries(layout.disks).map(([, disk], n) => [`nvme${n}n1`, disk])));

/** Options of mounts are for fstab, which comes with the data. */
function withoutOptions(layout: Layout): Layout {
  const filesystems = Object.entries(layout.filesystems).map(([id, filesystem]): [string, FileSystem] => {
    const { mounts, ...rest } = filesystem;
    return [id, mounts ? { ...rest, mounts: mounts.map(({ at }) => ({ at })) } : rest];
  });
  return { ...layout, filesystems: Object.fromEntries(filesystems) };
}

/** Codes of what stands against a plan; the plan itself where nothing does. */
function refused(layout: Layout, situation: Situation): string[] {
  try {
    plan(layout, situation);
    return [];
  } catch (error) {
    if (!(error instanceof MindiError)) throw error;
    expect(error.exitCode).toBe(1);
    return (error.problems.length > 0 ? error.problems : [error]).map(({ code }) => code);
  }
}

const commands = ({ steps }: Plan) => steps.map(({ argv }) => argv.join(' '));

test('what the programs of a plan make is the layout', () => {
  let planned = 0;
  fc.assert(
    fc.property(randomLayouts, (layout) => {
      const there = moved(layout);
      const codes = refused(layout, { there });
      // A random group may be too full; everything else must do.
      expect(codes.filter((code) => code !== 'plan.group-full')).toEqual([]);
      if (codes.length > 0) return;
      planned += 1;
      expect(interpret(plan(layout, { there }), layout.disks)).toEqual(withoutOptions(layout));
    }),
    { numRuns: 40 },
  );
  expect(planned).toBeGreaterThan(15);
});

test('the same layout on the same machine is the same plan, and anything else is another', () => {
  const layout = layoutOf(3);
  const { hash } = plan(layout, { there: moved(layout) });
  expect(plan(structuredClone(layout), { there: moved(layout) }).hash).toBe(hash);
  const other = structuredClone(layout);
  const [id = ''] = Object.keys(other.filesystems);
  (other.filesystems[id] as FileSystem).label = 'other';
  expect(plan(other, { there: moved(layout) }).hash).not.toBe(hash);
});

test('what runs on a disk is stopped from the top, and told as lost', () => {
  const there = machine({ sda: { size: 20 * GIB, serial: 'a' }, sdb: { size: 20 * GIB, serial: 'b' } });
  there.tables.sda = { type: 'gpt' };
  there.partitions.sda1 = { on: 'sda', number: 1, start: 2 ** 20, size: 10 * GIB };
  there.encrypted.box = { on: 'sda1', version: 2 };
  there.physicalVolumes.box = { group: 'old' };
  there.groups.old = {};
  there.volumes['old/root'] = { group: 'old', size: GIB };
  there.filesystems['old/root'] = { type: 'ext4', label: 'precious', mounts: [{ at: '/srv' }, { at: '/srv/deep' }] };
  const wanted = machine({ sda: { size: 20 * GIB, serial: 'a' } });
  wanted.filesystems.sda = { type: 'xfs', mounts: [{ at: '/' }] };
  const made = plan(wanted, { there });
  expect(commands(made)).toEqual([
    'umount /srv/deep',
    'umount /srv',
    'vgchange --quiet --activate n old',
    'cryptsetup close box',
    'wipefs --all --force --quiet /dev/sda1',
    'wipefs --all --force --quiet /dev/sda',
    'mkfs.xfs -q -f /dev/sda',
    'mkdir -p /mnt/RESTORING',
    'mount -t xfs /dev/sda /mnt/RESTORING',
  ]);
  expect(made.lost).toEqual([
    {
      disk: 'sda',
      what: [
        '1 partition',
        'old/root ext4 "precious" mounted at /srv',
        'encrypted box',
        'the physical volume box',
        'volume old/root of 1GiB',
      ],
    },
  ]);
  there.physicalVolumes.sdb = { group: 'old' };
  expect(refused(wanted, { there })).toEqual(['plan.entangled']);
});

describe('what is refused before anything is written', () => {
  const wanted = machine({ a: { size: 10 * GIB, serial: 'S1' } });
  wanted.tables.a = { type: 'gpt' };
  wanted.partitions.a1 = { on: 'a', number: 1, start: 2 ** 20, size: 9 * GIB };
  wanted.filesystems.a1 = { type: 'ext4' };

  test('disks that are too small, two that are equal, none at all', () => {
    expect(refused(wanted, { there: machine({ x: { size: 8 * GIB } }) })).toEqual(['disk.too-small']);
    const two = machine({ x: { size: 10 * GIB }, y: { size: 10 * GIB } });
    expect(refused(wanted, { there: two })).toEqual(['disk.ambiguous']);
    expect(() => plan(wanted, { there: two })).toThrow('a could be made on x (10GiB) or on y (10GiB)');
    expect(refused(wanted, { there: two, chosen: { a: 'y' } })).toEqual([]);
    expect(plan(wanted, { there: two, chosen: { a: 'y' } }).targets).toMatchObject([
      { disk: 'y', evidence: ['chosen'] },
    ]);
    expect(refused(wanted, { there: machine({}) })).toEqual(['disk.none']);
    expect(refused(wanted, { there: two, chosen: { a: 'z' } })).toEqual(['disk.unknown']);
    expect(refused(wanted, { there: two, chosen: { b: 'x' } })).toEqual(
      ['disk.unknown', 'disk.ambiguous'].slice(0, 2).reverse(),
    );
  });

  test('the medium, and what is kept, even when it is the very disk or somebody chose it', () => {
    const there = machine({ x: { size: 10 * GIB, serial: 'S1' }, y: { size: 10 * GIB } });
    const medium = { x: 'the medium in use' };
    expect(refused(wanted, { there, refused: medium })).toEqual(['disk.refused']);
    expect(refused(wanted, { there, refused: medium, chosen: { a: 'x' } })).toEqual(['disk.refused']);
    expect(refused(wanted, { there: machine({ x: { size: 10 * GIB, serial: 'S1', keep: true } }) })).toEqual([
      'disk.refused',
    ]);
  });

  test('programs that are missing, volumes that do not fit, pools of ZFS', () => {
    const there = machine({ x: { size: 10 * GIB } });
    expect(refused(wanted, { there, hasProgram: (name) => name !== 'mke2fs' })).toEqual(['plan.no-program']);
    const full = structuredClone(wanted);
    full.filesystems = {};
    full.physicalVolumes.a1 = { group: 'vg' };
    full.groups.vg = {};
    full.volumes['vg/big'] = { group: 'vg', size: 9 * GIB };
    full.pools.tank = { members: [] };
    expect(refused(full, { there })).toEqual(['plan.group-full', 'plan.zfs']);
  });
});

test('a disk is known by its own numbers wherever it is; a kept one of the layout needs none', () => {
  const wanted = {
    a: { size: 4, wwn: '0x5' },
    b: { size: 4, serial: 'S' },
    c: { size: 8 },
    k: { size: 4, keep: true },
  };
  const there = { x: { size: 8 }, y: { size: 4, serial: 'S' }, z: { size: 4, wwn: '0x5', path: 'pci-1' } };
  const { matches, problems } = matchDisks(wanted, there, { needs: { a: 4, b: 4, c: 8 }, refused: {}, chosen: {} });
  expect(problems).toEqual([]);
  expect(matches.map(({ wanted: id, disk, evidence }) => [id, disk, evidence])).toEqual([
    ['a', 'z', ['wwn', 'size']],
    ['b', 'y', ['serial', 'size']],
    ['c', 'x', ['size']],
  ]);
});

test('partitions are named as the kernel names them', () => {
  const named = [
    '/dev/sda',
    '/dev/nvme0n1',
    '/dev/mmcblk0',
    '/dev/md127',
    '/dev/loop0',
    '/dev/cciss/c0d0',
    '/dev/mapper/mpatha',
  ];
  expect(named.map((disk) => partitionNode(disk, 1))).toEqual([
    ...['/dev/sda1', '/dev/nvme0n1p1', '/dev/mmcblk0p1', '/dev/md127p1', '/dev/loop0p1', '/dev/cciss/c0d0p1'],
    '/dev/mapper/mpatha-part1',
  ]);
});

test('200 disks and 2,000 volumes make one plan', () => {
  const wanted = machine({});
  for (let n = 0; n < 200; n += 1) {
    wanted.disks[`d${n}`] = { size: 100 * GIB, serial: `S${n}` };
    wanted.physicalVolumes[`d${n}`] = { group: `vg${n % 20}` };
    wanted.groups[`vg${n % 20}`] = {};
  }
  for (let n = 0; n < 2000; n += 1) {
    wanted.volumes[`vg${n % 20}/v${n}`] = { group: `vg${n % 20}`, size: GIB };
    wanted.filesystems[`vg${n % 20}/v${n}`] = { type: 'ext4', mounts: [{ at: `/srv/${n}` }] };
  }
  const { steps, targets } = plan(wanted, { there: wanted });
  expect(targets).toHaveLength(200);
  expect(steps.filter(({ kind }) => kind === 'volume')).toHaveLength(2000);
});
