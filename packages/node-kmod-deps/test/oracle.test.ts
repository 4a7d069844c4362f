import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { KERNELS, type KernelName, kernelFixture, kernelTree } from '../../../test/kernel-fixture.ts';
import { moduleName, trimMetadata } from '../src/index.ts';

const NAMES = Object.keys(KERNELS) as KernelName[];

async function modprobe(kernel: KernelName, args: string[]): Promise<string[]> {
  const { root, release } = await kernelFixture(kernel, { modules: 'empty' });
  const all = ['-d', root, '-S', release, '-C', '/dev/null', '-q', ...args];
  const { stdout } = await promisify(execFile)('modprobe', all).catch((error: { stdout: string }) => error);
  return [...new Set(stdout.split('\n').filter(Boolean))];
}

/** `insmod /lib/…/sd-mod.ko ` -> `sd_mod`; `builtin ext4` stays. */
function shown(line: string): string {
  return line.startsWith('insmod ') ? moduleName(line.slice('insmod '.length).trim()) : line.trim();
}

/** Every nth: all of them take a minute; test/boot/kmod-oracle.test.ts does that. */
function every<T>(items: readonly T[], nth: number): T[] {
  return items.filter((_, i) => i % nth === 0);
}

describe.each(NAMES)('%s', (kernel) => {
  it('loads what modprobe --show-depends loads, in its order', async () => {
    const tree = await kernelTree(kernel);
    const withSoft = (tree.text('modules.softdep') ?? '').split('\n').map((line) => line.split(' ')[1] ?? '');
    const sample = [
      ...every(tree.names, 211),
      ...every(withSoft, 2).filter((name) => tree.has(name)),
      'i8042',
      'fs-ext4',
    ];
    for (const name of new Set(sample)) {
      const steps = tree.probe(name).map((step) => (step.action === 'builtin' ? `builtin ${step.name}` : step.name));
      expect([name, ...steps]).toEqual([name, ...(await modprobe(kernel, ['--show-depends', name])).map(shown)]);
    }
  });

  it('matches what modprobe --resolve-alias matches', async () => {
    const tree = await kernelTree(kernel);
    const patterns = [...every(tree.aliases, 601), ...every(tree.builtinAliases, 17)].map((alias) => alias.pattern);
    const concrete = patterns.map((p) =>
      p
        .replace(/\[(.)[^\]]*\]/g, '$1')
        .replaceAll('*', '0')
        .replaceAll('?', '7'),
    );
    const others = ['crypto-crc32c', 'cbc(aes)', 'symbol:scsi_add_lun', 'net-pf-10', 'nosuch', 'sd-mod', 'i8042'];
    for (const alias of [...concrete, ...others]) {
      expect([alias, ...tree.matchAlias(alias)]).toEqual([alias, ...(await modprobe(kernel, ['-R', alias]))]);
    }
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
