#!/usr/bin/env bash
# Makes real.img.zst and standin.img.zst: file systems with the trees of make.py, and expected.tsv. Needs python3,
# e2fsprogs 1.47 and zstd. Run it in this folder.
set -euo pipefail
export E2FSPROGS_FAKE_TIME=1700000000
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 "$here/make.py" "$work"
cp "$work/expected.tsv" "$here/expected.tsv"
for tree in real standin; do
    find "$work/$tree" -exec touch -hd @1700000000 {} +
    mkfs.ext4 -q -F -O ^has_journal,^resize_inode -N 512 -b 1024 -U 6b6e6f77-6e67-6f6f-6400-000000000031 \
        -E hash_seed=6b6e6f77-6e67-6f6f-6400-000000000032,root_owner=0:0 -d "$work/$tree" "$work/$tree.img" 2M
    zstd -q -19 -f "$work/$tree.img" -o "$here/$tree.img.zst"
done
