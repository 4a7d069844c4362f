import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { moduleMetadata } from '../../builder/drivers/metadata.ts';
import { OWN_SET } from '../../builder/drivers/pieces.ts';
import { resolveDrivers } from '../../builder/drivers/resolve.ts';
import { driverSetNames } from '../../builder/drivers/sets.ts';
import { openKernelTree } from '../../builder/drivers/tree.ts';
import { kernels, realTree, scratch, standalone, whole } from '../driver-fixture.ts';
import { KERNELS, kernelFixture } from '../kernel-fixture.ts';

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
