#!/bin/sh
# Makes fuzz/corpus, inputs for the targets to start from, out of testdata. Needs zstd and debugfs (e2fsprogs).
#
# Targets that damage an image of testdata take it from there themselves; their inputs start with the number of
# the image, so that one byte for each is enough.
set -eu
cd "$(dirname "$0")"
data=../testdata
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# numbers TARGET COUNT [FILE]: an input for each number below COUNT, with the file behind it.
numbers() {
    mkdir -p "corpus/$1"
    n=0
    while [ "$n" -lt "$2" ]; do
        { printf "\\$(printf %o "$n")"; cat "${3:-/dev/null}"; } > "corpus/$1/number-$n"
        n=$((n + 1))
    done
}

# numbered TARGET NUMBER FILE: the file behind the number.
numbered() {
    mkdir -p "corpus/$1"
    { printf "\\$(printf %o "$2")"; cat "$3"; } > "corpus/$1/$2-$(basename "$3")"
}

# small FOLDER TARGET...: files of at most 128 KiB as they are.
small() {
    from=$1; shift
    for target in "$@"; do
        mkdir -p "corpus/$target"
        find "$from" -type f -size -137k -size +0 -exec cp -f {} "corpus/$target/" \;
    done
}

# pieces LENGTH FOLDER TARGET...: whole lines of the files, of that many bytes at most, so that an input takes
# milliseconds.
pieces() {
    length=$1; from=$2; shift 2
    for target in "$@"; do
        mkdir -p "corpus/$target"
        find "$from" -type f | while IFS= read -r file; do
            split -C "$length" -a 4 "$file" "corpus/$target/$(basename "$file")-"
        done
    done
}

# wrapped NAME FILE: the file in streams of each format, alone, twice, with something behind it, and cut off.
wrapped() {
    for format in gz bz2 xz zst; do
        folder=corpus/container_$format
        mkdir -p "$folder"
        case $format in
            gz) gzip -9c "$2" ;;
            bz2) bzip2 -1c "$2" ;;
            xz) xz -0c "$2" ;;
            zst) zstd -19 -qc "$2" ;;
        esac > "$work/stream"
        cp "$work/stream" "$folder/$1"
        cat "$work/stream" "$work/stream" > "$folder/$1-twice"
        { cat "$work/stream"; echo behind; } > "$folder/$1-behind"
        head -c 300 "$work/stream" > "$folder/$1-cut"
    done
}

for target in ewf qcow2 tar vdi vhd vhdx vmdk; do numbers container_$target 8; done
numbers ext4 7
numbers ntfs 5
numbers fat 5
numbers volume 12
numbers recognise 15

# Images small enough as they are, and the start of larger ones.
mkdir "$work/containers" "$work/content" "$work/leftovers" "$work/text" "$work/hives"
for file in "$data"/containers/*.zst; do
    zstd -dqc "$file" | head -c 65536 > "$work/containers/$(basename "$file" .zst)" || true
done
small "$work/containers" container

# Streams, of a disk, an image and archives that are unpacked thousands of times a second.
zstd -dqc "$data/volumes/mbr.raw.zst" | head -c 8192 > "$work/disk.raw"
head -c 1024 "$work/containers/v3.qcow2" > "$work/disk.qcow2"
tar -C "$work" -cf "$work/disk.tar" disk.raw
tar -C "$work" -cf "$work/two.tar" disk.qcow2 disk.raw
for file in disk.raw disk.qcow2 disk.tar two.tar; do wrapped "$file" "$work/$file"; done
for check in none crc32 sha256; do xz -0 --check=$check -c "$work/disk.raw" > "corpus/container_xz/check-$check"; done
xz --x86 --delta=dist=4 --lzma2=dict=4KiB -c "$work/disk.raw" > corpus/container_xz/filters

# Files that decoders know.
for image in content/nested content/decoders/planted; do
    zstd -dqf "$data/$image.img.zst" -o "$work/image"
    debugfs -R "rdump / $work/content" "$work/image" 2> /dev/null
done
for file in "$data"/content/squashfs/*.squashfs.zst "$data"/content/*.hive.zst; do
    zstd -dqf "$file" -o "$work/content/$(basename "$file" .zst)"
done
chmod -R u+rwX "$work/content"
small "$work/content" content
mkdir -p corpus/coded
find "$work/content" -type f | while IFS= read -r file; do
    head -c 4096 "$file" > "corpus/coded/$(basename "$file")"
done

# What checks read, behind the numbers of the paths that the targets name.
for name in sam software security ntuser; do zstd -dqf "$data/leftovers/hives/$name-dirty.zst" -o "$work/hives/$name"; done
zstd -dqf "$data/leftovers/hives/software-torn-log1.zst" -o "$work/hives/log"
zstd -dqf "$data/leftovers/security-evtx.zst" -o "$work/evtx"
zstd -dqf "$data/leftovers/wtmp.zst" -o "$work/wtmp"
zstd -dqf "$data/leftovers/ipython-history.zst" -o "$work/sqlite"
printf 'root:$6$a$b:19000:0:99999:7:::\nbob::19000:0:99999:7:::\n' > "$work/shadow"
printf '<unattend><AutoLogon><Password><Value>x</Value></Password></AutoLogon></unattend>' > "$work/xml"
number=0
for file in hives/sam hives/software hives/security hives/ntuser hives/log evtx xml wtmp shadow shadow wtmp wtmp \
    evtx sqlite text shadow; do
    if [ -f "$work/$file" ]; then numbered leftovers "$number" "$work/$file"; fi
    number=$((number + 1))
done

# Keys, and places that name them.
for name in ed25519 ed25519-locked ed25519-public rsa-pkcs1 rsa-pkcs8 rsa-pkcs8-locked; do
    zstd -dqf "$data/leftovers/$name.zst" -o "$work/text/$name"
    for number in 0 1 2 3 6; do numbered traces "$number" "$work/text/$name"; done
done
for file in "$data"/reports/keys/*; do
    case $file in *.crt | *.pub | *config*) for number in 3 4 7 9; do numbered traces "$number" "$file"; done ;; esac
done
numbered leftovers 14 "$work/text/ed25519-public"

# Package databases.
printf 'Package: x\nStatus: install ok installed\nVersion: 1\nConffiles:\n /etc/x 0123456789abcdef0123456789abcdef\n\n' \
    > "$work/status"
printf '9a0364b9e99bb480dd25e1f0284c8555  usr/share/x\n' > "$work/md5sums"
printf '/usr/share/x\n/usr/share/x.real\ny\n' > "$work/diversions"
printf 'P:x\nV:1\nF:usr/share\nR:x\nZ:Q1ABCDEFGHIJKLMNOPQRSTUVWXYZA=\n\n' > "$work/installed"
number=0
for file in status diversions md5sums installed status md5sums; do
    numbered knowngood "$number" "$work/$file"
    number=$((number + 1))
done

# Texts: rules with their examples, policies, reports, a prefilter's literals.
mkdir -p corpus/detect corpus/rules corpus/policy corpus/report corpus/words corpus/prefilter
pieces 2048 ../signatures/secrets detect
for file in ../signatures/secrets/*; do
    csplit -s -z -n 4 -f "corpus/rules/$(basename "$file")-" "$file" '/^\[\[rules\]\]/' '{*}'
done
pieces 2048 "$work/text" detect words
pieces 2048 "$data/quiet" detect words prefilter
pieces 4096 "$work/text" coded
pieces 4096 "$data/quiet" coded
small ../src/policy/documents policy
for file in "$data"/reports/golden.jsonl "$data"/reports/scan.jsonl; do
    cp "$file" corpus/report/
    # A short scan: the header, each other line alone, and the end of the scan.
    number=0
    sed '1d;$d' "$file" | while IFS= read -r line; do
        { sed -n 1p "$file"; printf '%s\n' "$line"; sed -n '$p' "$file"; } > "corpus/report/$(basename "$file").$number"
        number=$((number + 1))
    done
done
printf '\002\001secret\002Bearer  some content with secret and Bearer in it' > corpus/prefilter/two
