#!/bin/sh
# Makes volumes of the FAT family, and fat.truth: what other programs read from them.
# Needs: mkfs.fat, mkfs.exfat, a kernel with vfat and exfat, root; sleuthkit and zstd for the second step.
#   make-fat.sh images FOLDER    makes the volumes through the kernel's file systems
#   make-fat.sh truth FOLDER     writes FOLDER/fat.truth with fls and icat, and packs the volumes
#
# fat.truth: volume, `live` by the kernel or `live`/`deleted` by The Sleuth Kit, number, size, SHA-256, path.
set -eu
step=$1
out=$2

text() { seq -f "$1 line %g: nothing to see here, move along" 1 "$2"; }

fill() {
    text small 3 > mnt/SMALL.TXT
    text long 40 > "mnt/A long name with spaces and ümläute.text"
    text lower 5 > mnt/lower.txt
    : > mnt/empty
    mkdir -p mnt/dir/deeper/deepest "mnt/A directory with a long name"
    text deep 300 > mnt/dir/deeper/deepest/file.txt
    text other 20 > "mnt/A directory with a long name/and a file in it, 日本語.txt"
    # A file in many pieces: the rest of the volume is taken, then every second of many files goes away.
    for n in $(seq 1 40); do text "filler$n" 60 > "mnt/dir/filler $n"; done
    cat /dev/zero > mnt/ballast 2> /dev/null || true
    sync
    for n in $(seq 1 2 40); do rm "mnt/dir/filler $n"; done
    text pieces 600 > mnt/dir/pieces.txt
    sync
    rm mnt/ballast
    sync
    text gone 90 > mnt/GONE.TXT
    text "gone long" 400 > "mnt/a removed file with a long name.txt"
    mkdir mnt/removed
    text "gone in directory" 30 > mnt/removed/inside.txt
    text "kept" 700 > mnt/last.txt
    sync
    rm mnt/GONE.TXT "mnt/a removed file with a long name.txt" mnt/removed/inside.txt
    rmdir mnt/removed
    sync
}

volume() {
    name=$1
    size=$2
    shift 2
    truncate -s "$size" "$name"
    "$@" "$name" > /dev/null
    mkdir -p mnt
    case $name in exfat*) type=exfat ;; *) type=vfat ;; esac
    loop=$(losetup --show -f "$name")
    mount -t $type $( [ $type = exfat ] || echo "-o iocharset=utf8" ) "$loop" mnt
    fill
    (cd mnt && find . -type f | LC_ALL=C sort | while read -r file; do
        echo "$name live - $(stat -c %s "$file") $(sha256sum < "$file" | cut -d' ' -f1) ${file#.}"
    done) >> "$out/kernel.truth"
    umount mnt
    losetup -d "$loop"
    cp "$name" "$out/$name"
}

images() {
    cd "$(mktemp -d)"
    : > "$out/kernel.truth"
    volume fat12.volume 3M mkfs.fat -F 12 -i 1234abcd -n TWELVE
    volume fat16.volume 12M mkfs.fat -F 16 -s 2 -i 1234abcd -n SIXTEEN
    volume fat32.volume 36M mkfs.fat -F 32 -s 1 -i 1234abcd -n THIRTYTWO
    volume exfat.volume 12M mkfs.exfat -c 4K -L "exFAT ä"
}

# Lines of fls: `r/r * 12(realloc):	path`.
truth() {
    cp "$out/kernel.truth" "$out/fat.truth"
    for image in "$out"/fat*.volume "$out"/exfat.volume; do
        fls -r -p "$image" | grep '^r/r' | while read -r kind star rest; do
            [ "$star" = '*' ] && state=deleted || { rest="$star $rest"; state=live; }
            number=${rest%%[:(]*}
            case $rest in *realloc*) state=reused ;; esac
            path=$(printf '%s' "$rest" | sed 's/^[^:]*:[ \t]*//')
            size=$(istat "$image" "$number" | sed -n 's/^Size: //p')
            digest=$(icat -r "$image" "$number" 2> /dev/null | sha256sum | cut -d' ' -f1)
            echo "$(basename "$image") tsk-$state $number $size $digest /$path"
        done >> "$out/fat.truth"
        zstd -q -19 -f --rm "$image" -o "$image.zst"
    done
    rm "$out/kernel.truth"
}

"$step"
