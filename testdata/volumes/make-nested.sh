#!/bin/sh
# Makes nested.disk: a partition with ext4 whose files are disk images of several formats, one of them with an image
# inside; and nested.truth with the token in each of them.
# Needs: mkfs.ext4, mkfs.vfat, mtools, debugfs, sfdisk, qemu-img, mksquashfs, cryptsetup, zstd. No root.
#
# nested.truth: volume as residue calls it, path, token.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
: > "$here/nested.truth"

# An access key id of the right shape, another one for each name.
token() { printf 'AKIA%s' "$(printf 'token %s' "$1" | sha256sum | cut -c1-40 | xxd -r -p | base32 | cut -c1-16)"; }
words() { seq -f "$1 line %g: nothing to see here, move along" 1 "$2"; }

# A disk of 4 MiB with one partition of ext4 that holds a token amid much text; $1 is its name, $2 its volume.
guest() {
    rm -rf tree part.img
    mkdir -p tree/etc
    { words "$1" 700; echo "key $(token "$1") end"; words "$1" 700; } > tree/etc/app.conf
    printf 'root:x:0:0::/root:/bin/sh\n%s:x:1000:1000::/home:/bin/sh\n' "$1" > tree/etc/passwd
    truncate -s 3M part.img
    mkfs.ext4 -q -F -b 1024 -N 32 -O ^resize_inode,^has_journal -E nodiscard -d tree part.img
    truncate -s 4M "$1.raw"
    printf 'label: dos\nstart=2048, size=6144, type=83\n' | sfdisk -q "$1.raw"
    dd if=part.img of="$1.raw" bs=1M seek=1 conv=notrunc status=none
    echo "$2!/p1 /etc/app.conf $(token "$1")" >> "$here/nested.truth"
}

mkdir -p top/images "top/with space" top/other
v=p1:/images
guest raw "$v/raw.img"; cp raw.raw top/images/raw.img
guest plain "$v/plain.qcow2"; qemu-img convert -O qcow2 plain.raw top/images/plain.qcow2
guest packed "$v/packed.qcow2"; qemu-img convert -c -O qcow2 packed.raw top/images/packed.qcow2
guest vmdk "$v/sparse.vmdk"; qemu-img convert -O vmdk vmdk.raw top/images/sparse.vmdk
guest vhdx "$v/wsl.vhdx"; qemu-img convert -O vhdx -o block_size=1M vhdx.raw top/images/wsl.vhdx
guest vdi "$v/box.vdi"; qemu-img convert -O vdi vdi.raw top/images/box.vdi
guest vhd "$v/fixed.vhd"; qemu-img convert -O vpc -o subformat=fixed,force_size=on vhd.raw top/images/fixed.vhd
guest space "p1:/with%20space/a%20b.qcow2"; qemu-img convert -O qcow2 space.raw "top/with space/a b.qcow2"

# A disk in a disk, in a compressed one.
guest inner "$v/outer.qcow2!/whole:/inner.qcow2"
qemu-img convert -O qcow2 inner.raw inner.qcow2
mkdir middle; cp inner.qcow2 middle/
truncate -s 6M outer.raw
mkfs.ext4 -q -F -b 1024 -N 32 -O ^resize_inode,^has_journal -E nodiscard -d middle outer.raw
qemu-img convert -c -O qcow2 outer.raw top/images/outer.qcow2

# Disks in disks, deeper than is followed.
cp raw.raw deep.raw
for level in 1 2 3 4; do
    rm -rf deep; mkdir deep; mv deep.raw deep/deep.img
    truncate -s $((5 + level))M deep.raw
    mkfs.ext4 -q -F -b 1024 -N 32 -O ^resize_inode,^has_journal -E nodiscard -d deep deep.raw
done
cp deep.raw top/images/deep.img

# What is named only, and what only looks like an image.
mkdir squash; words squash 3000 > squash/file; mksquashfs squash top/other/app.snap -noD -noF -quiet -no-progress > /dev/null
truncate -s 20M luks.img
echo secret | cryptsetup luksFormat -q --type luks1 --uuid 11111111-2222-3333-4444-555555555555 \
    --pbkdf-force-iterations 1000 luks.img -
head -c 8192 luks.img > top/other/vault; truncate -s 128k top/other/vault
{ head -c 510 /dev/zero; printf '\125\252'; words boot 3000; } > top/other/boot.bin
{ printf 'QFI\373'; words broken 3000; } > top/other/broken.qcow2
qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 -u top/images/overlay.qcow2 4M
qemu-io -f qcow2 -c 'write -q -P 65 0 64k' top/images/overlay.qcow2 2> /dev/null || true

truncate -s 64M disk.img
mkfs.ext4 -q -F -b 1024 -N 64 -O ^resize_inode,^has_journal -E nodiscard -d top disk.img
truncate -s 66M nested.disk
printf 'label: dos\nstart=2048, size=131072, type=83\n' | sfdisk -q nested.disk
dd if=disk.img of=nested.disk bs=1M seek=1 conv=notrunc status=none
zstd -q -19 -f nested.disk -o "$here/nested.disk.zst"
