#!/bin/sh
# Makes disks with logical volumes and arrays, and layers.truth: what the kernel reads from each of them.
# Needs root, a kernel with md and device mapper, and: losetup, sfdisk, lvm2, thin-provisioning-tools, mdadm,
# mkfs.ext4, zstd. Run it as `make-layers.sh FOLDER`; it overwrites what is in FOLDER and packs nothing where zstd is
# missing.
#
# layers.truth: disk, volume as residue calls it, length in bytes, SHA-256 of all its bytes.
set -eu
out=$1
work=$(mktemp -d)
cd "$work"
truth=$out/layers.truth
: > "$truth"
export LVM_SUPPRESS_FD_WARNINGS=1

# Text that differs in every line, so that no two blocks of a disk are alike.
text() { seq -f "$1 line %g: nothing to see here, move along" 1 "$2"; }
fill() {
    mkdir -p mnt
    mkfs.ext4 -q -F -b 1024 -I 256 -O ^resize_inode -N 32 -E nodiscard "$1"
    mount -t ext4 "$1" mnt
    mkdir mnt/etc mnt/etc/deep
    text "$2-small" 10 > mnt/etc/small.txt
    text "$2-large" 6000 > mnt/etc/large.txt
    text "$2-deep" 900 > mnt/etc/deep/file.txt
    umount mnt
}
say() { echo "$1 $2 $(blockdev --getsize64 "$3") $(sha256sum < "$3" | cut -d' ' -f1)" >> "$truth"; }
# A disk of $2 MiB with equal partitions, one for each further MiB given.
disk() {
    name=$1
    truncate -s "$2M" "$name"
    shift 2
    { echo 'label: gpt'; for size in "$@"; do echo "size=${size}MiB, type=linux"; done; } | sfdisk -q "$name"
    loop=$(losetup -P --show -f "$name")
    for _ in 1 2 3 4 5; do [ -e "${loop}p$#" ] && break; mdev -s 2> /dev/null || sleep 1; done
}
done_with() {
    sync
    losetup -d "$loop"
    cp --sparse=always "$1" "$out/$1" 2> /dev/null || cp "$1" "$out/$1"
    rm "$1"
}
lvm_quiet() { lvm "$@" > /dev/null; }

# Linear over two members, striped over two with stripes of 4 KiB, a swap, a disk in a volume, free extents; one
# member keeps no metadata.
disk lvm.disk 40 12 10 10
lvm_quiet pvcreate -ff -y "${loop}p1"
lvm_quiet pvcreate -ff -y --metadatacopies 0 "${loop}p2"
lvm_quiet pvcreate -ff -y --metadatacopies 2 "${loop}p3"
lvm_quiet vgcreate -s 128k vg-0 "${loop}p1" "${loop}p2" "${loop}p3"
lvm_quiet lvcreate -y -n hole -L 512k vg-0 "${loop}p1"
lvm_quiet lvcreate -y -n linear -L 3m vg-0 "${loop}p1"
lvm_quiet lvcreate -y -n striped -i 2 -I 4k -L 4m vg-0 "${loop}p2" "${loop}p3"
lvm_quiet lvextend -y -L 5m vg-0/linear "${loop}p2"
lvm_quiet lvcreate -y -n swap -L 1m vg-0 "${loop}p3"
lvm_quiet lvcreate -y -n guest -L 4m vg-0 "${loop}p1"
lvm_quiet lvremove -y vg-0/hole
fill /dev/vg-0/linear linear
fill /dev/vg-0/striped striped
mkswap -q /dev/vg-0/swap 2> /dev/null || mkswap /dev/vg-0/swap > /dev/null
printf 'label: dos\nstart=64, size=7000, type=83\n' | sfdisk -q /dev/vg-0/guest
inner=$(losetup --show -f -o 32768 --sizelimit 3584000 /dev/vg-0/guest)
fill "$inner" guest
say lvm.disk 'lvm:vg-0/guest!/p1' "$inner"
losetup -d "$inner"
for lv in linear striped swap guest; do say lvm.disk "lvm:vg-0/$lv" "/dev/vg-0/$lv"; done
lvm_quiet vgchange -an vg-0
done_with lvm.disk

# What is recognised only: a thin pool, a snapshot, a cache, RAID 5; and a mirror, whose first half is read.
disk lvm-mixed.disk 64 30 30
lvm_quiet pvcreate -ff -y "${loop}p1" "${loop}p2"
lvm_quiet vgcreate -s 256k mixed "${loop}p1" "${loop}p2"
lvm_quiet lvcreate -y -n origin -L 4m mixed "${loop}p1"
fill /dev/mixed/origin origin
lvm_quiet lvcreate -y -s -n before -L 1m mixed/origin
lvm_quiet lvcreate -y --type raid1 -m 1 -n mirror -L 4m mixed
fill /dev/mixed/mirror mirror
lvm_quiet lvcreate -y --type thin-pool -c 64k -L 6m -n pool mixed "${loop}p2"
lvm_quiet lvcreate -y -V 8m --thinpool mixed/pool -n thin
fill /dev/mixed/thin thin
lvm_quiet lvcreate -y -s -n thin-snapshot mixed/thin
for lv in origin mirror; do say lvm-mixed.disk "lvm:mixed/$lv" "/dev/mixed/$lv"; done
lvm_quiet vgchange -an mixed
done_with lvm-mixed.disk

# Mirrors with each version of the superblock, both halves in one disk; one holds a volume group.
number=0
for version in 0.90 1.0 1.1 1.2; do
    number=$((number + 1))
    disk md-$version.disk 20 8 8
    mdadm --create /dev/md$number --run --quiet --homehost=host --name=data$number --metadata=$version --level=1 \
        --raid-devices=2 --assume-clean "${loop}p1" "${loop}p2" 2> /dev/null
    fill /dev/md$number mirror$version
    case $version in 0.90) called=$(mdadm --detail /dev/md$number | sed -n 's/.*UUID : \([0-9a-f]*\):.*/\1/p') ;; *) called=data$number ;; esac
    say md-$version.disk "md:$called" /dev/md$number
    mdadm --stop --quiet /dev/md$number
    done_with md-$version.disk
done
disk md-lvm.disk 24 10 10
mdadm --create /dev/md8 --run --quiet --homehost=host --name=pv --metadata=1.2 --level=1 --raid-devices=2 \
    --assume-clean "${loop}p1" "${loop}p2" 2> /dev/null
lvm_quiet pvcreate -ff -y /dev/md8
lvm_quiet vgcreate -s 128k over /dev/md8
lvm_quiet lvcreate -y -n top -L 4m over
fill /dev/over/top top
say md-lvm.disk lvm:over/top /dev/over/top
say md-lvm.disk md:pv /dev/md8
lvm_quiet vgchange -an over
mdadm --stop --quiet /dev/md8
done_with md-lvm.disk

# Levels that are named only.
disk md-raid5.disk 32 8 8 8
mdadm --create /dev/md9 --run --quiet --homehost=host --name=five --metadata=1.2 --level=5 --raid-devices=3 \
    --assume-clean "${loop}p1" "${loop}p2" "${loop}p3" 2> /dev/null
fill /dev/md9 five
mdadm --stop --quiet /dev/md9
done_with md-raid5.disk

# A mirror whose second half fell out and missed the last writes.
disk md-stale.disk 20 8 8
mdadm --create /dev/md7 --run --quiet --homehost=host --name=torn --metadata=1.2 --level=1 --raid-devices=2 \
    --assume-clean "${loop}p1" "${loop}p2" 2> /dev/null
fill /dev/md7 before
mdadm --quiet /dev/md7 --fail "${loop}p2"
mdadm --quiet /dev/md7 --remove "${loop}p2"
fill /dev/md7 after
say md-stale.disk md:torn /dev/md7
mdadm --stop --quiet /dev/md7
done_with md-stale.disk

if command -v zstd > /dev/null; then
    for name in "$out"/*.disk; do zstd -q -19 -f --rm "$name" -o "$name.zst"; done
fi
