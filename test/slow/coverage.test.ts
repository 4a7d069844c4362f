import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import fc from 'fast-check';
import fs from 'fs-extra';
import { beforeAll, describe, expect, test } from 'vitest';
import { groupOf } from '../../builder/coverage/classes.ts';
import { imageCoverage, profileCoverage } from '../../builder/coverage/coverage.ts';
import { derivedMetadata, parseConfig } from '../../builder/coverage/derived.ts';
import { COVERAGE, readCoverage } from '../../builder/coverage/file.ts';
import { kernelMetadata } from '../../builder/coverage/kernels.ts';
import type { Kernel } from '../../builder/coverage/schema.ts';
import type { Coverage } from '../../builder/coverage/types.ts';
import { recordedModules } from '../../builder/drivers/recorded.ts';
import { openKernelTree } from '../../builder/drivers/tree.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { MindiError } from '../../contract/error.ts';
import { bytesOf, cellOf, recordedSizes, threeKernels } from '../coverage-fixture.ts';
import { kernelFixture } from '../kernel-fixture.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { BOOKWORM, makeImage, makeModules, PACKAGERS } from '../unit/kernel-images.ts';

const top = temporaryFolder('coverage');
beforeAll(() => {
  process.env.MINDI_CACHE = join(top, 'cache');
});

let count = 0;
/** Writes a file and returns its path. */
async function file(text: string, name = 'kernels.yaml'): Promise<string> {
  count += 1;
  const path = join(top, String(count), name);
  await fs.outputFile(path, text);
  return path;
}

async function profile(text: string) {
  return await loadProfile(await file(text, 'profile.yaml'));
}

async function problems(read: Promise<unknown>): Promise<string> {
  try {
    await read;
  } catch (error) {
    if (error instanceof MindiError) return error.format();
    throw error;
  }
  throw new Error('there was no error');
}

const MODALIASES = [
  'acpi:XXXX0000:',
  'platform:pcspkr',
  'pci:v00001AF4d00001042sv00001AF4sd00001100bc01sc00i00',
  'pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01',
  'pci:v0000104Cd00008024sv00000000sd00000000bc0Csc00i10',
  'pci:v0000FFFFd00009999sv00000000sd00000000bc02sc00i00',
  'pci:v0000FFFFd00009999sv00000000sd00000000bc06sc00i00',
  'serio:ty06pr00id00ex00',
  'pci:v0000FFFFd00009998sv00000000sd00000000bc07sc00i00',
];

let standalone: Coverage;
let minimal: Coverage;
beforeAll(async () => {
  const exceptions = `exceptions:
  - { kernels: [cloud], modules: [hpsa, nvme], reason: clouds have no HP servers }
  - { kernels: [trixie], modules: [hpsa], reason: it has it }
`;
  const kernels = await file(threeKernels(exceptions));
  const devices = [
    { modalias: MODALIASES[3], name: 'Intel\u001b[2J ICH9 AHCI' },
    { modalias: 7, name: null },
  ];
  const machine = await file(JSON.stringify({ modaliases: MODALIASES, devices }), 'web1.json');
  const hardware = ['server-dell-r740', 'laptop-thinkpad-t14'].map((name) => `test/fixtures/hardware/${name}.json`);
  standalone = await profileCoverage(await loadProfile('standalone'), { kernels, hardware });
  minimal = await profileCoverage(await loadProfile('minimal'), {
    kernels,
    hardware: [machine],
    only: ['cloud', 'trixie'],
  });
}, 60_000);

describe('the matrix of the required hardware on three kernels', () => {
  test('each cell says module, built in, no driver or excepted', () => {
    expect(cellOf(standalone, 'megaraid_sas', 'bookworm')).toMatchObject({ status: 'module', module: 'megaraid_sas' });
    expect(cellOf(standalone, 'nvme', 'cloud')).toMatchObject({ status: 'builtin', module: 'nvme', fails: false });
    expect(cellOf(standalone, 'virtio_pci', 'trixie')).toMatchObject({ status: 'builtin' });
    expect(cellOf(standalone, 'ahci', 'cloud')).toMatchObject({
      status: 'absent',
      module: null,
      why: 'this kernel has no driver for it',
      fails: false,
    });
    expect(cellOf(standalone, 'hpsa', 'cloud')).toMatchObject({ status: 'excepted', why: 'clouds have no HP servers' });
  });

  test('what only informs does not fail', () => {
    expect(standalone.covered).toBe(true);
    expect(standalone.kernels.map(({ name, fails }) => [name, fails])).toEqual([
      ['bookworm', false],
      ['cloud', false],
      ['trixie', false],
    ]);
  });

  test('an exception for a driver that is there is told', () => {
    expect(standalone.needless).toEqual([
      { kernel: 'cloud', module: 'nvme', reason: 'clouds have no HP servers' },
      { kernel: 'trixie', module: 'hpsa', reason: 'it has it' },
    ]);
  });

  test('an exception does not excuse a driver that the profile leaves out', () => {
    expect(cellOf(minimal, 'hpsa', 'trixie')).toMatchObject({ status: 'not-on-media', fails: true });
    expect(minimal.needless).toEqual(standalone.needless);
  });

  test('a driver that the kernel has and the media have not comes with the set that brings it', () => {
    expect(minimal.covered).toBe(false);
    expect(cellOf(minimal, 'hpsa', 'trixie')).toEqual({
      status: 'not-on-media',
      module: 'hpsa',
      why: 'no chosen set brings it',
      bring: ['drivers: { sets: [..., scsi] }'],
      firmware: null,
      fails: true,
    });
  });

  test('a driver that an exclude takes away says which line', async () => {
    const excluding = await profile('name: x\ndrivers:\n  exclude: [hpsa]\n');
    const found = await profileCoverage(excluding, { kernels: await file(threeKernels()), only: ['trixie'] });
    const { why, bring } = cellOf(found, 'hpsa', 'trixie');
    expect(why).toMatch(/drivers\.exclude takes it away: hpsa at .*profile\.yaml:3:13/);
    expect(bring).toEqual(['take that line out']);
    expect(found.kernels.map(({ name }) => name)).toEqual(['trixie']);
  });

  test('firmware the driver names and this machine has or has not', () => {
    const { firmware } = cellOf(standalone, 'qla2xxx', 'bookworm');
    expect([...(firmware?.present ?? []), ...(firmware?.missing ?? [])].sort()).toContain('ql2500_fw.bin');
    expect(cellOf(standalone, 'hpsa', 'bookworm').firmware).toBeNull();
  });

  test('sizes by directory and by set are the same bytes, those of the modules chosen', async () => {
    for (const kernel of ['bookworm', 'cloud', 'trixie']) {
      const bytes = bytesOf(standalone, kernel, 'byDirectory');
      expect(bytesOf(standalone, kernel, 'bySet')).toBe(bytes);
    }
    const { directory } = await kernelFixture('bookworm-amd64');
    const whole = [...recordedSizes(join(directory, 'modinfo.tsv')).values()].reduce((sum, size) => sum + size, 0);
    expect(bytesOf(standalone, 'bookworm', 'byDirectory')).toBeGreaterThan(bytesOf(standalone, 'cloud', 'byDirectory'));
    const modules = standalone.kernels[0]?.sizes?.byDirectory.filter(({ kind }) => kind === 'modules') ?? [];
    expect(modules.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(whole);
    expect(modules.find(({ name }) => name === 'drivers/scsi/lpfc')).toMatchObject({ files: 1 });
    expect(standalone.kernels[0]?.sizes?.bySet.map(({ name }) => name)).toContain('net');
  });
});

describe('machines', () => {
  const cell = (index: number, kernel: string) => cellOf(minimal, `web1.json: ${MODALIASES[index]}`, kernel);

  test('noise is left out, and counted', () => {
    expect(minimal.rows.map(({ device }) => device)).not.toContain(MODALIASES[0]);
    expect(minimal.rows.map(({ device }) => device)).not.toContain(MODALIASES[6]);
    expect(minimal.needNone).toBe(3);
  });

  test('the standalone profile drives a server and a laptop, though not with a kernel for clouds', () => {
    const states = (kernel: string) =>
      standalone.rows
        .filter(({ machine, required }) => machine !== null && required)
        .map(({ id }) => cellOf(standalone, id, kernel));
    for (const kernel of ['bookworm', 'trixie']) {
      expect(states(kernel).length).toBeGreaterThan(15);
      for (const { status } of states(kernel)) expect(['module', 'builtin']).toContain(status);
    }
    expect(states('cloud').filter(({ status }) => status === 'absent').length).toBeGreaterThan(5);
    const perc = standalone.rows.find(({ title }) => title.includes('MegaRAID Tri-Mode SAS3508'));
    expect(perc?.machine).toBe('PowerEdge R740 (server-dell-r740.json)');
    expect(perc?.cells.trixie).toMatchObject({ status: 'module', module: 'megaraid_sas' });
  });

  test('devices have the names of the file, without what would move a terminal', () => {
    expect(minimal.rows.map(({ title }) => title)).toContain('Intel [2J ICH9 AHCI');
  });

  test('a built-in driver answers though the kernel does not say what it answers', () => {
    expect(cell(2, 'trixie')).toMatchObject({ status: 'builtin', module: 'virtio_pci' });
    expect(cell(2, 'cloud')).toMatchObject({ status: 'module', module: 'virtio_pci' });
    expect(cell(7, 'cloud')).toMatchObject({ status: 'builtin', module: 'atkbd' });
  });

  test('needed devices without driver fail, others inform', () => {
    expect(cell(3, 'trixie')).toMatchObject({ status: 'module', module: 'ahci' });
    expect(cell(3, 'cloud')).toMatchObject({ status: 'absent', fails: false });
    expect(cell(5, 'trixie')).toMatchObject({ status: 'absent', fails: true });
    expect(cell(4, 'trixie')).toMatchObject({ status: 'not-on-media', fails: false });
    expect(cell(8, 'trixie')).toMatchObject({ status: 'absent', fails: false });
    expect(minimal.covered).toBe(false);
  });

  test.each([
    ['pci:v00001000d0000005Dsv00001028sd00001F47bc01sc04i00', 'storage'],
    ['pci:v00001077d00002532sv00001077sd0000015Dbc0Csc04i00', 'storage'],
    ['pci:v00008086d000010D3sv00008086sd00000000bc02sc00i00', 'network'],
    ['pci:v00008086d00002723sv00008086sd00000084bc02sc80i00', 'other'],
    ['pci:v00001B36d0000000Dsv00001AF4sd00001100bc0Csc03i30', 'usb'],
    ['usb:v046DpC31Cd6402dc00dsc00dp00ic03isc01ip01in00', 'input'],
    ['usb:v0781p5567d0100dc00dsc00dp00ic08isc06ip50in00', 'storage'],
    ['virtio:d00000001v00001AF4', 'network'],
    ['scsi:t-0x01', 'storage'],
    ['acpi:PNP0303:', 'other'],
  ])('%s is %s', (modalias, group) => expect(groupOf(modalias)).toBe(group));
});

describe('kernels of which only the configuration is known', () => {
  const config = '# release: 9.9-test\nCONFIG_SATA_AHCI=y\nCONFIG_BLK_DEV_NVME=m\n# CONFIG_SCSI_HPSA is not set\n';

  test('=m is a module where the sets take it, =y is built in, the rest is absent', async () => {
    const kernels = await file(`kernels: [{ name: other, config: ${await file(config, 'config-9.9')} }]\n`);
    const including = await profile('name: x\nextends: minimal\ndrivers: { include: [ext4] }\n');
    const found = await profileCoverage(including, { kernels });
    expect(found.kernels[0]).toMatchObject({ derived: true, release: '9.9-test', sizes: null, problem: null });
    expect(cellOf(found, 'ahci', 'other').status).toBe('builtin');
    expect(cellOf(found, 'nvme', 'other').status).toBe('module');
    expect(cellOf(found, 'hpsa', 'other').status).toBe('absent');
  });

  test('every configuration of the project answers, and says where it is from', async () => {
    const { kernels, hardware } = await readCoverage();
    const derived = kernels.filter(({ config: path }) => path !== undefined);
    expect(derived.length).toBeGreaterThanOrEqual(6);
    for (const [i, metadata] of (await kernelMetadata(derived, hardware)).entries()) {
      const text = await fs.readFile(derived[i]?.config ?? '', 'utf8');
      expect(text).toMatch(/^# source: https:\/\//m);
      expect(metadata).toMatchObject({ release: expect.stringMatching(/^\d/) });
      const said = [
        ...parseConfig(text).keys(),
        ...[...text.matchAll(/^# CONFIG_(\w+) is not/gm)].map(([, name]) => name),
      ];
      expect(said.sort()).toEqual(hardware.map(({ option }) => option).sort());
    }
  });

  test('any text gives metadata that can be read, or none', () => {
    const hardware = [
      { module: 'ahci', title: 'AHCI', group: 'storage' as const, option: 'SATA_AHCI', path: 'drivers/ata/' },
    ];
    fc.assert(
      fc.property(fc.string(), fc.constantFrom('y', 'm', 'n', '"m"'), (noise, value) => {
        const files = derivedMetadata(parseConfig(`${noise}\nCONFIG_SATA_AHCI=${value}\n`), hardware);
        expect(files['modules.dep']).toBe(value === 'm' ? 'kernel/drivers/ata/ahci.ko:\n' : '');
        expect(files['modules.builtin']).toBe(value === 'y' ? 'kernel/drivers/ata/ahci.ko\n' : '');
      }),
    );
  });
});

describe('kernels of packages', () => {
  const hardware = 'hardware: [{ module: crct10dif_generic, title: CRC, group: storage }]\n';

  test.each(Object.keys(PACKAGERS))('a .%s gives its metadata, which stay when it is gone', async (form) => {
    const tree = join(top, 'tree');
    await makeImage(join(tree, 'boot', `vmlinuz-${BOOKWORM.release}`), BOOKWORM);
    await makeModules(join(tree, 'lib', 'modules', BOOKWORM.release));
    const into = await fs.mkdtemp(join(top, 'package-'));
    const made = (await PACKAGERS[form]?.({ name: 'linux-test', version: '6.1', tree }, into)) ?? '';
    const kernels = await file(`kernels: [{ name: theirs, package: ${made} }]\n${hardware}`);
    const all = await profile('name: x\ndrivers: { include: [crct10dif_generic] }\n');
    const found = await profileCoverage(all, { kernels });
    expect(cellOf(found, 'crct10dif_generic', 'theirs')).toMatchObject({ status: 'module' });
    expect(found.kernels[0]).toMatchObject({
      release: BOOKWORM.release,
      origin: expect.stringContaining('linux-test'),
    });
    expect(await fs.readdir(join(process.env.MINDI_CACHE ?? '', 'kernels')).catch(() => [])).toEqual([]);

    const [metadata] = await kernelMetadata([{ name: 'theirs', package: [made] } as Kernel], []);
    if (!metadata || metadata instanceof MindiError) throw new Error('no metadata');
    expect(await fs.pathExists(join(metadata.modulesDir, 'kernel'))).toBe(false);
    const recorded = recordedModules(await openKernelTree(metadata.modulesDir)).get('crct10dif_generic');
    expect(recorded?.imports).toContain('crypto_register_shash');
    expect(recorded?.size).toBeGreaterThan(1000);
  });

  test('what is no kernel is a kernel that cannot be had; how that counts is said in its row', async () => {
    const junk = await file('not a package', 'junk.rpm');
    const rows = [
      `{ name: gone, package: ./gone.rpm }`,
      `{ name: junk, package: ${junk}, unavailable: inform }`,
      `{ name: nowhere, modules: ./nowhere }`,
      `{ name: text, modules: ${await file('hello', 'x.tar')} }`,
      `{ name: empty, config: ${await file('hello', 'config')} }`,
    ];
    const kernels = await file(`kernels:\n${rows.map((row) => `  - ${row}\n`).join('')}${hardware}`);
    const found = await profileCoverage(await loadProfile('minimal'), { kernels });
    expect(found.kernels.map(({ name, fails }) => [name, fails])).toEqual([
      ['gone', true],
      ['junk', false],
      ['nowhere', true],
      ['text', true],
      ['empty', true],
    ]);
    expect(found.kernels.map(({ problem }) => problem).join('\n')).toMatch(
      /gone\.rpm.*\n.*junk.*\n.*no such modules directory/,
    );
    expect(cellOf(found, 'crct10dif_generic', 'gone')).toMatchObject({ status: 'unavailable', fails: false });
    expect(found.covered).toBe(false);
  });

  test('an archive may hold the files themselves, or several kernels, which is too many', async () => {
    const { directory } = await kernelFixture('bookworm-cloud-amd64');
    const flat = join(top, 'flat.tar');
    execFileSync('tar', ['-cf', flat, '-C', directory, 'modules.dep', 'modules.alias', 'modules.builtin']);
    const two = join(top, 'two.tar');
    await fs.outputFile(join(top, 'two/one/modules.dep'), '');
    await fs.outputFile(join(top, 'two/other/modules.dep'), '');
    execFileSync('tar', ['-cf', two, '-C', top, 'two']);
    const [one, several] = await kernelMetadata(
      [
        { name: 'flat', modules: flat },
        { name: 'two', modules: two },
      ],
      [],
    );
    expect(one).toMatchObject({ release: 'flat', origin: 'flat.tar' });
    expect(several).toMatchObject({ message: 'this archive holds several kernels' });
  });

  test('a profile that cannot be built on a kernel is told as such', async () => {
    const including = await profile('name: x\ndrivers: { include: [drivers/net/ethernet/broadcom/bnx2x/] }\n');
    const found = await profileCoverage(including, { kernels: await file(threeKernels()), only: ['cloud'] });
    expect(found.kernels[0]).toMatchObject({ name: 'cloud', fails: true, release: '6.1.0-50-cloud-amd64' });
    expect(found.kernels[0]?.problem).toMatch(/bnx2x\/" finds no module in this kernel/);
  });
});

describe('the coverage file', () => {
  test('the project’s own is right: all kernels are in it, and every device answers on a real kernel', async () => {
    const { kernels, hardware } = await readCoverage(COVERAGE);
    expect(kernels.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'bullseye',
        'bookworm',
        'bookworm-cloud',
        'bookworm-i386',
        'bookworm-arm64',
        'trixie',
        'sid',
      ]),
    );
    const tree = await openKernelTree((await kernelFixture('bookworm-amd64')).directory);
    for (const { module, device, path, option } of hardware) {
      if (device) expect(tree.matchAlias(device), module).toContain(module);
      expect(tree.has(module), module).toBe(true);
      expect(path, module).toMatch(/^drivers\/.*\/$/);
      expect(option, module).toMatch(/^[A-Z0-9_]+$/);
    }
  });

  test('every mistake is told at its place, with the word that was meant', async () => {
    const wrong = `kernels:
  - { name: one, modulse: /x }
  - { name: two, modules: /x, uncovered: maybe }
hardware:
  - { module: ahci, title: AHCI, group: storag }
`;
    const text = await problems(readCoverage(await file(wrong)));
    expect(text).toContain('3 problems');
    expect(text).toMatch(/:2:18: unknown key "modulse" in kernels\[0\]\n {2}hint: Did you mean "modules"\?/);
    expect(text).toMatch(/:3:42: kernels\[1\]\.uncovered cannot be "maybe"/);
    expect(text).toMatch(/:5:\d+: hardware\[0\]\.group cannot be "storag"\n {2}hint: Did you mean "storage"\?/);
  });

  test('what the schema cannot see', async () => {
    const wrong = `kernels:
  - { name: one, modules: /x, package: linux-image-amd64 }
  - { name: one, suite: sid, modules: /x }
  - { name: three }
  - { name: four, package: "Linux Image" }
  - { name: five, package: linux-image-arm64, architecture: arm64 }
hardware:
  - { module: ahci, title: AHCI, group: storage }
  - { module: ahci, title: AHCI, group: storage }
exceptions:
  - { kernels: [thre], modules: [ahc], reason: x }
`;
    const text = await problems(readCoverage(await file(wrong)));
    for (const part of [
      /:2:\d+: the kernel one: package and modules both say where it comes from/,
      /:3:\d+: the kernel one is here twice/,
      /:3:\d+: suite is the release of a Debian package, not "sid"/,
      /:4:\d+: the kernel three: nothing says where it comes from/,
      /:5:\d+: "Linux Image" is neither a Debian package nor a package file/,
      /:6:\d+: this machine’s own sources may not have arm64/,
      /:9:\d+: the driver ahci is here twice/,
      /:11:\d+: no kernel of this file is called "thre"\n {2}hint: Did you mean "three"\?/,
      /:11:\d+: no driver of this file is called "ahc"\n {2}hint: Did you mean "ahci"\?/,
    ]) {
      expect(text).toMatch(part);
    }
  });

  test.each([
    [{ kernels: 'none.yaml' }, /none\.yaml: there is no such coverage file/],
    [{ only: ['trixi'] }, /there is no kernel "trixi"[\s\S]*Did you mean "trixie"/],
    [
      { hardware: [COVERAGE, 'none.json'] },
      /coverage\.yaml: this is no JSON[\s\S]*none\.json: this hardware file cannot be read/,
    ],
  ])('%j are told before any kernel is looked at', async (options, message) => {
    expect(await problems(profileCoverage(await loadProfile('minimal'), options))).toMatch(message);
  });

  test('an image that is none', async () => {
    expect(await problems(imageCoverage(COVERAGE))).toMatch(/this is neither an ISO, nor .* nor a squashfs/);
  });

  test.each([
    ['', /empty/],
    ['kernels: []\n', /kernels.*must not be empty/],
    ['- a\n', /made of `key: value` lines/],
    ['kernels: 3\n', /kernels must be a list/],
  ])('%j is refused', async (text, message) => {
    expect(await problems(readCoverage(await file(text)))).toMatch(message);
  });
});
