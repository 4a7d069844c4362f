import { dirname, join, relative } from 'node:path';
import fs from 'fs-extra';
import { beforeEach, describe, expect, it } from 'vitest';
import { duffWarning, findKernel, modulesDirectory, noKernel } from '../../builder/kernel/find.ts';
import { run } from '../../builder/run.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { BOOKWORM, type FakeKernel, makeImage, statedSize, TRIXIE } from './kernel-images.ts';

const top = temporaryFolder('find');

let root: string;
beforeEach(async () => {
  root = await fs.mkdtemp(join(top, 'root-'));
});

const find = (running: FakeKernel = BOOKWORM) => findKernel({ root, running });
const at = (path: string, kernel: FakeKernel = BOOKWORM) => makeImage(join(root, path), kernel);
const foundAt = (search = find()) => search.found && relative(root, search.found.path);

describe('where the running kernel is found', () => {
  it.each([
    `boot/vmlinuz-${BOOKWORM.release}`,
    'boot/vmlinuz',
    'boot/vmlinuz-linux',
    'boot/kernel-genkernel-x86_64',
    `usr/lib/modules/${BOOKWORM.release}/vmlinuz`,
    `lib/modules/${BOOKWORM.release}/vmlinuz`,
    `boot/0123456789abcdef/${BOOKWORM.release}/linux`,
    `efi/fedora/${BOOKWORM.release}/linux`,
    'run/booted-system/kernel',
    'vmlinuz',
  ])('%s', async (path) => {
    await at('boot/vmlinuz-other', TRIXIE);
    await at(path);
    expect(foundAt()).toBe(path);
    expect(find().found?.duff).toBe(false);
  });

  it.each(['boot/efi', 'efi', 'boot'])('a unified kernel image in %s/EFI/Linux', async (esp) => {
    const path = `${esp}/EFI/Linux/arch-linux.efi`;
    const linux = await at('linux');
    const base = join(root, 'base.efi');
    await fs.ensureDir(dirname(join(root, path)));
    await run('grub-mkimage', ['-O', 'x86_64-efi', '-o', base, '-p', '/', 'normal']);
    await run('objcopy', [
      '--add-section',
      `.linux=${linux}`,
      '--change-section-vma',
      '.linux=0x4000000',
      base,
      join(root, path),
    ]);
    await fs.remove(linux);
    expect(foundAt()).toBe(path);
  });

  it('the name with the release before any other', async () => {
    await at('boot/vmlinuz');
    await at(`boot/vmlinuz-${BOOKWORM.release}`);
    expect(foundAt()).toBe(`boot/vmlinuz-${BOOKWORM.release}`);
  });
});

describe('what is not taken', () => {
  it('other releases, files that are no kernels, cut off images; each with its reason', async () => {
    await at('boot/vmlinuz-new', TRIXIE);
    await makeImage(join(root, 'boot/vmlinuz-cut'), BOOKWORM, statedSize(BOOKWORM.head) - 4096);
    await fs.writeFile(join(root, 'boot/vmlinuz-text'), 'no kernel\n'.repeat(100));
    await fs.writeFile(join(root, 'boot/initrd.img-6.1'), 'never looked at');
    const search = find();
    expect(search.found).toBeUndefined();
    expect(search.rejected.map(({ path, reason }) => [relative(root, path), reason])).toEqual([
      ['boot/vmlinuz-cut', expect.stringContaining('is cut off')],
      ['boot/vmlinuz-new', `is Linux ${TRIXIE.release}`],
      ['boot/vmlinuz-text', 'is not a kernel image'],
    ]);
    expect(noKernel(search).format()).toContain('vmlinuz-new is Linux 6.12.107+deb13-amd64');
  });

  it('symlinks that lead out of the tree', async () => {
    const outside = await makeImage(join(top, 'outside'), BOOKWORM);
    await fs.ensureSymlink(outside, join(root, 'boot/vmlinuz'));
    expect(find()).toMatchObject({ rejected: [] });
    expect(foundAt()).toBeUndefined();
  });

  it('an empty root', () => {
    expect(foundAt()).toBeUndefined();
  });
});

describe('duff kernels: the release fits, the build string does not', () => {
  const rebuilt = { ...BOOKWORM, version: '#2 SMP PREEMPT_DYNAMIC Debian 6.1.192-3 (2026-12-01)' };

  it('are a warned fallback', async () => {
    await at(`boot/vmlinuz-${BOOKWORM.release}`);
    const search = find(rebuilt);
    expect(search.found).toMatchObject({ duff: true });
    if (search.found)
      expect(duffWarning(search.found, rebuilt)).toContain('Debian 6.1.192-2 (2026-11-16)", the running one');
  });

  it('yield to the one that fits, wherever it is', async () => {
    await at('boot/vmlinuz.old');
    const other = Buffer.from(BOOKWORM.head);
    other.write('#9', other.indexOf('#1 SMP'));
    await at(`boot/vmlinuz-${BOOKWORM.release}`, { ...BOOKWORM, head: other });
    expect(foundAt()).toBe('boot/vmlinuz.old');
  });
});

describe('modules', () => {
  it.each(['usr/lib/modules', 'lib/modules'])('in %s', async (place) => {
    await fs.ensureDir(join(root, place, '6.1'));
    expect(modulesDirectory('6.1', root)).toBe(join(root, place, '6.1'));
    expect(modulesDirectory('6.2', root)).toBeUndefined();
  });
});
