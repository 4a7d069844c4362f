import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { execa } from 'execa';
import { openTree, storedPath, trimMetadata } from 'node-kmod-deps';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Coverage } from '../../builder/coverage/types.ts';
import { cellOf } from '../coverage-fixture.ts';
import { kernelFixture } from '../kernel-fixture.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const MINDI = resolve('bin/mindi');
const scratch = temporaryFolder('coverage-cli');

async function mindi(...args: string[]) {
  const { exitCode, stdout, stderr } = await execa(MINDI, ['coverage', ...args], {
    cwd: scratch,
    reject: false,
    stdin: 'ignore',
    timeout: 20_000,
    env: { MINDI_LOG: join(scratch, 'mindi.log'), MINDI_CACHE: join(scratch, 'cache'), NO_COLOR: '1' },
  });
  return { exitCode, stdout, stderr };
}

function file(name: string, text: string): string {
  writeFileSync(join(scratch, name), text);
  return name;
}

const AHCI = 'pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01';
const QLOGIC = 'pci:v00001077d00002532sv00001077sd0000015Dbc0Csc04i00';

beforeAll(() => {
  file('config', '# release: 9.9-test\nCONFIG_SATA_AHCI=y\nCONFIG_BLK_DEV_NVME=m\n');
  const hardware = (module: string, option: string) =>
    `hardware: [{ module: ${module}, title: A device, group: storage, option: ${option}, path: drivers/nvme/host/ }]\n`;
  file('good.yaml', `kernels: [{ name: other, config: ./config }]\n${hardware('nvme', 'BLK_DEV_NVME')}`);
  file('bad.yaml', `kernels: [{ name: other, config: ./config }]\n${hardware('hpsa', 'SCSI_HPSA')}`);
});

describe('mindi coverage PROFILE', () => {
  test('0 when everything required has a driver, as text', async () => {
    const { exitCode, stdout, stderr } = await mindi('minimal', '--kernels', 'good.yaml');
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^minimal: covered, every required device has a driver\n\n/);
    expect(stdout).toContain('other   9.9-test*      1/1       1         0         0');
  });

  test('1 when something has none, as JSON', async () => {
    const { exitCode, stdout } = await mindi('minimal', '--kernels', 'bad.yaml', '--json');
    const found = JSON.parse(stdout) as Coverage;
    expect([exitCode, found.covered, found.format]).toEqual([1, false, 1]);
    expect(cellOf(found, 'hpsa', 'other')).toMatchObject({ status: 'absent', fails: true });
  });

  test.each([
    [['minimal', '--format', 'pdf'], /argument 'pdf' is invalid/],
    [[], /coverage needs a profile or --image/],
    [['minimal', '--image', 'x.iso'], /an image has its own drivers and kernel/],
  ])('2 for %j', async (args, message) => {
    const { exitCode, stdout, stderr } = await mindi(...args);
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
  });

  test('2 for a profile with a mistake, before any kernel is looked at', async () => {
    file('wrong.yaml', 'name: x\ndrivers:\n  sets: [scssi]\n');
    const { exitCode, stderr } = await mindi('wrong.yaml', '--kernels', 'good.yaml');
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/wrong\.yaml:3:10: there is no driver set "scssi"[\s\S]*Did you mean "scsi"/);
  });
});

describe('mindi coverage --image', () => {
  beforeAll(async () => {
    const { release, directory } = await kernelFixture('bookworm-amd64', { modules: 'stand-ins' });
    const tree = await openTree(directory);
    const root = join(scratch, 'root');
    const modules = join(root, 'lib/modules', release);
    const names = ['ahci', 'qla2xxx', 'sd_mod', 'tg3'];
    const needed = new Set(names.flatMap((name) => [name, ...tree.hard(name)]));
    for (const [name, content] of trimMetadata(tree, names)) place(join(modules, name), content);
    // Somebody lost libata: ahci cannot work.
    for (const name of needed) {
      if (name !== 'libata')
        place(join(modules, storedPath(tree.path(name) ?? '')), readFileSync(tree.file(name) ?? ''));
    }
    place(join(root, 'lib/firmware/ql2500_fw.bin.xz'), 'firmware');
    execFileSync('mksquashfs', [root, join(scratch, 'medium.squashfs'), '-quiet', '-no-progress', '-all-root']);
    file(
      'web1.json',
      JSON.stringify({ modaliases: [AHCI, QLOGIC, 'scsi:t-0x00', 'serio:ty06pr00id00ex00', 'acpi:X:'] }),
    );
    file('web2.json', JSON.stringify({ modaliases: ['scsi:t-0x00'] }));
  });

  test('says what the finished image really drives, and whose firmware is in it', async () => {
    const { exitCode, stdout } = await mindi(
      '--image',
      'medium.squashfs',
      '--hardware',
      'web1.json',
      '--format',
      'json',
    );
    const found = JSON.parse(stdout) as Coverage;
    expect(exitCode).toBe(1);
    expect(found.kernels[0]).toMatchObject({ name: 'image', release: '6.1.0-50-amd64' });
    expect(cellOf(found, `web1.json: ${AHCI}`, 'image')).toMatchObject({
      status: 'not-on-media',
      module: 'ahci',
      why: expect.stringContaining('libata'),
    });
    const qlogic = cellOf(found, `web1.json: ${QLOGIC}`, 'image');
    expect(qlogic).toMatchObject({ status: 'module', module: 'qla2xxx' });
    expect(qlogic.firmware?.present).toEqual(['ql2500_fw.bin']);
    expect(qlogic.firmware?.missing).toContain('ql2400_fw.bin');
    expect(cellOf(found, 'web1.json: serio:ty06pr00id00ex00', 'image')).toMatchObject({ status: 'builtin' });
    expect(found.needNone).toBe(1);
    const bytes = found.kernels[0]?.sizes?.byDirectory.reduce((sum, item) => sum + item.bytes, 0);
    expect(bytes).toBeGreaterThan(0);
  });

  test('0 for a machine it drives; 1 for all the required hardware', async () => {
    const machine = await mindi('--image', 'medium.squashfs', '--hardware', 'web2.json');
    expect([machine.exitCode, machine.stdout]).toEqual([0, expect.stringMatching(/^medium\.squashfs: covered/)]);
    const all = await mindi('--image', 'medium.squashfs');
    expect([all.exitCode, all.stdout]).toEqual([1, expect.stringContaining('nothing in it drives this device')]);
  });

  test('2 for an image without modules', async () => {
    mkdirSync(join(scratch, 'nothing'));
    execFileSync('mksquashfs', [join(scratch, 'nothing'), join(scratch, 'empty.squashfs'), '-quiet', '-no-progress']);
    const { exitCode, stderr } = await mindi('--image', 'empty.squashfs');
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('this image holds no kernel modules')]);
  });
});

function place(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
