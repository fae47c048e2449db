#!/bin/sh
# Makes overlay.img.zst, an NTFS volume with files that the Windows overlay filter would decompress, in all four of
# its formats, and overlay.truth.zst, what is in them. wimlib compresses them (its resources of WIM files are what
# the filter keeps in the stream WofCompressedData), ntfs-3g writes the streams and reparse points. Needs FUSE, root.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
point=$work/mnt
mkdir -p "$point" "$work/in"
trap 'umount "$point" 2>/dev/null || true; rm -rf "$work"' EXIT

truncate -s 6M "$work/overlay.img"
mkntfs --quiet --fast --force --label overlay "$work/overlay.img" 2>/dev/null
ntfs-3g -o streams_interface=xattr,no_def_opts "$work/overlay.img" "$point"
python3 "$here/fill.py" "$work" "$point" > "$work/truth"
umount "$point"
zstd -q -f -19 "$work/truth" -o "$here/overlay.truth.zst"
zstd -q -f -19 "$work/overlay.img" -o "$here/overlay.img.zst"
