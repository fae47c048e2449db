#!/bin/sh
# Makes planted.img.zst and control.img.zst: small ext4 volumes with databases, logs and packages, written by the
# programs that people use for them (sqlite3 of Python, git, rpmbuild, 7zz, systemd-journal-remote, hivexsh, qpdf,
# base64, xxd, zlib). In the first each file holds another access key id, in the second a word of the same length.
# Needs those programs, mkfs.ext4 and a hive to start from (minimal.hive, made by ../../leftovers/hives/make.sh);
# no root.
#
# security.evtx.zst is the sample "Security_short_selected.evtx" of the Rust crate evtx (MIT or Apache-2.0), a log
# that Windows wrote. Its process name is written over in place, at the same length.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
hive=$here/../../leftovers/hives/system-dirty.zst
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x@example.org GIT_AUTHOR_DATE='2026-01-01T00:00:00Z'
export GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x@example.org GIT_COMMITTER_DATE='2026-01-01T00:00:00Z'
export GIT_CONFIG_GLOBAL=/dev/null SOURCE_DATE_EPOCH=1767225600 HOME="$work"

# key SUFFIX: an access key id that ends in SUFFIX, or as many other characters.
key() {
    if [ "$kind" = planted ]; then echo "AKIAQ3EGRXWVJT5KL$1"; else echo "controlcontrolcon$1"; fi
}

# text SUFFIX: some lines with a key.
text() {
    seq 1 300; echo "aws_access_key_id = $(key "$1")"; seq 1 50
}

make() {
    kind=$1
    cd "$work"; rm -rf in out; mkdir in out
    python3 "$here/databases.py" out "$(key 2BA)" "$(key 2BB)" "$(key 2BC)" "$(key 2BD)" "$(key 2BE)" "$(key 2BF)"
    python3 "$here/log.py" "$here/security.evtx.zst" out/security.evtx "$(key 2BG)"

    # A hive: a value, and one whose key was removed.
    zstd -dqc "$hive" > out/system.hive
    hivexsh -w out/system.hive > /dev/null <<EOF
add Vendor
cd Vendor
add Agent
cd Agent
setval 2
AccessKeyId
string:$(key 2BH)
@
string:plain
cd ..
add Gone
cd Gone
setval 1
AccessKeyId
string:$(key 2BI)
cd ..
cd Gone
del
commit
EOF

    # Journals with compressed fields, one for each kind of compression.
    n=J
    for form in ZSTD LZ4 XZ; do
        { printf '__REALTIME_TIMESTAMP=1767225600000000\n__MONOTONIC_TIMESTAMP=1\n'
          printf '_BOOT_ID=00000000000000000000000000000001\nMESSAGE=%s aws_access_key_id = %s\n\n' \
            "$(seq -s ' ' 1 300)" "$(key "2B$n")"; } > in/export
        SYSTEMD_JOURNAL_COMPRESS=$form SYSTEMD_JOURNAL_COMPACT=0 /lib/systemd/systemd-journal-remote --compress=yes \
            --output="$work/out/$form.journal" in/export > /dev/null 2>&1
        n=$(echo $n | tr JKL KLM)
    done

    # A loose object, and a pack whose second version of a file is a delta.
    git init -q in/repo && cd in/repo
    seq 1 3000 > file; git add file; git commit -qm one
    { seq 1 1500; echo "aws_access_key_id = $(key 2BM)"; seq 1501 3000; } > file; git commit -qam two
    { seq 1 1500; seq 1501 3001; } > file; git commit -qam three
    git repack -qadf
    cp .git/objects/pack/*.pack ../../out/objects.pack
    text 2BN > loose; git hash-object -w loose > id
    cp ".git/objects/$(cut -c1-2 id)/$(cut -c3- id)" ../../out/loose
    cd ../..

    for form in w9.gzdio w7.xzdio w19.zstdio; do
        suffix=$(echo $form | sed 's/w9.gzdio/2BO/; s/w7.xzdio/2BP/; s/w19.zstdio/2BQ/')
        text "$suffix" > in/conf
        printf 'Name: x\nVersion: 1\nRelease: 1\nSummary: x\nLicense: MIT\nBuildArch: noarch\n%%description\nx\n%%install\nmkdir -p %%{buildroot}/opt\ncp %s %%{buildroot}/opt/conf\n%%files\n/opt/conf\n' \
            "$work/in/conf" > in/x.spec
        rpmbuild --quiet -bb --define "_topdir $work/in/rpm" --define "_binary_payload $form" \
            --define "_build_id_links none" in/x.spec > /dev/null 2>&1
        cp in/rpm/RPMS/noarch/x-1-1.noarch.rpm "out/$form.rpm"
    done

    mkdir in/dir; text 2BR > in/dir/one; text 2BS > in/dir/two; : > in/dir/empty
    7zz a -bd out/lzma2.7z in/dir > /dev/null
    text 2BT > in/lzma; 7zz a -bd -m0=lzma -mhc=off out/lzma.7z in/lzma > /dev/null
    text 2BU > in/bzip2; 7zz a -bd -m0=bzip2 out/bzip2.7z in/bzip2 > /dev/null
    text 2BV > in/deflate; 7zz a -bd -m0=delta:4 -m1=deflate out/deflate.7z in/deflate > /dev/null
    text 2BW > in/locked; 7zz a -bd -ppassword out/locked.7z in/locked > /dev/null
    7zz a -bd -ppassword -mhe=on out/sealed.7z in/locked > /dev/null
    text 2BX | xz --format=lzma > out/alone.lzma

    python3 "$here/document.py" "$(key 2BY)" > in/plain.pdf
    qpdf --object-streams=generate --compress-streams=y --deterministic-id in/plain.pdf out/packed.pdf
    qpdf --encrypt user owner 256 -- --deterministic-id in/plain.pdf out/locked.pdf 2> /dev/null ||
        qpdf --encrypt user owner 256 -- in/plain.pdf out/locked.pdf

    # Text that encodes bytes.
    { echo 'data:'; text 2BZ | base64 | sed 's/^/    /'; echo 'next: x'; } > out/secret.yaml
    { printf 'blob='; text 2CA | base64 -w0; echo; } > out/one-line.env
    { printf 'auth: '; printf 'aws_access_key_id = %s\n' "$(key 2CB)" | base64 -w0; echo; } > out/short.txt
    { printf 'hex '; text 2CC | xxd -p -c0; } > out/dump.hex
    { printf 'powershell -enc '; text 2CD | iconv -t UTF-16LE | base64 -w0; echo; } > out/encoded.ps1
    { printf 'user-data: '; text 2CE | gzip -n | base64 -w0; echo; } > out/gzipped.b64
    { printf 'token='; text 2CF | base64 -w0 | tr '+/' '-_'; echo; } > out/url.txt
    { seq 1 40000; text 2CG | base64; } | gzip -n > out/mail.gz
    { printf 'Content-Transfer-Encoding: base64\n\n'; { seq 1 30000; text 2CH; } | base64; } > out/long.eml

    tar --sort=name --mtime=@0 --owner=0 --group=0 -C out -cf - overflow.db | gzip -n > out/database.tar.gz
    mkfs.ext4 -q -b 1024 -N 128 -O ^has_journal -L decoders -d out "$kind.img" 24M > /dev/null
    zstd -q -19 -f "$kind.img" -o "$here/$kind.img.zst"
}

make planted
make control
