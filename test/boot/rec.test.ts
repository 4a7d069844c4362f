import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { test } from 'vitest';
import { startMachine } from '/tmp/wt/write/boot/qemu.ts';

test('rec', async () => {
  for (const n of ['a', 'b', 'c', 'd']) execFileSync('truncate', ['-s', '400M', `/tmp/rec-${n}.img`]);
  const usb = (id: string, serial: string) => [
    '-drive',
    `if=none,id=${id},format=raw,file=/tmp/rec-${id}.img`,
    '-device',
    `usb-storage,bus=usb.0,drive=${id},removable=on,serial=${serial}`,
  ];
  await using m = await startMachine({
    memory: 1024,
    medium: { path: '/tmp/tr-out/standalone.iso', as: 'cdrom' },
    drives: ['/tmp/rec-a.img', '/tmp/rec-b.img'],
    more: [...usb('c', 'STICK-C'), ...usb('d', 'STICK-D')],
  });
  await m.waitForText(/mindi: ready/, 200);
  m.type('\r\r');
  let n = 0;
  const sh = async (c: string) => {
    n++;
    m.type(`echo 'be'gin-${n}; ${c}; echo 'en'd-${n}\r`);
    const re = new RegExp(`^begin-${n}\\n([^]*?)^end-${n}`, 'm');
    const r = await m.waitFor(c, (t) => re.exec(t)?.[1], 60).catch((e) => e.message);
    console.log('>>', c, '\n', r);
    return r;
  };
  await sh(
    'stty -echo; which lsblk sfdisk mdadm cryptsetup lvm btrfs mkfs.ext4; ls /dev/vd* /dev/sd*; lsblk --version',
  );
  for (const c of [
    'modprobe dm-mod; modprobe dm-crypt; modprobe raid1; modprobe ext4; modprobe btrfs; modprobe vfat; modprobe loop; modprobe usb_storage; modprobe sd_mod; modprobe xhci_pci; modprobe uas; modprobe algif_skcipher; sleep 3',
    "printf 'label: gpt\\nsize=40M, type=U\\nsize=60M\\nsize=100M\\nsize=100M\\n' | sfdisk -q /dev/vda; printf 'label: gpt\\nsize=100M\\nsize=100M\\n' | sfdisk -q /dev/vdb; printf 'label: dos\\nsize=100M,type=c\\nsize=100M\\n' | sfdisk -q /dev/sda; sleep 1; ls /dev/vd* /dev/sd*",
    'mkfs.vfat -n EFI /dev/vda1; mkfs.ext4 -q -L boot /dev/vda2; vgcreate vg0 /dev/vda3; lvcreate -qq -n root -L 40M vg0; lvcreate -qq -n swap -L 20M vg0; mkfs.ext4 -q -L root /dev/vg0/root; mkswap -L swap /dev/vg0/swap',
    'yes | mdadm --create /dev/md0 --level=1 --raid-devices=2 --metadata=1.2 /dev/vda4 /dev/vdb1; mkfs.ext4 -q /dev/md0',
    'mkdir -p /mnt/r /mnt/md /mnt/b; mount /dev/vg0/root /mnt/r; mkdir -p /mnt/r/boot; mount /dev/vda2 /mnt/r/boot; mkdir -p /mnt/r/boot/efi; mount /dev/vda1 /mnt/r/boot/efi; swapon /dev/vg0/swap; mount /dev/md0 /mnt/md; mkdir -p /mnt/r/usr',
    'echo secret | cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /dev/sda2 -; echo secret | cryptsetup open /dev/sda2 vault -; mkfs.vfat -n PHOTOS /dev/sda1; mkfs.ext4 -q /dev/mapper/vault',
    'mkfs.btrfs -q -f -L pool /dev/vdb2 /dev/sdb; mount -t btrfs /dev/vdb2 /mnt/b; ls /sys/fs/btrfs/*/devices',
    'mount --bind /proc /mnt/r/proc',
  ])
    await sh(c);
  const cols =
    'NAME,KNAME,PKNAME,PATH,MAJ:MIN,TYPE,SIZE,RO,RM,TRAN,VENDOR,MODEL,REV,SERIAL,PTTYPE,FSTYPE,LABEL,LOG-SEC,MOUNTPOINTS';
  writeFileSync('/tmp/rec-lsblk.json', await sh(`lsblk -a -J -b -o ${cols}`));
  await sh(
    'chroot /mnt/r true; for d in sda sdb sr0 vda; do echo $d; ls /sys/block/$d /sys/block/$d/device; realpath /sys/block/$d; cat /sys/block/$d/diskseq /sys/block/$d/removable; done; P=$(realpath /sys/block/sda/device); while [ $P != / ]; do [ -e $P/serial ] && echo $P $(cat $P/serial); P=$(dirname $P); done; xxd /sys/block/sda/device/vpd_pg80',
  );
}, 600000);
