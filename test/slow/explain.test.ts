import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import { explain } from '../../builder/explain/explain.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { MindiError } from '../../contract/error.ts';
import { kernelFixture } from '../kernel-fixture.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const MINDI = resolve('bin/mindi');
const top = temporaryFolder('explain');
let modulesDir: string;
let release: string;
beforeAll(async () => {
  process.env.MINDI_CACHE = join(top, 'cache');
  const fixture = await kernelFixture('bookworm-amd64', { modules: 'stand-ins' });
  modulesDir = fixture.directory;
  release = fixture.release;
});
async function profile(text: string) {
  const file = join(top, 'p.yaml');
  writeFileSync(file, `name: p\nmountlist: none\n${text}\ntools: { sets: [] }\n`);
  return loadProfile(file);
}

/** All findings of a name; what could not be looked at is this machine's matter. */
async function told(name: string, text = '') {
  return explain(name, await profile(text), { release, modulesDir });
}
const one = async (name: string, text?: string) => (await told(name, text))[0];

describe('on the media', () => {
  it('a module: rule, way, place', async () => {
    expect(await one('scsi-common')).toMatchObject({
      what: 'module',
      present: true,
      place: 'initrd',
      path: `/usr/lib/modules/${release}/kernel/drivers/scsi/scsi_common.ko`,
      why: expect.arrayContaining([
        { rule: 'drivers.sets: usb (drivers/usb/storage/)', via: ['usb_storage', 'scsi_mod'], kind: 'hard' },
      ]),
    });
    expect(await one('tg3')).toMatchObject({ place: 'second stage' });
    expect(await one('tg3', 'initrd: { fold: true }')).toMatchObject({ place: 'initrd' });
    expect(await one('crc32c_intel')).toMatchObject({
      why: expect.arrayContaining([expect.objectContaining({ kind: 'soft' })]),
    });
  });

  it('the same by its path, and a device by its modalias', async () => {
    const path = `/usr/lib/modules/${release}/kernel/drivers/net/ethernet/broadcom/tg3.ko`;
    expect(await told(path)).toMatchObject([{ name: 'tg3', path }]);
    const device = 'pci:v00001000d0000005Bsv00001028sd00001F34bc01sc04i00';
    expect(await told(device)).toMatchObject([
      { name: 'megaraid_sas', notes: expect.arrayContaining([`it answers ${device}`]) },
    ]);
  });

  it('a built-in driver is there without a file', async () => {
    expect(await one('atkbd')).toMatchObject({ present: true, place: 'kernel', path: null });
  });

  it('a name of old: what does its work today', async () => {
    expect(await one('usb-uhci')).toMatchObject({
      name: 'uhci_hcd',
      present: true,
      notes: expect.arrayContaining(['usb-uhci: renamed since Linux 2.6.0: uhci_hcd']),
    });
    expect((await one('cciss', 'drivers: { sets: [], include: [cciss] }'))?.why).toEqual([
      { rule: 'drivers.include: cciss, today hpsa', kind: 'named' },
    ]);
    expect((await told('isp')).map(({ name }) => name)).toEqual(['qla2xxx', 'qla1280']);
  });

  it('a file of mindi, and an applet of busybox', async () => {
    expect(await one('/etc/mindi/config.json')).toMatchObject({ what: 'file', present: true, why: [{ rule: 'init' }] });
    expect((await told('/bin/grep'))[0]).toMatchObject({
      present: true,
      path: '/usr/bin/busybox',
    });
  });
});

describe('not on the media', () => {
  it('a module no set has: what would bring it', async () => {
    expect(await one('nvme_rdma')).toMatchObject({
      present: false,
      notes: expect.arrayContaining(['the set nvme leaves it out (-nvme_rdma)', 'no chosen set brings it']),
      bring: ['drivers: { include: [..., nvme_rdma] }', 'drivers: { sets: [..., all] }'],
    });
    expect((await one('megaraid_sas', 'drivers: { sets: [nvme] }'))?.bring).toContain('drivers: { sets: [..., scsi] }');
  });

  it('what an exclude takes, and what goes with it, with the line', async () => {
    const text = 'drivers: { exclude: [usb-storage, "mega*"] }';
    expect((await one('megaraid_sas', text))?.notes).toEqual([
      expect.stringMatching(/^drivers\.exclude takes it away: mega\* at .*p\.yaml:3:/),
    ]);
    expect((await one('uas', text))?.notes).toEqual([
      expect.stringMatching(/^it cannot work without usb_storage, .*\(usb-storage at .*p\.yaml:3:/),
    ]);
  });

  it('a name of old that is gone, and one an exclude means', async () => {
    expect(await one('osst')).toMatchObject({
      what: 'module',
      present: false,
      notes: ['gone since Linux 5.3: OnStream tapes; no other driver reads them'],
      bring: [],
    });
    const text = 'drivers: { sets: [usb, cdrom], exclude: [usb-uhci, ide-scsi] }';
    expect((await one('uhci_hcd', text))?.notes).toEqual([
      expect.stringMatching(/^drivers\.exclude takes it away: usb-uhci at /),
    ]);
    expect((await one('sr_mod', text))?.present).toBe(true);
  });

  it('what the scope leaves out', async () => {
    writeFileSync(join(top, 'hw.json'), '{"modaliases": []}');
    const finding = await one('megaraid_sas', 'drivers: { scope: hardware-files, hardware: [hw.json] }');
    expect(finding?.notes).toEqual([expect.stringContaining('the scope hardware-files leaves it out')]);
    expect(finding?.bring).toContain('drivers: { migrateTo: [..., megaraid_sas] }');
  });

  it('what this kernel lacks, a device nothing answers, a name nobody knows', async () => {
    expect((await one('snd_soc_omap'))?.present).toBe(false);
    expect((await one('pci:v0000FFFFd0000FFFFsv0sd0bc00sc00i00'))?.notes).toEqual([
      'no driver of this kernel answers it',
    ]);
    expect(await one('megaraid_sass')).toMatchObject({ what: 'nothing', bring: ['Did you mean "megaraid_sas"?'] });
  });

  it('firmware: which driver asks, which package has it', async () => {
    expect(await one('ql2400_fw.bin')).toMatchObject({
      what: 'firmware',
      present: false,
      bring: ['drivers: { firmware: { from: [host, firmware-qlogic] } }'],
    });
    expect((await one('/lib/firmware/amdgpu/vega20_ce.bin.zst'))?.notes).toEqual([
      'only amdgpu asks for it, which is not on the media',
    ]);
    expect((await one('ql2400_fw.bin', 'drivers: { firmware: none }'))?.notes).toContain('drivers.firmware is none');
  });

  it('a program: the set that has it, or the package', async () => {
    expect(await one('lvm')).toMatchObject({
      present: false,
      bring: expect.arrayContaining(['tools: { sets: [..., lvm] }']),
    });
  });
});

describe('mindi explain', () => {
  const mindi = async (...args: string[]) => {
    const env = { MINDI_LOG: join(top, 'log'), MINDI_CACHE: join(top, 'cache') };
    const { exitCode, stdout, stderr } = await execa(MINDI, [...args], {
      cwd: top,
      reject: false,
      stdin: 'ignore',
      env,
    });
    return { exitCode, stdout: stripVTControlCharacters(stdout), stderr };
  };

  it('prints it, and exits 0 or 1', async () => {
    const { file } = await profile('');
    const there = await mindi('explain', 'megaraid_sas', file, '--kernel', modulesDir);
    expect(there.exitCode).toBe(0);
    expect(there.stdout).toContain('megaraid_sas (kernel module), on the media: initrd\n');
    expect(there.stdout).toContain('  because of drivers.sets: scsi (drivers/scsi/)\n');
    const away = await mindi('explain', 'amdgpu', 'minimal', '--kernel', modulesDir, '--json');
    expect(away.exitCode).toBe(1);
    expect(JSON.parse(away.stdout)).toMatchObject([{ what: 'module', name: 'amdgpu', present: false }]);
  });

  it('of a profile that is wrong says so', async () => {
    const { exitCode, stderr } = await mindi('explain', 'ext4', 'standalon');
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('Did you mean "standalone"?')]);
    expect((await mindi('explain')).exitCode).toBe(2);
  });

  it('of a profile that contradicts itself exits 2', async () => {
    const { file } = await profile('drivers: { include: [hpsa, uas], exclude: [hpsa, usb_storage] }');
    const { exitCode, stderr, stdout } = await mindi('explain', 'ext4', file, '--kernel', modulesDir);
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toContain('hpsa is both included and excluded');
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});

it.each([
  ['an unknown set', '{ sets: [scsii] }', 'Did you mean "scsi"?'],
  ['an unknown target', '{ migrateTo: [vmwar] }', 'Did you mean "vmware"?'],
  ['a hardware file that is none', '{ scope: hardware-files, hardware: [./nowhere.json] }', 'nowhere.json'],
])('a profile with %s is refused', async (_, drivers, says) => {
  const error = await told('ext4', `drivers: ${drivers}`).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(MindiError);
  expect((error as MindiError).format()).toContain(says);
});
