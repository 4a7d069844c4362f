import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { type Hardware, parseHardware } from '../../builder/drivers/hardware-file.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const PROBE = resolve('scripts/probe');
const folder = temporaryFolder('probe');

/** Shell and utilities people have: what their PATH holds. */
const SYSTEMS = ['dash with mawk', 'bash with gawk', 'busybox'] as const;
const UTILITIES = ['find', 'sed', 'sort', 'uname', 'dirname', 'tail', 'mv', 'rm', 'cat'];
const shellOf = (system: string) => join(folder, system, 'sh');

beforeAll(() => {
  const which = (name: string) => execFileSync('which', [name], { encoding: 'utf8' }).trim();
  for (const [system, shell, awk] of [
    ['dash with mawk', 'dash', 'mawk'],
    ['bash with gawk', 'bash', 'gawk'],
    ['busybox', 'busybox', 'busybox'],
  ] as const) {
    mkdirSync(join(folder, system));
    for (const name of UTILITIES) symlinkSync(which(shell === 'busybox' ? shell : name), join(folder, system, name));
    symlinkSync(which(awk), join(folder, system, 'awk'));
    symlinkSync(which(shell), shellOf(system));
  }
});

interface Call {
  root?: string;
  args?: string[];
  input?: string;
  cwd?: string;
  shell?: string[];
}

function probe(system: string, { root = '', args = [], input, cwd = folder, shell = [PROBE] }: Call) {
  const env = { PATH: join(folder, system), PROBE_ROOT: root, LANG: 'C.UTF-8' };
  const { status, stdout, stderr } = spawnSync(shellOf(system), [...shell, ...args], { env, cwd, input });
  return { status, stdout, stderr: stderr.toString() };
}

/** Valid UTF-8, valid JSON and of the format, or this throws. */
function read(stdout: Buffer): Hardware {
  return parseHardware(new TextDecoder('utf-8', { fatal: true }).decode(stdout), 'probe') as Hardware;
}

/** A machine below a directory: what its files in /sys/devices and elsewhere hold. */
function machine(name: string, devices: Record<string, string | Buffer>, others: Record<string, string> = {}): string {
  const root = join(folder, name);
  const files = Object.entries(devices).map(([path, content]) => [join('sys/devices', path), content] as const);
  for (const [path, content] of [...files, ...Object.entries(others)]) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}

const AHCI = 'pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01';
const STICK = 'usb:v0781p5583d0100dc00dsc00dp00ic08isc06ip50in00';
const NET = 'vmbus:635161f83edfc546913ff2d2f965ed0e';
const SECRET = 'S3cr3t';
/** No UTF-8: what never occurs, a NUL in two bytes, half of a surrogate pair. */
const NO_TEXT = Buffer.from([0xff, 0xc0, 0x80, 0xed, 0xa0, 0x80]);
const pci = 'pci0000:00/0000:00:1f.2';
const usb = 'pci0000:00/0000:00:14.0/usb1/1-2';
const vmbus = 'LNXSYSTM:00/VMBUS:00/000d3a6c-a5b4-000d-3a6c-a5b4000d3a6c';

const DEVICES: Record<string, string | Buffer> = {
  [`${pci}/uevent`]: `DRIVER=ahci\nPCI_ID=8086:2922\nMODALIAS=${AHCI}\n`,
  [`${pci}/modalias`]: `${AHCI}\n`,
  [`${pci}/ata1/host0/target0:0:0/0:0:0:0/uevent`]: 'DEVTYPE=scsi_device\nDRIVER=sd\nMODALIAS=scsi:t-0x00\n',
  [`${pci}/ata1/host0/target0:0:0/0:0:0:0/vendor`]: 'ATA     \n',
  [`${pci}/ata1/host0/target0:0:0/0:0:0:0/model`]: 'WD "Red"\\ 4T\t\u0001\u0085\n',
  [`${pci}/ata1/host0/target0:0:0/0:0:0:0/wwid`]: SECRET,
  [`${pci}/ata1/host0/target0:0:0/0:0:0:0/block/sda/uevent`]: 'MAJOR=8\nDEVNAME=sda\nDEVTYPE=disk\n',
  [`${pci}/ata1/host0/target0:0:0/0:0:0:0/block/sda/size`]: '7814037168\n',
  [`${pci}/ata1/host0/target0:0:0/0:0:0:0/block/sda/device/model`]: 'WD Red\n',
  [`${pci}/ata1/host0/target0:0:0/0:0:0:0/block/sda/sda1/uevent`]: 'DEVTYPE=partition\n',
  [`${pci}/ata2/host1/target1:0:0/1:0:0:0/block/sr0/uevent`]: 'DEVTYPE=disk\n',
  'virtual/block/loop0/uevent': 'DEVTYPE=disk\n',
  'pci0000:00/0000:00:05.0/uevent': 'DRIVER=nvme\n',
  'pci0000:00/0000:00:05.0/nvme/nvme3/nvme0c3n1/uevent': 'DEVTYPE=disk\n',
  'pci0000:00/0000:00:05.0/nvme/nvme3/nvme0c3n1/hidden': '1\n',
  'virtual/nvme-subsystem/nvme-subsys0/nvme0n1/uevent': 'DEVTYPE=disk\n',
  'virtual/nvme-subsystem/nvme-subsys0/nvme0n1/size': '8\n',
  'pci0000:00/0000:00:06.0/cciss0/c0d0/block/cciss!c0d0/uevent': 'DEVTYPE=disk\n',
  [`${usb}/serial`]: SECRET,
  [`${usb}/manufacturer`]: 'Müller & Söhne\n',
  [`${usb}/product`]: Buffer.concat([Buffer.from('Müller & Söhne '), NO_TEXT, Buffer.from('☃\n')]),
  [`${usb}/1-2:1.0/uevent`]: `DEVTYPE=usb_interface\nDRIVER=usb-storage\nINTERFACE=8/6/80\nMODALIAS=${STICK}\n`,
  [`${vmbus}/uevent`]: `MODALIAS=${NET}\nDRIVER=hv_netvsc\n`,
  [`${vmbus}/net/eth"\\\u0007/uevent`]: 'INTERFACE=eth\nIFINDEX=2\n',
  [`${vmbus}/net/eth"\\\u0007/address`]: '00:0d:3a:6c:a5:b4\n',
  [`${usb}/1-2:1.1/uevent`]: 'DRIVER=ax88179_178a\n',
  [`${usb}/1-2:1.1/net/enx000d3a6ca5b4/uevent`]: 'INTERFACE=enx000d3a6ca5b4\n',
  'virtual/net/lo/uevent': 'INTERFACE=lo\n',
  'platform/AMDI0010:00/modalias': 'acpi:AMDI0010:\nof:Ni2cT(null)Csnps,designware\n',
  'system/cpu/modalias': 'cpu:type:x86,ven0000\n',
  'system/cpu/cpu0/uevent': 'DRIVER=processor\nMODALIAS=cpu:type:x86,ven0000\n',
  'virtual/dmi/id/modalias': 'dmi:bvnX:\n',
  'virtual/dmi/id/sys_vendor': '  Maker, Inc.  \n',
  'virtual/dmi/id/product_name': '\n',
  'virtual/dmi/id/product_serial': SECRET,
  'virtual/dmi/id/product_uuid': SECRET,
  'virtual/empty/uevent': '',
  'virtual/odd/uevent': 'no equals sign\n=x\nMODALIAS=\nDRIVER',
  'virtual/binary/uevent': Buffer.from([0xff, 0, 0x0a, 0x4d, 0]),
  'virtual/new\nline/uevent': 'MODALIAS=a\n',
  'virtual/directory/modalias/x': '',
};
const IDS =
  '# comment\n8085  Wrong\n\t2922  Wrong\n8086  Intel\n\t2921  Wrong\n\t2922  ICH9 [AHCI]\n\t\t1af4 1100  QEMU\nC 80  Z\n';
const OTHERS = {
  'sys/firmware/devicetree/base/model': 'Board 3\0',
  'usr/share/hwdata/pci.ids': IDS,
};

describe('scripts/probe', () => {
  let root: string;
  beforeAll(() => {
    root = machine('machine', DEVICES, OTHERS);
  });

  it.each(SYSTEMS)('tells of disks, network cards and devices, whatever they call themselves: %s', (system) => {
    const { status, stdout, stderr } = probe(system, { root });
    expect([status, stderr]).toEqual([0, '']);
    const { machine: made, modaliases, devices, disks, nics } = read(stdout);
    expect(made).toEqual({ vendor: 'Maker, Inc.', product: 'Board 3', version: '', board: '' });
    const two = ['acpi:AMDI0010:', 'of:Ni2cT(null)Csnps,designware'];
    expect(modaliases).toEqual([AHCI, STICK, NET, 'scsi:t-0x00', 'cpu:type:x86,ven0000', 'dmi:bvnX:', ...two].sort());
    expect(devices).toEqual([
      device('LNXSYSTM:00/VMBUS:00/000d3axxxxxx', NET, 'hv_netvsc'),
      device(`${usb}/1-2:1.0`, STICK, 'usb-storage', [
        '080650',
        '0781:5583',
        'Müller & Söhne \ufffd\ufffd\ufffd\ufffd\ufffd\ufffd☃',
      ]),
      device(pci, AHCI, 'ahci', ['010601', '8086:2922', 'Intel ICH9 [AHCI]']),
      device(`${pci}/ata1/host0/target0:0:0/0:0:0:0`, 'scsi:t-0x00', 'sd', ['', '', 'ATA WD "Red"\\ 4T\t\u0001\u0085']),
      device('platform/AMDI0010:00', 'acpi:AMDI0010:', ''),
    ]);
    expect(disks).toEqual([
      { name: 'cciss/c0d0', bytes: 0, model: '', transport: '', driver: '' },
      { name: 'sda', bytes: 4000787030016, model: 'WD Red', transport: 'ata', driver: 'ahci' },
      { name: 'nvme0n1', bytes: 4096, model: '', transport: 'nvme', driver: 'nvme' },
    ]);
    expect(nics).toEqual([
      { name: 'eth"\\\u0007', driver: 'hv_netvsc', modalias: NET },
      { name: 'enx000d3axxxxxx', driver: 'ax88179_178a', modalias: '' },
    ]);
    expect(stdout.toString()).not.toMatch(new RegExp(`${SECRET}|6c-?:?a5-?:?b4`, 'i'));
  });

  it('prints the same bytes everywhere and each time, read from a file or from a pipe', () => {
    const [first, ...others] = SYSTEMS.map((system) => probe(system, { root }).stdout.toString());
    expect(others).toEqual([first, first]);
    const piped = probe('busybox', { root, shell: ['-s'], input: readFileSync(PROBE, 'utf8') });
    expect(piped.stdout.toString()).toBe(first);
  });

  it.each(SYSTEMS)('writes JSON of any bytes, and text as it is: %s', (system) => {
    const bytes = fc
      .sample(fc.uint8Array({ maxLength: 12 }), { numRuns: 300, seed: 1 })
      .map((name) => Buffer.from(name));
    const texts = fc.sample(fc.string({ unit: 'grapheme', maxLength: 8 }), { numRuns: 300, seed: 1 });
    const names = [...bytes, ...texts.map((text) => Buffer.from(`x${text.replace(/[\0\n]/g, '')}x`))];
    const any = machine('any', {});
    for (const [i, name] of names.entries()) {
      machine('any', { [`usb1/${1000 + i}/x/uevent`]: `MODALIAS=usb:v${i}\n`, [`usb1/${1000 + i}/product`]: name });
    }
    const { devices } = read(probe(system, { root: any }).stdout);
    expect(devices).toHaveLength(600);
    expect(devices.slice(300).map(({ name }) => name)).toEqual(names.slice(300).map(String));
  });

  it('reads this very machine', () => {
    const results = SYSTEMS.map((system) => read(probe(system, {}).stdout));
    expect(results[0]?.modaliases.length).toBeGreaterThan(0);
    for (const result of results) expect(result).toEqual(results[0]);
  });

  it.each(SYSTEMS)('--out writes the file whole or not at all: %s', (system) => {
    const out = join(folder, 'files', system);
    mkdirSync(out, { recursive: true });
    writeFileSync(join(out, '-m.json'), 'old');
    const limited = ['-c', 'ulimit -f 1; . "$0"', PROBE];
    const full = probe(system, { cwd: out, args: ['--out', '-m.json'], shell: limited, root });
    expect(full).toMatchObject({ status: 1, stderr: expect.stringContaining('cannot be written') });
    expect(readFileSync(join(out, '-m.json'), 'utf8')).toBe('old');
    const { status, stdout, stderr } = probe(system, { root, cwd: out, args: ['--out', '-m.json'] });
    expect([status, stdout.length, stderr]).toEqual([0, 0, '']);
    expect(read(readFileSync(join(out, '-m.json'))).format).toBe(1);
    expect(readdirSync(out)).toEqual(['-m.json']);
  });

  it.each([
    ['a directory', ['--out', '.'], 2, 'is no regular file'],
    ['a device', ['--out=/dev/null'], 2, 'is no regular file'],
    ['a directory that is not there', ['--out', 'nowhere/m.json'], 2, 'there is no such directory'],
    ['no file', ['--out'], 2, '--out needs a file'],
    ['an unknown option', ['--json'], 2, 'there is no option --json'],
    ['a word too many', ['m.json'], 2, 'there is no option m.json'],
  ])('refuses %s', (_, args, status, says) => {
    for (const system of SYSTEMS) {
      const result = probe(system, { root, args });
      expect(result).toMatchObject({ status, stderr: expect.stringContaining(says) });
      expect(result.stdout.length).toBe(0);
    }
  });

  it('without sysfs says so', () => {
    expect(probe('busybox', { root: folder })).toMatchObject({
      status: 1,
      stderr: 'probe: sysfs is not mounted on /sys\n',
    });
  });

  it('explains itself', () => {
    expect(probe('busybox', { args: ['--help'] }).stdout.toString()).toMatch(/--out FILE.*scope: hardware-files/s);
  });
});

describe('mindi probe', () => {
  const mindi = (root: string, ...args: string[]) => {
    const env = { ...process.env, PROBE_ROOT: root, MINDI_LOG: join(folder, 'log') };
    return spawnSync(resolve('bin/mindi'), ['probe', ...args], { encoding: 'utf8', env });
  };

  test('says what scripts/probe says, and how much that is', () => {
    const root = machine('mindi', DEVICES, OTHERS);
    const expected = probe('dash with mawk', { root }).stdout.toString();
    expect(mindi(root).stdout).toBe(expected);
    const file = join(folder, 'mindi.json');
    const { status, stdout, stderr } = mindi(root, '--out', file);
    expect([status, stdout, stderr]).toEqual([
      ...[0, '', `mindi: 5 devices, 8 modaliases, 3 disks, 2 network cards in ${file}\n`],
    ]);
    expect(readFileSync(file, 'utf8')).toBe(expected);
  });

  test('passes on why not', () => {
    const { status, stdout, stderr } = mindi(folder, '--json');
    expect(JSON.parse(stdout).error.code).toBe('probe.failed');
    expect([status, stderr]).toEqual([1, expect.stringContaining('sysfs is not mounted')]);
    expect(mindi('', '--out', folder)).toMatchObject({ status: 2, stderr: expect.stringContaining('no regular file') });
  });
});

function device(path: string, modalias: string, driver: string, [cls, id, name] = ['', '', '']) {
  return { path, modalias, class: cls, id, name, driver };
}
