import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { ModuleTree } from 'node-kmod-deps';
import { beforeAll, describe, expect, it } from 'vitest';
import { moduleMetadata } from '../../builder/drivers/metadata.ts';
import { OWN_SET } from '../../builder/drivers/pieces.ts';
import { type ResolveDriversOptions, resolveDrivers } from '../../builder/drivers/resolve.ts';
import { driverSetNames, loadDriverSets } from '../../builder/drivers/sets.ts';
import { openKernelTree } from '../../builder/drivers/tree.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { MindiError } from '../../contract/error.ts';
import { elfObject, KERNELS, type KernelName, kernelFixture } from '../kernel-fixture.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const scratch = temporaryFolder('drivers');
beforeAll(() => {
  process.env.MINDI_CACHE = join(scratch, 'cache');
});
const kernels = Object.keys(KERNELS) as KernelName[];
const standalone = [...(await loadProfile('standalone')).drivers.sets, OWN_SET];

const trees = new Map<KernelName, Promise<ModuleTree>>();
/** The kernel with stand-ins for its modules, opened once. */
async function realTree(kernel: KernelName): Promise<ModuleTree> {
  const open = async () => openKernelTree((await kernelFixture(kernel, { modules: 'stand-ins' })).directory);
  const tree = trees.get(kernel) ?? open();
  trees.set(kernel, tree);
  return await tree;
}

const resolutions = new Map<KernelName, ReturnType<typeof resolveDrivers>>();
/** What the profile `standalone` takes of a kernel. */
async function whole(kernel: KernelName) {
  const resolution = resolutions.get(kernel) ?? resolveDrivers({ tree: await realTree(kernel), sets: standalone });
  resolutions.set(kernel, resolution);
  return await resolution;
}

let count = 0;
/** A modules directory: path -> .modinfo text and imported symbols; depmod makes the rest. */
function modulesDirectory(modules: Record<string, { modinfo?: string; imports?: string[] }>): string {
  count += 1;
  const directory = join(scratch, `tree-${count}`, '6.1.0-test');
  for (const [path, { modinfo = '', imports = [] }] of Object.entries(modules)) {
    const file = join(directory, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, elfObject({ '.modinfo': modinfo }, imports));
  }
  return directory;
}

/** A directory with these driver sets. */
function setDirectory(sets: Record<string, string>): string {
  count += 1;
  const directory = join(scratch, `sets-${count}`);
  mkdirSync(directory);
  for (const [name, text] of Object.entries(sets)) writeFileSync(join(directory, `${name}.yaml`), text);
  return directory;
}

async function failure(promise: Promise<unknown>): Promise<MindiError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(MindiError);
  return error as MindiError;
}

describe.each(kernels)('the built-in sets on %s', (kernel) => {
  /** Hardware and filesystems people have. What one kernel lacks it may lack; it is then in neither list. */
  const WANTED = [
    ...[
      'virtio_blk',
      'virtio_scsi',
      'virtio_net',
      'virtio_pci',
      'nvme',
      'ahci',
      'ata_piix',
      'sd_mod',
      'sr_mod',
      'st',
      'sg',
    ],
    ...['megaraid_sas', 'mpt3sas', 'hpsa', 'smartpqi', 'aacraid', 'qla2xxx', 'lpfc', 'vmw_pvscsi', 'hv_storvsc'],
    ...['xen_blkfront', 'sym53c8xx', 'mptsas', 'mptspi', 'am53c974', 'ufshcd_pci', 'ch', 'hv_netvsc', 'xen_netfront'],
    ...['vmxnet3', 'ena', 'gve', 'mana', 'e1000', 'e1000e', 'igb', 'ixgbe', 'i40e', 'ice', 'tg3', 'bnx2x', 'bnxt_en'],
    ...[
      'r8169',
      'realtek',
      'mlx4_core',
      'mlx4_en',
      'mlx5_core',
      'pcnet32',
      'ne2k_pci',
      '8139cp',
      'lan78xx',
      'microchip',
    ],
    ...[
      'usb_storage',
      'uas',
      'usbhid',
      'hid_generic',
      'xhci_pci',
      'ehci_pci',
      'ohci_pci',
      'uhci_hcd',
      'atkbd',
      'i8042',
    ],
    ...[
      'firewire_sbp2',
      'sdhci_pci',
      'mmc_block',
      'pcmcia',
      'yenta_socket',
      'pata_pcmcia',
      'dm_mod',
      'dm_crypt',
      'raid456',
    ],
    ...['xts', 'dm_thin_pool', 'ext4', 'xfs', 'btrfs', 'vfat', 'isofs', 'udf', 'squashfs', 'overlay', 'loop', 'ntfs3'],
    ...['nls_cp437', 'nls_ascii', 'nfs', 'nfsv3', 'nfsv4', 'nfs_layout_nfsv41_files', 'cifs', 'sha512_generic', '9p'],
    ...['pci_hyperv', 'mtip32xx', 'thunderbolt_net', 'team', 'aoe', 'dm_raid', 'nvme_tcp', 'firewire_ohci', 'memstick'],
    ...['9pnet_virtio', 'af_packet', 'ipv6', 'bonding', '8021q', 'i2c_hid_acpi', 'intel_lpss_pci', 'hid_apple'],
  ];

  it('bring every driver of the list that this kernel has', async () => {
    const tree = await realTree(kernel);
    const { modules, builtin } = await whole(kernel);
    const has = WANTED.filter((name) => tree.has(name) || tree.isBuiltin(name));
    expect(has.length).toBeGreaterThan(kernel.includes('cloud') ? 50 : 95);
    expect(has.filter((name) => !modules.has(name) && !(builtin.has(name) || tree.isBuiltin(name)))).toEqual([]);
  });

  it('keep graphics, sound, media, wireless and targets out', async () => {
    const { modules } = await whole(kernel);
    // The DRM core itself comes with I2C keyboards from Linux 6.6 on.
    const unfit = /\/(gpu\/drm\/\w+|sound|media|wireless|bluetooth|isdn|iio|comedi|drivers\/target|infiniband)\//;
    expect([...modules.values()].map(({ stored }) => stored).filter((path) => unfit.test(path))).toEqual([]);
  });

  it('resolve one by one, into whole stages', async () => {
    const tree = await realTree(kernel);
    for (const set of driverSetNames().filter((name) => name !== 'all')) {
      const { essential, stage2, modules } = await resolveDrivers({ tree, sets: [set] });
      expect(essential.length + stage2.length).toBe(modules.size);
      const first = new Set(essential);
      expect(essential.flatMap((name) => tree.hard(name).filter((need) => !first.has(need)))).toEqual([]);
      expect([...modules.keys()].flatMap((name) => tree.hard(name).filter((need) => !modules.has(need)))).toEqual([]);
    }
  });

  it('give every module a reason and a place', async () => {
    const { modules, load, essential, builtin } = await whole(kernel);
    for (const { reasons, path, stored } of modules.values()) {
      expect(reasons.length).toBeGreaterThan(0);
      expect(stored).toMatch(/^kernel\/.*\.ko$/);
      expect(statSync(path).isFile()).toBe(true);
    }
    for (const reasons of builtin.values()) expect(reasons.length).toBeGreaterThan(0);
    expect(load).toEqual(['sg', 'isofs', 'loop', 'squashfs', 'overlay', 'vfat']);
    expect(essential).toEqual(expect.arrayContaining(load));
  });
});

it('the set all takes every module', async () => {
  const tree = await realTree('bookworm-amd64');
  expect((await resolveDrivers({ tree, sets: ['all'] })).modules.size).toBe(tree.names.length);
});

it('works from metadata alone', async () => {
  const { directory } = await kernelFixture('bookworm-amd64');
  const bare = join(scratch, 'bare');
  cpSync(directory, bare, { recursive: true, filter: (path) => !path.endsWith('.tsv') });
  const tree = await openKernelTree(bare);
  const { essential, firmware, modules } = await resolveDrivers({ tree, sets: standalone });
  expect(essential).toEqual((await whole('bookworm-amd64')).essential);
  expect(firmware).toEqual([]);
  expect(modules.has('ufshcd_core')).toBe(true);
});

it('knows firmware from the record that metadata may have beside them', async () => {
  const tree = await openKernelTree((await kernelFixture('bookworm-amd64')).directory);
  expect((await resolveDrivers({ tree, sets: standalone })).firmware).toEqual((await whole('bookworm-amd64')).firmware);
});

describe('reasons', () => {
  it('name the set and its line, the way from there, and its kind', async () => {
    const { modules } = await whole('bookworm-amd64');
    const reasons = (name: string) => modules.get(name)?.reasons;
    expect(reasons('megaraid_sas')).toEqual([{ rule: 'drivers.sets: scsi (drivers/scsi/)', kind: 'named' }]);
    expect(reasons('scsi_common')).toContainEqual({
      rule: 'drivers.sets: usb (drivers/usb/storage/)',
      via: ['usb_storage', 'scsi_mod'],
      kind: 'hard',
    });
    expect(reasons('nls_ascii')).toContainEqual({
      rule: 'drivers.sets: cdrom (isofs)',
      via: ['isofs'],
      kind: 'family',
    });
    expect(reasons('crc32c_intel')).toContainEqual({
      rule: 'drivers.sets: filesystems (ext4)',
      via: ['ext4'],
      kind: 'soft',
    });
  });

  it('are there for firmware too', async () => {
    const { firmware } = await whole('bookworm-amd64');
    expect(firmware.find(({ file }) => file === 'ql2400_fw.bin')).toEqual({
      file: 'ql2400_fw.bin',
      wantedBy: ['qla2xxx'],
    });
    expect(firmware.map(({ file }) => file)).toEqual(firmware.map(({ file }) => file).sort());
    expect(firmware.some(({ file }) => /iwlwifi|amdgpu|i915/.test(file))).toBe(false);
  });
});

describe('include and exclude', () => {
  const options = async (more: Partial<ResolveDriversOptions>): Promise<ResolveDriversOptions> => ({
    tree: await realTree('bookworm-amd64'),
    sets: [],
    where: (list, i) => `p.yaml:${list}:${i}`,
    ...more,
  });
  const names = async (more: Partial<ResolveDriversOptions>) => [
    ...(await resolveDrivers(await options(more))).modules.keys(),
  ];

  it.each([
    ['a name, either dash', ['sd-mod'], ['sd_mod', 'scsi_mod']],
    ['a path', ['kernel/drivers/scsi/sd_mod.ko.xz'], ['sd_mod']],
    ['a glob over names', ['raid[01]*'], ['raid0', 'raid1', 'raid10']],
    ['a directory', ['drivers/cdrom/'], ['cdrom']],
    ['a directory from the root', ['/kernel/drivers/cdrom/'], ['cdrom']],
    ['a directory with wildcards', ['arch/*/crypto/'], ['aesni_intel']],
    ['a glob over paths', ['drivers/net/ethernet/**/*_cs'], ['pcnet_cs', 'xirc2ps_cs']],
    ['an alias of no colon', ['fs-btrfs'], ['btrfs']],
    ['an alias as a pattern', ['pci:v00001000d0000005B*'], ['megaraid_sas']],
    ['the very device', ['pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01'], ['ahci', 'libahci']],
    ['later lines taking back', ['drivers/cdrom/', '-cdrom', 'fs-iso9660', 'raid*', '-raid1'], ['isofs', 'raid10']],
    ['a built-in driver', ['atkbd', 'cdrom'], ['cdrom']],
  ])('%s', async (_, include, some) => {
    expect(await names({ include })).toEqual(expect.arrayContaining(some));
  });

  it('the last line that means a module decides', async () => {
    expect(await names({ include: ['cdrom', 'raid0', '-raid?', 'raid0'] })).toContain('raid0');
    expect(await names({ include: ['cdrom', 'raid0', '-raid?'] })).not.toContain('raid0');
  });

  it('a directory is not another whose name begins the same', async () => {
    const included = await names({ include: ['drivers/net/phy/', '-drivers/net/ph/'] });
    expect(included).toContain('libphy');
    expect(await names({ include: ['drivers/usb/mon/'] })).toEqual(['usb_common', 'usbcore', 'usbmon']);
  });

  it('what is excluded goes, with what cannot work without it, and both are told apart', async () => {
    const { modules, dropped, essential } = await resolveDrivers(
      await options({ sets: ['usb'], exclude: ['usb-storage'] }),
    );
    expect(modules.has('usb_storage') || modules.has('uas') || modules.has('ums_realtek')).toBe(false);
    expect(dropped.get('uas')).toBe('usb_storage');
    expect(dropped.has('usb_storage')).toBe(false);
    expect(essential).toContain('xhci_pci');
  });

  it('an exclude also stops soft dependencies and families', async () => {
    const more = { include: ['ext4', 'isofs'], exclude: ['crc32c_intel', 'nls_*'] };
    const left = await names(more);
    expect(left).toEqual(['cdrom', 'crc16', 'crc32c_generic', 'ext4', 'isofs', 'jbd2', 'mbcache']);
  });

  it('an exclude may mean what this kernel does not have', async () => {
    expect(await names({ include: ['cdrom'], exclude: ['nosuch', 'snd_nosuch*', 'drivers/nosuch/'] })).toEqual([
      'cdrom',
    ]);
  });

  it('names all that is unknown at once, each with its place and the nearest name', async () => {
    const error = await failure(
      resolveDrivers(await options({ include: ['megaraid-sass', 'cdrom', 'drivers/nosuch/'] })),
    );
    expect(error.problems.map(({ code, where, hint }) => [code, where, hint])).toEqual([
      ['drivers.unknown', 'p.yaml:include:0', 'Did you mean "megaraid_sas"?'],
      ['drivers.unknown', 'p.yaml:include:2', 'Remove it, or choose a kernel that has it.'],
    ]);
    expect(error.exitCode).toBe(2);
  });

  it('refuses to include and exclude the same thing', async () => {
    const error = await failure(resolveDrivers(await options({ include: ['uas', 'scsi-mod'], exclude: ['scsi_mod'] })));
    expect(error.problems.map(({ code, message }) => `${code}: ${message}`)).toEqual([
      'drivers.conflict: uas is included but cannot work without scsi_mod, which is excluded',
      'drivers.conflict: scsi-mod is both included and excluded',
    ]);
  });

  it.each(['', '-', '--x', 'two words', 'symbol:', 'symbol:a b c'])('refuses %j', async (text) => {
    const error = await failure(resolveDrivers(await options({ include: [text] })));
    expect([error.code, error.where]).toEqual(['drivers.selector', 'p.yaml:include:0']);
  });

  it('takes any other text for what it is, and ends', async () => {
    const tree = ModuleTree.fromTexts({
      'modules.dep': 'kernel/drivers/scsi/a-b.ko: kernel/c.ko\nkernel/c.ko:\nupdates/d.ko.xz:\n',
      'modules.alias': 'alias pci:v1* a_b\n',
      'modules.builtin': 'kernel/e.ko\n',
    });
    const piece = fc.constantFrom(
      '-',
      '*',
      '**',
      '/',
      '[',
      ']',
      '[z-a]',
      '?',
      ':',
      'symbol:',
      ' in ',
      'drivers',
      'a',
      '\\',
      '.ko',
    );
    const text = fc
      .array(fc.oneof(piece, fc.string({ maxLength: 3 })), { maxLength: 12 })
      .map((parts) => parts.join(''));
    const property = fc.asyncProperty(
      fc.array(text, { maxLength: 3 }),
      fc.array(text, { maxLength: 2 }),
      async (include, exclude) => {
        await resolveDrivers({ tree, sets: [], include, exclude }).catch((error) =>
          expect(error).toBeInstanceOf(MindiError),
        );
      },
    );
    await fc.assert(property, { numRuns: 300 });
    const endless = resolveDrivers({ tree, sets: [], include: [`${'**/'.repeat(40)}nosuch`] });
    expect((await failure(endless)).code).toBe('drivers.unknown');
  });

  it('refuses a minus below exclude', async () => {
    const error = await failure(resolveDrivers(await options({ exclude: ['-sd_mod'] })));
    expect([error.code, error.where]).toEqual(['drivers.selector', 'p.yaml:exclude:0']);
  });
});

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
    count += 1;
    const directory = join(scratch, `broken-${count}`);
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

describe('metadata of the chosen modules', () => {
  it('is what kmod needs to load them', async () => {
    const tree = await realTree('trixie-amd64');
    const { essential, modules } = await resolveDrivers({ tree, sets: ['virtio', OWN_SET] });
    const root = join(scratch, 'media');
    const release = KERNELS['trixie-amd64'];
    const directory = join(root, 'lib/modules', release);
    mkdirSync(directory, { recursive: true });
    for (const [file, content] of await moduleMetadata(tree, essential)) writeFileSync(join(directory, file), content);
    for (const name of essential) {
      const { path, stored } = modules.get(name) ?? { path: '', stored: '' };
      mkdirSync(dirname(join(directory, stored)), { recursive: true });
      cpSync(path, join(directory, stored));
    }
    const modprobe = async (...args: string[]) => {
      const all = ['-d', root, '-S', release, '-C', '/dev/null', ...args];
      return (await promisify(execFile)('modprobe', all)).stdout
        .replaceAll(`${directory}/`, '')
        .split(' \n')
        .filter(Boolean);
    };
    expect(await modprobe('--show-depends', 'vfat')).toEqual([
      'insmod kernel/fs/fat/fat.ko',
      'insmod kernel/fs/fat/vfat.ko',
    ]);
    expect(await modprobe('-R', 'virtio:d00000002v00001AF4')).toEqual(['virtio_blk\n']);
    expect(await modprobe('-R', 'fs-iso9660')).toEqual(['isofs\n']);
    await expect(modprobe('-R', 'fs-btrfs')).rejects.toThrow('not found');
  });
});
