import { mkdirSync, mkdtempSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ModuleTree } from 'node-kmod-deps';
import { describe, expect, it } from 'vitest';
import { resolveDrivers } from '../../builder/drivers/resolve.ts';
import { driverSetNames, loadDriverSets } from '../../builder/drivers/sets.ts';
import { openKernelTree } from '../../builder/drivers/tree.ts';
import { failure, modulesDirectory, scratch, setDirectory, standalone } from '../driver-fixture.ts';

describe('classes by imported symbol', () => {
  const MODULES = {
    'kernel/drivers/scsi/scsi_mod.ko': { modinfo: 'name=scsi_mod\0' },
    'kernel/drivers/new/place.ko': { imports: ['scsi_host_alloc', 'printk'] },
    'kernel/drivers/net/card.ko': { imports: ['register_netdev'] },
    'kernel/drivers/wifi/wlan.ko': { imports: ['register_netdev'] },
    'kernel/lib/x.ko': { imports: ['printk'] },
  };

  it('are found wherever they lie, or in one directory', async () => {
    const tree = await openKernelTree(modulesDirectory(MODULES));
    const names = async (include: string[]) => [...(await resolveDrivers({ tree, sets: [], include })).modules.keys()];
    expect(await names(['symbol:scsi_host_alloc'])).toEqual(['place']);
    expect(await names(['symbol:register_netdev'])).toEqual(['card', 'wlan']);
    expect(await names(['symbol:register_netdev in drivers/net/'])).toEqual(['card']);
    expect(await names(['drivers/', '-symbol:register_netdev'])).toEqual(['place', 'scsi_mod']);
  });
});

it('the built-in sets find hosts and targets by what they import, wherever a kernel keeps them', async () => {
  const directory = modulesDirectory({
    'kernel/drivers/storage/sata/ahci_next.ko': { imports: ['ata_host_activate'] },
    'kernel/drivers/storage/sas/sas_next.ko': { imports: ['scsi_host_alloc'] },
    'updates/dm-own.ko': { imports: ['dm_register_target'] },
    'kernel/drivers/storage/other.ko': { imports: ['printk'] },
  });
  const { modules, essential } = await resolveDrivers({
    tree: await openKernelTree(directory),
    sets: ['ide', 'scsi', 'raid'],
  });
  expect([...modules.keys()]).toEqual(['ahci_next', 'dm_own', 'sas_next']);
  expect(essential).toEqual(['ahci_next']);
});

describe('what only .modinfo says', () => {
  const MODULES = {
    'kernel/a.ko': { modinfo: 'name=a\0firmware=a*.fw\0firmware=b.fw\0weakdep=b phy:1*\0' },
    'kernel/b.ko': { modinfo: 'name=b\0firmware=b.fw\0weakdep=c\0' },
    'kernel/c.ko': { modinfo: 'name=c\0weakdep=a\0' },
    'kernel/d.ko': { modinfo: 'name=d\0alias=phy:123\0' },
  };

  it('brings weak dependencies of weak dependencies, and firmware', async () => {
    const tree = await openKernelTree(modulesDirectory(MODULES));
    const { modules, firmware } = await resolveDrivers({ tree, sets: [], include: ['a'] });
    expect([...modules].map(([name, { reasons }]) => [name, reasons[0]?.kind, reasons[0]?.via])).toEqual([
      ['a', 'named', undefined],
      ['b', 'weak', ['a']],
      ['c', 'weak', ['a', 'b']],
      ['d', 'weak', ['a']],
    ]);
    expect(firmware).toEqual([
      { file: 'a*.fw', wantedBy: ['a'] },
      { file: 'b.fw', wantedBy: ['a', 'b'] },
    ]);
  });

  it('is read once for a file that stays as it is', async () => {
    const directory = modulesDirectory(MODULES);
    const tree = await openKernelTree(directory);
    const firmware = async () =>
      (await resolveDrivers({ tree, sets: [], include: ['b'] })).firmware.map(({ file }) => file);
    const file = join(directory, 'kernel/b.ko');
    utimesSync(file, 5, 5);
    expect(await firmware()).toEqual(['a*.fw', 'b.fw']);
    writeFileSync(file, Buffer.alloc(statSync(file).size));
    utimesSync(file, 5, 5);
    expect(await firmware()).toEqual(['a*.fw', 'b.fw']);
    utimesSync(file, 6, 6);
    expect((await failure(firmware())).code).toBe('kernel.module-not-elf');
  });
});

describe('a modules directory', () => {
  it('without modules.dep is run through depmod once, elsewhere', async () => {
    const directory = modulesDirectory({ 'kernel/a.ko': { modinfo: 'alias=pci:v1*\0' } });
    for (let i = 0; i < 2; i += 1) {
      const tree = await openKernelTree(directory);
      expect(tree.matchAlias('pci:v1d2')).toEqual(['a']);
      expect(tree.text('modules.alias')).toContain('pci:v1*');
    }
    expect(() => statSync(join(directory, 'modules.dep'))).toThrow('ENOENT');
  });

  it.each([
    ['is not there', {}, 'kernel.tree-missing'],
    [
      'has a truncated modules.dep',
      { 'modules.dep': 'kernel/a.ko: kernel/b', 'modules.alias': '' },
      'kernel.tree-truncated',
    ],
    ['holds nothing', { README: '' }, 'kernel.tree-empty'],
  ])('that %s is an error with its place', async (_, files, code) => {
    const directory = join(mkdtempSync(join(scratch, 'broken-')), 'modules');
    if (Object.keys(files).length > 0) mkdirSync(directory);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
    const error = await failure(openKernelTree(directory));
    expect([error.code, error.exitCode]).toEqual([code, 2]);
    expect(error.where).toContain(directory);
    expect(error.hint).toBeTruthy();
  });
});

describe('driver sets', () => {
  it('have a description and are named after their file', async () => {
    const sets = await loadDriverSets(driverSetNames());
    for (const { description, name, file } of sets) {
      expect(description.length).toBeGreaterThan(20);
      expect(file.endsWith(`/${name}.yaml`)).toBe(true);
    }
    expect(driverSetNames()).toEqual(expect.arrayContaining(standalone));
  });

  it('come from several directories, by path too, each once', async () => {
    const own = setDirectory({
      scsi: 'description: mine\nmodules: [sd_mod]\n',
      more: 'description: x\nsets: [scsi, ./scsi.yaml]\n',
    });
    const sets = await loadDriverSets(['more', join(own, 'scsi.yaml')], [own]);
    expect(sets.map(({ name, file }) => [name, file])).toEqual([
      ['scsi', join(own, 'scsi.yaml')],
      ['more', join(own, 'more.yaml')],
    ]);
  });

  it('that are wrong say all that is wrong, with places', async () => {
    const own = setDirectory({
      broken: 'description: x\nmodules:\n  - "two words"\n  - "-"\nsets: [nosuch, typos]\n',
      typos: 'descripton: x\nmodules: sd_mod\n',
    });
    const error = await failure(loadDriverSets(['broken', 'brokn'], [own], (i) => `p.yaml:${i}`));
    const said = error.problems.map(({ code, where, hint }) => `${where?.replace(/^.*\//, '')} ${code} ${hint}`);
    expect(said).toMatchInlineSnapshot(`
      [
        "broken.yaml:5:8 driver-set.not-found The driver sets are broken, typos; a path names one of your own.",
        "typos.yaml:1:1 driver-set.missing-key description: one line that says what hardware this is.",
        "typos.yaml:1:1 driver-set.unknown-key Did you mean "description"?",
        "typos.yaml:2:10 driver-set.wrong-type Write a list: [sd_mod]",
        "broken.yaml:3:5 drivers.selector Write a module (hpsa), a glob (snd_*), a directory (drivers/scsi/), an alias (pci:v00001000d*) or symbol:NAME.",
        "broken.yaml:4:5 drivers.selector Write a module (hpsa), a glob (snd_*), a directory (drivers/scsi/), an alias (pci:v00001000d*) or symbol:NAME.",
        "p.yaml:1 driver-set.not-found Did you mean "broken"?",
      ]
    `);
  });

  it('that take in themselves are refused', async () => {
    const own = setDirectory({ a: 'description: x\nsets: [b]\n', b: 'description: x\nsets: [a]\n' });
    const error = await failure(loadDriverSets(['a'], [own]));
    expect(error.code).toBe('driver-set.cycle');
    expect(error.where).toMatch(/b\.yaml:2:8$/);
    expect(error.message).toMatch(/a\.yaml -> .*b\.yaml -> .*a\.yaml$/);
  });

  it('unknown are refused with the nearest name', async () => {
    const error = await failure(
      resolveDrivers({ tree: ModuleTree.fromTexts({}), sets: ['scsii'], where: () => 'p.yaml:3:9' }),
    );
    expect([error.code, error.where, error.hint]).toEqual([
      'driver-set.not-found',
      'p.yaml:3:9',
      'Did you mean "scsi"?',
    ]);
  });
});
