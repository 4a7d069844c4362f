import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ModuleTree } from 'node-kmod-deps';
import { beforeAll, expect } from 'vitest';
import { OWN_SET } from '../builder/drivers/pieces.ts';
import { resolveDrivers } from '../builder/drivers/resolve.ts';
import { openKernelTree } from '../builder/drivers/tree.ts';
import { loadProfile } from '../builder/profile/load.ts';
import { MindiError } from '../contract/error.ts';
import { elfObject, KERNELS, type KernelName, kernelFixture } from './kernel-fixture.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** Of the tests of one file. */
export const scratch = temporaryFolder('drivers');
beforeAll(() => {
  process.env.MINDI_CACHE = join(scratch, 'cache');
});
export const kernels = Object.keys(KERNELS) as KernelName[];
export const standalone = [...(await loadProfile('standalone')).drivers.sets, OWN_SET];

const trees = new Map<KernelName, Promise<ModuleTree>>();
/** The kernel with stand-ins for its modules, opened once. */
export async function realTree(kernel: KernelName): Promise<ModuleTree> {
  const open = async () => openKernelTree((await kernelFixture(kernel, { modules: 'stand-ins' })).directory);
  const tree = trees.get(kernel) ?? open();
  trees.set(kernel, tree);
  return await tree;
}

const resolutions = new Map<KernelName, ReturnType<typeof resolveDrivers>>();
/** What the profile `standalone` takes of a kernel. */
export async function whole(kernel: KernelName) {
  const resolution = resolutions.get(kernel) ?? resolveDrivers({ tree: await realTree(kernel), sets: standalone });
  resolutions.set(kernel, resolution);
  return await resolution;
}

let count = 0;
/** A modules directory: path -> .modinfo text and imported symbols; depmod makes the rest. */
export function modulesDirectory(modules: Record<string, { modinfo?: string; imports?: string[] }>): string {
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
export function setDirectory(sets: Record<string, string>): string {
  count += 1;
  const directory = join(scratch, `sets-${count}`);
  mkdirSync(directory);
  for (const [name, text] of Object.entries(sets)) writeFileSync(join(directory, `${name}.yaml`), text);
  return directory;
}

export async function failure(promise: Promise<unknown>): Promise<MindiError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(MindiError);
  return error as MindiError;
}
