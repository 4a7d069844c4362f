import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fs from 'fs-extra';
import { type ModuleTree, openTree, readModinfo, trimMetadata } from 'node-kmod-deps';
import { beforeAll, describe, expect, it } from 'vitest';
import { type KernelTree, resolveKernel } from '../../builder/kernel/source.ts';
import { KERNELS, type KernelName, kernelFixture, kernelTree } from '../kernel-fixture.ts';
import { expectAliases, expectLoadOrder, modprobeOf } from '../kmod-oracle.ts';
import { realModaliases } from '../modaliases.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { trixieKernel } from '../trixie-kernel.ts';

/** Every module of every kernel the tests know, by its metadata. */
describe.each(Object.keys(KERNELS) as KernelName[])('modprobe and we agree on %s:', (kernel) => {
  it('what to load, in which order', async () => {
    const { root, release } = await kernelFixture(kernel, { modules: 'empty' });
    await expectLoadOrder(await kernelTree(kernel), modprobeOf(root, release));
  });

  it('which modules answer a modalias', async () => {
    const { root, release } = await kernelFixture(kernel, { modules: 'empty' });
    const tree = await kernelTree(kernel);
    const nth = Math.ceil(tree.aliases.length / 520);
    expect(await expectAliases(tree, modprobeOf(root, release), nth, realModaliases())).toBeGreaterThan(1000);
  });
});

/** With the modules themselves, plain and compressed: what modinfo and depmod say. */
describe.each([
  ['bookworm, .ko', () => resolveKernel('failsafe')],
  ['trixie, .ko.xz', async () => resolveKernel({ package: await trixieKernel() })],
])('kmod and we agree on %s:', (_, find: () => Promise<KernelTree>) => {
  const top = temporaryFolder('oracle');
  let modprobe: ReturnType<typeof modprobeOf>;
  let tree: ModuleTree;

  beforeAll(async () => {
    const { release, modulesDir } = await find();
    // modprobe -d looks below lib/modules.
    await fs.ensureDir(join(top, 'lib/modules'));
    await fs.symlink(modulesDir, join(top, 'lib/modules', release));
    modprobe = modprobeOf(top, release);
    tree = await openTree(join(top, 'lib/modules', release));
  });

  it('what to load, in which order', () => expectLoadOrder(tree, modprobe));

  it('every field of .modinfo', async () => {
    for (let i = 0; i < tree.names.length; i += 200) {
      const names = tree.names.slice(i, i + 200);
      const files = names.map((name) => tree.file(name) ?? '');
      const theirs = await modinfoOf(files);
      const ours = await Promise.all(files.map(async (file) => comparable((await readModinfo(file)).fields)));
      expect(ours.map((fields, at) => [names[at], fields])).toEqual(theirs.map((fields, at) => [names[at], fields]));
    }
  });
});

describe('depmod and we agree on', () => {
  it('the .bin files', async () => {
    const { modulesDir } = await resolveKernel('failsafe');
    const tree = await openTree(modulesDir);
    const hash = (content: string | Uint8Array) => createHash('sha256').update(content).digest('hex');
    for (const [file, content] of trimMetadata(tree, tree.names)) {
      expect([file, hash(content)]).toEqual([file, hash(await fs.readFile(join(modulesDir, file)))]);
    }
  });
});

type Fields = readonly (readonly [key: string, value: string])[];

/** What modinfo prints of each file, but for the file's name and signature. */
async function modinfoOf(files: readonly string[]): Promise<string[][]> {
  const { stdout } = await promisify(execFile)('modinfo', ['-0', ...files], { maxBuffer: 256 << 20 });
  const modules: string[][] = [];
  for (const item of stdout.split('\0').slice(0, -1)) {
    const key = item.slice(0, item.search(/[=:]/));
    if (key === 'filename') modules.push([]);
    else if (!SIGNATURE.has(key)) modules.at(-1)?.push(item.replace(/^parm: +/, 'parm:'));
  }
  return modules.map((items) => items.toSorted());
}

const SIGNATURE = new Set(['sig_id', 'signer', 'sig_key', 'sig_hashalgo', 'signature']);

/** Our fields as modinfo prints them: a parameter's description and its type are one. */
function comparable(fields: Fields): string[] {
  const parameters = new Map<string, { about?: string; type?: string }>();
  const items: string[] = [];
  for (const [key, value] of fields) {
    if (key !== 'parm' && key !== 'parmtype') {
      items.push(`${key}=${value}`);
      continue;
    }
    const name = value.slice(0, value.indexOf(':'));
    const rest = value.slice(name.length + 1);
    parameters.set(name, { ...parameters.get(name), [key === 'parm' ? 'about' : 'type']: rest });
  }
  for (const [name, { about, type }] of parameters) {
    items.push(`parm:${name}:${about === undefined ? type : type === undefined ? about : `${about} (${type})`}`);
  }
  return items.toSorted();
}
