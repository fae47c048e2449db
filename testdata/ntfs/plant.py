#!/usr/bin/env python3
"""Makes planted.img.zst, control.img.zst and planted.jsonl: an NTFS volume with a token in every kind of place that a
file system leaves behind, its twin without tokens, and where each token is.

ntfs-3g writes, removes and compresses; istat says which clusters are whose; what no free program writes (record slack,
$LogFile, a change journal's records) is put there by offset. Needs root, ntfs-3g, sleuthkit, python3 and zstd."""
import hashlib, os, re, shutil, struct, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..'))
from planting import Planting, patch, put, run

CLUSTER = 1024
PLANTING = Planting(b'ntfs ')
token, body, expect = PLANTING.token, PLANTING.body, PLANTING.expect


def noise(size):
    return b''.join(hashlib.sha256(b'%d' % n).digest() for n in range(size // 32 + 1))[:size]


def first(root):
    """Everything that is there at the start."""
    put(root, '/stays.txt', body(5000))
    # A resident file for every place of the token between the ends of two strides of its record.
    for n in range(24):
        put(root, '/resident/%02d.txt' % n, body(200 + 8, (150 + n, 'resident %d' % n)))
        expect('resident %d' % n, 'allocated', '/resident/%02d.txt' % n, file_offset=150 + n)
    put(root, '/resident/long.txt', body(600, (560, 'resident long')))
    expect('resident long', 'allocated', '/resident/long.txt')
    put(root, '/streams.txt', body(100))
    os.setxattr(root + '/streams.txt', 'user.small', body(120, (60, 'small stream')))
    os.setxattr(root + '/streams.txt', 'user.large', body(9000, (7000, 'large stream')))
    expect('small stream', 'allocated', '/streams.txt', stream='small')
    expect('large stream', 'allocated', '/streams.txt', stream='large')
    os.mkdir(root + '/compressed')
    os.setxattr(root + '/compressed', 'system.ntfs_attrib_be', (0x800).to_bytes(4, 'big'))
    put(root, '/compressed/text.txt', body(200_000, (70_000, 'compressed')))
    expect('compressed', 'allocated', '/compressed/text.txt', file_offset=70_000)
    put(root, '/pagefile.sys', body(30_000, (9000, 'page file')))
    expect('page file', 'swap', '/pagefile.sys')
    put(root, '/memory.dmp', b'PAGEDU64' + body(9000, (500, 'crash dump')))
    expect('crash dump', 'allocated', '/memory.dmp')
    put(root, '/gone/small.txt', body(300, (100, 'deleted resident')))
    put(root, '/gone/large.txt', body(20_000, (15_000, 'deleted')))
    put(root, '/gone/streams.txt', body(100))
    os.setxattr(root + '/gone/streams.txt', 'user.large', body(5000, (3000, 'stream of deleted')))
    put(root, '/gone-dir/sub/inside.txt', body(3000, (700, 'deleted directory')))
    put(root, '/config.txt', body(2500, (50, 'renamed over')))
    put(root, '/config.new', body(2500))
    put(root, '/short.txt', body(1500))
    put(root, '/shrunk.txt', body(200))
    put(root, '/logged.txt', body(300, (200, 'logged')))
    expect('logged', 'allocated', '/logged.txt', copies=True)


def then(root):
    """What happens to it."""
    for path in ['/gone/small.txt', '/gone/large.txt', '/gone/streams.txt', '/gone-dir/sub/inside.txt']:
        os.remove(root + path)
    os.rmdir(root + '/gone-dir/sub')
    os.rmdir(root + '/gone-dir')
    os.rename(root + '/config.new', root + '/config.txt')
    for label, path, stream in [('deleted resident', '/gone/small.txt', None), ('deleted', '/gone/large.txt', None),
                                ('stream of deleted', '/gone/streams.txt', 'large'),
                                ('deleted directory', '/gone-dir/sub/inside.txt', None),
                                # ntfs-3g gives it another name before it removes it.
                                ('renamed over', '/config.txt.ntfs-3g-0000000001', None)]:
        expect(label, 'deleted', path, stream=stream)


def clusters(image, inode, name='N/A'):
    """The clusters of a file's data."""
    text = run('istat', image, str(inode))
    found = re.search(r'\$DATA \(128-\d+\)   Name: %s   Non-Resident.*\n([\d \n]*)' % re.escape(name), text)
    return [int(cluster) for cluster in found.group(1).split()]


def number(image, path):
    found = re.search(r'(\d+)-128-\d+:\t%s$' % re.escape(path), run('fls', '-r', '-p', image), re.M)
    return int(found.group(1))


def record_place(image, inode):
    table = clusters(image, 0)
    place = inode * 1024
    return table[place // CLUSTER] * CLUSTER + place % CLUSTER


def by_offset(image):
    last = clusters(image, number(image, 'short.txt'))[-1]
    patch(image, last * CLUSTER + 600, b' ' + token('slack') + b' ')
    expect('slack', 'slack', '/short.txt', file_offset=CLUSTER + 601)
    place = record_place(image, number(image, 'shrunk.txt'))
    with open(image, 'rb') as file:
        file.seek(place)
        record = file.read(1024)
    used = struct.unpack_from('<I', record, 0x18)[0]
    assert used < 700, used
    patch(image, place + 800, b' ' + token('record slack') + b' ')
    expect('record slack', 'slack', '/shrunk.txt', stream='attribute:record slack')
    # The log repeats a part of a record; and holds one of a file that nothing else knows.
    log = clusters(image, 2)
    patch(image, log[40] * CLUSTER + 100, body(300, (200, 'logged')))
    patch(image, log[44] * CLUSTER + 100, body(300, (200, 'log only')))
    expect('log only', 'journal', '/$LogFile')
    bitmap = run('icat', image, '6', text=False)
    free = [c for c in range(4 << 10) if not bitmap[c // 8] >> (c % 8) & 1]
    patch(image, free[-1] * CLUSTER + 100, b' ' + token('free') + b' ')
    expect('free', 'unallocated')


def change(file, parent, name, reason, time=133_500_000_000_000_000):
    """A record of the change journal, version 2."""
    units = name.encode('utf-16-le')
    length = (60 + len(units) + 7) // 8 * 8
    head = struct.pack('<IHHQQQQIIIIHH', length, 2, 0, file, parent, 0, time, reason, 0, 0, 0x20, len(units), 60)
    return (head + units).ljust(length, b'\0')


def change_journal(image, mount):
    """A journal that knows of two files whose records are gone, and of one that is still there. It is made in the
    root directory, and its name is moved below $Extend (record 11) by offset."""
    run('ntfs-3g', '-o', 'streams_interface=xattr', image, mount)
    os.makedirs(mount + '/watched')
    put(mount, '/watched/here.txt', b'here')
    watched, here = os.stat(mount + '/watched').st_ino, os.stat(mount + '/watched/here.txt').st_ino
    parent = 1 << 48 | watched
    records = change(7 << 48 | 900, parent, 'plan for the merger.docx', 0x80000200)
    records += change(1 << 48 | here, parent, 'here.txt', 0x80000100)
    records = records.ljust(4096, b'\0') + change(9 << 48 | 901, 3 << 48 | 950, 'payroll.xlsx', 0x80001000)
    journal = mount + '/$UsnJrnl'
    open(journal, 'wb').close()
    os.setxattr(journal, 'user.$J', records.ljust(8192, b'\0'))
    own = os.stat(journal).st_ino
    run('umount', mount)
    place = record_place(image, own)
    with open(image, 'rb') as file:
        file.seek(place)
        record = file.read(510)
    parent = record.index('$UsnJrnl'.encode('utf-16-le')) - 0x42
    assert struct.unpack_from('<Q', record, parent)[0] == 5 << 48 | 5
    patch(image, place + parent, struct.pack('<Q', 11 << 48 | 11))


def make(name):
    work = tempfile.mkdtemp()
    image, mount = os.path.join(work, 'image'), os.path.join(work, 'mount')
    os.mkdir(mount)
    with open(image, 'wb') as file:
        file.truncate(6 << 20)
    run('mkntfs', '-F', '-q', '-c', str(CLUSTER), image)
    options = 'compression,streams_interface=xattr,no_def_opts'
    run('ntfs-3g', '-o', options, image, mount)
    first(mount)
    run('umount', mount)
    # Before anything is removed, so that no record is used again.
    change_journal(image, mount)
    run('ntfs-3g', '-o', options, image, mount)
    then(mount)
    run('umount', mount)
    by_offset(image)
    content = PLANTING.pack(image, os.path.join(HERE, name), ('resident', 'compressed'))
    if PLANTING.planted:
        resident = [line for line in PLANTING.truth if line['label'].startswith('resident ')]
        split = [line for line in resident if line['token'].encode() not in content]
        assert split, 'no token lies over the end of a stride'
    shutil.rmtree(work)


make('planted')
PLANTING.planted = False
make('control')
