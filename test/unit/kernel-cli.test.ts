import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from '../../builder/run.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { BOOKWORM, makeDeb, makeImage, makeModules } from './kernel-images.ts';

const top = temporaryFolder('findkernel');

const MINDI = join(import.meta.dirname, '..', '..', 'bin', 'mindi');
const mindi = (...args: string[]) =>
  run(MINDI, args, { accept: [1, 2], env: { MINDI_CACHE: join(top, 'cache'), MINDI_LOG: join(top, 'log') } });

describe('mindi findkernel', () => {
  it('prints one path or, on stderr, why not; the classic option does the same', async () => {
    const [told, modern, classic] = [
      await mindi('findkernel', '--json'),
      await mindi('findkernel'),
      await mindi('--findkernel'),
    ];
    const { found } = JSON.parse(told.stdout);
    expect(modern.exitCode).toBe(found ? 0 : 1);
    expect(modern.stdout).toBe(found ? `${found.path}\n` : '');
    if (!found) expect(modern.stderr).toContain('no image of the running kernel');
    expect(classic).toEqual(modern);
  });

  it('of a package file', async () => {
    const tree = join(top, 'tree');
    await makeImage(join(tree, 'boot', `vmlinuz-${BOOKWORM.release}`), BOOKWORM);
    await makeModules(join(tree, 'lib', 'modules', BOOKWORM.release));
    const file = await makeDeb({ name: 'kernel', version: '1', tree }, top);
    const { stdout, exitCode } = await mindi('findkernel', file);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^\/.*\/boot\/vmlinuz-6\.1\.0-56-amd64\n$/);
  });

  it('of what is not there: exit 2, no stack trace', async () => {
    const { stdout, stderr, exitCode } = await mindi('findkernel', './none.deb');
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 2 });
    expect(stderr).toContain('none.deb: cannot read the kernel package');
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});
