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

# Other formats.
o() { qemu-img convert -f raw -O "$1" -o "$2" sparse.raw "$3"; }
o vmdk subformat=monolithicSparse monolithic-sparse.vmdk
o vmdk subformat=streamOptimized stream-optimized.vmdk
o vmdk subformat=twoGbMaxExtentSparse two-gb-sparse.vmdk
o vmdk subformat=monolithicFlat flat.vmdk
keep monolithic-sparse.vmdk stream-optimized.vmdk two-gb-sparse.vmdk two-gb-sparse-s001.vmdk \
    flat.vmdk flat-flat.vmdk
o vpc subformat=dynamic,force_size=on dynamic.vhd
o vpc subformat=fixed,force_size=on fixed.vhd
o vhdx subformat=dynamic,block_size=1M dynamic.vhdx
o vhdx subformat=fixed,block_size=1M fixed.vhdx
o vdi static=off dynamic.vdi
o vdi static=on fixed.vdi
keep dynamic.vhd fixed.vhd dynamic.vhdx fixed.vhdx dynamic.vdi fixed.vdi

# A disk of several extents of every kind: two sparse ones, zeros (which the disk has there), and a flat one that
# starts inside a file.
qemu-img convert -O vmdk -o subformat=monolithicSparse --image-opts \
    driver=raw,size=3145728,file.filename=sparse.raw parts-s001.vmdk
qemu-img convert -O vmdk -o subformat=streamOptimized --image-opts \
    driver=raw,offset=3145728,size=1048576,file.filename=sparse.raw parts-s002.vmdk
{ head -c 5120 /dev/zero | tr '\0' x; tail -c +5242881 disk.raw; } > parts-f001.vmdk
cat > parts.vmdk <<'END'
# Disk DescriptorFile
version=1
CID=12345678
parentCID=ffffffff
createType="twoGbMaxExtentSparse"

# Extent description
RW 6144 SPARSE "parts-s001.vmdk"
RW 2048 SPARSE "parts-s002.vmdk"
RW 2048 ZERO
RW 8195 FLAT "parts-f001.vmdk" 10

ddb.toolsVersion = "8389"
END

keep parts.vmdk parts-s001.vmdk parts-s002.vmdk parts-f001.vmdk

# A VHDX whose writer stopped after it wrote the log and before it wrote the block table: the table of before,
# and headers that name the last log entry.
cp dynamic.vhdx log.vhdx
qio -c "write -P 0x67 4M 64k" -c flush log.vhdx
python3 - <<'PY'
import struct
def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff
before, after = open("dynamic.vhdx", "rb").read(), bytearray(open("log.vhdx", "rb").read())
table, entry = 2 << 20, 1 << 20
assert after[entry:entry + 4] == b"loge" and after[table:table + 4096] != before[table:table + 4096]
assert after[entry + 4104:entry + 8188] == after[table + 8:table + 4092]
after[table:table + 4096] = before[table:table + 4096]
for header in (64 << 10, 128 << 10):
    after[header + 48:header + 64] = after[entry + 32:entry + 48]
    after[header + 4:header + 8] = bytes(4)
    after[header + 4:header + 8] = struct.pack("<I", crc32c(after[header:header + 4096]))
open("log.vhdx", "wb").write(after)
PY
cp log.vhdx log-read.vhdx
qemu-img check -q -r all log-read.vhdx > /dev/null
qemu-img convert -O raw log-read.vhdx log.raw
keep log.vhdx log.raw

# A VMDK delta over the monolithic one.
qemu-img create -q -f vmdk -b monolithic-sparse.vmdk -F vmdk delta.vmdk
qio -c "write -P 0x44 6M 4k" -c "write -P 0x45 2M 64k" delta.vmdk
qemu-img convert -f vmdk -O raw delta.vmdk delta.raw
keep delta.vmdk delta.raw

# Wrapped images. The sparse members are what `tar -S` makes: old GNU, and POSIX 1.0, 0.1 and 0.0.
gzip -9n < disk.raw > disk.raw.gz
zstd -q -19 disk.raw -o disk.raw.zst1 && mv disk.raw.zst1 disk.raw.zstd
xz -9 -k -c disk.raw > disk.raw.xz
bzip2 -k -c disk.raw > disk.raw.bz2
{ head -c 4000000 disk.raw | gzip -n; tail -c +4000001 disk.raw | gzip -n; printf 'garbage behind'; } > two.raw.gz
t() { tar --owner=0 --group=0 --mtime=@0 -c "$@"; }
t disk.raw | gzip -9n > disk.raw.tar.gz
t --format=gnu -S sparse.raw | gzip -9n > gnu-sparse.tar.gz
t --format=pax -S --sparse-version=1.0 sparse.raw | gzip -9n > pax-1.0-sparse.tar.gz
t --format=pax -S --sparse-version=0.1 sparse.raw | gzip -9n > pax-0.1-sparse.tar.gz
t --format=pax -S --sparse-version=0.0 sparse.raw > pax-0.0-sparse.tar
t --format=gnu -S sparse.raw > gnu-sparse.tar
printf '<Envelope/>\n' > disk.ovf
printf 'SHA256(disk.ovf)= 0\n' > disk.mf
t --format=ustar disk.ovf disk.mf stream-optimized.vmdk > disk.ova
t --format=ustar disk.ovf stream-optimized.vmdk dynamic.vdi > two-disks.ova
keep disk.raw.gz disk.raw.zstd disk.raw.xz disk.raw.bz2 two.raw.gz disk.raw.tar.gz gnu-sparse.tar.gz \
    pax-1.0-sparse.tar.gz pax-0.1-sparse.tar.gz pax-0.0-sparse.tar gnu-sparse.tar disk.ova two-disks.ova

# Expert Witness images: compressed in one segment, and uncompressed in three.
e() { ewfacquire -u -q -b 64 -B "$(stat -c %s disk.raw)" -o 0 -D text "$@" disk.raw > /dev/null 2>&1; }
e -t deflated -f encase6 -c deflate:fast -S 2097152
e -t plain -f encase6 -c deflate:none -S 4194304
e -t digests -f encase6 -c deflate:best -d sha1 -S 1073741824
e -t smart -f smart -c deflate:best -S 2097152
keep deflated.E01 digests.E01 plain.E01 plain.E02 plain.E03 smart.s01 smart.s02 smart.s03 smart.s04 smart.s05
