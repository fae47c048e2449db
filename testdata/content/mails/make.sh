#!/bin/sh
# Makes planted.img.zst and control.img.zst: small ext4 volumes of mails, a spool and a rotated spool, written by
# Python's email and mailbox. In the first most hold another access key id, in the second words of the same length in
# their place. Needs Python, mkfs.ext4 and debugfs; no root.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

make() {
    kind=$1
    cd "$work"; rm -rf out; mkdir out
    python3 "$here/write.py" "$kind" out
    find out -exec touch -d @1767225600 {} +
    truncate -s 4M "$kind.img"
    E2FSPROGS_FAKE_TIME=1767225600 mkfs.ext4 -q -b 1024 -N 64 -O ^has_journal -L mails \
        -U 6f7a1c52-0d4b-4b5e-9c39-3f6f1d1f2e11 -E hash_seed=6f7a1c52-0d4b-4b5e-9c39-3f6f1d1f2e12 \
        -d out "$kind.img" > /dev/null
    debugfs -w -R 'rm deleted.eml' "$kind.img" 2> /dev/null
    zstd -q -19 -f "$kind.img" -o "$here/$kind.img.zst"
}

make planted
make control
