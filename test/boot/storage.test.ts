import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { takeKernel } from '../../boot/bootable.ts';
import { type Machine, startMachine } from '../../boot/qemu.ts';
import { build } from '../../builder/build.ts';
import { hashFile } from '../../builder/cache.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { run } from '../../builder/run.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { findReady } from '../../contract/report.ts';
import { CONSOLES, PATIENCE, shell } from './shell.ts';

/** MiB of each disk: vda to vdl, then sda and sdb. */
const SIZES = [96, 96, 64, 64, 64, 96, 96, 64, 32, 128, 128, 320, 64, 64];

/** What a machine would have built on its disks. The last but one leaves every journal dirty and the arrays marked in use. */
const BUILD = [
  'export IMSM_NO_PLATFORM=1; mindi storage writable $(ls -d /dev/vd? /dev/sd?) --yes',
  'for d in a b; do echo ,,fd | sfdisk -q /dev/vd$d; done; ls /dev/vda1 /dev/vdb1',
  'mdadm --create /dev/md0 --run --homehost=web1 --name=0 -l1 -n2 /dev/vda1 /dev/vdb1 && mkfs.ext4 -q /dev/md0',
  'mdadm --create /dev/md1 --run --homehost=web1 --name=1 -l1 -n2 /dev/vdc missing; mkfs.ext4 -q /dev/md1',
  'pvcreate -q /dev/vde /dev/vdf /dev/vdg; vgcreate -q plain /dev/vde; vgcreate -q special /dev/vdf /dev/vdg',
  'lvcreate -q -y -n root -L 40M plain && mkfs.ext4 -q /dev/plain/root',
  'lvcreate -q -y --type thin-pool -n pool -L 40M special; lvcreate -q -y --thin -V 100M -n thin special/pool; mkfs.ext4 -q /dev/special/thin',
  'made=0; for i in $(seq 20); do lvcreate -q -y --thin -V 10M -n t$i special/pool && lvremove -q -y special/t$i && made=$((made + 1)); done; echo "made $made"',
  'lvcreate -q -y --type raid1 -m1 -n mirror -L 20M special; mkfs.ext4 -q /dev/special/mirror',
  'printf secret >key; cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /dev/vdh key',
  'cryptsetup open --key-file key /dev/vdh c1; pvcreate -q /dev/mapper/c1; vgcreate -q crypt /dev/mapper/c1; lvcreate -q -y -n data -l 100%FREE crypt; mkfs.ext4 -q /dev/crypt/data',
  'cryptsetup luksFormat -q --type luks1 --pbkdf-force-iterations 1000 /dev/vdi key; cryptsetup open --key-file key /dev/vdi c2; mkfs.ext4 -q /dev/mapper/c2',
  'modprobe btrfs; mkfs.btrfs -q -L pair /dev/vdj /dev/vdk; mkfs.xfs -q /dev/vdl',
  'mdadm --create /dev/md/imsm --run -e imsm -n2 /dev/sda /dev/sdb; mdadm --create /dev/md/vol --run -l1 -n2 /dev/md/imsm',
  'cd /mnt; for f in md0 md1 plain/root special/thin special/mirror crypt/data mapper/c2 vdj vdl; do mkdir -p $f; /usr/bin/mount /dev/$f $f && echo hello >$f/one && sync && mkdir $f/d && echo two >$f/d/two; dd if=/dev/zero of=$f/d/three bs=64k count=8 conv=fsync 2>/dev/null; done; grep -c /mnt/ /proc/mounts',
];
/** How each file system is looked into without a write. */
const READ = [
  ...['md0', 'md1', 'plain/root', 'special/thin', 'special/mirror'].map((device) => `ext4 -o ro,noload /dev/${device}`),
  'btrfs -o ro,rescue=nologreplay /dev/vdk',
];

let work: Scratch;
let image: string;
let direct: { kernel: string; initrd: string };
let disks: string[];
beforeAll(async () => {
  work = await scratch('test');
  const { media } = await build(await loadProfile('standalone'), join(work.path, 'out'));
  image = media[0]?.path ?? '';
  direct = await takeKernel(image, work.path);
  disks = SIZES.map((_, i) => join(work.path, `${i}.img`));
  for (const [i, disk] of disks.entries()) {
    await writeFile(disk, '');
    await truncate(disk, (SIZES[i] ?? 0) << 20);
  }
});
afterAll(() => work[Symbol.asyncDispose]());

async function booted(mode: string): Promise<Machine> {
  const drives = disks.map((disk, i) => `${disk}:${i < 12 ? 'virtio' : 'ahci'}`);
  const append = `${CONSOLES} ${mode}`;
  const machine = await startMachine({ direct: { ...direct, append }, drives, medium: { path: image, as: 'cdrom' } });
  await machine.waitFor('the ready line', findReady, PATIENCE);
  return machine;
}

async function withShell(mode: string): Promise<Machine> {
  const machine = await booted(mode);
  await machine.waitForText(/mindi:~# $/m, PATIENCE);
  return machine;
}

const hashes = () =>
  Promise.all(
    disks.map(async (disk) => {
      const hash = createHash('sha256');
      await pipeline(createReadStream(disk), hash);
      return hash.digest('hex');
    }),
  );

test('arrays, volumes and locked disks are found and started; not a byte is written in any mode, nor by hand', async () => {
  {
    await using machine = await withShell('expert');
    const said = [];
    for (const command of BUILD) said.push(await shell(machine, command));
    expect(said.at(-1)).toBe('9');
    // What is being made on disks that may be written to is not taken for a new disk.
    expect(said.join('\n')).toMatch(/^made 20$/m);
  }
  const before = await hashes();
  expect(new Set(before).size).toBe(SIZES.length - 1);
  {
    await using machine = await withShell('expert');
    const report = findReady(machine.text);
    expect(report?.storage).toMatchObject({
      arrays: expect.arrayContaining([
        { device: '/dev/md0', level: 'raid1', disks: 2, missing: 0 },
        { device: '/dev/md1', level: 'raid1', disks: 2, missing: 1 },
        expect.objectContaining({ level: 'container' }),
      ]),
      encrypted: [
        { device: '/dev/vdh', open: false },
        { device: '/dev/vdi', open: false },
      ],
    });
    expect(report?.storage.arrays).toHaveLength(4);
    expect(report?.storage.volumes.toSorted()).toEqual(['/dev/plain/root', '/dev/special/mirror', '/dev/special/thin']);
    expect(report?.problems).toEqual(['The RAID array /dev/md1 (raid1) is degraded: 1 of its 2 disks is missing.']);

    for (const how of READ)
      expect(await shell(machine, `mount -t ${how} /mnt && cat /mnt/one && umount /mnt`), how).toBe('hello');
    // What XFS has only in its log cannot be seen without replaying it.
    expect(await shell(machine, 'mount -t xfs -o ro,norecovery /dev/vdl /mnt && umount /mnt && echo read')).toBe(
      'read',
    );
    expect(await shell(machine, 'ls /dev/disk/by-label')).toContain('pair');

    for (const device of ['sda', 'vda', 'vda1', 'md0', 'vde', 'plain/root', 'special/thin', 'special/mirror'])
      expect(await shell(machine, `dd if=/dev/zero of=/dev/${device} bs=512 count=1 2>&1 | head -n 1`), device).toBe(
        `dd: error writing '/dev/${device}': Operation not permitted`,
      );
    // A layer of one's own over a guarded disk is guarded as well.
    const layer =
      'echo 0 100 linear /dev/vdl 0 | dmsetup create x; for i in $(seq 50); do grep -q 1 /sys/block/dm-*/ro && break; done';
    await shell(machine, `${layer}; sleep 1`);
    expect(
      await shell(machine, 'dd if=/dev/zero of=/dev/mapper/x bs=512 count=1 2>&1 | head -n 1; dmsetup remove x'),
    ).toMatch('Operation not permitted');

    await shell(machine, 'printf wrong >bad; printf secret >key');
    expect(await shell(machine, 'mindi storage unlock /dev/vdh --keyfile bad; echo $?')).toMatch(
      /does not open it\.\n1$/,
    );
    const open = await shell(
      machine,
      'mindi storage unlock /dev/vdh --keyfile key && mindi storage unlock /dev/vdi --keyfile key',
    );
    expect(open).toMatch(/\/dev\/vdh is open: .*\n.*\/dev\/vdi is open: /s);
    expect(await shell(machine, 'mount -t ext4 -o ro,noload /dev/crypt/data /mnt && cat /mnt/one; umount /mnt')).toBe(
      'hello',
    );
    const tree = await shell(machine, 'mindi storage');
    expect(tree).toMatch(
      /^vdh +67\.1 MB {2}LUKS\n {2}mapper\/luks-\S+ +\S+ MB {2}LVM {2}unlocked\n {4}crypt\/data +\S+ MB {2}ext4$/m,
    );
    expect(tree).not.toContain('WRITABLE');
  }
  expect(await hashes()).toEqual(before);

  {
    await using machine = await booted('compare iso udevtimeout=1');
    const failure = expect.stringMatching(/restore data/);
    expect(findReady(machine.text)?.source).toMatchObject({ address: 'disk:', path: null, failure });
  }
  expect(await hashes()).toEqual(before);
  {
    await using machine = await booted('nuke tape udevtimeout=1 post=/bin/false mindi.onfail=poweroff');
    expect(findReady(machine.text)?.source).toMatchObject({ address: 'tape:', failure: expect.stringMatching(/tape/) });
    await machine.waitForText('PROBLEM: The post script /bin/false failed: exit 1.', PATIENCE);
    await machine.waitForText('The machine is switched off in', PATIENCE);
    await machine.waitForEnd(PATIENCE);
    expect(machine.endedBy).toBe('guest-shutdown');
  }
  expect(await hashes()).toEqual(before);

  await using machine = await booted('interactive nolvm excludedevs=vdc,/dev/vdd');
  await machine.waitForText('Switch it off', PATIENCE);
  expect(await hashes()).toEqual(before);
  machine.type('s');
  await machine.waitForText(/mindi:~# $/m, PATIENCE);
  expect(findReady(machine.text)?.storage).toMatchObject({ volumes: [] });
  expect(findReady(machine.text)?.storage.arrays).toHaveLength(3);
  expect(await shell(machine, 'mindi storage writable /dev/md0 --yes')).toBe('/dev/md0 can be written to now.');
  expect(await shell(machine, 'dd if=/dev/zero of=/dev/vde bs=512 count=1 2>&1 | head -n 1')).toContain(
    'not permitted',
  );
  expect(
    await shell(machine, '/usr/bin/mount /dev/md0 /mnt && echo more >/mnt/more && umount /mnt && echo written'),
  ).toBe('written');

  await shell(machine, 'printf secret >key');
  for (const device of ['/dev/vdh', '/dev/vdi']) {
    await shell(machine, `mindi storage unlock ${device} --keyfile key`);
    const open = `/dev/mapper/luks-$(blkid -s UUID -o value ${device})`;
    expect(await shell(machine, `blockdev --getro ${open}`)).toBe('1');
    // Its disk, and what is opened, while it stays open. The same bytes once more.
    expect(
      await shell(
        machine,
        `mindi storage writable ${open} --yes; dd if=${open} of=/x bs=512 count=8 2>/dev/null; dd if=/x of=${open} conv=fsync 2>&1 | grep -c error`,
      ),
    ).toMatch(/can be written to now\.\n0$/);
  }
  expect(
    await shell(
      machine,
      '/usr/bin/mount /dev/mapper/luks-$(blkid -s UUID -o value /dev/vdi) /mnt && echo more >/mnt/more && umount /mnt && echo written',
    ),
  ).toBe('written');
}, 900_000);

test('a disk over two paths is one disk, which goes on when a path is lost', async () => {
  const disk = join(work.path, 'paths.img');
  const content = join(work.path, 'content');
  await mkdir(content);
  await writeFile(join(content, 'one'), 'hello\n');
  await writeFile(disk, '');
  await truncate(disk, 64 << 20);
  await run('sfdisk', ['-q', disk], { input: 'label: gpt\nstart=2048, size=98304\nstart=100352\n' });
  await run('mke2fs', ['-q', '-t', 'ext4', '-L', 'far', '-d', content, '-E', `offset=${2048 * 512}`, disk, '48M']);
  const path = (id: string) => [
    ...['-drive', `if=none,id=${id},format=raw,file.locking=off,file=${disk}`],
    ...['-device', `scsi-hd,id=path-${id},bus=far.0,drive=${id},wwn=0x5000c50015ea71ac,share-rw=on`],
  ];
  const before = await hashFile(disk);
  await using machine = await startMachine({
    direct: { ...direct, append: `${CONSOLES} expert` },
    medium: { path: image, as: 'cdrom' },
    more: ['-device', 'virtio-scsi-pci,id=far', ...path('a'), ...path('b')],
  });
  await machine.waitForText(/mindi:~# $/m, PATIENCE);
  expect(findReady(machine.text)?.problems).toEqual([]);
  const device = '/dev/mapper/35000c50015ea71ac';
  expect(await shell(machine, 'mindi storage')).toMatch(
    /^mapper\/35000c50015ea71ac +67\.1 MB {2}several paths\n {2}mapper\/35000c50015ea71ac-part1 +50\.3 MB {2}ext4 {2}"far"$/m,
  );
  expect(await shell(machine, 'mount -t ext4 -o ro LABEL=far /mnt; cat /mnt/one; umount /mnt')).toBe('hello');
  expect(await shell(machine, `dd if=/dev/zero of=${device} bs=512 count=1 2>&1 | head -n 1`)).toMatch('not permitted');
  expect(await hashFile(disk)).toEqual(before);

  expect(await shell(machine, `mindi storage writable ${device}-part1 --yes`)).toBe(
    `${device}-part1 can be written to now.`,
  );
  await volumeOnPaths(machine, device);
  await machine.qmp('device_del', { id: 'path-a' });
  const gone = `until [ $(dmsetup status ${device} | grep -o ' F ' | wc -l) = 1 ]; do dd if=${device} of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null; usleep 200000; done`;
  expect(await shell(machine, `${gone}; /usr/bin/mount ${device}-part1 /mnt && cat /mnt/one`)).toBe('hello');
  expect(await shell(machine, 'echo more >/mnt/more && umount /mnt && echo written')).toBe('written');
}, 900_000);

/** A volume on a joined disk, made, stopped, and found again as on a machine that was just started. */
async function volumeOnPaths(machine: Machine, device: string): Promise<void> {
  const part = `${device}-part2`;
  expect(await shell(machine, `mindi storage writable ${part} --yes`)).toBe(`${part} can be written to now.`);
  const make = `pvcreate -q ${part} && vgcreate -q far ${part} && lvcreate -q -y -n away -l 100%FREE far`;
  expect(await shell(machine, `${make} && mkfs.ext4 -q /dev/far/away && vgchange -q -an far; echo $?`)).toMatch(/\n0$/);
  await shell(machine, ': >/run/mindi/writable; for d in /dev/sd? /dev/sd?? /dev/dm-*; do blockdev --setro $d; done');
  expect(await shell(machine, 'mindi storage up')).toMatch(
    /^ {2}mapper\/35000c50015ea71ac-part2 .* LVM\n {4}far\/away +\S+ MB {2}ext4$/m,
  );
  expect(await shell(machine, 'dd if=/dev/zero of=/dev/far/away count=1 2>&1 | head -n 1')).toMatch('not permitted');
  expect(await shell(machine, 'mindi storage writable /dev/far/away --yes')).toBe(
    '/dev/far/away can be written to now.',
  );
  const write = '/usr/bin/mount /dev/far/away /mnt && echo more >/mnt/more && umount /mnt && echo written';
  expect(await shell(machine, write)).toBe('written');
  expect(await shell(machine, `mindi storage writable ${device}-part1 --yes`)).toBe(
    `${device}-part1 can be written to now.`,
  );
}
