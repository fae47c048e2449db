#!/bin/sh
# Makes registry hives: an empty hive (written below, as the format's specification says) that hivexregedit
# fills from the .reg texts beside this script. `*-dirty` hold leftovers, `*-clean` do not.
# Needs: python3, hivexregedit (libhivex-bin), zstd.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

empty() {
    python3 - "$1" <<'PY'
import struct, sys
base = bytearray(4096)
base[0:4] = b"regf"
struct.pack_into("<II", base, 4, 1, 1)
struct.pack_into("<IIIIIII", base, 0x14, 1, 5, 0, 1, 0x20, 4096, 1)
checksum = 0
for (word,) in struct.iter_unpack("<I", bytes(base[:508])):
    checksum ^= word
struct.pack_into("<I", base, 508, checksum)
name = b"ROOT"
key = bytearray(0x4c)
key[0:2] = b"nk"
struct.pack_into("<H", key, 2, 0x2c)
struct.pack_into("<I", key, 0x10, 0xffffffff)
for at in (0x1c, 0x20, 0x28, 0x2c, 0x30):
    struct.pack_into("<I", key, at, 0xffffffff)
struct.pack_into("<HH", key, 0x48, len(name), 0)
key += name
size = (len(key) + 4 + 7) // 8 * 8
security = bytearray(struct.pack("<HHIII", 0x6b73, 0, 0, 0, 1))
descriptor = bytes.fromhex("010004800000000000000000000000001400000002000800000000000000")
security += struct.pack("<I", len(descriptor)) + descriptor
ssize = (len(security) + 4 + 7) // 8 * 8
at = 0x20 + size
struct.pack_into("<I", key, 0x2c, at)
struct.pack_into("<II", security, 4, at, at)
bin_ = bytearray(4096)
bin_[0:4] = b"hbin"
struct.pack_into("<II", bin_, 4, 0, 4096)
struct.pack_into("<i", bin_, 0x20, -size)
bin_[0x24:0x24 + len(key)] = key
struct.pack_into("<i", bin_, at, -ssize)
bin_[at + 4:at + 4 + len(security)] = security
struct.pack_into("<i", bin_, at + ssize, 4096 - at - ssize)
open(sys.argv[1], "wb").write(base + bin_)
PY
}

for text in *.reg; do
    name=${text%.reg}
    empty "$work/$name"
    hivexregedit --merge --prefix 'H' "$work/$name" "$text"
    zstd -q -19 -f "$work/$name" -o "$name.zst"
done
python3 torn.py
