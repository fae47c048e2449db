#!/bin/sh
# Makes the disk images of the leftover tests with the programs that make such systems.
# Needs: mke2fs and debugfs (e2fsprogs), qemu-img, mkntfs and ntfs-3g (root, FUSE), cpio, gzip, ssh-keygen, zstd.
set -eu
cd "$(dirname "$0")"
here=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
pack() { zstd -q -19 -f "$1" -o "$here/$2.zst"; }
ext4() { # image, tree
    truncate -s 1M "$1"
    mke2fs -q -t ext4 -O ^has_journal,^resize_inode -U 00000000-0000-4000-8000-000000000001 -E root_owner=0:0 -d "$2" "$1"
}

# A server with an SSH host key, a key in its initial RAM disk, and a deleted file with a secret; and its cleaned twin.
mkdir -p dirty/etc/ssh dirty/root dirty/boot dirty/tmp ram/root/.ssh clean/etc/ssh clean/boot plain/etc
printf 'root:x:0:0:root:/root:/bin/bash\n' | tee dirty/etc/passwd clean/etc/passwd >plain/etc/passwd
ssh-keygen -q -t ed25519 -N '' -C root@build -f dirty/etc/ssh/ssh_host_ed25519_key
cp dirty/etc/ssh/ssh_host_ed25519_key.pub ram/root/.ssh/authorized_keys
(cd ram && find . | cpio -o -H newc --quiet | gzip -9n) >dirty/boot/initrd.img-6.1
(cd plain && find . | cpio -o -H newc --quiet | gzip -9n) >clean/boot/initrd.img-6.1
ssh-keygen -q -t ed25519 -N '' -C gone@build -f dirty/tmp/gone
ext4 dirty.img dirty
debugfs -w -R 'rm /tmp/gone' dirty.img 2>/dev/null
ext4 clean.img clean
pack dirty.img server-dirty
pack clean.img server-clean

# A Windows volume with a Linux system on a virtual disk and one in a directory.
mkdir -p linux/etc linux/root windows
printf 'root:x:0:0:root:/root:/bin/bash\n' >linux/etc/passwd
printf 'ls\n' >linux/root/.bash_history
printf '0123456789abcdef0123456789abcdef\n' >linux/etc/machine-id
ext4 linux.img linux
qemu-img convert -O vhdx -o log_size=1M,block_size=1M linux.img ext4.vhdx
truncate -s 24M windows.img
mkntfs -F -Q -q -L windows windows.img >/dev/null 2>&1
ntfs-3g windows.img windows
local=windows/Users/bob/AppData/Local
mkdir -p $local/wsl/1 $local/lxss/rootfs windows/Windows/System32/config
cp ext4.vhdx $local/wsl/1/
zstd -dqf "$here/hives/system-clean.zst" -o windows/Windows/System32/config/SYSTEM
cp -r linux/etc linux/root $local/lxss/rootfs/
umount windows
pack windows.img wsl
