#!/usr/bin/env bash
# Makes copied-journal.img.zst and copied-ordered.img.zst: small volumes, written by the kernel with its journal in
# either mode, on which tokens stand in nothing but the journal's copies of blocks that were written again since; and
# copied-*.jsonl, which says of each what the block belongs to. Needs e2fsprogs, python3, zstd, root and loop mounts.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'umount "$work/mnt" 2>/dev/null || true; rm -rf "$work"' EXIT
mkdir "$work/mnt"

cat > "$work/write.py" << 'PY'
import json, os, subprocess, sys

root, mode, image, truth = *sys.argv[1:4], open(sys.argv[4], "w")
digits = iter("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")

def token():
    return "AKIAQ3EGRXWVJT5K" + ("LR" if mode == "journal" else "MR") + next(digits) + "7"

def says(token, text):
    truth.write(json.dumps({"token": token, "says": text}) + "\n")

def put(name, content, flags=os.O_CREAT):
    """Writes in place, so that the same blocks and the same record hold the content."""
    file = os.open(root + name, os.O_WRONLY | flags)
    os.write(file, content)
    os.fsync(file)
    os.close(file)

def sync():
    os.sync()

def inode(name):
    return os.stat(root + name, follow_symlinks=False).st_ino

def place(name, index):
    """The block that holds a block of a file."""
    sync()
    found = subprocess.run(["debugfs", "-R", "blocks <%d>" % inode(name), image], capture_output=True, text=True)
    return int(found.stdout.split()[index])

def block(name):
    """Content in blocks that is written again, of a file that stays and of one that goes."""
    secret = token()
    put(name, b"a line of text\n" * 100 + b"key = %s\n" % secret.encode() + b"more text\n" * 50)
    sync()
    put(name, b"an other text!\n" * 100 + b"key = %s\n" % (b"x" * len(secret)) + b"more text\n" * 50)
    sync()
    return secret

# Two directories that are too large for their inode.
for directory in ("srv", "names"):
    os.mkdir(root + directory)
    for index in range(12):
        put("%s/one name of %d" % (directory, index), b"")
if mode == "journal":
    says(block("srv/data"), "block %d, which inode %d (/srv/data) has now" % (place("srv/data", 1), inode("srv/data")))
    secret, number, at = block("srv/removed"), inode("srv/removed"), place("srv/removed", 1)
    os.remove(root + "srv/removed")
    sync()
    says(secret, "block %d of inode %d#1 (/srv/removed)" % (at, number))

# Attributes in the inode, and in a block.
put("srv/attribute", b"content of some length, so that it does not fit into the inode; " * 8)
secret = token()
os.setxattr(root + "srv/attribute", "user.key", b"key %s" % secret.encode())
sync()
os.setxattr(root + "srv/attribute", "user.key", b"key %s" % (b"y" * len(secret)))
sync()
says(secret, "inode %d (/srv/attribute)" % inode("srv/attribute"))
put("srv/attributes", b"content of some length, so that it does not fit into the inode; " * 8)
secret = token()
os.setxattr(root + "srv/attributes", "user.key", b"k" * 300 + b" key %s" % secret.encode())
sync()
os.setxattr(root + "srv/attributes", "user.key", b"k" * 300 + b" key %s" % (b"z" * len(secret)))
sync()
says(secret, "the attributes of inode %d (/srv/attributes)" % inode("srv/attributes"))

# Content in the inode.
secret = token()
put("srv/inline", b"key = %s\n" % secret.encode())
sync()
put("srv/inline", b"key = %s\n" % (b"w" * len(secret)))
sync()
says(secret, "inode %d (/srv/inline)" % inode("srv/inline"))

# An attribute that had gone before its file did, and whose inode is another file's.
secret = token()
put("srv/former", b"content of some length, so that it does not fit into the inode; " * 8)
os.setxattr(root + "srv/former", "user.key", b"key %s" % secret.encode())
sync()
os.removexattr(root + "srv/former", "user.key")
sync()
number = inode("srv/former")
os.remove(root + "srv/former")
sync()
put("srv/next", b"")
sync()
assert inode("srv/next") == number
says(secret, "inode %d#1 (/srv/former), used again since" % number)

# A link that is gone, and whose inode is another file's: that one comes back as an entry of its own.
secret = token()
os.symlink("/srv/%s" % secret, root + "srv/link")
sync()
number = inode("srv/link")
os.remove(root + "srv/link")
sync()
put("srv/after", b"")
sync()
assert inode("srv/after") == number
truth.write(json.dumps({"token": secret, "path": "/srv/link", "inode": number}) + "\n")

# The name of a file, in a directory with blocks.
secret = token()
put("names/%s" % secret, b"")
sync()
os.rename(root + "names/%s" % secret, root + "names/" + "n" * len(secret))
sync()
says(secret, "block %d, which inode %d (/names) has now" % (place("names", 0), inode("names")))
PY

for mode in journal ordered; do
    image=$work/$mode.img
    truncate -s 4M "$image"
    mkfs.ext4 -q -b 1024 -I 256 -N 64 -J size=1 -O inline_data,metadata_csum,^resize_inode -E lazy_itable_init=0 \
        -U 8a361212-0000-4000-8000-000000000001 "$image"
    mount -o loop,data=$mode,noatime "$image" "$work/mnt"
    python3 "$work/write.py" "$work/mnt/" $mode "$image" "$work/truth.jsonl"
    umount "$work/mnt"
    zstd -q -19 -f "$image" -o "$here/copied-$mode.img.zst"
    cp "$work/truth.jsonl" "$here/copied-$mode.jsonl"
done
