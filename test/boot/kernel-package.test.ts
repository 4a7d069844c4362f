import { join } from 'node:path';
import fs from 'fs-extra';
import { beforeAll, describe, expect, it } from 'vitest';
import { type KernelTree, resolveKernel } from '../../builder/kernel/source.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { PACKAGERS } from '../unit/kernel-images.ts';

/** The whole failsafe kernel, some 300 MB of modules, in the package formats of other distributions; it came as .deb. */
describe('a real kernel as other distributions package it', () => {
  const top = temporaryFolder('packages');
  let original: KernelTree;
  let tree: string;

  beforeAll(async () => {
    original = await resolveKernel('failsafe');
    tree = join(top, 'tree');
    const modules = `lib/modules/${original.release}`;
    await fs.copy(original.image, join(tree, 'boot', `vmlinuz-${original.release}`));
    await fs.copy(join(original.modulesDir, 'kernel'), join(tree, modules, 'kernel'));
    for (const name of ['modules.order', 'modules.builtin', 'modules.builtin.modinfo']) {
      await fs.copy(join(original.modulesDir, name), join(tree, modules, name));
    }
  });

  it.each(Object.keys(PACKAGERS).filter((form) => form !== 'deb'))('.%s', async (form) => {
    const into = await fs.mkdtemp(join(top, 'package-'));
    const cache = process.env.MINDI_CACHE;
    process.env.MINDI_CACHE = join(into, 'cache');
    try {
      const file = await PACKAGERS[form]?.({ name: 'linux-test', version: '6.1', tree }, into);
      const kernel = await resolveKernel({ package: file ?? '' });
      expect(kernel).toMatchObject({
        release: original.release,
        banner: original.banner,
        imageSha256: original.imageSha256,
        hasDep: true,
      });
      for (const name of ['modules.dep', 'modules.alias', 'modules.softdep', 'modules.devname']) {
        const [here, there] = [join(kernel.modulesDir, name), join(original.modulesDir, name)];
        expect((await fs.readFile(here)).equals(await fs.readFile(there)), name).toBe(true);
      }
    } finally {
      if (cache === undefined) delete process.env.MINDI_CACHE;
      else process.env.MINDI_CACHE = cache;
      await fs.remove(into);
    }
  });
});
