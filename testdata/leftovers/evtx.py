#!/usr/bin/env python3
"""Changes the event log of Windows in security-evtx.zst into one that was cleared and one that is empty.

Only the numbers of records in the chunk's header change; checksums are left as they are.
"""
import struct
import subprocess


def pack(name, content):
    subprocess.run(["zstd", "-q", "-19", "-f", "-o", name + ".zst"], input=bytes(content), check=True)


log = bytearray(subprocess.run(["zstd", "-dqc", "security-evtx.zst"], check=True, capture_output=True).stdout)
cleared, empty = bytearray(log), bytearray(log)
struct.pack_into("<QQ", cleared, 4096 + 24, 5001, 5007)
struct.pack_into("<QQ", empty, 4096 + 24, 2**64 - 1, 2**64 - 1)
pack("security-evtx-cleared", cleared)
pack("security-evtx-empty", empty)

# A process creation that someone passed a password to, in place of a program's path of the same length.
path = "C:\\Windows\\System32\\winlogon.exe".encode("utf-16-le")
command = "net user bob P@ss1word1x /add   ".encode("utf-16-le")
assert len(path) == len(command) and path in log
pack("security-evtx-command", bytes(log).replace(path, command, 1))
