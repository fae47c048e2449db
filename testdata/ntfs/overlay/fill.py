"""Compresses files with wimlib and writes them as the overlay filter keeps them: fill.py WORK MOUNT

Prints name, size and SHA-256 of each."""
import hashlib
import os
import pathlib
import random
import struct
import subprocess
import sys

work, mount = map(pathlib.Path, sys.argv[1:])
# Number of the format, and what wimlib calls it.
FORMATS = [(0, "xpress", 4096), (1, "lzx", 32768), (2, "xpress", 8192), (3, "xpress", 16384)]


def resource(name, compression, chunk):
    """A file's resource in a WIM file, with the table of its chunks."""
    wim = work / "one.wim"
    wim.unlink(missing_ok=True)
    folder = work / "in" / name
    subprocess.run(["wimcapture", "--no-acls", f"--compress={compression}:100", f"--chunk-size={chunk}",
                    str(folder), str(wim)], check=True, capture_output=True)
    data = wim.read_bytes()
    digest = hashlib.sha1((folder / "file").read_bytes()).digest()
    size, table, _ = struct.unpack_from("<QQQ", data, 48)
    size &= (1 << 56) - 1
    for at in range(table, table + size, 50):
        stored, offset, original = struct.unpack_from("<QQQ", data, at)
        if data[at + 30:at + 50] == digest:
            flags, stored = stored >> 56, stored & ((1 << 56) - 1)
            assert flags & 4, "not compressed"
            return data[offset:offset + stored], original
    raise SystemExit("no such resource")


def text(suffix):
    lines = [f"{number}: a line of a log that goes on for a while, number {number * 7919 % 10007}\n"
             for number in range(1500)]
    lines[1000] = f"aws_access_key_id = AKIAQ3EGRXWVJT5KL{suffix}\n"
    return "".join(lines).encode()


random.seed(7)
noise = bytes(random.randrange(256) for _ in range(20000))
# Calls that LZX translates, runs longer than a match, chunks that do not become shorter, and one short chunk.
calls = b"".join(b"\xe8" + struct.pack("<i", 4000 - at) + bytes(at % 7) for at in range(3000))
for number, compression, chunk in FORMATS:
    contents = {
        "text": text(f"4A{'ABCD'[number]}"),
        "calls": calls,
        "noise": text("4BZ")[:20000] + noise + bytes(100000) + text("4BZ")[:5000],
        "short": f"key: AKIAQ3EGRXWVJT5KL4B{'ABCD'[number]}\n".encode() + b"short, but long enough to be compressed " * 9,
        "zeros": b"\1" + bytes(3 * chunk),
    }
    for kind, content in contents.items():
        name = f"{kind}-{number}"
        folder = work / "in" / name
        folder.mkdir()
        (folder / "file").write_bytes(content)
        stored, size = resource(name, compression, chunk)
        assert size == len(content) and len(stored) < size
        path = mount / name
        path.touch()
        os.truncate(path, size)
        os.setxattr(path, "user.WofCompressedData", stored)
        # Tag, length; WOF_EXTERNAL_INFO: version, provider; FILE_PROVIDER_EXTERNAL_INFO: version, algorithm, flags.
        reparse = struct.pack("<IHHIIIII", 0x80000017, 20, 0, 1, 2, 1, number, 0)
        os.setxattr(path, "system.ntfs_reparse_data", reparse)
        print(name, size, hashlib.sha256(content).hexdigest())
