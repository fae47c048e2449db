#!/usr/bin/env python3
"""Makes a hive that was cut off while it was written, and the log that Windows would have left beside it.

Reads software-clean.zst and software-dirty.zst, both made by hivexregedit (make.sh). The log is written as the
Windows registry file format specification has it: a base block of type 6 and one entry HvLE.
"""
import struct
import subprocess


def unpack(name):
    return bytearray(subprocess.run(["zstd", "-dqc", name + ".zst"], check=True, capture_output=True).stdout)


def pack(name, content):
    subprocess.run(["zstd", "-q", "-19", "-f", "-o", name + ".zst"], input=bytes(content), check=True)


def rotate(value, by):
    return (value << by | value >> 32 - by) & 0xFFFFFFFF


def marvin32(data):
    low, high = 0x884DEF82, 0xC5554E7A
    padded = bytes(data) + b"\x80"
    padded += bytes(-len(padded) % 4)
    for (word,) in list(struct.iter_unpack("<I", padded)) + [(0,)]:
        low = (low + word) & 0xFFFFFFFF
        high ^= low
        low = (rotate(low, 20) + high) & 0xFFFFFFFF
        high = rotate(high, 9) ^ low
        low = (rotate(low, 27) + high) & 0xFFFFFFFF
        high = rotate(high, 19)
    return low | high << 32


def seal(base, kind, primary, secondary):
    struct.pack_into("<II", base, 4, primary, secondary)
    struct.pack_into("<I", base, 28, kind)
    total = 0
    for (word,) in struct.iter_unpack("<I", base[:508]):
        total ^= word
    struct.pack_into("<I", base, 508, total)


before, after = unpack("software-clean"), unpack("software-dirty")
bins = struct.unpack_from("<I", after, 40)[0]
before[36:40] = after[36:40]
seal(before, 0, 8, 7)
page = lambda hive, at: bytes(hive[at : at + 4096]).ljust(4096, b"\0")
pages = [at for at in range(4096, 4096 + bins, 4096) if page(before, at) != page(after, at)]
body = b"".join(struct.pack("<II", at - 4096, 4096) for at in pages) + b"".join(page(after, at) for at in pages)
body += bytes(-(len(body) + 40) % 512)
head = b"HvLE" + struct.pack("<IIIII", len(body) + 40, 0, 7, bins, len(pages))
head += struct.pack("<Q", marvin32(body))
head += struct.pack("<Q", marvin32(head))
base = bytearray(after[:512])
seal(base, 6, 7, 7)
pack("software-torn", before)
pack("software-torn-log1", base + head + body)
