import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Machine, startMachine } from '../../boot/qemu.ts';
import { build } from '../../builder/build.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { findReady } from '../../contract/report.ts';
import { startFiles } from '../plain-kernel.ts';
import { serveTapes, type TapeServer } from '../tape-server.ts';
import { at, DISKS, folder, hashOf, MIB, makeVolumes, payload, sha256, tapeData, WEB01 } from './local-volumes.ts';
import { CONSOLES, comes, PATIENCE, shell } from './shell.ts';

/**
 * One machine that runs from a disc and has another drive, disks of all kinds, two tape drives, and USB devices that
 * come and go. What must not be written to is opened for writing by QEMU, so that the hashes can tell.
 */
let tapes: TapeServer;
let machine: Machine;
const before = new Map<string, string>();

const WRITABLE = [...DISKS, 'disk', 'stick', 'big'].map((name) => `${name}.img`);

beforeAll(async () => {
  await makeVolumes();
  for (const name of WRITABLE) before.set(name, await hashOf(name));

  const profile = at('medium.yaml');
  await writeFile(profile, 'name: medium\nextends: standalone\nmountlist: none\n');
  const { media } = await build(await loadProfile(profile), at('out'));
  const image = media[0]?.path ?? '';
  tapes = await serveTapes([{ size: 16 }, { size: 16 }, { size: 16 }], folder);
  machine = await startMachine({
    direct: { ...(await startFiles(image, folder)), append: `${CONSOLES} expert udevtimeout=20` },
    medium: { path: image, as: 'cdrom' },
    drives: [`${at('disk.img')}:ahci`, ...DISKS.map((name) => `${at(`${name}.img`)}:virtio`)],
    more: [
      ...['-drive', `if=none,id=disc,format=raw,readonly=on,media=cdrom,file=${at('tapes.iso')}`],
      ...['-device', 'ide-cd,id=drive,drive=disc'],
      ...['-drive', `if=none,id=slow,format=raw,readonly=on,media=cdrom,file=${at('disc1.iso')},${SLOW}`],
      ...['-drive', `if=none,id=big,format=raw,file=${at('big.img')},throttling.bps-read=${2 * MIB}`],
      ...tapes.devices,
    ],
  });
  await machine.waitFor('the ready line', findReady, PATIENCE);
  await machine.waitForText(/mindi:~# $/m, PATIENCE);
});
afterAll(async () => {
  await machine?.stop();
  await tapes?.[Symbol.asyncDispose]();
});

/** Bytes a second, as a remote-management card gives them. */
const SLOW = 'throttling.bps-read=50000';

/** Puts a disc into the second drive, as a hand would. */
const putIn = (name: string) =>
  machine.qmp('blockdev-change-medium', { id: 'drive', filename: at(name), format: 'raw', force: true });

const plugIn = (drive: string) =>
  machine.qmp('device_add', { driver: 'usb-storage', bus: 'usb.0', id: `usb-${drive}`, drive });
const pullOut = (drive: string) => machine.qmp('device_del', { id: `usb-${drive}` });

const mindi = (words: string) => shell(machine, `mindi source ${words}`);
/** The same as if the machine had been started with more boot parameters. */
const mindiWith = (parameters: string, words: string) => {
  const cover = `echo "$(cat /proc/cmdline) ${parameters}" >/tmp/cmdline; mount --bind /tmp/cmdline /proc/cmdline`;
  return shell(machine, `${cover}; mindi source ${words}; umount /proc/cmdline`);
};
/** What the command said, and the SHA-256 of a file of the source. */
const read = (words: string, file = 'payload') => mindi(`${words} --read ${file} | sha256sum`);

const says = (words: string) => comes(machine, words);

test('lists what is there by itself, and not the disc it runs from', async () => {
  const found = (await mindi('')).split('\n');
  const drive = /cd:(\/dev\/sr\d)/.exec(found[0] ?? '')?.[1];
  expect(found).toEqual([
    `cd:${drive}`,
    ...['disk:/dev/vda', 'disk:/dev/vdb', 'disk:/dev/vdc'],
    ...['tape:/dev/nst0', 'tape:/dev/nst1', 'tape:/dev/nst2'],
  ]);
  expect(await shell(machine, 'grep -c run/mindi/source /proc/mounts')).toBe('0');
});

describe('disks of the machine', () => {
  test('a directory with ISO files: the newest set, each volume of it, the journal as it was', async () => {
    const said = await mindi('disk:LABEL=store/backup/web01 --json');
    expect(said).toContain('also there, and not used: the set of mail, 2026-02-01T08:00:00Z\n');
    expect(JSON.parse(said.split('\n').at(-1) ?? '')).toEqual({
      name: '/backup/web01 on the disk sda3',
      path: '/run/mindi/source',
      volumes: [
        { ...WEB01, number: 1 },
        { ...WEB01, number: 2 },
      ],
    });
    expect(await shell(machine, 'sha256sum </run/mindi/source/payload')).toContain(payload('disc1'));
    expect(await read('disk:/dev/sda3/backup/web01 --volume 2')).toContain(payload('disc2'));
    expect(await mindiWith('prefix=mail', 'disk:LABEL=store/backup/web01')).toContain('\nvolume 1 of 1 of mail, 2026');
    expect(await mindi('disk:/dev/sda3/backup/web01 --volume 3')).toContain(
      'The ISO file of volume 3 is not on /backup/web01 on the disk sda3; there are disc1.iso, disc2.iso.\nCopy it',
    );
    expect(await shell(machine, 'dd if=/dev/zero of=/dev/sda3 count=1 conv=fsync')).toContain('not permitted');
  });

  test('a device that is mapped to it', async () => {
    const table = 'dmsetup create -r store --table "0 65536 linear /dev/sda3 0"';
    await shell(machine, `mindi source --close; ${table}; dmsetup mknodes`);
    expect(await mindi('disk:/dev/sda3/backup')).toMatch(/The disk sda3 holds .* that cannot be mounted: .*busy/);
    expect(await read('disk:/dev/mapper/store/backup/web01')).toContain(payload('disc1'));
    expect(await shell(machine, 'mindi source --close; dmsetup remove store; echo $?')).toBe('0');
  });

  test('XFS, Btrfs, F2FS and NTFS, by label, by UUID and without a name', async () => {
    // Its journal is left as a crash leaves it.
    const crash = 'touch /mnt/new && xfs_io -x -c "shutdown -f" /mnt && umount /mnt && sync && echo crashed';
    expect(
      await shell(machine, `mindi storage writable /dev/vda --yes >/dev/null && mount /dev/vda /mnt && ${crash}`),
    ).toBe('crashed');
    before.set('xfs.img', await hashOf('xfs.img'));
    // As if nothing had been opened before.
    await shell(machine, 'mindi source --close; rmdir /run/mindi/source*');
    expect(await read('disk:LABEL=ex')).toContain(payload('xfs'));
    expect(await read('disk:LABEL=flash')).toContain(payload('f2fs'));
    expect(await read('disk:LABEL=windows')).toContain(payload('btrfs'));
    const uuid = await shell(machine, 'blkid -s UUID -o value /dev/vdb');
    expect(await read(`disk:UUID=${uuid}`)).toContain(payload('btrfs'));
    expect(await read('disk:')).toContain(payload('xfs'));
  });

  test('what is not there is a sentence, and what to do', async () => {
    expect(await mindi('disk:/dev/sda3/bakcup')).toMatch(
      /There is no such directory on \/bakcup on the disk sda3: .*\nCheck the path, or choose another source\.$/,
    );
    expect(await mindiWith('udevtimeout=1', 'disk:LABEL=nosuch/x; echo $?')).toMatch(
      /No file system with the LABEL nosuch is there\.\nConnect the disk and try again, or choose another source\.\n1$/,
    );
    expect(await mindi('disk:/dev/sda1')).toContain('The disk sda1 holds no file system that can be read here.');
    expect(await mindi('disk:LABEL=ex --volume 2')).toContain('The disk vda has no other volumes.\nLeave out --volume');
    expect(await mindi('disk:LABEL=ex')).toMatch(
      /the disk vda: \/run\/mindi\/source\nvolume 1 of 2 of web01, 2026-03-01T12:00:00Z$/,
    );
    expect(await mindi('disk:LABEL=ex --volume x; echo $?')).toMatch(/^mindi source: "x" is not the .*[\s\S]*\n2$/);
    expect(await mindi('disk:backup')).toContain('The address disk:backup names no place on a disk.\nWrite it like');
    expect(await read('disk:LABEL=ex', '../../etc/passwd')).toContain('../../etc/passwd is not on the disk vda.');
  });
});

describe('discs', () => {
  test('one set of two: the old one is thrown out, wrong ones are named and asked for again', async () => {
    await putIn('disc1.iso');
    const asked = read('cd: --volume 2');
    await says('Put in disc 2 of 2 (web01, 2026-03-01T12:00:00Z).');
    expect(await trayOpen()).toBe(true);
    await putIn('mail.iso');
    machine.type('\r');
    await says('belongs to another set: disc 1 of mail, 2026-02-01T08:00:00Z. Put in disc 2 of 2');
    await putIn('disc1.iso');
    machine.type('1\r');
    await says('is disc 1, not disc 2. Put in disc 2 of 2');
    await putIn('tapes.iso');
    machine.type('\r');
    await says('holds no restore data. Put in disc 2 of 2');
    await putIn('disc2.iso');
    machine.type('\r');
    expect(await asked).toContain(payload('disc2'));
  });

  test('nobody is there, a person who gives up, a tray that stays shut', async () => {
    expect(await mindi('cd: --volume 1 </dev/null; echo $?')).toMatch(
      /Nobody is asked in this mode: Put in disc 1 of 2 .*\n1$/,
    );
    expect(await trayOpen()).toBe(false);
    const asked = mindiWith('donteject', 'cd: --volume 1');
    await says('Put in disc 1 of 2');
    expect(await trayOpen()).toBe(false);
    machine.type('2\r');
    expect(await asked).toMatch(/There is no disc 1 of 2\.\nOpen the source again when you have it/);
  });

  test('a slow drive of a remote-management card, that appears late', async () => {
    await putIn('tapes.iso');
    const asked = read('cd:');
    await says('waiting for a disc with restore data');
    await plugIn('slow');
    expect(await asked).toContain(payload('disc1'));
    await pullOut('slow');
  });
});

const trayOpen = async () => {
  const drives = (await machine.qmp('query-block')) as { qdev: string; tray_open?: boolean }[];
  return drives.find(({ qdev }) => qdev.includes('drive'))?.tray_open;
};

describe('USB disks', () => {
  test('one that is plugged in late', async () => {
    await addDisk('stick');
    const asked = read('usb:');
    await says('waiting for a USB disk with restore data');
    await plugIn('stick');
    expect(await asked).toContain(payload('stick'));
    expect(await read('usb:LABEL=STICK/')).toContain(payload('stick'));
    await pullOut('stick');
  });

  test('one that is pulled out while it is read: a sentence, and read whole when it is back', async () => {
    await plugIn('big');
    const asked = mindi('usb: --read payload >/dev/null; echo $?');
    await readSome('big', 6 * MIB);
    await pullOut('big');
    expect(await asked).toMatch(
      /The USB disk sd[a-z] was taken away while payload was read; \d+ bytes of it came\.\nPlug it in again .*\n1$/,
    );
    await addDisk('big2', 'big.img');
    await plugIn('big2');
    expect(await read('usb:')).toContain(payload('big'));
  });
});

test('a damaged place of a disk: which file, how far, and what to do', async () => {
  const file = { driver: 'file', filename: at('big.img'), locking: 'off', 'read-only': true };
  const sector = (16 * MIB) / 512;
  const bad = { driver: 'blkdebug', image: file, 'inject-error': [{ event: 'read_aio', errno: 5, sector }] };
  await machine.qmp('blockdev-add', { driver: 'raw', 'node-name': 'bad', file: bad, 'read-only': true });
  await plugIn('bad');
  await machine.qmp('device_del', { id: 'usb-big2' });
  expect(await mindi('usb: --read payload >/dev/null; echo $?')).toMatch(
    /payload on the USB disk sd[a-z] cannot be read beyond byte \d{8}: EIO.*\nThe medium or its drive may be damaged .*\n1$/,
  );
});

const addDisk = (node: string, file = `${node}.img`) =>
  machine.qmp('blockdev-add', { driver: 'raw', 'node-name': node, file: { driver: 'file', filename: at(file) } });

/** Waits until so many bytes have been read from a drive. */
async function readSome(drive: string, bytes: number): Promise<void> {
  for (;;) {
    const all = (await machine.qmp('query-blockstats')) as { device: string; stats: { rd_bytes: number } }[];
    if ((all.find(({ device }) => device === drive)?.stats.rd_bytes ?? 0) > bytes) return;
    await sleep(100);
  }
}

describe('tapes', () => {
  beforeAll(async () => {
    const write = (file: string, drive: number) =>
      `mt -f /dev/nst${drive} setblk 0 && /usr/lib/mindi/runtime write.mjs ${file} /dev/nst${drive} && echo written`;
    const all = [write('obdr.tap', 0), write('plain.tap', 1), write('bare.tap', 2)].join(' && ');
    await putIn('tapes.iso');
    const drive = /cd:\S+/.exec(await mindi(''))?.[0];
    const said = await shell(machine, `mindi source ${drive}; cd /run/mindi/source; ${all}; cd`);
    expect(said).toMatch(/(^written$[\s\S]*){3}/m);
    for (const drive of [0, 1, 2]) before.set(`tape${drive}.img`, await hashOf(`tape${drive}.img`));
  });

  test('data behind the rescue system, found by the label', async () => {
    const said = await mindi('tape:/dev/st0 --json');
    expect(JSON.parse(said.split('\n').at(-1) ?? '')).toEqual({
      name: 'the tape in nst0',
      path: null,
      volumes: [{ ...WEB01, number: 1 }],
    });
    expect(await read('tape:', 'data')).toContain(sha256(tapeData.obdr));
  });

  test('a plain one in another drive is the second of the set, and nobody is asked', async () => {
    expect(await read('tape:/dev/nst1', 'data')).toContain(sha256(tapeData.plain));
    expect(await read('tape: --volume 2 </dev/null', 'data')).toContain(sha256(tapeData.plain));
  });

  test('a tape without restore data, one that is not there', async () => {
    expect(await mindiWith('udevtimeout=1', 'tape:/dev/nst2')).toContain(
      'No tape with restore data is in a drive: nst2 holds the tape DISC1, which has no restore data.\nPut the tape in',
    );
    expect(await mindi('tape: --volume 3 </dev/null')).toContain('Nobody is asked in this mode: Put in tape 3 of 2');
  });
});

test('nothing was written anywhere', async () => {
  await machine.stop();
  for (const [name, hash] of before) expect(await hashOf(name), name).toBe(hash);
});
