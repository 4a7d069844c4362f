import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { extract } from '../../archive/extract.ts';
import { openSet } from '../../archive/set.ts';
import { verifySet } from '../../archive/verify.ts';
import { archiveTree, makeTree, treeDifferences } from '../archive-tree.ts';

let work: string;
let tree: string;
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'mindi-targets-'));
  tree = join(work, 'tree');
  makeTree(tree);
});
afterAll(() => rmSync(work, { recursive: true }));

const scratch = () => join(work, 'scratch');

describe('ISO files', () => {
  const isos = () => join(work, 'isos');

  test('a set of them holds everything; each is as big as it may be, and scratch is empty again', async () => {
    const to = { iso: isos() };
    const result = await archiveTree(tree, '', { to, scratch: scratch(), volume: [5 << 20, 6 << 20], verify: true });
    expect(result.set).toBe(join(isos(), 'tree-000001'));
    expect(result.volumes).toBeGreaterThan(1);
    const files = readdirSync(result.set).sort();
    expect(files).toEqual(Array.from({ length: result.volumes }, (_, index) => `tree-${index + 1}.iso`));
    const sizes = files.map((file) => statSync(join(result.set, file)).size);
    expect(sizes[0]).toBeLessThanOrEqual(5 << 20);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(6 << 20);
    expect(readdirSync(scratch())).toEqual([]);

    for (const path of [isos(), result.set, join(result.set, 'tree-1.iso')]) {
      await using set = await openSet(path);
      expect(set.of).toBe(result.volumes);
      expect(await verifySet(set, () => {})).toMatchObject({ problems: [], damaged: [] });
    }
    await using set = await openSet(isos());
    const to2 = join(work, 'from-isos');
    expect(await extract(set, { paths: [], to: to2, overwrite: false }, () => {})).toMatchObject({ failed: [] });
    expect(treeDifferences(tree, join(to2, tree))).toBe('');
  });

  test('other programs read them, and find the same', () => {
    const out = join(work, 'osirrox');
    const iso = join(isos(), 'tree-000001/tree-1.iso');
    execFileSync('osirrox', ['-indev', iso, '-extract', '/', out], { stdio: 'pipe' });
    expect(execFileSync('sha256sum', ['-c', '--quiet', 'SHA256SUMS'], { cwd: out }).toString()).toBe('');
  });
});
