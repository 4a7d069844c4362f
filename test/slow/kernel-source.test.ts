import { basename, join } from 'node:path';
import fs from 'fs-extra';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cacheDirectory, hashFile } from '../../builder/cache.ts';
import { FAILSAFE } from '../../builder/kernel/failsafe.ts';
import { type KernelSource, type ResolveOptions, resolveKernel } from '../../builder/kernel/source.ts';
import { run } from '../../builder/run.ts';
import { MindiError } from '../../contract/error.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { BOOKWORM, makeDeb, makeImage, makeModules, PACKAGERS, statedSize, TRIXIE } from '../unit/kernel-images.ts';

const { release } = BOOKWORM;
const top = temporaryFolder('source');
const tree = join(top, 'tree');
const where = 'profile.yaml:3:9';
let work: string;

beforeAll(async () => {
  await makeImage(join(tree, 'boot', `vmlinuz-${release}`), BOOKWORM);
  await fs.writeFile(join(tree, 'boot', `config-${release}`), 'CONFIG_RD_ZSTD=y\n');
  await makeModules(join(tree, 'lib', 'modules', release));
});
beforeEach(async () => {
  work = await fs.mkdtemp(join(top, 'work-'));
  process.env.MINDI_CACHE = join(work, 'cache');
});
afterEach(() => {
  delete process.env.APT_CONFIG;
});

async function problemOf(source: KernelSource, options: ResolveOptions = {}): Promise<MindiError> {
  try {
    await resolveKernel(source, { where, ...options });
  } catch (error) {
    if (error instanceof MindiError) return error;
    throw error;
  }
  throw new Error('there was no error');
}

describe('running', () => {
  it('image and modules of the machine', async () => {
    const root = join(work, 'root');
    await fs.copy(tree, root);
    const kernel = await resolveKernel('running', { root, running: BOOKWORM });
    const image = join(root, 'boot', `vmlinuz-${release}`);
    expect(kernel).toEqual({
      release,
      banner: expect.stringContaining(BOOKWORM.version),
      image,
      imageSha256: (await hashFile(image)).sha256,
      imageSize: statedSize(BOOKWORM.head),
      modulesDir: join(root, 'lib', 'modules', release),
      hasDep: false,
      origin: image,
      configFile: join(root, 'boot', `config-${release}`),
    });
  });

  it('a duff kernel is used with a warning', async () => {
    const said: string[] = [];
    const running = { release, version: '#2 SMP rebuilt' };
    await resolveKernel('running', { root: tree, running, say: (text) => said.push(text) });
    expect(said).toEqual([expect.stringContaining('was built another time')]);
  });

  it('without an image, or without modules, says which', async () => {
    const empty = join(work, 'empty');
    await fs.ensureDir(empty);
    expect((await problemOf('running', { root: empty, running: BOOKWORM })).format()).toContain(
      `${where}: no image of the running kernel ${release}`,
    );
    await makeImage(join(empty, 'boot', 'vmlinuz'), BOOKWORM);
    expect(await problemOf('running', { root: empty, running: BOOKWORM })).toMatchObject({
      code: 'kernel.modules-missing',
      where,
    });
  });
});

describe('image and modules', () => {
  const modules = join(tree, 'lib', 'modules', release);
  const image = join(tree, 'boot', `vmlinuz-${release}`);

  it('relative paths start at the base', async () => {
    const paths = { image: `boot/vmlinuz-${release}`, modules: `lib/modules/${release}` };
    expect(await resolveKernel(paths, { base: tree })).toMatchObject({ image, modulesDir: modules, origin: image });
  });

  it('both missing: both said, from the profile’s place', async () => {
    const problem = await problemOf({ image: join(work, 'vmlinuz'), modules: join(work, 'modules') });
    expect(problem.problems.map(({ code, where: place }) => [code, place])).toEqual([
      ['kernel.unreadable', where],
      ['kernel.modules-missing', where],
    ]);
    expect(problem.format()).toContain(join(work, 'vmlinuz'));
  });

  it('a cut off image', async () => {
    const cut = await makeImage(join(work, 'vmlinuz'), BOOKWORM, 1_000_000);
    const problem = await problemOf({ image: cut, modules });
    expect(problem).toMatchObject({ code: 'kernel.truncated', where, exitCode: 2 });
    expect(problem.message).toContain(cut);
    expect(problem.hint).toBeTruthy();
  });

  it('modules of another release', async () => {
    const trixie = await makeImage(join(work, 'vmlinuz'), TRIXIE);
    expect(await problemOf({ image: trixie, modules })).toMatchObject({ code: 'kernel.release-mismatch', where });
  });

  it('the directory above: did you mean', async () => {
    const problem = await problemOf({ image, modules: join(tree, 'lib', 'modules') });
    expect(problem.hint).toBe(`Did you mean ${modules}?`);
  });

  it('a kernel of another architecture', async () => {
    const head = Buffer.from(BOOKWORM.head);
    head.writeUInt16LE(0, 0x236);
    const old = await makeImage(join(work, 'vmlinuz'), { ...BOOKWORM, head });
    expect(await problemOf({ image: old, modules })).toMatchObject({ code: 'kernel.wrong-arch' });
  });

  it('a unified kernel image: the kernel in it is taken out', async () => {
    const [base, uki] = [join(work, 'base.efi'), join(work, 'linux.efi')];
    await run('grub-mkimage', ['-O', 'x86_64-efi', '-o', base, '-p', '/', 'normal']);
    await run('objcopy', ['--add-section', `.linux=${image}`, '--change-section-vma', '.linux=0x4000000', base, uki]);
    const kernel = await resolveKernel({ image: uki, modules });
    expect(kernel.imageSha256).toBe((await hashFile(image)).sha256);
    expect(kernel).toMatchObject({ release, origin: uki, image: expect.stringContaining(cacheDirectory()) });
  });
});

describe('package files', () => {
  const content = { name: 'kernel', version: '6.1.0-56', tree };

  it.each(Object.keys(PACKAGERS))('.%s', async (form) => {
    const file = (await PACKAGERS[form]?.(content, work)) ?? '';
    const kernel = await resolveKernel({ package: file });
    expect(kernel).toMatchObject({ release, hasDep: true, imageSize: statedSize(BOOKWORM.head) });
    expect(kernel.origin).toBe(form === 'deb' ? 'kernel 6.1.0-56' : basename(file));
    expect(basename(kernel.modulesDir)).toBe(release);
    expect(await fs.readFile(join(kernel.modulesDir, 'modules.dep'), 'utf8')).toContain(
      'kernel/crypto/crct10dif_generic.ko: kernel/crypto/crct10dif_common.ko',
    );
    expect(kernel.configFile).toMatch(/config-6\.1/);
  });

  it('as Arch and Fedora have them: everything below /usr/lib/modules', async () => {
    const usr = join(work, 'usr-tree');
    await makeModules(join(usr, 'usr', 'lib', 'modules', release));
    await makeImage(join(usr, 'usr', 'lib', 'modules', release, 'vmlinuz'), BOOKWORM);
    const file = (await PACKAGERS['pkg.tar.zst']?.({ ...content, tree: usr }, work)) ?? '';
    expect(await resolveKernel({ package: basename(file) }, { base: work })).toMatchObject({ release, hasDep: true });
  });

  it('is unpacked once; what is left of a broken cache is replaced', async () => {
    const file = (await PACKAGERS.deb?.(content, work)) ?? '';
    const first = await resolveKernel({ package: file });
    const made = (await fs.stat(first.image)).ino;
    expect(await resolveKernel({ package: file })).toEqual(first);
    expect((await fs.stat(first.image)).ino).toBe(made);
    await fs.remove(join(first.modulesDir, 'modules.dep'));
    expect(await resolveKernel({ package: file })).toEqual(first);
    expect((await fs.readdir(cacheDirectory('kernels'))).length).toBe(1);
  });

  it('two at once end with the same kernel', async () => {
    const file = (await PACKAGERS.deb?.(content, work)) ?? '';
    const [one, other] = await Promise.all([resolveKernel({ package: file }), resolveKernel({ package: file })]);
    expect(one).toEqual(other);
    expect((await fs.readdir(cacheDirectory('kernels'))).length).toBe(1);
  });

  it('without modules, without a kernel, damaged, missing', async () => {
    const bare = join(work, 'bare');
    await fs.ensureDir(join(bare, 'etc'));
    const none = await makeDeb({ name: 'none', version: '1', tree: bare }, work);
    expect(await problemOf({ package: none })).toMatchObject({ code: 'kernel.package-empty', where });
    await fs.copy(join(tree, 'boot'), join(bare, 'boot'));
    const half = await makeDeb({ name: 'half', version: '1', tree: bare }, work);
    expect(await problemOf({ package: half })).toMatchObject({ code: 'kernel.no-modules', where });
    await fs.truncate(half, 2000);
    expect(await problemOf({ package: half })).toMatchObject({ code: 'kernel.package-damaged', exitCode: 2 });
    expect(await problemOf({ package: './none.rpm' })).toMatchObject({ code: 'kernel.package-missing' });
    expect(await fs.readdir(cacheDirectory('kernels'))).toEqual([]);
  });

  it('a kernel split over packages', async () => {
    const [image, modules] = [join(work, 'image'), join(work, 'modules')];
    await fs.copy(join(tree, 'boot'), join(image, 'boot'));
    await fs.copy(join(tree, 'lib'), join(modules, 'lib'));
    const files = [
      await makeDeb({ name: 'linux-modules', version: '1', tree: modules }, work),
      await makeDeb({ name: 'linux-binary', version: '1', tree: image }, work),
    ];
    expect(await resolveKernel({ package: files })).toMatchObject({ release, hasDep: true, origin: 'linux-binary 1' });
  });
});

describe('Debian packages by name, from an apt repository of our own', () => {
  /** Debian sid's shape: metapackage -> image package -> binary and modules packages. */
  async function repository(version: string, name = 'linux-image-mindi'): Promise<void> {
    const place = join(work, 'repository');
    await fs.ensureDir(place);
    const [image, modules] = [join(work, 'image'), join(work, 'modules')];
    await fs.copy(join(tree, 'boot'), join(image, 'boot'));
    await fs.copy(join(tree, 'lib'), join(modules, 'lib'));
    const parts: [name: string, tree: string, depends: string][] = [
      [name, join(work, 'nothing'), `linux-base-meta, linux-image-${release} (= ${version})`],
      [
        `linux-image-${release}`,
        join(work, 'nothing'),
        `dracut | initramfs-tools, linux-binary-${release}, linux-modules-${release}`,
      ],
      [`linux-binary-${release}`, image, ''],
      [`linux-modules-${release}`, modules, 'kmod'],
    ];
    let index = '';
    for (const [part, content, depends] of parts) {
      const file = await makeDeb({ name: part, version, tree: content }, place, depends);
      const { sha256, size } = await hashFile(file);
      const { stdout } = await run('dpkg-deb', ['-f', file]);
      index += `${stdout.trim()}\nFilename: ./${basename(file)}\nSize: ${size}\nSHA256: ${sha256}\n\n`;
    }
    await fs.writeFile(join(place, 'Packages'), index);
    await fs.writeFile(join(work, 'sources.list'), `deb [trusted=yes] file:${place} ./\n`);
    const config = join(work, 'apt.conf');
    await fs.writeFile(
      config,
      `Dir::Etc::SourceList "${join(work, 'sources.list')}";\nDir::Etc::SourceParts "/dev/null";\n`,
    );
    process.env.APT_CONFIG = config;
  }

  it('a metapackage leads to image and modules; later builds need no apt', async () => {
    await repository('6.1.192-2');
    const first = await resolveKernel({ package: 'linux-image-mindi' });
    expect(first).toMatchObject({ release, hasDep: true, origin: `linux-binary-${release} 6.1.192-2` });
    await fs.remove(join(work, 'repository'));
    expect(await resolveKernel({ package: 'linux-image-mindi' })).toEqual(first);
    expect(await fs.readdir(cacheDirectory('downloads'))).toEqual([]);
  });

  it('a newer version is taken when asked for, not before', async () => {
    await repository('6.1.192-2');
    await resolveKernel({ package: 'linux-image-mindi' });
    await repository('6.1.192-3');
    const origin = async (refresh: boolean) =>
      (await resolveKernel({ package: 'linux-image-mindi' }, { refresh })).origin;
    expect(await origin(false)).toBe(`linux-binary-${release} 6.1.192-2`);
    expect(await origin(true)).toBe(`linux-binary-${release} 6.1.192-3`);
    expect(await origin(false)).toBe(`linux-binary-${release} 6.1.192-3`);
  });

  it('auto: this machine’s kernel where it has one, else the failsafe kernel', async () => {
    await repository('6.1.192-2', FAILSAFE.package);
    expect((await resolveKernel('auto', { root: tree, running: BOOKWORM })).origin).toContain(tree);
    const said: string[] = [];
    const failsafe = { root: work, running: BOOKWORM, say: (text: string) => said.push(text) };
    expect(await resolveKernel('auto', failsafe)).toEqual(await resolveKernel('failsafe'));
    expect(said[0]).toBe(`no image of the running kernel ${release} on this machine: taking the failsafe kernel`);
  });

  it('a repository that lost its files', async () => {
    await repository('6.1.192-2');
    for (const name of await fs.readdir(join(work, 'repository'))) {
      if (name.endsWith('.deb')) await fs.remove(join(work, 'repository', name));
    }
    expect(await problemOf({ package: 'linux-image-mindi' })).toMatchObject({
      code: 'kernel.fetch-failed',
      exitCode: 2,
    });
    expect(await fs.readdir(cacheDirectory('downloads'))).toEqual([]);
  });

  it('an unknown package, and what is no name at all', async () => {
    await repository('6.1.192-2');
    expect(await problemOf({ package: 'linux-image-no-such' })).toMatchObject({
      code: 'kernel.package-unknown',
      where,
    });
    expect(await problemOf({ package: '--no-name' })).toMatchObject({ code: 'kernel.package-unknown', where });
  });
});
