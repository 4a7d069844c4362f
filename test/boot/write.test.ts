import { execFileSync } from 'node:child_process';
import { open, readFile, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tryBoot } from '../../boot/trial.ts';
import { build } from '../../builder/build.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { type Guest, startGuest } from '../debian-guest.ts';

/**
 * Sticks are written by the command itself in a Debian guest. They differ in size, by which they are found: the kernel
 * names them as they come.
 */
const MIB = 1 << 20;
const STICKS = {
  good: { size: 256, options: 'removable=on' },
  fixed: { size: 192, options: 'removable=off' },
  short: { size: 32, options: 'removable=on' },
  slow: { size: 160, options: 'removable=on', drive: 'throttling.bps-write=4194304' },
  unwritable: { size: 144, options: 'removable=on', bad: 'write' },
  unreadable: { size: 128, options: 'removable=on', bad: 'read' },
} as const;
type Stick = keyof typeof STICKS;
/** MiB from its start. */
const BAD_BLOCK = 20;

let work: Scratch;
let iso: string;
let img: string;
let guest: Guest;

beforeAll(async () => {
  work = await scratch('test');
  const profile = join(work.path, 'both.yaml');
  await writeFile(profile, 'name: minimal\nextends: minimal\nmedia: [iso, usb]\n');
  const { media } = await build(await loadProfile(profile), work.path);
  [iso = '', img = ''] = media.map(({ path }) => path);
  for (const [name, { size }] of Object.entries(STICKS)) {
    await writeFile(file(name), '');
    await truncate(file(name), size * MIB);
  }
  await partition(file('good'));
  const disc = ['-drive', `if=none,id=disc,format=raw,readonly=on,media=cdrom,file=${iso}`];
  guest = await startGuest({ 'x.iso': iso, 'x.img': img }, [
    ...Object.keys(STICKS).flatMap((name) => usb(name as Stick)),
    ...[...disc, '-device', 'virtio-scsi-pci,id=scsi', '-device', 'scsi-cd,bus=scsi.0,drive=disc'],
  ]);
  const all = Object.keys(STICKS).length;
  await guest.shell(`until [ $(cat /sys/block/sd?/size 2>/dev/null | grep -vc '^0$') = ${all} ]; do sleep 0.2; done`);
});
afterAll(async () => {
  await guest?.[Symbol.asyncDispose]();
  await work?.[Symbol.asyncDispose]();
});

const file = (stick: string) => join(work.path, `${stick}.img`);
const serialOf = (stick: Stick) => `STICK-${stick.toUpperCase()}`;

/** A GPT, with its copy at the end, and a file system that can be mounted. */
async function partition(stick: string): Promise<void> {
  execFileSync('sfdisk', ['--quiet', stick], { input: 'label: gpt\nstart=2048, size=65536\nsize=65536\n' });
  const system = join(work.path, 'photos.squashfs');
  execFileSync('mksquashfs', [join(import.meta.dirname, '../fixtures'), system, '-quiet', '-no-progress']);
  const stickFile = await open(stick, 'r+');
  await stickFile.write(await readFile(system), 0, undefined, MIB);
  await stickFile.close();
}

/** QEMU's arguments for a stick. */
function usb(name: Stick): string[] {
  const { options, ...more } = STICKS[name];
  const error = 'bad' in more && [
    `file.driver=blkdebug,file.image.driver=file,file.image.filename=${file(name)}`,
    `file.inject-error.0.event=none,file.inject-error.0.iotype=${more.bad},file.inject-error.0.errno=5`,
    `file.inject-error.0.sector=${(BAD_BLOCK * MIB) / 512}`,
  ];
  const backing = error ? error.join(',') : `file=${file(name)}`;
  const limits = 'drive' in more ? `,${more.drive}` : '';
  return [
    ...['-drive', `if=none,id=d-${name},format=raw,${backing}${limits}`],
    ...['-device', `usb-storage,bus=usb.0,id=${name},drive=d-${name},serial=${serialOf(name)},${options}`],
  ];
}

/** What a stick is called in the guest. */
async function device(stick: Stick): Promise<string> {
  const sectors = (STICKS[stick].size * MIB) / 512;
  const { said } = await guest.shell(`grep -lx ${sectors} /sys/block/sd?/size`);
  return `/dev/${said.split('/')[3]}`;
}

async function write(stick: Stick, options = `--yes ${serialOf(stick)}`, image = 'x.iso') {
  return guest.shell(`mindi write /opt/mindi/${image} ${await device(stick)} ${options} </dev/null`);
}

describe('mindi write, on a stick', () => {
  test('shows what it is and what is on it; in a script it wants its serial number', async () => {
    const { code, said } = await write('good', '');
    expect(said).toMatch(/^device +\/dev\/sd\w, USB stick\nmodel +QEMU QEMU HARDDISK\nserial +STICK-GOOD$/m);
    expect(said).toMatch(/^size +256 MiB, usb, removable\npartitions +gpt\nsd\w1 +32 MiB, squashfs\nsd\w2 +32 MiB/m);
    expect(said).toMatch(/^holds +2 partitions$/m);
    expect(said).toContain('nobody is there to confirm it');
    expect(code).toBe(2);
    expect((await write('good', '--yes STICK-FIXED')).said).toContain('nothing was written');
  });

  test('refuses what is mounted, swapped to, or belongs to the system; partitions; fixed disks', async () => {
    const [good, fixed] = [await device('good'), await device('fixed')];
    await guest.shell(`mount ${good}1 /mnt; mkswap ${fixed}; swapon ${fixed}`);
    expect((await write('good')).said).toContain(`it is mounted: ${good}1 on /mnt`);
    const swap = await write('fixed');
    expect(swap.said).toContain(`this running system is on it: swap on ${fixed}`);
    expect(swap.code).toBe(2);
    await guest.shell(`umount /mnt; swapoff ${fixed}`);
    expect((await write('fixed')).said).toContain('it does not say that it is removable');
    const refused = await guest.shell(
      [`${basename(good)}1`, 'vda', 'vdb', 'sr0']
        .map((name) => `mindi write /opt/mindi/x.iso /dev/${name} --force --yes x`)
        .join('; '),
    );
    expect(refused.said).toContain(`this is a partition of ${good}, and machines start from whole disks`);
    expect(refused.said).toContain('/dev/vda: another program or file system is using it');
    expect(refused.said).toContain('it is mounted: /dev/vdb on /opt/mindi');
    expect(refused.said).toContain('the image /opt/mindi/x.iso lies on it');
    expect(refused.said).toContain('this drive reads discs and cannot burn them');
  });

  test('writes it, wipes the copy of the old GPT, reads it back; then knows it', async () => {
    const { code, said } = await write('good');
    expect(said).toContain('the copy of an old partition table (GPT) at the end of the USB stick was wiped');
    expect(said).toMatch(/^compared +the same/m);
    expect(code).toBe(0);
    const [stick, image] = await Promise.all([readFile(file('good')), readFile(iso)]);
    expect(stick.subarray(0, image.length).equals(image)).toBe(true);
    expect(stick.subarray(-MIB).some((byte) => byte !== 0)).toBe(false);
    const again = await write('good', '');
    expect(again.said).toMatch(/^holds +MINDI_MINIMAL \(ISO 9660\), made by mindi \d{4}-\d\d-\d\dT[\d:]+Z$/m);
  });

  test('a fixed disk with --force, the USB image', async () => {
    const { code, said } = await write('fixed', '--force --json --yes STICK-FIXED', 'x.img');
    expect(said).toMatch(/"serial": "STICK-FIXED"[\s\S]*"write": \{[\s\S]*"compare": \{/);
    expect(code).toBe(0);
  });

  test('one that is too short is not touched', async () => {
    const { code, said } = await write('short');
    expect(said).toMatch(/the image needs \d+ bytes, and it has 33554432/);
    expect(code).toBe(2);
    expect((await readFile(file('short'))).some((byte) => byte !== 0)).toBe(false);
  });

  test('bad blocks: says how far it came', async () => {
    const written = await write('unwritable');
    expect(written.said).toContain('it reports an error: bad blocks, or a bad connection');
    expect(written.said).toMatch(/The first (1\d|20) MiB are written, the rest is not: no machine starts from it/);
    expect(written.code).toBe(1);
    const read = await write('unreadable');
    expect(read.said).toMatch(/Of what was written the first (1\d|20) MiB could be read and are right; do not rely on/);
    expect(read.code).toBe(1);
  });

  test('pulled out midway: says so, and what state it is in', async () => {
    const slow = await device('slow');
    const command = `mindi write /opt/mindi/x.iso ${slow} --yes STICK-SLOW > /tmp/said 2>&1`;
    const sectors = `awk '{print $7}' ${slow.replace('/dev', '/sys/block')}/stat`;
    await guest.shell(`{ ${command}; echo code $? >> /tmp/said; } & true`);
    await guest.shell(`until [ $(${sectors}) -gt 20000 ]; do sleep 0.2; done`);
    await guest.machine.qmp('device_del', { id: 'slow' });
    const { said } = await guest.shell('wait; cat /tmp/said');
    expect(said).toMatch(/it was pulled out, or has failed\. The first \d+ MiB are written, the rest is not/);
    expect(said).toContain('code 1');
  });

  test.each(['good', 'fixed'] as const)('starts a machine (%s)', async (stick) => {
    await guest.machine.stop();
    const trial = { firmware: 'bios', as: 'usb', memory: 512, drives: [], devices: [], timeout: 150 } as const;
    const { report } = await tryBoot({ ...trial, image: file(stick) });
    expect(report).toMatchObject({ name: 'minimal', problems: [] });
  });
});
