import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { execa } from 'execa';
import { openTree } from 'node-kmod-deps';
import { beforeAll, describe, expect, test } from 'vitest';
import { resolveNames } from '../../builder/drivers/names.ts';
import { driverSetNames } from '../../builder/drivers/sets.ts';
import { type KernelName, kernelFixture } from '../kernel-fixture.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const MINDI = resolve('bin/mindi');
const scratch = temporaryFolder('drivers-cli');

async function mindi(...args: string[]) {
  const { exitCode, stdout, stderr } = await execa(MINDI, [...args], {
    cwd: scratch,
    reject: false,
    stdin: 'ignore',
    timeout: 20_000,
    env: { MINDI_LOG: join(scratch, 'mindi.log'), MINDI_CACHE: join(scratch, 'cache') },
  });
  return { exitCode, stdout, stderr: stripVTControlCharacters(stderr) };
}

const directories = {} as Record<KernelName, string>;
beforeAll(async () => {
  for (const kernel of ['bookworm-amd64', 'bookworm-cloud-amd64', 'trixie-amd64'] as const) {
    directories[kernel] = (await kernelFixture(kernel)).directory;
  }
});

/** What a kernel has for one name, from its modules.* files alone. */
async function one(name: string, kernel: KernelName = 'bookworm-amd64') {
  const [answer] = await resolveNames(await openTree(directories[kernel]), [name]);
  return answer;
}

describe('mindi drivers resolve', () => {
  test('is an array with one entry for each name, as it was typed', async () => {
    const { exitCode, stdout } = await mindi(
      ...['drivers', 'resolve', 'sd-mod', 'ext4', 'atkbd', '--json'],
      ...['--modules', directories['bookworm-amd64']],
    );
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toEqual([
      {
        name: 'sd-mod',
        status: 'module',
        module: 'sd_mod',
        load: [
          'crct10dif_common',
          'crc64',
          'crc_t10dif',
          'scsi_common',
          'scsi_mod',
          'crc64_rocksoft',
          't10_pi',
          'sd_mod',
        ],
        soft: expect.arrayContaining(['crct10dif_generic']),
        firmware: [],
        note: null,
      },
      {
        name: 'ext4',
        status: 'module',
        module: 'ext4',
        load: ['jbd2', 'mbcache', 'crc16', 'ext4'],
        soft: ['crc32c_intel', 'crc32c_generic'],
        firmware: [],
        note: null,
      },
      { name: 'atkbd', status: 'builtin', module: 'atkbd', load: [], soft: [], firmware: [], note: null },
    ]);
  });

  test('exits 1 when a name cannot be had, and says why', async () => {
    const { exitCode, stdout } = await mindi(
      ...['drivers', 'resolve', 'tg3', 'virtio_nett', 'ext4', '--modules', directories['bookworm-cloud-amd64']],
    );
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^tg3 +absent .*others have it/m);
    expect(stdout).toMatch(/^virtio_nett +unknown .*Did you mean "virtio_net"/m);
    expect(stdout).toMatch(/^ext4 +builtin/m);
  });

  test('knows names of old, and what is gone', async () => {
    const { exitCode, stdout } = await mindi(
      ...['drivers', 'resolve', 'usb-uhci', 'raid5', 'osst', 'vmnet', '--modules', directories['trixie-amd64']],
    );
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(
      /^usb-uhci +renamed +usb_common usbcore uhci_hcd .* renamed since Linux 2\.6\.0: uhci_hcd$/m,
    );
    expect(stdout).toMatch(/^raid5 +renamed .* raid456 /m);
    expect(stdout).toMatch(/^osst +gone .* gone since Linux 5\.3: OnStream/m);
    expect(stdout).toMatch(/^vmnet +gone .* never part of Linux/m);
    const there = await mindi('drivers', 'resolve', 'usb-uhci', '--modules', directories['trixie-amd64']);
    expect(there.exitCode).toBe(0);
  });

  test('knows paths, aliases and devices', async () => {
    expect(await one('kernel/drivers/net/ethernet/broadcom/tg3.ko.xz')).toMatchObject({ module: 'tg3' });
    expect(await one('fs-btrfs')).toMatchObject({ status: 'module', module: 'btrfs' });
    const ahci = await one('pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01');
    expect(ahci?.load).toEqual(['scsi_common', 'scsi_mod', 'libata', 'libahci', 'ahci']);
    expect(await one('crypto-crc32c')).toMatchObject({
      status: 'module',
      note: expect.stringContaining('crc32c_intel'),
    });
  });

  test('load is the module’s hard dependencies and itself, for all of a kernel', async () => {
    const tree = await openTree(directories['trixie-amd64']);
    const names = tree.names.filter((_, i) => i % 7 === 0);
    for (const { name, load, soft } of await resolveNames(tree, names)) {
      expect(load).toEqual([...tree.hard(name).toReversed(), name]);
      expect([...load, ...soft].sort()).toEqual([...new Set([...tree.loadOrder(name), ...load])].sort());
    }
  });

  test('has the firmware of modules that are there, and of built-in drivers', async () => {
    const { directory } = await kernelFixture('bookworm-amd64', { modules: 'stand-ins' });
    const { stdout } = await mindi('drivers', 'resolve', 'qla2xxx', '--json', '--modules', directory);
    expect(JSON.parse(stdout)[0].firmware).toContain('ql2400_fw.bin');
  });
});

describe('mindi drivers list', () => {
  test('tells of each set what it is on this kernel', async () => {
    const { directory } = await kernelFixture('trixie-amd64', { modules: 'stand-ins' });
    const { exitCode, stdout } = await mindi('drivers', 'list', 'virtio', 'scsi', '--kernel', directory, '--json');
    const [virtio, scsi] = JSON.parse(stdout);
    expect(exitCode).toBe(0);
    expect(Object.keys(virtio)).toEqual(
      ...[['name', 'description', 'modules', 'essential', 'builtin', 'firmware', 'size']],
    );
    expect(virtio.modules).toContain('virtio_net');
    expect(virtio.essential).not.toContain('virtio_net');
    expect(virtio.size).toBeGreaterThan(0);
    expect(scsi.firmware).toContain('ql2400_fw.bin');
  });

  test('needs only metadata, and lists all sets', async () => {
    const { stdout } = await mindi('drivers', 'list', '--kernel', directories['bookworm-cloud-amd64']);
    for (const name of driverSetNames()) expect(stdout).toMatch(new RegExp(`^${name} +\\d+`, 'm'));
  });

  test('of an unknown set asks whether another was meant', async () => {
    const { exitCode, stderr } = await mindi('drivers', 'list', 'scsii', '--kernel', directories['trixie-amd64']);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('there is no driver set "scsii"\n  hint: Did you mean "scsi"?');
  });
});

describe('bad metadata is refused, with its place', () => {
  const damaged = (name: string, change: (dep: string) => string): string => {
    const directory = join(scratch, name);
    mkdirSync(directory);
    for (const file of ['modules.dep', 'modules.alias'])
      cpSync(join(directories['trixie-amd64'], file), join(directory, file));
    const file = join(directory, 'modules.dep');
    writeFileSync(file, change(readFileSync(file, 'utf8')));
    return directory;
  };
  const resolved = (directory: string) => mindi('drivers', 'resolve', 'sd_mod', '--modules', directory);

  test('truncated', async () => {
    const { exitCode, stderr } = await resolved(damaged('truncated', (dep) => dep.slice(0, dep.length / 2)));
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('truncated/modules.dep')]);
  });

  test('cyclic', async () => {
    const cycle = 'kernel/a.ko: kernel/b.ko\nkernel/b.ko: kernel/a.ko\n';
    const { exitCode, stderr } = await resolved(damaged('cyclic', (dep) => dep + cycle));
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('cyclic/modules.dep')]);
  });

  test('not text', async () => {
    const directory = damaged('bytes', (dep) => dep);
    writeFileSync(join(directory, 'modules.alias'), Buffer.from([0x61, 0x0a, 0xff, 0xfe, 0x0a]));
    const { exitCode, stderr } = await mindi('drivers', 'resolve', 'fs-nosuch', '--modules', directory);
    expect([exitCode, stderr]).toEqual([2, expect.stringMatching(/bytes\/modules\.alias:2/)]);
  });

  test('a module that is none, and one that would fill the memory', async () => {
    const tree = (name: string, content: Buffer): string => {
      const directory = join(scratch, name, '6.1.0-test');
      const file = join(directory, 'kernel/drivers/scsi/bad.ko.xz');
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
      writeFileSync(join(directory, 'modules.dep'), 'kernel/drivers/scsi/bad.ko.xz:\n');
      writeFileSync(join(directory, 'modules.alias'), '');
      return directory;
    };
    const bomb = execFileSync('sh', ['-c', 'head -c 300000000 /dev/zero | xz -0 --check=crc32'], { maxBuffer: 1e6 });
    for (const [content, says] of [
      [Buffer.from('hello'), 'bad.ko.xz'],
      [bomb, /bad\.ko\.xz is more than \d+ bytes when decompressed/],
    ] as const) {
      const directory = tree(`module-${content.length}`, content);
      const { exitCode, stdout, stderr } = await mindi('drivers', 'list', 'scsi', '--kernel', directory);
      expect([exitCode, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(says);
      expect(stderr).not.toMatch(/^\s+at /m);
    }
  });

  test('a directory that is none, and the one above', async () => {
    const { exitCode, stderr } = await mindi('drivers', 'resolve', 'sd_mod', '--modules', join(scratch, 'nowhere'));
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('nowhere')]);
    const above = await mindi('drivers', 'list', '--kernel', join(directories['trixie-amd64'], '..'));
    expect([above.exitCode, above.stderr]).toEqual([
      2,
      expect.stringContaining(`Did you mean ${directories['trixie-amd64']}?`),
    ]);
  });
});
