#!/bin/sh
# Makes small disks with partition tables, compressed with zstd.
# Needs: sgdisk, sfdisk, losetup, zstd. Run anywhere; it overwrites what is in its own folder.
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
