import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fs from 'fs-extra';
import { type ModuleTree, modinfoValues, openTree, readModinfo, trimMetadata } from 'node-kmod-deps';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveKernel } from '../../builder/kernel/source.ts';
import { expectAliases, expectLoadOrder, modprobeOf } from '../kmod-oracle.ts';
import { scratch } from '../unit/kernel-images.ts';

const FIELDS = ['alias', 'depends', 'firmware', 'softdep', 'license', 'description', 'vermagic', 'author'];

/** All 4,000 modules of the failsafe kernel: what we say of each is what modprobe, modinfo and depmod say. */
describe('node-kmod-deps and kmod agree on', () => {
  const top = scratch('oracle');
  let modprobe: ReturnType<typeof modprobeOf>;
  let tree: ModuleTree;

  beforeAll(async () => {
    const { release, modulesDir } = await resolveKernel('failsafe');
    // modprobe -d looks below lib/modules.
    await fs.ensureDir(join(top, 'lib/modules'));
    await fs.symlink(modulesDir, join(top, 'lib/modules', release));
    modprobe = modprobeOf(top, release);
    tree = await openTree(join(top, 'lib/modules', release));
  });
  afterAll(() => fs.remove(top));

  it('what to load, in which order', () => expectLoadOrder(tree, modprobe));

  it('which modules answer a modalias', async () => {
    expect(await expectAliases(tree, modprobe, 17)).toBeGreaterThan(1000);
  });

  it('what .modinfo holds', async () => {
    // modinfo -F prints the values of one field for many modules in turn.
    for (const key of FIELDS) {
      for (let i = 0; i < tree.names.length; i += 500) {
        const files = tree.names.slice(i, i + 500).map((name) => tree.file(name) ?? '');
        const { stdout } = await promisify(execFile)('modinfo', ['-F', key, ...files], { maxBuffer: 64 << 20 });
        const ours = await Promise.all(files.map(async (file) => modinfoValues(await readModinfo(file), key)));
        const lines = ours.flat().map((value) => `${value}\n`);
        expect(stdout === lines.join(''), `${key} from ${files[0]} on`).toBe(true);
      }
    }
  });

  it('the .bin files', async () => {
    const hash = (content: string | Uint8Array) => createHash('sha256').update(content).digest('hex');
    for (const [file, content] of trimMetadata(tree, tree.names)) {
      expect([file, hash(content)]).toEqual([file, hash(await fs.readFile(join(tree.directory ?? '', file)))]);
    }
  });
});
