import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ModuleTree } from 'node-kmod-deps';
import { beforeAll, describe, expect, it } from 'vitest';
import { readMachine, thisMachine } from '../../builder/drivers/machines.ts';
import { targetNames } from '../../builder/drivers/migrate.ts';
import { OWN_SET, selectionOf } from '../../builder/drivers/pieces.ts';
import { type ResolveDriversOptions, resolveDrivers } from '../../builder/drivers/resolve.ts';
import { ALWAYS_SET, type Machine } from '../../builder/drivers/scope.ts';
import { loadDriverSets } from '../../builder/drivers/sets.ts';
import { openKernelTree } from '../../builder/drivers/tree.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { MindiError } from '../../contract/error.ts';
import { kernelFixture } from '../kernel-fixture.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const top = temporaryFolder('scope');
let tree: ModuleTree;
let modulesDir: string;
const standalone = [...(await loadProfile('standalone')).drivers.sets, OWN_SET];
beforeAll(async () => {
  process.env.MINDI_CACHE = join(top, 'cache');
  modulesDir = (await kernelFixture('bookworm-amd64', { modules: 'stand-ins' })).directory;
  tree = await openKernelTree(modulesDir);
});
const AHCI = 'pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01';
const R8169 = 'pci:v000010ECd00008168sv00001458sd0000E000bc02sc00i00';
const SERVER: Machine = { name: 'web1.json', modaliases: [AHCI, R8169, 'pci:v00009999d00009999sv0sd0bcFFscFFiFF'] };

const resolved = (more: Partial<ResolveDriversOptions>) => resolveDrivers({ tree, sets: standalone, ...more });
const narrow = (filesystems: string[] | null = ['xfs', 'swap', 'vfat']) => ({ machines: [SERVER], filesystems });

async function failure(promise: Promise<unknown>): Promise<MindiError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(MindiError);
  return error as MindiError;
}

describe('a scope', () => {
  it('takes what drives the machines, and what is needed anyway', async () => {
    const { modules, essential, load } = await resolved({ scope: narrow() });
    const names = [...modules.keys()];
    const needed = [
      'ahci',
      'r8169',
      'realtek',
      'xfs',
      'dm_mod',
      'dm_crypt',
      'raid456',
      'usb_storage',
      'sr_mod',
      'usbhid',
      'nfsv4',
    ];
    expect(names).toEqual(expect.arrayContaining([...needed, 'loop', 'squashfs', 'overlay', 'isofs', 'vfat', 'sg']));
    const foreign = ['megaraid_sas', 'nvme', 'virtio_blk', 'tg3', 'btrfs', 'ext4', 'firewire_sbp2'];
    expect(names.filter((name) => foreign.includes(name))).toEqual([]);
    expect(essential).toEqual(expect.arrayContaining(['ahci', 'sd_mod', 'loop', 'squashfs']));
    expect(load).toEqual(expect.arrayContaining(['loop', 'squashfs', 'overlay', 'isofs', 'vfat', 'sg']));
    expect(modules.size).toBeLessThan((await resolved({})).modules.size / 2);
  });

  it('says for which machine', async () => {
    const { modules } = await resolved({ scope: narrow() });
    expect(modules.get('ahci')?.reasons).toEqual([
      { rule: 'drivers.sets: ide (drivers/ata/), scope: web1.json', kind: 'named' },
    ]);
    expect(modules.get('dm_mod')?.reasons[0]?.rule).toBe('drivers.sets: raid (drivers/md/)');
  });

  it('only takes away', async () => {
    const whole = new Set((await resolved({})).modules.keys());
    const { modules } = await resolved({ scope: narrow(null) });
    expect([...modules.keys()].filter((name) => !whole.has(name))).toEqual([]);
    expect(modules.has('btrfs')).toBe(true);
    const small = await resolved({ sets: ['nvme', OWN_SET], scope: narrow() });
    expect([...small.modules.keys()]).not.toContain('dm_mod');
    expect([...small.modules.keys()]).not.toContain('ahci');
  });

  it('leaves includes as they are, in the stage a set wants them', async () => {
    const { modules, essential } = await resolved({ scope: narrow(), include: ['megaraid_sas', 'tg3'] });
    expect(modules.has('tg3')).toBe(true);
    expect(essential).toContain('megaraid_sas');
    expect(essential).not.toContain('tg3');
  });
});

describe('migrateTo', () => {
  it('takes targets whole, sets and selectors too', async () => {
    const { modules, essential } = await resolved({
      scope: narrow(),
      migrateTo: ['vmware', 'nvme', 'hpsa', 'drivers/net/ethernet/intel/igb/'],
    });
    expect(essential).toEqual(expect.arrayContaining(['vmw_pvscsi', 'mptsas', 'nvme', 'hpsa']));
    expect([...modules.keys()]).toEqual(expect.arrayContaining(['vmxnet3', 'igb']));
    expect(modules.get('vmw_pvscsi')?.reasons).toEqual([
      { rule: 'drivers.migrateTo: vmware (vmw_pvscsi)', kind: 'named' },
    ]);
    expect(modules.get('hpsa')?.reasons).toEqual([{ rule: 'drivers.migrateTo: hpsa', kind: 'named' }]);
  });

  it.each(targetNames())('%s names modules this kernel has', async (target) => {
    const { modules } = await resolveDrivers({ tree, sets: [], migrateTo: [target] });
    expect(modules.size).toBeGreaterThan(2);
  });

  it('unknown asks what was meant; against an exclude it is a conflict', async () => {
    const where = (list: string, i: number) => `p.yaml:${list}:${i}`;
    expect(await failure(resolved({ migrateTo: ['vmwar'], where }))).toMatchObject({
      code: 'drivers.unknown',
      where: 'p.yaml:migrateTo:0',
      hint: 'Did you mean "vmware"?',
    });
    expect(await failure(resolved({ migrateTo: ['hpsa'], exclude: ['hpsa'], where }))).toMatchObject({
      code: 'drivers.conflict',
      exitCode: 2,
    });
  });
});

describe('machines', () => {
  it('this one is read from sysfs', async () => {
    const device = join(top, 'sys/devices/pci0/1');
    mkdirSync(device, { recursive: true });
    writeFileSync(join(device, 'uevent'), `DRIVER=ahci\nMODALIAS=${AHCI}\n`);
    writeFileSync(join(top, 'sys/devices/modalias'), 'cpu:type:x86\n');
    process.env.PROBE_ROOT = top;
    try {
      expect(await thisMachine()).toEqual({ name: 'this machine', modaliases: ['cpu:type:x86', AHCI] });
      process.env.PROBE_ROOT = join(top, 'nowhere');
      expect(await failure(thisMachine())).toMatchObject({ code: 'probe.failed', exitCode: 1 });
    } finally {
      delete process.env.PROBE_ROOT;
    }
  });

  it('of files are called by model and file', async () => {
    const { name, modaliases } = await readMachine('test/fixtures/hardware/server-dell-r740.json');
    expect(name).toBe('PowerEdge R740 (server-dell-r740.json)');
    expect(modaliases).toContain('scsi:t-0x00');
    writeFileSync(join(top, 'web1.json'), JSON.stringify({ modaliases: [AHCI] }));
    expect((await readMachine(join(top, 'web1.json'))).name).toBe('web1.json');
  });

  const profile = async (drivers: string) => {
    const file = join(top, 'p.yaml');
    writeFileSync(file, `name: p\ndrivers:\n  ${drivers}\n`);
    return loadProfile(file);
  };

  it('come from the profile’s files', async () => {
    writeFileSync(join(top, 'web1.json'), JSON.stringify({ modaliases: [AHCI] }));
    const { modules } = await selectionOf(
      await profile('{ scope: hardware-files, hardware: [web1.json] }'),
      modulesDir,
    );
    expect(modules.has('ahci')).toBe(true);
    expect(modules.has('megaraid_sas')).toBe(false);
  });

  it('are refused with all that is wrong with their files', async () => {
    writeFileSync(join(top, 'one.json'), '{');
    writeFileSync(join(top, 'two.json'), '{"modaliases": [1]}');
    const error = await failure(
      selectionOf(await profile('{ scope: hardware-files, hardware: [one.json, two.json] }'), modulesDir),
    );
    expect(error).toMatchObject({ code: 'hardware.invalid', exitCode: 2 });
    expect(error.problems.map(({ code }) => code)).toEqual(['hardware.syntax', 'hardware.wrong-type']);
  });

  it.each([
    ['scope: hardware-files', /p\.yaml:3:|standalone\.yaml/],
    ['{ scope: all, hardware: [web1.json] }', /p\.yaml:3:/],
  ])('%s is a contradiction', async (drivers, place) => {
    const error = await failure(selectionOf(await profile(drivers), modulesDir));
    expect(error).toMatchObject({ code: 'scope.conflict', where: expect.stringMatching(place) });
  });
});

it('the set always holds what the init needs', async () => {
  const names = (await loadDriverSets([ALWAYS_SET])).map(({ name }) => name);
  expect(names).toEqual([OWN_SET, ALWAYS_SET]);
});
