import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type FirmwareSettings,
  firmwareSettings,
  limitNote,
  missingFirmwareNote,
  packageOf,
  takeFirmware,
} from '../../builder/drivers/firmware.ts';
import { type FirmwareSource, firmwareSources, firmwareSuite } from '../../builder/drivers/firmware-source.ts';
import { microcodePiece } from '../../builder/drivers/microcode.ts';
import type { Firmware } from '../../builder/drivers/resolve.ts';
import { type PlanInputs, plan } from '../../builder/plan.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { FileHashes } from '../../builder/tools/hashes.ts';
import { MindiError } from '../../contract/error.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { makeDeb } from './kernel-images.ts';

const top = temporaryFolder('firmware');
beforeAll(() => {
  process.env.MINDI_CACHE = join(top, 'cache');
});
let count = 0;
let root: string;
beforeEach(() => {
  count += 1;
  root = join(top, `root-${count}`);
  mkdirSync(join(root, 'usr/lib/firmware'), { recursive: true });
  symlinkSync('usr/lib', join(root, 'lib'));
});

/** Below usr/lib/firmware of the machine. */
function put(name: string, content: string | Buffer = name): void {
  const file = join(root, 'usr/lib/firmware', name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}
function link(name: string, target: string): void {
  mkdirSync(dirname(join(root, 'usr/lib/firmware', name)), { recursive: true });
  symlinkSync(target, join(root, 'usr/lib/firmware', name));
}

const SETTINGS: FirmwareSettings = { from: ['host'], include: [], exclude: [], limit: null };
const wants = (...files: string[]): Firmware[] => files.map((file) => ({ file, wantedBy: ['driver'] }));

function take(
  wanted: Firmware[],
  settings: Partial<FirmwareSettings> = {},
  more: { sources?: FirmwareSource[]; essential?: string[] } = {},
) {
  const sources = more.sources ?? [{ root, package: null }];
  const options = { sources, essential: more.essential ?? [], release: '6.1.0-test', hashes: new FileHashes() };
  return takeFirmware({ wanted, settings: { ...SETTINGS, ...settings }, ...options });
}

const paths = ({ entries }: { entries: { path: string }[] }) => entries.map(({ path }) => path).sort();

async function failure(promise: Promise<unknown>): Promise<MindiError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(MindiError);
  return error as MindiError;
}

describe('firmware', () => {
  it('is found plain, compressed, by glob, and where updates are', async () => {
    put('a.bin');
    put('b.bin.zst', zstdCompressSync(Buffer.from('plain b')));
    writeFileSync(join(root, 'c'), 'plain c');
    put('c.bin.xz', execFileSync('xz', ['-c', join(root, 'c')]));
    put('updates/6.1.0-test/d.bin', 'newer');
    put('d.bin', 'older');
    put('wifi-1.ucode');
    put('wifi-2.ucode.zst', zstdCompressSync(Buffer.from('two')));
    const { others, fates } = await take(wants('a.bin', 'b.bin', 'c.bin', 'd.bin', 'wifi-*.ucode', 'none.bin'));
    expect(paths(others)).toEqual([
      '/usr/lib/firmware/a.bin',
      '/usr/lib/firmware/b.bin',
      '/usr/lib/firmware/c.bin',
      '/usr/lib/firmware/updates/6.1.0-test/d.bin',
      '/usr/lib/firmware/wifi-1.ucode',
      '/usr/lib/firmware/wifi-2.ucode',
    ]);
    const bytes = others.entries.map((entry) => {
      const content = entry.type === 'file' ? others.contents.get(entry.sha256) : undefined;
      return content?.from === 'file' ? readFileSync(content.path, 'utf8') : undefined;
    });
    expect(bytes).toEqual(expect.arrayContaining(['plain b', 'plain c', 'newer', 'two']));
    expect(fates.map(({ file, status }) => `${file} ${status}`)).toEqual([
      ...[
        'a.bin present',
        'b.bin present',
        'c.bin present',
        'd.bin present',
        'none.bin missing',
        'wifi-*.ucode present',
      ],
    ]);
    expect(others.entries.find(({ path }) => path.endsWith('a.bin'))).toMatchObject({
      origin: '/usr/lib/firmware/a.bin',
      why: [{ rule: 'drivers.firmware', via: ['driver'], kind: 'firmware' }],
    });
  });

  it('comes with every symbolic link on the way', async () => {
    put('real/v2.bin.zst', zstdCompressSync(Buffer.from('x')));
    link('hop.bin.zst', 'real/current.bin.zst');
    link('real/current.bin.zst', 'v2.bin.zst');
    link('vendor', 'real');
    const { others } = await take(wants('hop.bin', 'vendor/current.bin'));
    expect(paths(others)).toEqual(
      expect.arrayContaining(['/usr/lib/firmware/hop.bin', '/usr/lib/firmware/real/v2.bin']),
    );
    const links = others.entries.flatMap((entry) =>
      entry.type === 'symlink' ? [`${entry.path} -> ${entry.target}`] : [],
    );
    expect(links).toContain('/usr/lib/firmware/hop.bin -> real/current.bin');
    expect(links).toContain('/usr/lib/firmware/real/current.bin -> v2.bin');
    expect(links.join('\n')).not.toContain('.zst');
  });

  it('never leads out of the directory', async () => {
    writeFileSync(join(root, 'secret'), 'x');
    const { fates } = await take(wants('../../../secret', '/etc/passwd'));
    expect(fates.map(({ status }) => status)).toEqual(['missing', 'missing']);
  });

  it('comes from the first source that has it', async () => {
    put('a.bin', 'host');
    const other = join(root, 'package');
    mkdirSync(join(other, 'lib/firmware'), { recursive: true });
    writeFileSync(join(other, 'lib/firmware/a.bin'), 'package');
    writeFileSync(join(other, 'lib/firmware/b.bin'), 'package');
    const sources = [
      { root, package: null },
      { root: other, package: 'firmware-x 1-2' },
    ];
    const { others } = await take(wants('a.bin', 'b.bin'), {}, { sources });
    const origins = others.entries.flatMap((entry) => (entry.type === 'file' ? [[entry.path, entry.origin]] : []));
    expect(origins).toEqual([
      ['/usr/lib/firmware/a.bin', '/usr/lib/firmware/a.bin'],
      ['/usr/lib/firmware/b.bin', 'firmware-x 1-2: /lib/firmware/b.bin'],
    ]);
  });

  it('of drivers of the first stage is in the first stage', async () => {
    put('a.bin');
    put('b.bin');
    const wanted = [
      { file: 'a.bin', wantedBy: ['early'] },
      { file: 'b.bin', wantedBy: ['late'] },
    ];
    const { essential, others } = await take(wanted, {}, { essential: ['early'] });
    expect([paths(essential), paths(others)]).toEqual([['/usr/lib/firmware/a.bin'], ['/usr/lib/firmware/b.bin']]);
  });

  it('may be excluded by name, glob and directory, and included by name', async () => {
    for (const name of ['a.bin', 'big/x.bin', 'wifi-1.bin', 'extra.bin']) put(name);
    const settings = { exclude: ['big/', 'wifi-*'], include: ['extra.bin'] };
    const { others, fates } = await take(wants('a.bin', 'big/x.bin', 'wifi-1.bin'), settings);
    expect(paths(others)).toEqual(['/usr/lib/firmware/a.bin', '/usr/lib/firmware/extra.bin']);
    expect(fates.filter(({ status }) => status === 'excluded').map(({ because }) => because)).toEqual([
      'exclude: big/',
      'exclude: wifi-*',
    ]);
  });

  it('keeps to a limit: first what the first stage needs, then the smallest', async () => {
    put('early.bin', Buffer.alloc(600_000, 1));
    put('small.bin', Buffer.alloc(10_000, 2));
    put('middle.bin', Buffer.alloc(300_000, 3));
    put('large.bin', Buffer.alloc(400_000, 4));
    const wanted = [...wants('small.bin', 'middle.bin', 'large.bin'), { file: 'early.bin', wantedBy: ['early'] }];
    const { essential, others, fates } = await take(wanted, { limit: 1 }, { essential: ['early'] });
    expect(paths(essential)).toEqual(['/usr/lib/firmware/early.bin']);
    expect(paths(others)).toEqual(['/usr/lib/firmware/middle.bin', '/usr/lib/firmware/small.bin']);
    expect(fates.find(({ file }) => file === 'large.bin')).toMatchObject({
      status: 'excluded',
      because: 'limit',
      size: 400_000,
    });
    expect(limitNote(fates)).toBe('drivers.firmware.limit leaves out 1 file; the biggest: large.bin 0.4 MiB');
  });

  it('that is missing is named with its package, and only if one has it', async () => {
    const { fates } = await take(wants('ql2400_fw.bin', 'rtl_nic/rtl8168h-2.fw', 'nobody/has.bin'));
    expect(fates.map((fate) => fate.package)).toEqual([undefined, 'firmware-qlogic', 'firmware-realtek']);
    const note = missingFirmwareNote(fates);
    expect(note).toContain('2 files');
    expect(note).toMatch(/firmware-qlogic, firmware-realtek$/);
    expect(missingFirmwareNote((await take(wants('nobody/has.bin'))).fates)).toBeUndefined();
  });

  it('damaged, or asked for and nowhere, is an error with its place', async () => {
    put(
      'bad.bin.zst',
      Buffer.concat([zstdCompressSync(Buffer.from('x'.repeat(5000))).subarray(0, 12), Buffer.alloc(9)]),
    );
    expect(await failure(take(wants('bad.bin')))).toMatchObject({
      code: 'firmware.damaged',
      where: expect.stringContaining('bad.bin.zst'),
    });
    const error = await failure(take([], { include: ['none.bin', 'ql2400_fw.bin'] }));
    expect(error.problems.map(({ code, hint }) => [code, hint])).toEqual([
      ['firmware.not-found', 'Names are relative to /lib/firmware.'],
      ['firmware.not-found', 'The Debian package firmware-qlogic has it: name it under `from`.'],
    ]);
  });

  it('settings: what is not said is as with auto', () => {
    expect(firmwareSettings('none')).toBeUndefined();
    expect(firmwareSettings('auto')).toEqual(SETTINGS);
    expect(firmwareSettings({ limit: 3 })).toEqual({ ...SETTINGS, limit: 3 });
  });
});

describe('packages', () => {
  it('a .deb is unpacked once, and only its firmware', async () => {
    const tree = join(root, 'tree');
    mkdirSync(join(tree, 'lib/firmware/bnx2x'), { recursive: true });
    mkdirSync(join(tree, 'usr/share/doc'), { recursive: true });
    writeFileSync(join(tree, 'lib/firmware/bnx2x/a.fw'), 'x');
    writeFileSync(join(tree, 'usr/share/doc/readme'), 'x');
    const deb = await makeDeb({ name: 'firmware-t', version: '1-2', tree }, root);
    const [source] = await firmwareSources([deb]);
    expect(source?.package).toBe('firmware-t 1-2');
    expect(execFileSync('find', ['.', '-type', 'f'], { cwd: source?.root, encoding: 'utf8' })).toBe(
      './lib/firmware/bnx2x/a.fw\n',
    );
    expect(await firmwareSources([deb])).toEqual([source]);
  });

  it('that are none are refused, all at once', async () => {
    writeFileSync(join(root, 'x.deb'), 'no package');
    const error = await failure(
      firmwareSources(['Not A Name', join(root, 'none.deb'), join(root, 'x.deb')], { where: (i) => `p.yaml:${i}:1` }),
    );
    expect(error.problems.map(({ code }) => code)).toEqual([
      ...['firmware.package-unknown', 'firmware.package-missing', 'firmware.package-unfit'],
    ]);
    expect([error.exitCode, error.problems[0]?.where]).toEqual([2, 'p.yaml:0:1']);
  });

  it('are those of the machine’s Debian', () => {
    expect(firmwareSuite('ID=debian\nVERSION_ID="12"\n')).toBe('bookworm');
    expect(firmwareSuite('ID=debian\nVERSION_ID="13"\n')).toBe('trixie');
    expect(firmwareSuite('ID=debian\n')).toBe('trixie');
    expect(firmwareSuite('ID=fedora\nVERSION_ID=43\n')).toBe('bookworm');
    expect(packageOf('e100/d101m_ucode.bin', 'bookworm')).toBe('firmware-misc-nonfree');
    expect(packageOf('e100/d101m_ucode.bin', 'trixie')).toBe('firmware-intel-misc');
    expect(packageOf('iwlwifi-*.ucode')).toBe('firmware-iwlwifi');
  });
});

describe('microcode', () => {
  const sources = () => [{ root, package: null }];
  const CPU = 'vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\nmodel name\t: X\nstepping\t: 7\n';
  const text = (piece: ReturnType<typeof microcodePiece>) =>
    [...piece.contents.values()].map((content) =>
      content.from === 'bytes' ? Buffer.from(content.bytes).toString() : '',
    );

  it('of all processors is joined, a file for each vendor', () => {
    for (const name of ['06-55-07', '06-4f-01.initramfs', 'README']) put(`intel-ucode/${name}`, `${name};`);
    put('amd-ucode/microcode_amd_fam17h.bin', 'amd');
    put('amd-ucode/microcode_amd_fam17h.bin.asc', 'signature');
    const piece = microcodePiece('all', sources());
    expect(paths(piece)).toEqual(['/kernel/x86/microcode/AuthenticAMD.bin', '/kernel/x86/microcode/GenuineIntel.bin']);
    expect(text(piece)).toEqual(['06-4f-01.initramfs;06-55-07;', 'amd']);
  });

  it('of this machine is its processor’s', () => {
    for (const name of ['06-55-07', '06-55-06']) put(`intel-ucode/${name}`);
    expect(text(microcodePiece('this-machine', sources(), undefined, () => CPU))).toEqual(['intel-ucode/06-55-07']);
    put('amd-ucode/microcode_amd_fam19h.bin', 'zen');
    const zen = CPU.replace('GenuineIntel', 'AuthenticAMD').replace(': 6', ': 25');
    expect(text(microcodePiece('this-machine', sources(), undefined, () => zen))).toEqual(['zen']);
  });

  it('that is not there is an error with the package; none is nothing', () => {
    expect(microcodePiece('none', sources()).entries).toEqual([]);
    expect(() => microcodePiece('all', sources(), 'p.yaml:3:4')).toThrow(
      expect.objectContaining({
        code: 'microcode.missing',
        where: 'p.yaml:3:4',
        hint: expect.stringContaining('intel-microcode'),
      }),
    );
  });

  it('is the first segment of the initrd, and stored', async () => {
    put('intel-ucode/06-55-07');
    const nothing = { entries: [], contents: new Map() };
    const profile = await loadProfile('minimal');
    const kernel = {
      release: '6',
      banner: '',
      image: '',
      imageSha256: '',
      imageSize: 0,
      modulesDir: '',
      hasDep: true,
      origin: '',
    };
    const pieces = {
      base: nothing,
      restore: nothing,
      runtime: nothing,
      tools: nothing,
      essentialModules: nothing,
      modules: nothing,
    };
    const inputs: PlanInputs = {
      profile,
      generator: '',
      epoch: 0,
      kernel,
      essential: [],
      mountlist: null,
      record: null,
      authorizedKeys: nothing,
      microcode: nothing,
      network: null,
      ...pieces,
    };
    const without = plan(inputs).manifest.segments.map(({ name }) => name);
    const [first, ...rest] = plan({ ...inputs, microcode: microcodePiece('all', sources()) }).manifest.segments;
    expect(first).toMatchObject({ name: 'microcode', format: 'cpio', level: null });
    expect(first?.entries.map(({ path }) => path)).toEqual([
      ...['/kernel', '/kernel/x86', '/kernel/x86/microcode', '/kernel/x86/microcode/GenuineIntel.bin'],
    ]);
    expect(rest.map(({ name }) => name)).toEqual(without);
  });
});

it('a profile names what it wants in one place', async () => {
  const file = join(root, 'p.yaml');
  writeFileSync(
    file,
    'name: p\ndrivers:\n  firmware: { from: [host, ./x.deb], limit: 5 }\n  hardware: [..., web1.json]\n',
  );
  const { drivers } = await loadProfile(file);
  expect(drivers.firmware).toEqual({ from: ['host', join(root, 'x.deb')], limit: 5 });
  expect(drivers.hardware).toEqual([join(root, 'web1.json')]);
  writeFileSync(file, 'name: p\ndrivers:\n  firmware: { form: [host] }\n  scope: everything\n');
  const error = await failure(loadProfile(file));
  expect(error.problems.map(({ hint }) => hint)).toEqual([
    'Did you mean "from"?',
    expect.stringContaining('this-machine'),
  ]);
});
