#!/bin/sh
# on-a-copy.sh DIR RELEASE MODULES IMAGE COMMAND…
#
# Runs COMMAND as on this machine with the kernel RELEASE installed: in a mount namespace of its own (call it by
# `unshare --mount`), on an overlay over / whose upper side is in memory. What COMMAND writes is gone with it, but for
# /var/tmp, which is DIR/tmp, so that work on the disk stays work on the disk.
set -eu
dir=$1 release=$2 modules=$3 image=$4
shift 4

mount --make-rprivate /
mkdir -p "$dir/copy" "$dir/tmp"
mount -t tmpfs tmpfs "$dir/copy"
mkdir "$dir/copy/upper" "$dir/copy/work" "$dir/copy/root"
root=$dir/copy/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$dir/copy/upper,workdir=$dir/copy/work" "$root"
for tree in proc sys dev; do mount --rbind "/$tree" "$root/$tree"; done
mount --bind "$dir/tmp" "$root/var/tmp"

mkdir -p "$root/lib/modules/$release" "$root/boot" "$root/etc/rear"
mount --bind "$modules" "$root/lib/modules/$release"
cp "$image" "$root/boot/vmlinuz-$release"
# Defaults, but for what ReaR cannot tell where no boot loader is installed.
printf 'OUTPUT=ISO\nBOOTLOADER=GRUB\n' >"$root/etc/rear/local.conf"
exec chroot "$root" env TMPDIR=/var/tmp "$@"
