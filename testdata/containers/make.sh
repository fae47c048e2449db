#!/bin/sh
# Makes the images of one small disk in every container, compressed with zstd.
# Needs: python3, qemu-img, qemu-io, zstd. Run in this folder; it overwrites what is here.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# A disk of 9 MiB and three sectors: text, bytes that do not compress, explicit zeros, an island at the end.
python3 - <<'PY'
import random
random.seed(20)
size = (9 << 20) + 3 * 512
disk = bytearray(size)
def text(at, length, tag):
    out, n = bytearray(), 0
    while len(out) < length:
        out += b"%s line %06d of a small disk\n" % (tag, n)
        n += 1
    disk[at:at + length] = out[:length]
text(0, 200_000, b"first")
disk[1 << 20:(1 << 20) + 16384] = random.randbytes(16384)
text(3 << 20, 65536, b"middle")
text((3 << 20) + 5 * 65536 + 4096, 8192, b"inside")
text((7 << 20) - 1000, 2000, b"border")
text(size - 4096, 4096, b"last")
open("disk.raw", "wb").write(disk)
PY
truncate -r disk.raw sparse.raw
cp --sparse=always disk.raw sparse.raw

keep() { for name in "$@"; do zstd -q -19 -f "$name" -o "$here/$name.zst"; done; }
qio() { qemu-io "$@" > /dev/null; }
q() { qemu-img convert -f raw -O qcow2 "$@"; }

keep disk.raw
q -o compat=0.10 sparse.raw v2.qcow2
q -o compat=1.1 sparse.raw v3.qcow2
q -o cluster_size=512 sparse.raw cluster-512.qcow2
q -o cluster_size=2M sparse.raw cluster-2m.qcow2
q -c sparse.raw zlib.qcow2
q -c -o compat=0.10,cluster_size=4096 sparse.raw zlib-v2.qcow2
q -c -o compression_type=zstd sparse.raw zstd.qcow2
q -o extended_l2=on,cluster_size=128k sparse.raw extended-l2.qcow2
q -o preallocation=metadata sparse.raw preallocated.qcow2
keep v2.qcow2 v3.qcow2 cluster-512.qcow2 cluster-2m.qcow2 zlib.qcow2 zlib-v2.qcow2 zstd.qcow2 \
    extended-l2.qcow2 preallocated.qcow2

# Two internal snapshots of other states; the active state is the disk again.
cp v3.qcow2 snapshots.qcow2
qemu-img snapshot -c before snapshots.qcow2
qio -c "write -P 0x5a 4M 128k" snapshots.qcow2
qemu-img snapshot -c "after a write" snapshots.qcow2
qio -c "write -z 4M 128k" snapshots.qcow2
keep snapshots.qcow2

# An overlay whose backing file holds a part of the disk; explicit zeros hide bytes of the backing file.
cp sparse.raw base.raw
qio -f raw -c "write -P 0x33 2M 64k" base.raw
qemu-img convert -f raw -O qcow2 base.raw base.qcow2
for kind in "" "-subclusters"; do
    options=backing_fmt=qcow2
    [ -z "$kind" ] || options="$options,extended_l2=on"
    qemu-img create -q -f qcow2 -b base.qcow2 -o "$options" "overlay$kind.qcow2"
    qio -c "write -z 2M 64k" -c "write -P 0x44 6M 4k" -c "write -P 0x45 6152k 2k" "overlay$kind.qcow2"
    qemu-img convert -O raw "overlay$kind.qcow2" "overlay$kind.raw"
    keep "overlay$kind.qcow2" "overlay$kind.raw"
done
keep base.qcow2
cp overlay.qcow2 absolute-backing.qcow2
qemu-img rebase -u -b /etc/passwd -F raw absolute-backing.qcow2
cp overlay.qcow2 protocol-backing.qcow2
qemu-img rebase -u -b 'json:{"driver":"nbd","host":"example.invalid"}' -F raw protocol-backing.qcow2
keep absolute-backing.qcow2 protocol-backing.qcow2

# Refused by name.
qemu-img create -q --object secret,id=key,data=secret -f qcow2 \
    -o encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10 luks.qcow2 1M
qemu-img create -q -f qcow2 -o data_file=outside.raw data-file.qcow2 1M
truncate -s 64k luks.qcow2
keep luks.qcow2 data-file.qcow2
