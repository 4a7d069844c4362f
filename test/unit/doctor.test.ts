import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fs from 'fs-extra';
import { beforeEach, describe, expect, it } from 'vitest';
import { diagnose } from '../../builder/doctor/diagnose.ts';
import { DISTROS, distroOf } from '../../builder/doctor/distro.ts';
import { isStaticProgram } from '../../builder/doctor/elf.ts';
import { kernelOptions } from '../../builder/doctor/kernel-options.ts';
import { PROVISIONS, packageFor } from '../../builder/doctor/packages.ts';
import { run } from '../../builder/run.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { BOOKWORM, makeImage, makeModules } from './kernel-images.ts';

const top = temporaryFolder('doctor');

let root: string;
beforeEach(async () => {
  root = await fs.mkdtemp(join(top, 'root-'));
  process.env.MINDI_CACHE = join(root, 'cache');
  return () => {
    delete process.env.MINDI_CACHE;
  };
});

const at = (id: string) => diagnose({ root, running: { ...BOOKWORM, version: id } });

/** Puts everything of the given needs there, the first place or program of each. */
async function provide(...needs: string[]): Promise<void> {
  for (const { files, programs } of PROVISIONS.filter((one) => needs.includes(one.need))) {
    await fs.outputFile(join(root, files?.[0] ?? `usr/bin/${programs?.[0]}`), '');
  }
  await fs.copy('/bin/busybox', join(root, 'bin/busybox'));
}

describe('diagnose', () => {
  it('an empty machine lacks what builds need and what fetches a kernel, and says what to install', async () => {
    await fs.outputFile(join(root, 'etc/os-release'), 'ID=fedora\n');
    const diagnosis = await at(BOOKWORM.version);
    expect(diagnosis).toMatchObject({ ok: false, distro: 'fedora' });
    expect(diagnosis.missing).toEqual(expect.arrayContaining(['xorriso', 'busybox (static)', 'depmod', 'bsdtar']));
    expect(diagnosis.missing).not.toContain('qemu-system-x86_64');
    expect(diagnosis.install.required).toMatch(
      /^dnf install xorriso squashfs-tools busybox syslinux-nonlinux grub2-tools /,
    );
    expect(diagnosis.install.optional).toContain('qemu-system-x86-core');
  });

  it('with a kernel of its own a machine need not unpack packages', async () => {
    await provide('build');
    await makeImage(join(root, 'boot', `vmlinuz-${BOOKWORM.release}`), BOOKWORM);
    await makeModules(join(root, 'lib/modules', BOOKWORM.release));
    const diagnosis = await at(BOOKWORM.version);
    expect(diagnosis).toMatchObject({ ok: true, distro: null, missing: [], install: {} });
    expect(diagnosis.kernel.map(({ found }) => found)).toEqual([true, true]);
  });

  it('a kernel that cannot unpack zstd is not enough', async () => {
    await provide('build');
    await makeImage(join(root, 'boot', `vmlinuz-${BOOKWORM.release}`), BOOKWORM);
    const modules = await makeModules(join(root, 'lib/modules', BOOKWORM.release));
    await fs.writeFile(join(modules, 'config'), 'CONFIG_RD_ZSTD is not set\nCONFIG_SQUASHFS=m\n');
    const diagnosis = await at(BOOKWORM.version);
    expect(diagnosis.missing).toContain('CONFIG_RD_ZSTD');
    expect(diagnosis.missing).not.toContain('CONFIG_SQUASHFS');
  });

  it('a dynamically linked busybox is no help', async () => {
    await provide('build', 'kernel');
    await fs.copy('/usr/bin/xorriso', join(root, 'bin/busybox'));
    expect((await at('')).missing).toEqual(['busybox (static)']);
  });
});

describe('mindi doctor', () => {
  const mindi = (...args: string[]) =>
    run(join(import.meta.dirname, '../../bin/mindi'), ['doctor', ...args], {
      accept: [1],
      env: { MINDI_LOG: join(top, 'log') },
    });

  it('answers the same to people and programs', async () => {
    const [told, shown] = [await mindi('--json'), await mindi()];
    const { ok, install, checks } = JSON.parse(told.stdout);
    expect(told.exitCode).toBe(ok ? 0 : 1);
    expect(shown.exitCode).toBe(told.exitCode);
    expect(shown.stdout).toContain(ok ? 'mindi build has all it needs' : 'mindi build lacks');
    for (const command of Object.values(install)) expect(shown.stdout).toContain(command);
    for (const { name } of checks) expect(shown.stdout).toContain(name);
  });

  it('names the packages of every distribution when asked', async () => {
    const { stdout } = await mindi('--packages', 'all');
    expect(stdout).toMatch(/xorriso .* xorriso +xorriso +xorriso +libisoburn +xorriso\n/);
  });
});

describe('packages', () => {
  it.each([
    ['xorriso', 'debian', 'xorriso'],
    ['xorriso', 'arch', 'libisoburn'],
    ['/usr/sbin/lvm', 'fedora', 'lvm2'],
    ['isolinux.bin', 'debian', 'isolinux'],
    ['/usr/share/syslinux/isohdpfx.bin', 'fedora', 'syslinux-nonlinux'],
    ['busybox', 'debian', 'busybox-static'],
    ['ddrescue', 'suse', 'gnu_ddrescue'],
  ] as const)('%s on %s: %s', (what, distro, name) => {
    expect(packageFor(what, distro)).toBe(name);
  });

  it('knows nothing of others', () => {
    expect(packageFor('no-such-program')).toBeUndefined();
  });

  it('Debian’s names are right, as far as this machine has the programs', async () => {
    const others = [
      'modprobe',
      'mformat',
      'unsquashfs',
      'busybox',
      'strip',
      'apt-cache',
      'tar',
      'gzip',
      'bzip2',
      'zstd',
      'xz',
    ].concat(['cpio', 'dd', 'chroot', 'bash', 'ps', 'curl', 'grub-install']);
    const paths = [...PROVISIONS.flatMap(({ programs = [] }) => programs), ...others]
      .flatMap((program) => ['/usr/bin', '/usr/sbin', '/bin', '/sbin'].map((directory) => join(directory, program)))
      .filter((path) => existsSync(path));
    // /bin is a link to /usr/bin: dpkg knows one of both; alternatives (vi, mt) belong to no package.
    const { stdout } = await run('dpkg', ['-S', ...paths], { accept: [1] });
    const owner = new Map(stdout.split('\n').map((line) => line.split(/(?::\w+)?: /).reverse() as [string, string]));
    const wrong = paths.filter((path) => owner.has(path) && owner.get(path) !== packageFor(path, 'debian'));
    expect(wrong.map((path) => `${path} is of ${owner.get(path)}`)).toEqual([]);
    expect(owner.size).toBeGreaterThan(30);
  });

  it('scripts/debian-packages has what builds and boots need', () => {
    const list = readFileSync(join(import.meta.dirname, '../../scripts/debian-packages'), 'utf8');
    const packages = list.split('\n').filter((line) => line && !line.startsWith('#'));
    for (const line of packages) expect(line).toMatch(/^[a-z0-9][a-z0-9.+-]+ +# \S/);
    const names = packages.map((line) => line.split(' ', 1)[0]);
    expect(new Set(names).size).toBe(names.length);
    const needed = PROVISIONS.filter(({ need }) => need !== 'medium').map((one) => one.packages.debian);
    expect(names).toEqual(expect.arrayContaining(needed.filter((name) => name !== 'apt')));
  });
});

describe('distributions', () => {
  it.each([
    ['ID=debian\n', 'debian'],
    ['ID=ubuntu\nID_LIKE=debian\n', 'debian'],
    ['ID=linuxmint\nID_LIKE="ubuntu debian"\n', 'debian'],
    ['NAME="Rocky Linux"\nID="rocky"\nID_LIKE="rhel centos fedora"\n', 'fedora'],
    ['ID="opensuse-tumbleweed"\n', 'suse'],
    ['ID=manjaro\nID_LIKE=arch\n', 'arch'],
    ['ID=alpine\n', 'alpine'],
    ['ID=nixos\n', undefined],
    ['', undefined],
  ])('%j', (text, distro) => {
    expect(distroOf(text)).toBe(distro);
  });

  it('every program of a build has a package on every distribution', () => {
    for (const { name, packages, need } of PROVISIONS.filter((one) => one.need === 'build')) {
      for (const distro of DISTROS) expect(packages[distro], `${name} (${need}) on ${distro}`).toBeTruthy();
    }
  });
});

describe('kernel options', () => {
  it('a module will do where it can be loaded in time', () => {
    const facts = kernelOptions(
      'CONFIG_RD_ZSTD=m\nCONFIG_SQUASHFS=m\nCONFIG_DEVTMPFS=y\n# CONFIG_EFI_STUB is not set\n',
    );
    const found = new Map(facts.map((fact) => [fact.name, fact.found]));
    expect(found.get('CONFIG_RD_ZSTD')).toBe(false);
    expect(found.get('CONFIG_SQUASHFS')).toBe(true);
    expect(found.get('CONFIG_DEVTMPFS')).toBe(true);
    expect(found.get('CONFIG_EFI_STUB')).toBe(false);
  });
});

describe('static programs', () => {
  it('busybox is, xorriso is not, text and the truncated are not', async () => {
    expect(isStaticProgram('/bin/busybox')).toBe(true);
    expect(isStaticProgram('/usr/bin/xorriso')).toBe(false);
    expect(isStaticProgram('/etc/passwd')).toBe(false);
    const cut = join(top, 'cut');
    await fs.outputFile(cut, readFileSync('/bin/busybox').subarray(0, 70));
    expect(isStaticProgram(cut)).toBe(false);
  });
});
