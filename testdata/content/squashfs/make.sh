#!/bin/sh
# Makes small squashfs images, one for each form of packing, with a token in each kind of place that a file's bytes
# have: blocks, a fragment, behind a block of zeros, deep in directories. Needs squashfs-tools, python3 and zstd.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 - "$work/root" <<'PY'
import os, sys
root = sys.argv[1]
fill = b'nothing to see here, move along\n'
def put(path, size, *places):
    body = bytearray((fill * (size // len(fill) + 1))[:size])
    for at, token in places:
        body[at - 1:at + 21] = b' ' + token + b' '
    os.makedirs(os.path.dirname(root + path), exist_ok=True)
    open(root + path, 'wb').write(body)
put('/etc/small.conf', 300, (100, b'AKIAQ5F6G7H2J3K4L3AA'))
put('/opt/blocks.bin', 20_000, (4090, b'AKIAQ5F6G7H2J3K4L3AB'), (19_900, b'AKIAQ5F6G7H2J3K4L3AC'))
put('/a/b/c/d/e/f/g/deep.txt', 5000, (4500, b'AKIAQ5F6G7H2J3K4L3AD'))
put('/var/whole.bin', 8192, (8100, b'AKIAQ5F6G7H2J3K4L3AE'))
with open(root + '/var/holes.bin', 'wb') as file:
    file.seek(12_288)
    file.write(fill * 20 + b' AKIAQ5F6G7H2J3K4L3AF ' + fill)
for n in range(300):
    put('/many/file-%03d.txt' % n, 40 + n)
os.symlink('etc/small.conf', root + '/link')
os.link(root + '/etc/small.conf', root + '/etc/small.too')
PY
for form in gzip xz lz4 zstd; do
    mksquashfs "$work/root" "$work/$form" -quiet -no-progress -b 4096 -comp "$form" -all-root -all-time 0 -mkfs-time 0
done
mksquashfs "$work/root" "$work/stored" -quiet -no-progress -b 4096 -all-root -all-time 0 -mkfs-time 0 -noI -noD -noF
mksquashfs "$work/root" "$work/lzo" -quiet -no-progress -b 4096 -comp lzo -all-root -all-time 0 -mkfs-time 0
for form in gzip xz lz4 zstd stored lzo; do zstd -q -19 -f "$work/$form" -o "$form.squashfs.zst"; done
tar -C "$work" --sort=name --mtime=@0 --owner=0 --group=0 -cf - root | zstd -q -19 -f -o root.tar.zst
