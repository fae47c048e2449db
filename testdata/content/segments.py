#!/usr/bin/env python3
"""Makes segments.hive.zst: a registry hive with values longer than one cell holds, which reged (Debian package chntpw)
puts into segments, and a token over the end of a segment of each. Needs python3, chntpw and zstd."""
import os, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SEGMENT = 16_344


def text(size, place, token):
    body = ('nothing to see here, move along ' * (size // 32 + 1))[:size]
    return body[:place - 1] + ' ' + token + ' ' + body[place + 21:]


values = {
    'wide': (1, text(20_000, SEGMENT // 2 - 10, 'AKIAFOAE25GOJIZGVCAY').encode('utf-16-le') + b'\0\0'),
    'bytes': (3, text(40_000, 2 * SEGMENT - 7, 'AKIAPIC46YS4RQ47FPYK').encode()),
}
work = tempfile.mkdtemp()
hive, reg = os.path.join(work, 'hive'), os.path.join(work, 'reg')
with open(hive, 'wb') as file:
    file.write(subprocess.run(['zstd', '-dqc', HERE + '/../leftovers/hives/ntuser-clean.zst'], check=True,
                              capture_output=True).stdout)
with open(reg, 'w') as file:
    file.write('Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\TEST\\Long]\r\n')
    for name, (kind, data) in values.items():
        file.write('"%s"=hex(%x):%s\r\n' % (name, kind, ','.join('%02x' % byte for byte in data)))
subprocess.run(['reged', '-I', hive, 'HKEY_LOCAL_MACHINE\\TEST', reg, '-C'], input=b'y\n', capture_output=True)
content = open(hive, 'rb').read()
assert content.count(b'\xffdb') > 1
assert not any(data in content for _, data in values.values())
subprocess.run(['zstd', '-q', '-f', '-19', hive, '-o', HERE + '/segments.hive.zst'], check=True)
