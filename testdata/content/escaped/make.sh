#!/bin/sh
# Makes planted.img.zst and control.img.zst: small ext4 volumes of mails and of files with escapes, written by the
# programs that people use for them (Python's email, mailbox, urllib and html, Django's escapejs, Perl's
# MIME::QuotedPrint and JSON::PP, jq, node). In the first each file holds another secret, in the second words of
# the same length in their place. Needs those programs and mkfs.ext4; no root.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

make() {
    kind=$1
    cd "$work"; rm -rf out; mkdir out
    python3 "$here/write.py" "$kind" out
    # Mails that a mailbox had, and that were deleted: only their bytes are left.
    find out -exec touch -d @1767225600 {} +
    truncate -s 512K "$kind.img"
    E2FSPROGS_FAKE_TIME=1767225600 mkfs.ext4 -q -b 1024 -N 64 -O ^has_journal -L escaped \
        -U 6f7a1c52-0d4b-4b5e-9c39-3f6f1d1f2e01 -E hash_seed=6f7a1c52-0d4b-4b5e-9c39-3f6f1d1f2e02 \
        -d out "$kind.img" > /dev/null
    debugfs -w -R 'rm deleted.eml' "$kind.img" 2> /dev/null
    zstd -q -19 -f "$kind.img" -o "$here/$kind.img.zst"
}

make planted
make control
