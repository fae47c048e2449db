#!/bin/sh
# Makes the NTFS fixtures with mkntfs and ntfs-3g (FUSE, root), and what an independent reader (the
# mounted file system) finds in each: NAME.img.zst and NAME.truth.jsonl.zst. Usage: make.sh [WORK_DIRECTORY]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=${1:-$(mktemp -d)}
point=$work/mnt
mkdir -p "$point"
trap 'umount "$point" 2>/dev/null || true' EXIT

# with_mount STEP NAME : mounts the volume afresh, so that nothing comes from a cache, and runs a step.
with_mount() {
    ntfs-3g -o compression,streams_interface=xattr,no_def_opts "$work/$2.img" "$point"
    python3 "$here/fill.py" "$1" "$2" "$point"
    umount "$point"
}

# make NAME SIZE MKNTFS-OPTIONS... : formats, mounts, fills, notes the truth, deletes, compresses.
make() {
    name=$1 size=$2
    shift 2
    rm -f "$work/$name.img"
    truncate -s "$size" "$work/$name.img"
    mkntfs --quiet --fast --force --label "fixture $name" "$@" "$work/$name.img" 2>/dev/null
    with_mount fill "$name"
    with_mount again "$name"
    with_mount truth "$name" | zstd -q -f -19 -o "$here/$name.truth.jsonl.zst"
    with_mount delete "$name"
    zstd -q -f -19 --long=27 "$work/$name.img" -o "$here/$name.img.zst"
}

make mixed 14M -c 4096
make sectors4096 12M -s 4096 -c 4096
make clusters512 6M -c 512
make clusters2m 96M -c 2097152
make table 8M -c 512
make few 2M -c 512
