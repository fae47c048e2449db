#!/bin/sh
# Makes the demo server's disk in every container that holds a whole disk, compressed with zstd.
# Needs: qemu-img, ewfacquire, tar, gzip, zstd. Run in this folder after testdata/demo/make.sh; it overwrites what is here.
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
convert dynamic.vdi vdi
ewfacquire -u -q -f encase6 -c deflate:best -t disk disk.raw > /dev/null
tar -czf disk.raw.tar.gz disk.raw
for name in *.qcow2 *.vmdk *.vhd *.vhdx *.vdi *.E01 *.ova disk.raw.tar.gz disk.raw; do
    zstd -q -19 -f "$name" -o "$here/$name.zst"
done
