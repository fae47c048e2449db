#!/bin/sh
# Makes planted.img.zst and control.img.zst: small ext4 volumes of archives in forms that are less common, written by
# 7zz, lz4, cpio, git and Python. In the first each holds another access key id, in the second words of the same length
# in their place. Needs those programs and mkfs.ext4; no root.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x@example.org GIT_AUTHOR_DATE='2026-01-01T00:00:00Z'
export GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x@example.org GIT_COMMITTER_DATE='2026-01-01T00:00:00Z'
export GIT_CONFIG_GLOBAL=/dev/null

# key SUFFIX: an access key id that ends in SUFFIX, or as many other characters.
key() {
    if [ "$kind" = planted ]; then echo "AKIAQ3EGRXWVJT5KL$1"; else echo "controlcontrolcon$1"; fi
}

# text SUFFIX: some lines with a key.
text() {
    seq 1 300; echo "aws_access_key_id = $(key "$1")"; seq 1 50
}

# seven FILE SUFFIX METHOD...: an archive that 7zz makes.
seven() {
    file=$1; text "$2" > "$2"; name=$2; shift 2
    7zz a -bd -mtm- -mtc- -mta- "$@" "out/$file" "$name" > /dev/null
}

make() {
    kind=$1
    cd "$work"; rm -rf ./*; mkdir out
    python3 "$here/write.py" "$kind" out
    seven deflate64.zip 5BA -mm=Deflate64
    seven ppmd.zip 5BB -mm=PPMd
    seven ppmd.7z 5BC -m0=PPMd
    seven deflate64.7z 5BD -m0=Deflate64
    seven copy.7z 5BE -m0=Copy
    seven bcj2.7z 5BF -m0=BCJ2 -m1=LZMA:d20 -m2=LZMA:d19 -m3=LZMA:d19 -mb0:1 -mb0s1:2 -mb0s2:3

    text 5BG | lz4 -q -l -c > out/legacy.lz4
    # Initial RAM disks: an archive for the processor, then the proper one, packed or not.
    mkdir -p early/kernel late/etc
    seq 1 500 > early/kernel/microcode.bin
    (cd early && find . | LC_ALL=C sort | cpio -o -H newc --reproducible --quiet) > early.cpio
    text 5BH > late/etc/key
    { cat early.cpio; (cd late && find . | LC_ALL=C sort | cpio -o -H newc --reproducible --quiet) | lz4 -q -l; } > out/initrd-lz4
    text 5BI > late/etc/key
    { cat early.cpio; (cd late && find . | LC_ALL=C sort | cpio -o -H newc --reproducible --quiet); } > out/initrd-plain

    # A pack that was sent: its only file is a delta upon one that the receiver has. A bundle of the whole.
    git init -q repo && cd repo
    seq 1 3000 > file; git add file; git commit -qm one
    { seq 1 1500; echo "aws_access_key_id = $(key 5BJ)"; seq 1501 3000; } > file; git commit -qam two
    printf 'HEAD\n^HEAD~1\n' | git pack-objects --thin --revs -q --stdout > ../out/thin.pack
    git bundle create -q ../out/all.bundle HEAD
    cd ..

    find out -exec touch -d @1767225600 {} +
    truncate -s 1M "$kind.img"
    E2FSPROGS_FAKE_TIME=1767225600 mkfs.ext4 -q -b 1024 -N 64 -O ^has_journal -L packed \
        -U 6f7a1c52-0d4b-4b5e-9c39-3f6f1d1f2e21 -E hash_seed=6f7a1c52-0d4b-4b5e-9c39-3f6f1d1f2e22 \
        -d out "$kind.img" > /dev/null
    zstd -q -19 -f "$kind.img" -o "$here/$kind.img.zst"
}

make planted
make control
