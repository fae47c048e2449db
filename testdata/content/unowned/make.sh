#!/bin/sh
# Makes planted.disk.zst and control.disk.zst: disks on which compressed files lie where no file is known to be any
# more. In the first each holds another access key id, in the second a word of the same length.
#
# The file system has no journal; its files are removed and their inodes wiped (debugfs rm and clri), so that only the
# content is left, one of them in three pieces around a block that is in use. Others lie in the gap before the first
# partition, in a swap partition, in blocks that a file reserved without writing them, and behind the last partition.
# Needs mkfs.ext4 and debugfs, sfdisk, mkswap, gzip, bzip2, xz, zstd, lz4, zip, 7zz, git, dpkg-deb, rpmbuild and
# qpdf; no root.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x@example.org GIT_AUTHOR_DATE='2026-01-01T00:00:00Z'
export GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x@example.org GIT_COMMITTER_DATE='2026-01-01T00:00:00Z'
export GIT_CONFIG_GLOBAL=/dev/null SOURCE_DATE_EPOCH=1767225600 HOME="$work" LC_ALL=C TZ=UTC

# key SUFFIX: an access key id that ends in SUFFIX, or as many other characters.
key() {
    if [ "$kind" = planted ]; then echo "AKIAQ3EGRXWVJT5KL$1"; else echo "controlcontrolcon$1"; fi
}

# text SUFFIX: some lines with a key.
text() {
    seq 1 300; echo "aws_access_key_id = $(key "$1")"; seq 1 50
}

# noise BYTES SUFFIX: bytes that do not shrink, with a key behind them.
noise() {
    openssl enc -aes-128-ctr -nosalt -K 00112233445566778899aabbccddeeff -iv 0 -in /dev/zero 2> /dev/null \
        | head -c "$1"
    echo; text "$2"
}

make() {
    kind=$1
    cd "$work"; rm -rf in; mkdir in
    text 7AA | gzip -9n > in/a.gz
    text 7AB | bzip2 -9 > in/a.bz2
    text 7AC | xz -9 > in/a.xz
    text 7AD | zstd -q19 > in/a.zst
    text 7AE | lz4 -q9 > in/a.lz4
    rm -rf z; mkdir z; text 7AF > z/conf; text 7AG > z/other; touch -d @1767225600 z/*
    (cd z && zip -qX ../in/a.zip conf other && 7zz a -bso0 ../in/a.7z conf)
    rm -rf g; git init -q g; text 7AH > g/f; git -C g add f; git -C g commit -qm x
    cp "g/.git/objects/$(git -C g rev-parse HEAD:f | sed 's|^..|&/|')" in/a.obj
    rm -rf d; mkdir -p d/DEBIAN d/etc; text 7AI > d/etc/conf
    printf 'Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n' > d/DEBIAN/control
    dpkg-deb -Zxz --root-owner-group -b d in/a.deb > /dev/null
    cat > x.spec <<EOF
Name: x
Version: 1
Release: 1
Summary: x
License: x
BuildArch: noarch
%description
%install
mkdir -p %{buildroot}/etc
cp $work/conf %{buildroot}/etc/conf
%files
/etc/conf
EOF
    text 7AJ > conf
    rpmbuild -bb --quiet --define "_topdir $work/rpm" --define "_rpmdir $work/rpm" --define '_buildhost x' \
        --define 'use_source_date_epoch_as_buildtime 1' x.spec > /dev/null 2>&1
    cp rpm/noarch/*.rpm in/a.rpm
    {
        printf '%%PDF-1.4\n1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj\n'
        printf '2 0 obj <</Type/Pages/Kids[3 0 R]/Count 1>> endobj\n'
        printf '3 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>> endobj\n'
        text 7BA > stream
        printf '4 0 obj <</Length %d>> stream\n' "$(wc -c < stream)"; cat stream; printf '\nendstream endobj\n'
        printf 'trailer <</Root 1 0 R>>\n'
    } > plain.pdf
    qpdf --warning-exit-0 --deterministic-id --compress-streams=y plain.pdf in/a.pdf 2> /dev/null
    noise 9000 7BB | gzip -9n > in/pieces.gz
    # Cut in the middle: what comes before the cut counts.
    { text 7BC; noise 90000 7BD; } | gzip -9n | head -c 30000 > in/cut.gz

    # The file system: a block in use stands in the way of the file in pieces.
    rm -f fs; truncate -s 4M fs
    mkfs.ext4 -qF -b 1024 -O ^has_journal,^resize_inode -E hash_seed=00000000-0000-0000-0000-000000000001 \
        -U 00000000-0000-0000-0000-000000000001 -N 64 fs
    for file in a.gz a.bz2 a.xz a.zst a.lz4 a.zip a.7z a.obj a.deb a.pdf cut.gz; do
        debugfs -wR "write in/$file $file" fs > /dev/null 2>&1
    done
    free=$(debugfs -R 'ffb 1' fs 2> /dev/null | sed 's/.*: *//')
    for block in $((free + 3)) $((free + 7)); do debugfs -wR "setb $block" fs > /dev/null 2>&1; done
    debugfs -wR 'write in/pieces.gz pieces.gz' fs > /dev/null 2>&1
    debugfs -R 'stat pieces.gz' fs 2> /dev/null | grep -q '(0-2):.*(3-5):.*(6-' || { echo "not in pieces" >&2; exit 1; }
    # Reserved without being written, over what another file left there.
    text 7BE | gzip -9n > stale.gz
    debugfs -wR 'write /dev/null reserved' fs > /dev/null 2>&1
    debugfs -wR 'fallocate reserved 0 3' fs > /dev/null 2>&1
    block=$(debugfs -R 'bmap reserved 0' fs 2> /dev/null | sed 's/ .*//')
    dd if=stale.gz of=fs bs=1024 seek="$block" conv=notrunc status=none
    for file in a.gz a.bz2 a.xz a.zst a.lz4 a.zip a.7z a.obj a.deb a.pdf cut.gz pieces.gz; do
        inode=$(debugfs -R "stat $file" fs 2> /dev/null | sed -n 's/^Inode: *\([0-9]*\).*/\1/p')
        debugfs -wR "rm $file" fs > /dev/null 2>&1
        debugfs -wR "clri <$inode>" fs > /dev/null 2>&1
    done
    rm -f disk; truncate -s 8M disk
    printf 'label: gpt\nlabel-id: 00000000-0000-0000-0000-000000000002\nfirst-lba: 64\nlast-lba: 14335\n
        start=2048,size=8192,type=L,uuid=00000000-0000-0000-0000-000000000003\n
        start=10240,size=2048,type=S,uuid=00000000-0000-0000-0000-000000000004\n' | sfdisk -q disk
    dd if=fs of=disk bs=1M seek=1 conv=notrunc status=none
    truncate -s 1M swap; mkswap -q -U 00000000-0000-0000-0000-000000000005 swap
    text 7CA | gzip -9n | dd of=swap bs=4096 seek=3 conv=notrunc status=none
    dd if=swap of=disk bs=1M seek=5 conv=notrunc status=none
    text 7CB | xz | dd of=disk bs=512 seek=101 conv=notrunc status=none
    dd if=in/a.zip of=disk bs=512 seek=13000 conv=notrunc status=none
    dd if=in/a.rpm of=disk bs=512 seek=13200 conv=notrunc status=none
    # A lock that nobody can open, in no partition.
    (cd z && rm -f ../locked.zip && zip -qXP x ../locked.zip conf)
    dd if=locked.zip of=disk bs=512 seek=13500 conv=notrunc status=none
    zstd -q19f disk -o "$here/$kind.disk.zst"
}

make planted
make control
