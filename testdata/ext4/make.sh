#!/usr/bin/env bash
# Makes the images and truth files of this folder. Needs e2fsprogs 1.47, python3 and zstd; the images of the
# last part are written by the kernel and need root and loop mounts. Run it in this folder.
set -euo pipefail
export E2FSPROGS_FAKE_TIME=1700000000 SOURCE_DATE_EPOCH=1700000000
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'umount "$work/mnt" 2>/dev/null || true; rm -rf "$work"' EXIT
tree=$work/tree
mkdir "$tree" "$work/mnt"

cat >"$work/tree.py" <<'PY'
"""Makes the tree that the images are filled with."""
import os, sys

root = os.fsencode(sys.argv[1]) + b"/"

def put(path, content):
    os.makedirs(os.path.dirname(root + path), exist_ok=True)
    with open(root + path, "wb") as file:
        file.write(content)

def lines(word, count):
    return b"".join(b"%s %06d\n" % (word, number) for number in range(count))

put(b"empty", b"")
put(b"tiny", b"tiny content\n")
put(b"fits-inline", b"i" * 60)
put(b"spills-inline", lines(b"inline", 7))
put(b"medium.txt", lines(b"medium", 900))
put(b"large.txt", lines(b"large", 60000))
put(b"home/deploy/.env", b"DB_PASSWORD=not-a-secret\n")
put(b"odd/new\nline", b"newline in the name\n")
put(b"odd/\xff\xfe bytes", b"not UTF-8\n")
put(b"odd/50%", b"percent\n")
put(b"odd/" + b"n" * 255, b"longest name\n")
for number in range(400):
    put(b"many/a-file-with-a-rather-long-name-%04d" % number, b"%d\n" % number)
deep = b"deep"
for number in range(30):
    deep += b"/level-%02d" % number
put(deep + b"/bottom", b"bottom\n")
# A hole in front, 600 pieces with holes between them, a hole at the end.
with open(root + b"pieces.bin", "wb") as file:
    for number in range(600):
        file.seek(65536 + number * 12288)
        file.write(b"%08d" % number * 512)
    file.truncate(65536 + 600 * 12288 + 100000)
# The hole covers whole indirect blocks, single and double, for blocks of 1 KiB.
with open(root + b"far.bin", "wb") as file:
    file.write(b"start")
    file.seek(20_000_000)
    file.write(b"end")
with open(root + b"only-hole", "wb") as file:
    file.truncate(1_000_000)
os.link(root + b"medium.txt", root + b"odd/medium-again.txt")
os.link(root + b"medium.txt", root + b"home/a-third-name")
os.symlink(b"medium.txt", root + b"link-fast")
os.symlink(b"t" * 59, root + b"link-59")
os.symlink(b"u" * 60, root + b"link-60")
os.symlink(b"v/" * 300, root + b"link-slow")
os.mkfifo(root + b"pipe")
os.mkdir(root + b"empty-directory")
for path, name, value in [
    (b"tiny", "user.comment", b"an attribute in the inode"),
    (b"medium.txt", "user.long", b"attribute in a block " * 30),
    (b"fits-inline", "user.x", b"beside inline content"),
]:
    try:
        os.setxattr(root + path, name, value)
    except OSError as error:
        sys.exit("the working directory has no extended attributes: %s" % error)
os.chmod(root + b"tiny", 0o4750)
for folder, names, files in os.walk(root, topdown=False):
    for name in names + files + [b""]:
        os.utime(os.path.join(folder, name), ns=(1700000001_123456789, 1600000002_987654321), follow_symlinks=False)
PY

cat >"$work/truth.py" <<'PY'
"""Prints one JSON object a regular file or link below a folder: path (escaped), type, size, SHA-256."""
import hashlib, json, os, stat, sys

root = os.fsencode(sys.argv[1])
rows = []
for folder, names, files in os.walk(root):
    for name in names + files:
        full = os.path.join(folder, name)
        info = os.lstat(full)
        path = full[len(root):]
        shown = "".join(chr(b) if 32 < b < 127 and b != 37 else "%%%02X" % b for b in path)
        if stat.S_ISREG(info.st_mode):
            digest = hashlib.sha256()
            with open(full, "rb") as file:
                while chunk := file.read(1 << 20):
                    digest.update(chunk)
            rows.append({"path": shown, "type": "file", "size": info.st_size, "sha256": digest.hexdigest()})
        elif stat.S_ISLNK(info.st_mode):
            target = os.readlink(full)
            rows.append({"path": shown, "type": "link", "size": len(target), "sha256": hashlib.sha256(target).hexdigest()})
        elif stat.S_ISDIR(info.st_mode):
            rows.append({"path": shown, "type": "directory"})
for row in sorted(rows, key=lambda row: row["path"]):
    print(json.dumps(row))
PY

pack() { zstd -q -19 -f "$work/$1.img" -o "$here/$1.img.zst"; }
truth() { python3 "$work/truth.py" "$1" | zstd -q -19 -f -o "$here/$2.truth.zst"; }

python3 "$work/tree.py" "$tree"
truth "$tree" tree

# image NAME SIZE OPTIONS…: an image with the tree in it.
image() {
	local name=$1 size=$2
	shift 2
	rm -f "$work/$name.img"
	truncate -s "$size" "$work/$name.img"
	mke2fs -q -F -U 12345678-1234-5678-9abc-def012345678 -E hash_seed=12345678-1234-5678-9abc-def012345678 \
		-L "label $name" -d "$tree" "$@" "$work/$name.img" 2>/dev/null
}
image ext2 24M -t ext2 -b 1024
image ext3 32M -t ext3 -b 1024 -J size=1
image ext4 48M -t ext4 -b 4096 -J size=4
image ext4-1k 32M -t ext4 -b 1024 -J size=1
image ext4-64k 96M -t ext4 -b 65536 -O ^has_journal -N 1024
image bigalloc 64M -t ext4 -b 1024 -C 16384 -O bigalloc,^has_journal -N 1024
image inline 24M -t ext4 -b 1024 -O inline_data,^has_journal
image nocsum 24M -t ext4 -b 1024 -O ^metadata_csum,uninit_bg,^64bit,^has_journal
image meta_bg 24M -t ext4 -b 1024 -g 256 -N 1024 -O meta_bg,^resize_inode,^has_journal
image inode128 24M -t ext4 -b 1024 -I 128 -O ^has_journal
image sparse2 40M -t ext4 -b 1024 -O sparse_super2,large_dir,casefold,metadata_csum_seed,ea_inode,^resize_inode,^has_journal -E encoding=utf8
image ext2-old 24M -t ext2 -b 2048 -r 0 -O none
for name in ext2 ext3 ext4 ext4-1k ext4-64k bigalloc inline nocsum meta_bg inode128 sparse2 ext2-old; do
	e2fsck -fn "$work/$name.img" >/dev/null
	pack "$name"
done

# deleted-ext2: removed by a writer that leaves block numbers in place.
image deleted-ext2 24M -t ext2 -b 1024
debugfs -w -R 'rm /medium.txt' "$work/deleted-ext2.img" 2>/dev/null
debugfs -w -R 'rm /large.txt' "$work/deleted-ext2.img" 2>/dev/null
pack deleted-ext2

# seam: a token over the end of a free block that goes on in the next free one, behind a block in use.
truncate -s 512K "$work/seam.img"
mke2fs -q -F -t ext2 -b 1024 -U 6f7a1c52-0d4b-4b5e-9c39-3f6f1d1f2e11 -E hash_seed=6f7a1c52-0d4b-4b5e-9c39-3f6f1d1f2e12 "$work/seam.img"
block() { debugfs -R 'blocks /between' "$work/seam.img" 2>/dev/null | tr -d ' \n'; }
head -c 1024 /dev/zero | tr '\0' 'b' >"$work/between"
debugfs -w -f - "$work/seam.img" >/dev/null 2>&1 <<END
setb 36 4
write $work/between between
freeb 36 4
END
e2fsck -fy "$work/seam.img" >/dev/null || [ $? = 1 ]
printf 'key = AKIAR7XQ2MZ' >"$work/one"
printf 'K4VNW6TPA\n' >"$work/other"
at=$(($(block) * 1024))
dd if="$work/one" of="$work/seam.img" bs=1 seek=$((at - $(stat -c %s "$work/one"))) conv=notrunc status=none
dd if="$work/other" of="$work/seam.img" bs=1 seek=$((at + 1024)) conv=notrunc status=none
pack seam

# unwritten: stale bytes below reserved, never written blocks, inside and past the end of a file.
truncate -s 8M "$work/unwritten.img"
python3 - "$work/unwritten.img" <<'PY'
import sys
with open(sys.argv[1], "r+b") as file:
    file.write(b"STALE BYTES OF A FORMER OWNER   " * (8 << 15))
PY
printf 'written content' >"$work/short"
mke2fs -q -F -t ext4 -b 1024 -O ^has_journal -E nodiscard -U 12345678-1234-5678-9abc-def012345678 "$work/unwritten.img"
debugfs -w -f - "$work/unwritten.img" >/dev/null 2>&1 <<CMD
write $work/short file
fallocate /file 4 19
set_inode_field /file size 10240
CMD
e2fsck -fn "$work/unwritten.img" >/dev/null || true
pack unwritten

# From here on the kernel writes.
[ "$(id -u)" = 0 ] || exit 0

# journal: copied while mounted, after a commit and before the blocks were written home. Data goes through
# the journal too; one file starts with the journal's magic number, one is open and without a name.
cat >"$work/write.py" <<'PY'
import os, sys
root = sys.argv[1] + "/"
with open(root + "first", "wb") as file:
    file.write(b"first version\n" * 500)
os.sync()
magic = bytes.fromhex("c03b3998")
with open(root + "magic", "wb") as file:
    for number in range(6):
        file.write((magic + b"%08d" % number * 200)[:1024].ljust(1024, b"x"))
with open(root + "first", "r+b") as file:
    file.seek(3000)
    file.write(b"second version\n" * 30)
os.makedirs(root + "dir/sub")
for number in range(40):
    with open(root + "dir/sub/%d" % number, "wb") as file:
        file.write(b"%d" % number * number)
with open(root + "gone", "wb") as file:
    file.write(b"removed again\n" * 100)
os.sync()
os.remove(root + "gone")
os.rename(root + "dir/sub/7", root + "dir/seven")
held = open(root + "held", "wb")
held.write(b"open, without a name\n" * 200)
held.flush()
os.fsync(held.fileno())
os.remove(root + "held")
os.sync()
os.system("cp --sparse=always %s %s" % (sys.argv[2], sys.argv[3]))
PY
dirty() {
	local name=$1
	shift
	truncate -s 16M "$work/live.img"
	mke2fs -q -F -t ext4 -b 1024 -J size=1 -U 12345678-1234-5678-9abc-def012345678 "$@" "$work/live.img"
	mount -o loop,data=journal,commit=300 "$work/live.img" "$work/mnt"
	python3 "$work/write.py" "$work/mnt" "$work/live.img" "$work/$name.img"
	umount "$work/mnt"
	rm "$work/live.img"
	pack "$name"
	mount -o loop "$work/$name.img" "$work/mnt"
	truth "$work/mnt" "$name"
	umount "$work/mnt"
}
dirty journal-v3
dirty journal-plain -O ^metadata_csum,^64bit

# deleted: removed by the kernel, which empties the inodes and wipes the names; reused: the same, and then
# most of the free blocks and some of the inode numbers given to others.
cat >"$work/delete.py" <<'PY'
import os, sys
root = sys.argv[2] + "/"
def put(path, content):
    with open(root + path, "wb") as file:
        file.write(content)
if sys.argv[1] == "write":
    os.makedirs(root + "dir")
    os.makedirs(root + "gone-dir/sub")
    put("stays", b"stays\n" * 100)
    put("secret.txt", b"".join(b"secret %04d\n" % number for number in range(700)))
    put("dir/big", b"".join(b"big %08d\n" % number for number in range(40000)))
    put("gone-dir/a", b"first\n" * 1000)
    put("gone-dir/sub/b", b"second\n" * 2000)
    with open(root + "dir/pieces", "wb") as file:
        for number in range(150):
            file.seek(number * 4096)
            file.write(b"%04d" % number * 256)
    os.symlink("target/" * 20, root + "link-slow")
elif sys.argv[1] == "remove":
    for path in ["secret.txt", "dir/big", "gone-dir/a", "gone-dir/sub/b", "dir/pieces", "link-slow"]:
        os.remove(root + path)
    os.rmdir(root + "gone-dir/sub")
    os.rmdir(root + "gone-dir")
else:
    for number in range(3):
        put("later-%d" % number, b"later\n" * 10)
    os.sync()
    free = os.statvfs(sys.argv[2])
    put("filler", b"filler\n\n" * ((free.f_bavail - 900) * free.f_bsize // 8))
os.sync()
PY
truncate -s 8M "$work/live.img"
mke2fs -q -F -t ext4 -b 1024 -J size=1 -m 0 -U 12345678-1234-5678-9abc-def012345678 "$work/live.img"
mount -o loop,commit=300 "$work/live.img" "$work/mnt"
python3 "$work/delete.py" write "$work/mnt"
truth "$work/mnt" deleted
python3 "$work/delete.py" remove "$work/mnt"
umount "$work/mnt"
cp --sparse=always "$work/live.img" "$work/deleted.img"
pack deleted
mount -o loop,commit=300 "$work/live.img" "$work/mnt"
python3 "$work/delete.py" reuse "$work/mnt"
umount "$work/mnt"
mv "$work/live.img" "$work/reused.img"
pack reused

# few, few-ext2: one of each kind in few inodes, volumes that are read whole many times a second. Copied while
# mounted as well.
cat >"$work/few.py" <<'PY'
import os, sys
root = sys.argv[1] + "/"
def put(path, content):
    with open(root + path, "wb") as file:
        file.write(content)
for directory in ["many", "gone", "deep/er"]:
    os.makedirs(root + directory)
put("tiny", b"tiny content")
put("spills", b"spills\n" * 15)
put("large", b"large\n" * 4000)
for number in range(16):
    put("many/a-file-with-a-rather-long-name-%d" % number + "-" * 40, b"%d" % number)
    os.link(root + "large", root + "many/the-same-file-again-%d" % number + "-" * 40)
for number in range(6):
    put("gone/%d" % number, b"gone\n" * 100 * number)
with open(root + "pieces", "wb") as file:
    for number in range(40):
        file.seek(4000 + number * 8192)
        file.write(b"%04d" % number * 256)
os.symlink("tiny", root + "fast")
os.symlink("slow/" * 30, root + "slow")
os.setxattr(root + "tiny", "user.short", b"in the inode")
os.setxattr(root + "large", "user.long", b"in a block of its own" * 20)
os.sync()
for number in range(1, 6):
    os.remove(root + "gone/%d" % number)
os.rename(root + "spills", root + "deep/er/spilt")
put("large", b"overwritten\n" * 500)
held = open(root + "held", "wb")
held.write(b"open, without a name\n" * 20)
held.flush()
os.fsync(held.fileno())
os.remove(root + "held")
os.sync()
os.system("cp --sparse=always %s %s" % (sys.argv[2], sys.argv[3]))
PY
few() {
	local name=$1 size=$2 mounted=$3
	shift 3
	truncate -s "$size" "$work/live.img"
	mke2fs -q -F -b 1024 -N 64 -I 256 -m 0 -U 12345678-1234-5678-9abc-def012345678 "$@" "$work/live.img"
	mount -o "loop$mounted" "$work/live.img" "$work/mnt"
	python3 "$work/few.py" "$work/mnt" "$work/live.img" "$work/$name.img"
	umount "$work/mnt"
	rm "$work/live.img"
	pack "$name"
}
few few 3M ,commit=300,data=journal -t ext4 -J size=1 -O inline_data
few few-ext2 1M "" -t ext2
