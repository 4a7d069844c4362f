import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { KERNELS, type KernelName, kernelFixture, kernelTree } from '../../../test/kernel-fixture.ts';
import { expectAliases, expectLoadOrder, modprobeOf } from '../../../test/kmod-oracle.ts';
import { trimMetadata } from '../src/index.ts';

const NAMES = Object.keys(KERNELS) as KernelName[];

/** Of what each takes a process of its own, a part; test/boot/kmod-oracle.test.ts compares everything. */
describe.each(NAMES)('on %s', (kernel) => {
  it('what modprobe --show-depends loads, in its order', async () => {
    const { root, release } = await kernelFixture(kernel, { modules: 'empty' });
    await expectLoadOrder(await kernelTree(kernel), modprobeOf(root, release), 23);
  });

  it('what modprobe --resolve-alias matches', async () => {
    const { root, release } = await kernelFixture(kernel, { modules: 'empty' });
    await expectAliases(await kernelTree(kernel), modprobeOf(root, release), 701);
  });
});

describe('trimmed metadata', () => {
  /** sha256sum of what depmod of kmod 30 wrote for this kernel's real modules. */
  const DEPMOD = {
    'modules.alias.bin': '27b61f8b95433313302539d69a68fcf603e1c33ef34a68aeefc5e3b0e85d8b7a',
    'modules.builtin.alias.bin': 'c947e4c2fc369d132d75ad948f2d7089ed556b29ada0a7bdfe1fa08d7ee950df',
    'modules.builtin.bin': 'b6ab62791602dfdec63b215e3aefd0b9a858d41d168393d21550493be1516743',
    'modules.dep.bin': 'dd4332e9adf628c79a40ecc4dab24a41d291dbae136b1a3752719c69915d314a',
    'modules.symbols.bin': '2509e8ca3288e1443df4678dd0d1c086d77d2deadc41315f9e548a5252e24b6e',
  };

  it('of a whole tree is, byte for byte, what depmod wrote', async () => {
    const tree = await kernelTree('bookworm-amd64');
    const files = trimMetadata(tree, tree.names);
    for (const [file, content] of files) {
      const text = file.startsWith('modules.') && !file.endsWith('.bin') ? tree.text(file as 'modules.dep') : undefined;
      if (text !== undefined) expect(content === text, file).toBe(true);
    }
    const hashes = Object.keys(DEPMOD).map((file) => [
      file,
      createHash('sha256')
        .update(files.get(file) ?? '')
        .digest('hex'),
    ]);
    expect(Object.fromEntries(hashes)).toEqual(DEPMOD);
  });

  it('of a part names decompressed files and nothing that is not there', async () => {
    const tree = await kernelTree('trixie-amd64');
    const files = trimMetadata(tree, ['virtio_blk', 'sr-mod']);
    expect(files.get('modules.dep')).toMatchInlineSnapshot(`
      "kernel/drivers/block/virtio_blk.ko:
      kernel/drivers/scsi/scsi_mod.ko: kernel/drivers/scsi/scsi_common.ko
      kernel/drivers/scsi/scsi_common.ko:
      kernel/drivers/scsi/sr_mod.ko: kernel/drivers/scsi/scsi_mod.ko kernel/drivers/scsi/scsi_common.ko kernel/drivers/cdrom/cdrom.ko
      kernel/drivers/cdrom/cdrom.ko:
      "
    `);
    expect(files.get('modules.alias')).toMatchInlineSnapshot(`
      "# Aliases extracted from modules themselves.
      alias virtio:d00000002v* virtio_blk
      alias scsi:t-0x04* sr_mod
      alias scsi:t-0x05* sr_mod
      alias block-major-11-* sr_mod
      "
    `);
    expect(files.get('modules.symbols')).not.toMatch(/ext4|snd/);
    expect(files.get('modules.builtin')).toBe(tree.text('modules.builtin'));
    expect(files).toEqual(trimMetadata(tree, ['sr_mod', 'virtio_blk', 'scsi_mod']));
  });
});
