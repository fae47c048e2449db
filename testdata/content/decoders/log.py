"""Writes an access key over the process name of a Windows event log: log.py SAMPLE.zst OUT KEY"""
import subprocess
import sys

sample, out, key = sys.argv[1:]
log = subprocess.run(["zstd", "-dqc", sample], check=True, capture_output=True).stdout
name = "C:\\Windows\\System32\\lsass.exe"
assert log.count(name.encode("utf-16-le")) >= 1
line = f"--id {key}".ljust(len(name))
assert len(line) == len(name)
open(out, "wb").write(log.replace(name.encode("utf-16-le"), line.encode("utf-16-le")))
