import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { elfObject, kernelFixture } from '../../../test/kernel-fixture.ts';
import { openTree, writeMetadata } from '../src/index.ts';

const scratch = mkdtempSync(join(tmpdir(), 'kmod-open-'));
afterAll(() => rm(scratch, { recursive: true }));

let count = 0;
/** A modules directory with these files; a module's content is its .modinfo. */
function directory(files: Record<string, string | Buffer>): string {
  count += 1;
  const root = join(scratch, String(count), '6.1.0-test');
  mkdirSync(root, { recursive: true });
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    const bytes = path.endsWith('.ko') && typeof content === 'string' ? elfObject({ '.modinfo': content }) : content;
    writeFileSync(join(root, path), bytes);
  }
  return root;
}

const MODULES = {
  'kernel/drivers/a-b.ko': 'name=a_b\0alias=pci:v1d*\0softdep=pre: c\0',
  'kernel/drivers/c.ko': 'name=c\0',
  'updates/c.ko': 'name=c\0alias=usb:v2*\0',
  'modules.order': 'kernel/drivers/c.ko\nkernel/drivers/a-b.ko\n',
  'modules.builtin': 'kernel/fs/ext4.ko\n',
  'modules.builtin.modinfo': 'ext4.alias=fs-ext4\0',
};

describe('openTree', () => {
  it('reads a real tree, whichever way its directory is named', async () => {
    const { directory: real } = await kernelFixture('bookworm-cloud-amd64');
    const tree = await openTree(`${real}/.`);
    expect(tree.directory).toBe(real);
    expect(tree.isBuiltin('nvme')).toBe(true);
    expect(tree.names.length).toBeGreaterThan(700);
  });

  it('runs depmod for a tree without modules.dep, and writes nothing there', async () => {
    const root = directory(MODULES);
    const before = execFileSync('find', [root], { encoding: 'utf8' });
    const tree = await openTree(root);
    expect(tree.path('c')).toBe('updates/c.ko');
    expect(tree.loadOrder('a-b')).toEqual(['c', 'a_b']);
    expect(tree.matchAlias('usb:v2p3')).toEqual(['c']);
    expect(tree.matchAlias('fs-ext4')).toEqual(['ext4']);
    expect(tree.file('a_b')).toBe(join(root, 'kernel/drivers/a-b.ko'));
    expect(execFileSync('find', [root], { encoding: 'utf8' })).toBe(before);
  });

  it('does so too when a package brought modules.dep but no modules.alias', async () => {
    const tree = await openTree(directory({ ...MODULES, 'modules.dep': '' }));
    expect(tree.names.sort()).toEqual(['a_b', 'c']);
  });

  it('reads metadata kept elsewhere', async () => {
    const root = directory(MODULES);
    const metadata = join(scratch, 'metadata');
    await writeMetadata(root, metadata);
    expect(readdirSync(metadata)).toContain('modules.alias.bin');
    expect(existsSync(join(root, 'modules.dep'))).toBe(false);
    expect((await openTree(root, { metadata })).names.sort()).toEqual(['a_b', 'c']);
  });

  it('leaves no temporary directories', async () => {
    const ours = () => readdirSync(tmpdir()).filter((name) => name.startsWith('kmod-dep'));
    const before = ours();
    await openTree(directory(MODULES));
    expect(ours()).toEqual(before);
  });

  it.each([
    ['there is no directory', () => join(scratch, 'nowhere'), 'tree.missing'],
    ['the directory is a file', () => join(directory({ x: '' }), 'x'), 'tree.missing'],
    ['there is nothing in it', () => directory({}), 'tree.empty'],
    [
      'modules.dep is cut short',
      () => directory({ 'modules.dep': 'kernel/a.k', 'modules.alias': '' }),
      'tree.truncated',
    ],
    [
      'modules.dep is not UTF-8',
      () => directory({ 'modules.dep': Buffer.from('kernel/a.ko:\nkernel/\xff.ko:\n', 'latin1') }),
      'tree.encoding',
    ],
    ['modules.dep is a directory', () => directory({ 'modules.dep/x': '', 'modules.alias': '' }), 'tree.missing'],
  ])('says so when %s', async (_, make, code) => {
    const path = make();
    await expect(openTree(path)).rejects.toThrow(expect.objectContaining({ name: 'KmodError', code }));
    await expect(openTree(path)).rejects.toThrow(expect.objectContaining({ where: expect.stringContaining(path) }));
  });

  it('says so when a later file is not UTF-8, with its line', async () => {
    const files = {
      'modules.dep': 'kernel/a.ko:\n',
      'modules.alias': Buffer.from('alias x a\nalias \xe9 a\n', 'latin1'),
    };
    const tree = await openTree(directory(files));
    expect(() => tree.matchAlias('x')).toThrow(
      expect.objectContaining({ where: expect.stringMatching(/modules\.alias:2$/) }),
    );
  });
});
