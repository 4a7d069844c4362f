import { open, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { takeKernel } from '../../boot/bootable.ts';
import { type Machine, startMachine } from '../../boot/qemu.ts';
import { build } from '../../builder/build.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { scratch } from '../../builder/scratch.ts';
import { captureLayout, captureMachine } from '../../capture/capture.ts';
import { type Facts, recorded } from '../../capture/machine.ts';
import type { FileSystem, Layout } from '../../contract/layout/schema.ts';
import { findReady } from '../../contract/report.ts';
import { plan } from '../../restore/plan/plan.ts';
import { CONSOLES, PATIENCE, shell } from './shell.ts';

/** MiB of each disk: vda to vdl, then sda and sdb. vdl is how files come and go. */
const SIZES = [256, 256, 128, 128, 200, 200, 64, 64, 320, 160, 160, 16, 64, 64];

/** What somebody could have built by hand. */
const BUILD = [
  'export IMSM_NO_PLATFORM=1; modprobe btrfs; for d in vda vdb vdc vdd vde vdf vdg vdh vdi vdj vdk vdl sda sdb; do mindi storage writable /dev/$d --yes; done; printf secret >key',
  'printf \'label: gpt\\nsize=40M,type=U,name="EFI \\\\x22system"\\nsize=100M,type=R,attrs="LegacyBIOSBootable GUID:63"\\ntype=L\\n\' | sfdisk -q /dev/vda; printf \'label: dos\\nsize=40M,type=83,bootable\\nsize=100M,type=fd\\ntype=5\\nsize=50M,type=82\\ntype=83\\n\' | sfdisk -q /dev/vdb',
  'mkfs.vfat -n EFI -i ABCD1234 /dev/vda1; mkfs.ext2 -q -F -b 1024 -I 128 -L "old boot" /dev/vdb1; mkswap -L sw /dev/vdb5; mkfs.ext4 -q -m 1 -E stride=16,stripe_width=32 /dev/vdb6',
  'mdadm --create /dev/md0 --run --homehost=web1 --name=0 -l1 -n2 --bitmap=internal /dev/vda2 /dev/vdb2; mdadm --create /dev/md1 --run --homehost=web1 --name=1 -l5 -n3 -c 64 /dev/vdc /dev/vdd missing',
  'pvcreate -q /dev/md0 /dev/vda3; vgcreate -q -s 1M vg-a /dev/md0 /dev/vda3; lvcreate -q -y -n root -L 40M vg-a /dev/md0; lvcreate -q -y -n st -i2 -I 64 -L 20M vg-a',
  'cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --label box /dev/vg-a/root key; cryptsetup open --key-file key /dev/vg-a/root c1; mkfs.ext4 -q -O ^has_journal /dev/mapper/c1',
  'mkfs.btrfs -q -L pair -d raid0 -m raid1 /dev/vde /dev/vdf; /usr/bin/mount /dev/vde /mnt; for s in @ @home; do btrfs -q subvolume create /mnt/$s; done; btrfs -q subvolume snapshot /mnt/@ /mnt/snap; btrfs subvolume set-default /mnt/@',
  'cryptsetup luksFormat -q --type luks1 --pbkdf-force-iterations 1000 /dev/vdh key; cryptsetup open --key-file key /dev/vdh c2; mkfs.f2fs -q /dev/mapper/c2; mkfs.xfs -q -L big /dev/vdi; cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /dev/vdg key',
  'pvcreate -q /dev/vdj /dev/vdk; vgcreate -q special /dev/vdj /dev/vdk; lvcreate -q -y --type thin-pool -n pool -L 40M special; lvcreate -q -y --thin -V 100M -n thin special/pool; mkfs.ext4 -q /dev/special/thin; lvcreate -q -y --type raid1 -m1 -n mirror -L 20M special',
  'lvcreate -q -y -n slow -L 20M special; lvcreate -q -y -n fast -L 12M special; lvconvert -q -y --type cache --cachevol fast special/slow; lvcreate -q -y -s -n snap -L 8M special/mirror; mkfs.ext3 -q /dev/special/slow',
  'mdadm --create /dev/md/imsm --run -e imsm -n2 /dev/sda /dev/sdb; mdadm --create /dev/md/vol --run -l1 -n2 /dev/md/imsm',
];

/** MiB on the disk of files before the plan. */
const PLAN_AT = 8;

/** What the programs say of the disks, fetched through the disk of files. */
async function factsOf(machine: Machine, exchange: string): Promise<Facts> {
  const said = await shell(
    machine,
    'mindi layout --facts >f; wc -c <f; dd if=f of=/dev/vdl bs=1M conv=fsync 2>/dev/null',
  );
  await using file = await open(exchange);
  const bytes = Buffer.alloc(Number(/^\d+$/m.exec(said)?.[0]));
  await file.read(bytes, 0, bytes.length, 0);
  return JSON.parse(bytes.toString('utf8'));
}

/** What cannot be the same: groups get new UUIDs, what a firmware's format calls itself; and where it was mounted. */
function comparable(layout: Layout): Layout {
  const { groups, arrays, filesystems, ...others } = structuredClone(layout);
  for (const group of Object.values(groups)) delete group.uuid;
  for (const array of Object.values(arrays)) if (array.container || array.level === 'container') delete array.uuid;
  for (const filesystem of Object.values(filesystems)) delete filesystem.mounts;
  return { ...others, groups, arrays, filesystems, notes: [] };
}

test('disks are captured, made again by the plan of what was captured, and are the same when they are captured again', async () => {
  await using work = await scratch('test');
  const { media } = await build(await loadProfile('standalone'), join(work.path, 'out'));
  const image = media[0]?.path ?? '';
  const direct = await takeKernel(image, work.path);
  const disks = SIZES.map((_, i) => join(work.path, `${i}.img`));
  for (const [i, disk] of disks.entries()) {
    await writeFile(disk, '');
    await truncate(disk, (SIZES[i] ?? 0) << 20);
  }
  const exchange = disks[11] ?? '';
  await using machine = await startMachine({
    direct: { ...direct, append: `${CONSOLES} expert` },
    drives: disks.map((disk, i) => `${disk}:${i < 12 ? 'virtio' : 'ahci'}`),
    medium: { path: image, as: 'cdrom' },
  });
  await machine.waitFor('the ready line', findReady, PATIENCE);
  await machine.waitForText(/mindi:~# $/m, PATIENCE);
  for (const command of BUILD) await shell(machine, command);

  const facts = await factsOf(machine, exchange);
  // To keep what programs say today as a fixture of the unit tests.
  if (process.env.MINDI_RECORD) await writeFile(process.env.MINDI_RECORD, `${JSON.stringify(facts, null, 1)}\n`);
  const found = await captureLayout(recorded(facts), null);
  const wanted = structuredClone(found);
  for (const disk of ['vdl', 'vdg']) Object.assign(wanted.disks[disk] ?? {}, { keep: true });
  delete wanted.encrypted[Object.keys(wanted.encrypted).find((id) => id.startsWith('luks-')) ?? ''];
  const mountAt = (id: string, at: string, subvolume?: string) => {
    (wanted.filesystems[id] as FileSystem).mounts = [{ at, ...(subvolume ? { subvolume } : {}) }];
  };
  mountAt('vdi', '/');
  mountAt('vdb1', '/boot');
  mountAt('vde', '/home', '@home');

  const now = await captureMachine(recorded(facts));
  const chosen = Object.fromEntries(
    Object.keys(wanted.disks).flatMap((id) => (wanted.disks[id]?.keep ? [] : [[id, id]])),
  );
  const made = plan(wanted, { ...now, chosen, refused: { vdl: 'in use' } });
  const bytes = Buffer.from(JSON.stringify(made));
  await using file = await open(exchange, 'r+');
  await file.write(bytes, 0, bytes.length, PLAN_AT << 20);
  const fetched = `dd if=/dev/vdl bs=1M skip=${PLAN_AT} 2>/dev/null | head -c ${bytes.length} >plan`;
  const applied = (hash: string) => `mindi restore apply plan --hash ${hash} --key-file key 2>said; tail -n 3 said`;
  expect(await shell(machine, `${fetched}; ${applied('0')}`)).toContain('this is not the plan with that hash');
  expect(await shell(machine, applied(made.hash), 300)).toMatch(/^The disks are as the plan says\./);

  const again = await factsOf(machine, exchange);
  expect(comparable(await captureLayout(recorded(again), null))).toEqual(comparable(found));
  const { there } = await captureMachine(recorded(again));
  expect(there.filesystems.vde?.mounts).toEqual([{ at: '/mnt/RESTORING/home', subvolume: '@home' }]);
}, 900_000);
