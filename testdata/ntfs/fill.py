"""Fills a mounted NTFS volume, prints what a reader must find in it, deletes some of it.

Usage: fill.py fill|again|truth|delete NAME MOUNT_POINT, mounted afresh for each. `truth` prints a JSON object a
stream; paths are percent-encoded bytes."""
import hashlib
import json
import os
import sys
from urllib.parse import quote_from_bytes

step, name, root = sys.argv[1], sys.argv[2], os.fsencode(sys.argv[3])
SAFE = "/ !#$&'()+,-.;=@[]^_`{}~"


def text(label, size):
    """Numbered lines, so that a misplaced cluster changes the digest and the image compresses."""
    lines = b"".join(b"%s line %08d\n" % (label, n) for n in range(size // (len(label) + 15) + 1))
    return lines[:size]


def path(*parts):
    return os.path.join(root, *parts)


def write(at, content):
    with open(at, "wb") as file:
        file.write(content)


def fragmented(at, size, fill_size, group):
    """A file whose clusters lie in the holes that half of many small files left."""
    directory = at + b".fill"
    os.mkdir(directory)
    made = []
    for n in range(100_000):
        filler = os.path.join(directory, b"%05d" % n)
        try:
            write(filler, text(b"filler %d" % n, fill_size))
        except OSError:
            break
        made.append(filler)
    left = []
    for n, filler in enumerate(made):
        if n % group < group // 2:
            os.unlink(filler)
        else:
            left.append(filler)
    write(at, text(b"fragmented", size))
    return left


def records(prefix, count):
    """Many small files, so that the table grows."""
    os.makedirs(prefix, exist_ok=True)
    for n in range(count):
        try:
            write(os.path.join(prefix, b"r%05d" % n), text(b"record %d" % n, 40))
        except OSError:
            return


def mixed():
    for directory in (b"dir", b"dir/sub", b"compressed", b"gone"):
        os.mkdir(path(directory))
    write(path(b"empty"), b"")
    write(path(b"resident.txt"), text(b"resident", 600))
    write(path(b"dir/tiny"), text(b"tiny", 300))
    write(path(b"dir/large.txt"), text(b"large", 200_001))
    os.link(path(b"dir/large.txt"), path(b"dir/sub/second name"))
    os.link(path(b"dir/large.txt"), path(b"a link"))
    for odd in ("naïve Ünïcödé 日本語 😀".encode(), b"100% \x1b[2J", b"trailing. ", b"COM1", b"\xed\xa0\xbdlone"):
        try:
            write(path(b"dir", odd), text(b"odd", 900))
        except OSError as error:
            print("left out", odd, error, file=sys.stderr)
    with open(path(b"sparse"), "wb") as file:
        file.seek(300_000)
        file.write(text(b"island", 5000))
        file.truncate(1_000_000)
    # Alternate streams, resident and not, on a file and on a directory.
    os.setxattr(path(b"resident.txt"), "user.small", text(b"stream", 100))
    os.setxattr(path(b"resident.txt"), "user.big stream", text(b"big stream", 20_000))
    os.setxattr(path(b"dir"), "user.on directory", text(b"directory stream", 50))
    # Files made below a compressed directory are compressed.
    os.setxattr(path(b"compressed"), "system.ntfs_attrib_be", (0x800).to_bytes(4, "big"))
    write(path(b"compressed/text"), text(b"compressed", 300_000))
    write(path(b"compressed/mix"), text(b"a", 70_000) + noise(70_000) + bytes(200_000) + text(b"b", 3_333))
    with open(path(b"compressed/holes"), "wb") as file:
        file.write(text(b"start", 10_000))
        file.seek(500_000)
        file.write(text(b"end", 10_000))
    os.mkfifo(path(b"fifo"))
    os.symlink(b"dir/large.txt", path(b"symlink"))
    # The driver fills two zones in turn: two of four leave holes of one file in both.
    fragmented(path(b"pieces"), 2_500_000, 4096, 4)
    for n in range(3):
        write(path(b"gone/deleted %d" % n), text(b"deleted %d" % n, (300, 9000, 70_000)[n]))


def noise(size):
    """Bytes that do not compress, the same each time."""
    out = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(size // 32 + 1))
    return out[:size]


def small():
    os.mkdir(path(b"dir"))
    write(path(b"resident"), text(b"resident", 500))
    write(path(b"dir/large"), text(b"large", 150_000))
    os.setxattr(path(b"dir/large"), "user.stream", text(b"stream", 5_000))
    with open(path(b"sparse"), "wb") as file:
        file.seek(5 << 20)
        file.write(text(b"island", 5000))
    write(path(b"deleted"), text(b"deleted", 5_000))
    os.mkdir(path(b"once"))
    for n in range(120):
        write(path(b"once", b"a name that will be gone %03d" % n), b"")


def table():
    """Fills the volume, leaves holes of two clusters, and makes the table grow into them."""
    left = fragmented(path(b"pieces"), 200_000, 1000, 2)
    records(path(b"records"), 4000)
    for filler in left[::2]:
        os.unlink(filler)
    records(path(b"more"), 4000)


def few():
    """One of each kind in few records: a volume that is read whole many times a second."""
    for directory in (b"dir", b"compressed", b"gone"):
        os.mkdir(path(directory))
    write(path(b"resident"), text(b"resident", 300))
    write(path(b"dir/large"), text(b"large", 20_000))
    # As many names as do not fit into one record.
    for n in range(12):
        os.link(path(b"dir/large"), path(b"a link with a name of some length %02d" % n))
    os.setxattr(path(b"resident"), "user.small", text(b"stream", 50))
    os.setxattr(path(b"dir/large"), "user.large", text(b"stream", 3_000))
    os.setxattr(path(b"compressed"), "system.ntfs_attrib_be", (0x800).to_bytes(4, "big"))
    write(path(b"compressed/mix"), text(b"a", 9_000) + noise(9_000) + bytes(20_000))
    with open(path(b"sparse"), "wb") as file:
        file.seek(100_000)
        file.write(text(b"island", 1_000))
    for n in range(8):
        write(path(b"gone", b"deleted %d" % n), text(b"deleted %d" % n, 100 + 300 * n))
    # Leaves space for few.
    write(path(b"zeros"), bytes(450_000))
    left = fragmented(path(b"pieces"), 20_000, 1000, 2)
    records(path(b"records"), 60)
    for filler in left[::2]:
        os.unlink(filler)
    records(path(b"more"), 60)


def truth(at, deleted=False):
    shown = quote_from_bytes(b"/" + os.path.relpath(at, root), safe=SAFE)
    fact = {"path": shown, "inode": os.lstat(at).st_ino}
    if deleted:
        fact["deleted"] = True
    if os.path.islink(at) or not (os.path.isfile(at) or os.path.isdir(at)):
        return
    if os.path.isfile(at):
        with open(at, "rb") as file:
            emit(fact, file.read())
    for stream in os.listxattr(at):
        if stream.startswith("user."):
            emit(dict(fact, stream=stream[5:]), os.getxattr(at, stream))


def emit(fact, content):
    digest = hashlib.sha256(content).hexdigest()
    print(json.dumps(dict(fact, size=len(content), sha256=digest), ensure_ascii=True))


DOOMED = {
    "mixed": [b"gone/deleted %d" % n for n in range(3)],
    "table": [],
    "few": [b"gone/deleted %d" % n for n in range(8)],
}
doomed = [path(at) for at in DOOMED.get(name, [b"deleted"])]
if step == "fill":
    {"mixed": mixed, "table": table, "few": few}.get(name, small)()
elif step == "again":
    # Records of files that are deleted are given to others, so that only the slack of the index knows the names.
    if os.path.isdir(path(b"once")):
        for n in range(100):
            os.unlink(path(b"once", b"a name that will be gone %03d" % n))
        for n in range(130):
            write(path(b"again %03d" % n), text(b"again %d" % n, 50))
elif step == "truth":
    for top, directories, files in os.walk(root):
        directories.sort()
        for entry in sorted(directories + files):
            at = os.path.join(top, entry)
            truth(at, at in doomed)
else:
    for at in doomed:
        os.unlink(at)
    if name == "mixed":
        os.rmdir(path(b"gone"))
