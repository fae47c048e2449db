#!/bin/sh
# Makes small disks with partition tables, compressed with zstd.
# Needs: sgdisk, sfdisk, losetup, zstd, and the mkfs programs below. Run anywhere; it overwrites what is in its own folder.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
keep() { for name in "$@"; do zstd -q -19 -f "$name" -o "$here/$name.zst"; done; }

truncate -s 8M gpt.raw
sgdisk -a 64 -U 00000000-0000-4000-8000-000000000001 \
    -n 1:64:2111 -t 1:ef00 -c 1:"EFI System" -n 3:4096:8191 -t 3:8300 -c 3:"Wurzel ä" \
    -n 9:8192:16000 -t 9:8200 gpt.raw > /dev/null
cp gpt.raw hybrid.raw
sgdisk -h 3 hybrid.raw > /dev/null

# Sectors of 4096 bytes need a loop device, hence root.
truncate -s 32M gpt-4096.raw
loop=$(losetup -b 4096 --show -f gpt-4096.raw)
echo 'label: gpt
first-lba: 6
start=64, size=1000, type=linux, name=four
start=2048, size=2000, type=swap' | sfdisk -q --no-reread --no-tell-kernel "$loop"
losetup -d "$loop"

truncate -s 16M mbr.raw
echo 'label: dos
1: start=64, size=2000, type=c, bootable
2: start=4096, size=24000, type=5
3: start=30000, size=2000, type=82
5: start=4160, size=2000, type=83
6: start=8192, size=2000, type=7
7: start=12288, size=2000, type=8e' | sfdisk -q mbr.raw
keep gpt.raw hybrid.raw gpt-4096.raw mbr.raw

# Starts of volumes whose content is recognised only; 256 KiB hold every signature.
u=11111111-2222-3333-4444-555555555555
head_of() { truncate -s "${2:-256k}" "$1"; keep "$1"; }
truncate -s 1M swap.raw; mkswap -q -U $u -L auslagern swap.raw 2> /dev/null; head_of swap.raw
truncate -s 1M swap-64k.raw; mkswap -q -p 65536 -U $u swap-64k.raw 2> /dev/null; head_of swap-64k.raw
truncate -s 4M ext-journal.raw; mke2fs -q -F -O journal_dev -b 4096 -L log -U $u ext-journal.raw 4096k; keep ext-journal.raw
truncate -s 2M fat12.raw; mkfs.fat -F 12 -i 1234abcd -n ESP fat12.raw > /dev/null; head_of fat12.raw
truncate -s 16M fat16.raw; mkfs.fat -F 16 -i 1234abcd fat16.raw > /dev/null; head_of fat16.raw
truncate -s 64M fat32.raw; mkfs.fat -F 32 -i 1234abcd -n DATA fat32.raw > /dev/null; head_of fat32.raw
truncate -s 8M exfat.raw; mkfs.exfat exfat.raw > /dev/null; head_of exfat.raw
truncate -s 320M xfs.raw; mkfs.xfs -q -m uuid=$u -L wide xfs.raw; head_of xfs.raw
truncate -s 128M btrfs.raw; mkfs.btrfs -q -U $u -L tree btrfs.raw > /dev/null; head_of btrfs.raw
truncate -s 64M f2fs.raw; mkfs.f2fs -q f2fs.raw > /dev/null; head_of f2fs.raw
mkdir tree; echo text > tree/file
mksquashfs tree squashfs.raw -quiet -no-progress > /dev/null; head_of squashfs.raw
genisoimage -quiet -V DISC -o iso9660.raw tree; head_of iso9660.raw
for type in luks1 luks2; do
    truncate -s 20M $type.raw
    echo secret | cryptsetup luksFormat -q --type $type --uuid $u --pbkdf-force-iterations 1000 \
        $([ $type = luks1 ] || echo --pbkdf pbkdf2 --label vault) $type.raw -
    head_of $type.raw 8k
done
truncate -s 8M lvm.raw
loop=$(losetup --show -f lvm.raw)
pvcreate -q -u abcdef-abcd-abcd-abcd-abcd-abcd-abcdef --norestorefile "$loop" > /dev/null
losetup -d "$loop"
head_of lvm.raw
