import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fs from 'fs-extra';
import { run } from '../../builder/run.ts';

const FIXTURES = join(import.meta.dirname, '..', 'fixtures', 'kernel-images');

/** Real kernels whose image headers are in test/fixtures/kernel-images. */
export const BOOKWORM = {
  head: readFileSync(join(FIXTURES, 'bookworm-6.1.0-56.head')),
  release: '6.1.0-56-amd64',
  version: '#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)',
};
export const TRIXIE = {
  head: readFileSync(join(FIXTURES, 'trixie-6.12.107.head')),
  release: '6.12.107+deb13-amd64',
  version: '#1 SMP PREEMPT_DYNAMIC Debian 6.12.107-1 (2026-08-29)',
};
export type FakeKernel = typeof BOOKWORM;

/** The size a bzImage's header states: boot sector, setup, and the system in paragraphs. */
export const statedSize = (head: Buffer) => ((head[0x1f1] ?? 0) + 1) * 512 + head.readUInt32LE(0x1f4) * 16;

/** An image as big as its header says, zeros after the setup code; `size` cuts it off. */
export async function makeImage(path: string, { head }: FakeKernel, size = statedSize(head)): Promise<string> {
  await fs.outputFile(path, head);
  await fs.truncate(path, size);
  return path;
}

/** A modules directory with two real modules, and no modules.dep, as Debian's packages have it. */
export async function makeModules(directory: string): Promise<string> {
  const crypto = join(directory, 'kernel', 'crypto');
  await fs.ensureDir(crypto);
  for (const name of await fs.readdir(join(FIXTURES, 'modules'))) {
    await fs.copyFile(join(FIXTURES, 'modules', name), join(crypto, name));
  }
  await fs.writeFile(join(directory, 'modules.order'), 'kernel/crypto/crct10dif_common.ko\n');
  await fs.writeFile(join(directory, 'modules.builtin'), 'kernel/fs/ext4/ext4.ko\n');
  return directory;
}

export interface PackageContent {
  name: string;
  version: string;
  /** Directory whose content is packaged. */
  tree: string;
}

/** Packages a directory with the distribution's own tools where Debian has them, else as those tools write it. */
export const PACKAGERS: Record<string, (content: PackageContent, into: string) => Promise<string>> = {
  deb: (content, into) => makeDeb(content, into),
  rpm: makeRpm,
  'pkg.tar.zst': makeArch,
  apk: makeApk,
};

export async function makeDeb({ name, version, tree }: PackageContent, into: string, depends = ''): Promise<string> {
  const control = `Package: ${name}\nVersion: ${version}\nArchitecture: amd64\nMaintainer: test\n${depends ? `Depends: ${depends}\n` : ''}Description: test\n`;
  const root = await fs.mkdtemp(join(into, 'deb-'));
  await fs.ensureDir(tree);
  await run('cp', ['-a', '--reflink=auto', `${tree}/.`, root]);
  await fs.outputFile(join(root, 'DEBIAN', 'control'), control);
  const file = join(into, `${name}_${version}_amd64.deb`);
  await run('dpkg-deb', ['--root-owner-group', '-z1', '--build', root, file]);
  await fs.remove(root);
  return file;
}

async function makeRpm({ name, version, tree }: PackageContent, into: string): Promise<string> {
  const top = await fs.mkdtemp(join(into, 'rpm-'));
  const spec = join(top, 'kernel.spec');
  const lines = [
    `Name: ${name}`,
    `Version: ${version.replaceAll('-', '_')}`,
    'Release: 1',
    'Summary: test',
    'License: GPL',
    'AutoReqProv: no',
    '%define _binary_payload w1.zstdio',
    '%define _build_id_links none',
    '%define __os_install_post %{nil}',
    '%description',
    'test',
    '%install',
    `cp -a --reflink=auto ${tree}/. %{buildroot}`,
    '%files',
    '/*',
  ];
  await fs.writeFile(spec, `${lines.join('\n')}\n`);
  await run('rpmbuild', ['-bb', '--quiet', '--define', `_topdir ${top}`, '--target', 'x86_64', spec]);
  const [built] = await fs.readdir(join(top, 'RPMS', 'x86_64'));
  const file = join(into, built ?? '');
  await fs.move(join(top, 'RPMS', 'x86_64', built ?? ''), file);
  await fs.remove(top);
  return file;
}

/** makepkg's order: .PKGINFO first, then the files, zstd. */
async function makeArch({ name, version, tree }: PackageContent, into: string): Promise<string> {
  const meta = await fs.mkdtemp(join(into, 'arch-'));
  await fs.writeFile(join(meta, '.PKGINFO'), `pkgname = ${name}\npkgver = ${version}\narch = x86_64\n`);
  const file = join(into, `${name}-${version}-x86_64.pkg.tar.zst`);
  const level = ['--zstd', '--options', 'zstd:compression-level=1'];
  await run('bsdtar', ['-cf', file, ...level, '-C', meta, '.PKGINFO', '-C', tree, ...(await fs.readdir(tree))]);
  await fs.remove(meta);
  return file;
}

/** apk version 2: two gzip members, one tar stream; the first has no end-of-archive blocks (abuild-tar --cut). */
async function makeApk({ name, version, tree }: PackageContent, into: string): Promise<string> {
  const meta = await fs.mkdtemp(join(into, 'apk-'));
  await fs.writeFile(join(meta, '.PKGINFO'), `pkgname = ${name}\npkgver = ${version}\narch = x86_64\n`);
  const [control, data] = [join(meta, 'control.tar'), join(meta, 'data.tar.gz')];
  await run('bsdtar', ['-cf', control, '--format', 'ustar', '-C', meta, '.PKGINFO']);
  // One header block and one block of content; what follows are the zeros that end an archive.
  await fs.truncate(control, 1024);
  await run('gzip', ['-n', control]);
  const gzip = ['-z', '--options', 'gzip:compression-level=1', '--format', 'pax'];
  await run('bsdtar', ['-cf', data, ...gzip, '-C', tree, ...(await fs.readdir(tree))]);
  const file = join(into, `${name}-${version}.apk`);
  await fs.writeFile(file, await fs.readFile(`${control}.gz`));
  await fs.appendFile(file, await fs.readFile(data));
  await fs.remove(meta);
  return file;
}
