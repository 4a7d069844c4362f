import { randomBytes } from 'node:crypto';
import { appendFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type MediumParts, volumeId } from '../../boot/medium.ts';
import { menuModel } from '../../boot/menu.ts';
import { makeNetboot } from '../../boot/netboot.ts';
import { driverPieces } from '../../builder/drivers/pieces.ts';
import { loadProfile, type Profile } from '../../builder/profile/load.ts';
import { run } from '../../builder/run.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { FileHashes } from '../../builder/tools/hashes.ts';
import { kernelFixture } from '../kernel-fixture.ts';

let work: Scratch;
beforeEach(async () => {
  work = await scratch('test');
});
afterEach(() => work[Symbol.asyncDispose]());

const at = (...path: string[]) => join(work.path, ...path);

async function parts(append: string[] = [], change: Partial<MediumParts> = {}): Promise<MediumParts> {
  for (const name of ['kernel', 'initrd', 'stage2']) await writeFile(at(name), randomBytes(100_000));
  const { stdout } = await run('sha256sum', [at('stage2')]);
  const modes = { menu: 'modes' as const, lock: false, default: 'interactive' as const };
  const boot = { ...modes, timeout: 30, append, serial: 'ttyS0,115200' as const };
  return {
    out: at('out', 'netboot'),
    volumeId: volumeId('test'),
    epoch: 1700000000,
    id: 'a5'.repeat(32),
    kernel: at('kernel'),
    initrd: at('initrd'),
    stage2: { path: at('stage2'), sha256: stdout.slice(0, 64) },
    extraFiles: {},
    menu: menuModel({
      name: 'test',
      generator: 'mindi',
      machine: null,
      epoch: 1700000000,
      boot,
      source: null,
      memtest: { bios: null, uefi: null },
    }),
    ...change,
  };
}

const config = (name: string) => readFile(at('out/netboot', name), 'utf8');
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('netboot folder', () => {
  it('has every file in its list, which sha256sum takes, readable for all whatever the umask', async () => {
    const before = process.umask(0o077);
    try {
      await makeNetboot(await parts());
    } finally {
      process.umask(before);
    }
    await run('sha256sum', ['-c', '--strict', 'mindi/sha256sums'], { cwd: at('out/netboot') });
    const files = await readdir(at('out/netboot'), { recursive: true });
    const modes = await Promise.all(files.map(async (name) => (await stat(at('out/netboot', name))).mode & 0o777));
    expect([...new Set(modes)].sort()).toEqual([0o644, 0o755]);
    expect(await readdir(at('out'))).toEqual(['netboot']);
    const listed = (await config('mindi/sha256sums'))
      .trimEnd()
      .split('\n')
      .map((line) => line.slice(66));
    expect(listed).toEqual([...listed].sort());
    expect(listed).toHaveLength(
      files.length - ['mindi/sha256sums', 'mindi', 'grub', 'pxelinux.cfg', 'examples'].length,
    );
  });

  it('has the same entries, texts and parameters for pxelinux, GRUB and iPXE', async () => {
    const medium = await parts(['nomodeset']);
    await makeNetboot(medium);
    const [pxelinux, grub, ipxe] = await Promise.all(
      ['pxelinux.cfg/default', 'grub/grub.cfg', 'boot.ipxe'].map(config),
    );
    for (const { name, label, append } of medium.menu.entries) {
      expect(pxelinux?.replaceAll('^', '')).toContain(`LABEL ${name}\n  MENU LABEL ${label}\n`);
      expect(grub).toContain(`menuentry '${label}' --id ${name}`);
      // biome-ignore lint/suspicious/noTemplateCurlyInString: iPXE's
      expect(ipxe?.replaceAll('${sp}', ' ')).toContain(` ${name} ${label}\n`);
      if (!append) continue;
      for (const text of [pxelinux, grub?.replaceAll("'", ''), ipxe]) expect(text).toContain(append);
    }
    expect(pxelinux).toMatch(/^IPAPPEND 3$/m);
    expect(pxelinux).toMatch(/^ {2}KERNEL vmlinuz$/m);
    expect(grub).toContain(' BOOTIF=01-$net_default_mac mindi.server=$net_default_server\n');
    await run('grub-script-check', [at('out/netboot/grub/grub.cfg')]);
    await run('dnsmasq', ['--test', `--conf-file=${at('out/netboot/examples/dnsmasq.conf')}`]);
  });

  it('tells iPXE the URL of the profile', async () => {
    await makeNetboot(await parts([], { url: 'http://192.0.2.7/rescue/' }));
    expect(await config('boot.ipxe')).toContain(' mindi.stage2=http://192.0.2.7/rescue/ ||');
    expect(await config('README.txt')).toContain('from http://192.0.2.7/rescue/, as the profile says');
  });

  it('refuses parameters that a loader would cut off or take for itself', async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: iPXE's
    for (const append of [['x'.repeat(255)], ['a=${net0/mac}'], ['||'], [';']]) {
      const error = await failure(makeNetboot(await parts(append)));
      expect(error).toMatchObject({ code: 'boot.append', exitCode: 2, hint: expect.any(String) });
    }
    expect(await readdir(work.path)).not.toContain('out');
  });

  it('replaces its own folder, and none with anything of a person in it', async () => {
    await mkdir(at('out/netboot'), { recursive: true });
    await makeNetboot(await parts());
    const first = await config('mindi/sha256sums');
    await makeNetboot(await parts(['other']));
    const second = await config('mindi/sha256sums');
    expect(second).not.toBe(first);
    const touched: [string, () => Promise<void>][] = [
      ['pxelinux.cfg/01-aa', () => writeFile(at('out/netboot/pxelinux.cfg/01-aa'), 'mine')],
      ['grub/grub.cfg', () => appendFile(at('out/netboot/grub/grub.cfg'), '# mine\n')],
      ['mindi/sha256sums', () => rm(at('out/netboot/mindi/sha256sums'))],
    ];
    for (const [name, touch] of touched) {
      await touch();
      const error = await failure(makeNetboot(await parts()));
      expect(error).toMatchObject({
        code: 'netboot.not-ours',
        where: at('out/netboot'),
        message: expect.stringContaining(name),
      });
      expect(await readdir(at('out'))).toEqual(['netboot']);
    }
    expect(await config('pxelinux.cfg/01-aa')).toBe('mine');
    await rm(at('out'), { recursive: true });
    await mkdir(at('out'));
    await writeFile(at('out/netboot'), 'a file');
    expect(await failure(makeNetboot(await parts()))).toMatchObject({ code: 'netboot.not-ours' });
  });

  it('has no second stage when that is in the initrd', async () => {
    await makeNetboot(await parts([], { stage2: null }));
    expect(await config('mindi/sha256sums')).not.toMatch(/stage2|mindi\/id/);
  });
});

describe('first stage of a netboot', () => {
  it('has network cards, NFS and packet sockets besides, in a part that other media do not get', async () => {
    const { release, directory } = await kernelFixture('bookworm-cloud-amd64', { modules: 'stand-ins' });
    const profile = await loadProfile('standalone');
    const drivers = { ...profile.drivers, firmware: 'none' as const };
    const media: Profile['media'] = ['iso', 'netboot'];
    const both = await driverPieces(
      { ...profile, drivers, media },
      { release, modulesDir: directory },
      new FileHashes(),
    );
    const first = both.essentialModules.entries.map(({ path }) => path).join('\n');
    expect(first).not.toMatch(/\/(ena|nfsv4)\.ko/);
    const paths = both.network?.entries.map(({ path }) => path) ?? [];
    for (const name of ['virtio_net', 'ena', 'nfsv3', 'nfsv4'])
      expect(
        paths.some((path) => path.endsWith(`/${name}.ko`)),
        name,
      ).toBe(true);
    const dep = both.network?.entries.find(({ path }) => path.endsWith('/modules.dep'));
    const content = both.network?.contents.get(dep?.type === 'file' ? dep.sha256 : '');
    const text = content?.from === 'bytes' ? Buffer.from(content.bytes).toString() : '';
    expect(text).toMatch(/\/squashfs\.ko:/);
    expect(text).toMatch(/\/ena\.ko:/);
    expect(text).not.toMatch(/\/xfs\.ko:/);
  });
});
