# Sourced by the scripts of the folders here.
#
# volumes SIZE LABEL UUID SEED makes planted.img.zst and control.img.zst beside the script: ext4 volumes of what its
# write.py writes, in which deleted.eml is gone and only its bytes are left. Needs Python, mkfs.ext4 and debugfs; no
# root.
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

volumes() {
    for kind in planted control; do
        cd "$work"; rm -rf out; mkdir out
        python3 "$here/write.py" "$kind" out
        find out -exec touch -d @1767225600 {} +
        truncate -s "$1" "$kind.img"
        E2FSPROGS_FAKE_TIME=1767225600 mkfs.ext4 -q -b 1024 -N 64 -O ^has_journal -L "$2" \
            -U "$3" -E hash_seed="$4" -d out "$kind.img" > /dev/null
        debugfs -w -R 'rm deleted.eml' "$kind.img" 2> /dev/null
        zstd -q -19 -f "$kind.img" -o "$here/$kind.img.zst"
    done
}
