#!/bin/sh
# Makes the demo server's disk in every container that holds a whole disk, compressed with zstd.
# Needs: qemu-img, ewfacquire, tar, gzip, zstd, xz, bzip2, split. Run in this folder after testdata/demo/make.sh; it
# overwrites what is here. findings.txt is what a scan of each of them finds; write it anew with
# `RESIDUE_WRITE_GOLDEN=1 cargo test same_everywhere` and look at what changed in it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
qemu-img convert -O raw "$here/../demo/server.qcow2" disk.raw
convert() { out=$1; format=$2; shift 2; qemu-img convert -f raw -O "$format" "$@" disk.raw "$out"; }
convert v2.qcow2 qcow2 -o compat=0.10
convert v3.qcow2 qcow2 -o compat=1.1
convert cluster-512.qcow2 qcow2 -o cluster_size=512
convert cluster-2m.qcow2 qcow2 -o cluster_size=2M
convert zlib.qcow2 qcow2 -c
convert zstd.qcow2 qcow2 -c -o compression_type=zstd
convert extended-l2.qcow2 qcow2 -o extended_l2=on,cluster_size=128k
convert snapshot.qcow2 qcow2
qemu-img snapshot -c before snapshot.qcow2
convert sparse.vmdk vmdk
convert stream.vmdk vmdk -o subformat=streamOptimized
convert flat.vmdk vmdk -o subformat=monolithicFlat
convert two-gb-sparse.vmdk vmdk -o subformat=twoGbMaxExtentSparse
convert two-gb-flat.vmdk vmdk -o subformat=twoGbMaxExtentFlat
printf '<Envelope/>\n' > disk.ovf
tar --owner=0 --group=0 --mtime=@0 --format=ustar -cf disk.ova disk.ovf stream.vmdk
convert dynamic.vhd vpc -o force_size=on
convert fixed.vhd vpc -o subformat=fixed,force_size=on
convert dynamic.vhdx vhdx
convert fixed.vhdx vhdx -o subformat=fixed
convert dynamic.vdi vdi
convert fixed.vdi vdi -o static=on
ewfacquire -u -q -f encase6 -c deflate:best -t disk disk.raw > /dev/null
ewfacquire -u -q -f encase6 -c deflate:fast -t fast disk.raw > /dev/null
ewfacquire -u -q -f encase6 -c deflate:none -t none disk.raw > /dev/null
tar -czf disk.raw.tar.gz disk.raw
truncate -s "$(stat -c %s disk.raw)" sparse.raw
cp --sparse=always disk.raw sparse.raw
tar -S --format=gnu -czf sparse.tar.gz sparse.raw
gzip -k disk.raw
zstd -q -k disk.raw -o disk.raw.zstd
xz -k disk.raw
bzip2 -k disk.raw
split -d -a 3 -b 5000192 disk.raw split.
for name in *.qcow2 *.vmdk *.vhd *.vhdx *.vdi *.E01 *.ova *.gz *.zstd *.xz *.bz2 split.* disk.raw; do
    zstd -q -19 -f "$name" -o "$here/$name.zst"
done
