#!/usr/bin/env python3
"""Makes logged.img.zst and logged.jsonl: an NTFS volume whose $LogFile remembers what its records held before, with
tokens in what only the log knows.

No free program writes such a log, so ntfs-3g makes the files, their records are kept at each step, and the operations
that lead from one step to the next are written into the log as Windows writes them (structures as in the NTFS
documentation of the Linux-NTFS project; compared with the log of a volume that Windows made). Needs root, ntfs-3g,
python3 and zstd."""
import os, shutil, struct, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..'))
from planting import Planting, patch, put, run

CLUSTER, RECORD, PAGE = 4096, 1024, 4096
INIT, FREE, CREATE, DELETE, VALUE, PAIRS, SIZES = 2, 3, 5, 6, 7, 9, 11
CLUSTERS, ADD_TO_INDEX, TAKE_FROM_INDEX, OPEN, DUMP = 8, 14, 15, 28, 29
DATA, INDEX = 0x80, 0xa0
PLANTING = Planting(b'ntfs log ')
body, expect = PLANTING.body, PLANTING.expect


class Volume:
    def __init__(self, image):
        with open(image, 'rb') as file:
            self.bytes = file.read()
        self.table = struct.unpack_from('<Q', self.bytes, 0x30)[0] * CLUSTER

    def place(self, number):
        return self.table + number * RECORD

    def record(self, number):
        """A record without fixups, as the log has it."""
        record = bytearray(self.bytes[self.place(number):][:RECORD])
        assert record[:4] == b'FILE'
        at, count = struct.unpack_from('<HH', record, 4)
        for n in range(1, count):
            record[n * 512 - 2:n * 512] = record[at + 2 * n:at + 2 * n + 2]
        return bytes(record)

    def log(self):
        """The place of $LogFile, which mkntfs makes in one piece, and its length."""
        start, size, at = attribute(self.record(2), DATA)
        record = self.record(2)
        pairs = start + struct.unpack_from('<H', record, start + 0x20)[0]
        head = record[pairs]
        lcn = int.from_bytes(record[pairs + 1 + (head & 15):][:head >> 4], 'little')
        assert record[pairs + 1 + (head & 15) + (head >> 4)] == 0
        return lcn * CLUSTER, struct.unpack_from('<Q', record, start + 0x30)[0]


def used(record):
    return record[:struct.unpack_from('<I', record, 0x18)[0]]


def attribute(record, kind):
    """Offset and length of an attribute, and the offset in it of its value or its runs."""
    at = struct.unpack_from('<H', record, 0x14)[0]
    while True:
        code, length = struct.unpack_from('<II', record, at)
        assert code != 0xffffffff
        if code == kind:
            resident = record[at + 8] == 0
            return at, length, struct.unpack_from('<H', record, at + (0x14 if resident else 0x20))[0]
        at += length


class Log:
    """Pages of log records. `skip` fills the rest of a page, so that a record goes over its end."""

    def __init__(self, size):
        self.size, self.bits = size, 67 - (size - 1).bit_length()
        self.pages = {}
        self.at = 4 * PAGE + 0x40
        self.last = 0

    def lsn(self, offset):
        return 3 << (64 - self.bits) | offset >> 3

    def put(self, content):
        while content:
            page = self.pages.setdefault(self.at // PAGE, bytearray(PAGE))
            inside = self.at % PAGE
            page[inside:inside + len(content)] = content[:PAGE - inside]
            taken = min(len(content), PAGE - inside)
            content = content[taken:]
            self.at += taken
            if self.at % PAGE == 0:
                self.at += 0x40

    def write(self, number, redo, undo, record_offset=0, attribute_offset=0, target=0x18):
        """One operation on a file record, or on an open attribute: redo and undo are an operation and its bytes
        each."""
        if PAGE - self.at % PAGE < 0x60:
            self.at = (self.at // PAGE + 1) * PAGE + 0x40
        pad = lambda data: data.ljust((len(data) + 7) // 8 * 8, b'\0')
        vcn, inside = divmod(number * RECORD, CLUSTER)
        client = struct.pack('<HHHHHHHHHHHHQQ', redo[0], undo[0], 40, len(redo[1]), 40 + len(pad(redo[1])),
                             len(undo[1]), target, 1, record_offset, attribute_offset, inside // 512, 0, vcn, 0)
        client += pad(redo[1]) + pad(undo[1])
        lsn = self.lsn(self.at)
        flags = 1 if self.at % PAGE + 0x30 + len(client) > PAGE else 0
        head = struct.pack('<QQQIHHIIHHHH', lsn, self.last, self.last, len(client), 0, 0, 1, 0x40, flags, 0, 0, 0)
        self.last = lsn
        self.put(head + client)
        self.at = (self.at + 7) // 8 * 8
        if self.at % PAGE == 0:
            self.at += 0x40
        return lsn

    def entry(self, kind, number, sequence, lsn):
        """An open attribute as the table has it."""
        return struct.pack('<IIIIQQQ', 0xffffffff, 4096, kind, 0, sequence << 48 | number, lsn, 0)

    def open(self, target, kind, number, sequence):
        entry = self.entry(kind, number, sequence, self.last)
        return self.write(0, (OPEN, entry), (0, b''), target=target)

    def dump(self, entries):
        """The table of a checkpoint."""
        count = len(entries)
        table = struct.pack('<HHHHHHIII', 40, count, count, 0, 0, 0, 0, 0, 0) + b''.join(entries)
        return self.write(0, (DUMP, table), (0, b''), target=0)

    def skip(self, left):
        """Goes on where a page has `left` bytes left, behind a record that is about no file."""
        length = PAGE - self.at % PAGE - left - 0x30
        assert length > 0x20
        head = struct.pack('<QQQIHHIIHHHH', self.lsn(self.at), 0, 0, length, 0, 0, 1, 0x40, 0, 0, 0, 0)
        self.put(head + bytes(length))

    def restart(self):
        page = bytearray(PAGE)
        struct.pack_into('<4sHHQIIHhh', page, 0, b'RSTR', 0x1e, 9, 0, PAGE, PAGE, 0x30, 1, 1)
        struct.pack_into('<QHHHHIHHQIHHI', page, 0x30, self.last, 1, 0xffff, 0, 0, self.bits, 0xe0, 0x40, self.size, 0,
                         0x30, 0x40, 1)
        return protect(page)

    def files(self):
        """What goes where in the file of the log."""
        out = {0: self.restart(), 1: self.restart()}
        for number, page in self.pages.items():
            struct.pack_into('<4sHHQIHHHHIQ', page, 0, b'RCRD', 0x28, 9, self.last, 1, 1, 1, PAGE, 0, 0, self.last)
            out[number] = protect(page)
        # The first page of copies repeats the last one of the log, and says which one that is.
        last = max(self.pages)
        copy = bytearray(self.pages[last])
        struct.pack_into('<Q', copy, 8, last * PAGE)
        out[2] = protect(copy)
        return out


def protect(page):
    """Puts update sequence numbers at the ends of sectors."""
    page = bytearray(page)
    at, count = struct.unpack_from('<HH', page, 4)
    page[at:at + 2] = b'\x07\x00'
    for n in range(1, count):
        page[at + 2 * n:at + 2 * n + 2] = page[n * 512 - 2:n * 512]
        page[n * 512 - 2:n * 512] = b'\x07\x00'
    return bytes(page)


def make():
    work = tempfile.mkdtemp()
    image, mount = os.path.join(work, 'image'), os.path.join(work, 'mount')
    os.mkdir(mount)
    with open(image, 'wb') as file:
        file.truncate(8 << 20)
    run('mkntfs', '-F', '-q', '-c', str(CLUSTER), image)

    def step(action):
        run('ntfs-3g', image, mount)
        action(mount)
        run('umount', mount)
        return Volume(image)

    numbers = {}

    def first(root):
        put(root, '/project/notes/plan.txt', body(300, (100, 'record used again')))
        put(root, '/long.txt', body(400, (480 - 0x150, 'over pages')))
        put(root, '/password.txt', body(200, (60, 'written anew')))
        put(root, '/config.txt', body(300, (250, 'cut off')))
        put(root, '/large.txt', body(30_000, (100, 'large'), (20_000, 'large cut')))
        for path in ['/project', '/project/notes', '/project/notes/plan.txt', '/long.txt', '/password.txt',
                     '/config.txt', '/large.txt']:
            numbers[path] = os.stat(root + path).st_ino

    def remove(root):
        shutil.rmtree(root + '/project')
        os.remove(root + '/long.txt')

    def again(root):
        for n in range(4):
            put(root, '/other-%d.txt' % n, b'something else\n')
        with open(root + '/password.txt', 'r+b') as file:
            file.write(body(200))
        os.truncate(root + '/config.txt', 100)
        os.truncate(root + '/large.txt', 10_000)
        for path in ['/other-%d.txt' % n for n in range(4)]:
            numbers[path] = os.stat(root + path).st_ino

    before, freed, after = step(first), step(remove), step(again)
    log = Log(after.log()[1])
    lsns = {}
    empty = b''
    reused = []
    # Files that are made and deleted, and whose records others have by now.
    for path in ['/project', '/project/notes', '/project/notes/plan.txt', '/long.txt']:
        number = numbers[path]
        new = after.record(number)
        reused.append(struct.unpack_from('<H', new, 0x16)[0] & 1)
        old = used(before.record(number))
        if path == '/long.txt':
            log.skip(0x160)
        log.write(number, (FREE, empty), (INIT, old))
        lsns[number] = log.write(number, (INIT, used(new)), (FREE, empty))
    assert all(reused), reused
    # Same length: the value alone.
    number = numbers['/password.txt']
    old, new = before.record(number), after.record(number)
    at, length, value = attribute(old, DATA)
    assert attribute(new, DATA) == (at, length, value)
    lsns[number] = log.write(number, (VALUE, new[at + value:at + value + 200]),
                             (VALUE, old[at + value:at + value + 200]), at, value)
    # Shorter: the value from where it ends now.
    number = numbers['/config.txt']
    old, new = before.record(number), after.record(number)
    at, length, value = attribute(old, DATA)
    assert attribute(new, DATA)[0] == at
    lsns[number] = log.write(number, (VALUE, empty), (VALUE, old[at + value + 100:at + value + 300]), at, value + 100)
    # What ntfs-3g leaves behind the used part of the record would be a find of its own.
    end = len(used(new))
    patch(image, after.place(number) + end, bytes(510 - end))
    patch(image, after.place(number) + 512, bytes(510))
    # Fewer clusters: runs, then sizes.
    number = numbers['/large.txt']
    old, new = before.record(number), after.record(number)
    (at, length, runs), (new_at, new_length, new_runs) = attribute(old, DATA), attribute(new, DATA)
    assert (at, runs) == (new_at, new_runs)
    log.write(number, (PAIRS, new[at + runs:at + new_length]), (PAIRS, old[at + runs:at + length]), at, runs)
    sizes = lambda record: b''.join(record[at + o:at + o + 8] for o in (0x28, 0x38, 0x30))
    lsns[number] = log.write(number, (SIZES, sizes(new)), (SIZES, sizes(old)), at)
    # Attributes in clusters, in the page that has a copy in front: opened in the log, and by a table behind, since the
    # record that opened it is gone. One is of a file that has been deleted, and one number stands for two files one
    # after the other.
    sequence = lambda number: struct.unpack_from('<H', after.record(number), 0x10)[0]
    large, gone = numbers['/large.txt'], numbers['/long.txt']
    said = lambda name, number, path: "in the log's %s of record %d (%s)" % (name, number, path)
    log.open(0x40, DATA, large, sequence(large))
    log.write(0, (CLUSTERS, body(300, (90, 'clusters'))), (CLUSTERS, empty), target=0x40)
    expect('clusters', 'journal', '/$LogFile', copies=True, says=said('UpdateNonresidentValue', large, '/large.txt'))
    log.open(0x40, DATA, gone, struct.unpack_from('<H', before.record(gone), 0x10)[0])
    log.write(0, (0, empty), (CLUSTERS, body(300, (90, 'clusters of another'))), target=0x40)
    expect('clusters of another', 'journal', '/$LogFile', copies=True,
           says=said('UpdateNonresidentValue', gone, '/long.txt') + ', used again since')
    opened = log.last
    log.write(0, (ADD_TO_INDEX, body(100, (40, 'index'))), (TAKE_FROM_INDEX, empty), target=0x68)
    expect('index', 'journal', '/$LogFile', copies=True, says=said('update of its index', 5, '/'))
    log.dump([log.entry(DATA, large, sequence(large), 0), bytes(40), log.entry(INDEX, 5, 5, opened)])
    log.write(0, (CLUSTERS, body(100, (40, 'unknown'))), (CLUSTERS, empty), target=0x90)
    expect('unknown', 'journal', '/$LogFile', copies=True)
    place, size = after.log()
    for number, page in log.files().items():
        patch(image, place + number * PAGE, page)
    for number, lsn in lsns.items():
        patch(image, after.place(number) + 8, struct.pack('<Q', lsn))
    expect('record used again', 'deleted', '/project/notes/plan.txt', version=1, file_offset=100)
    expect('over pages', 'deleted', '/long.txt', version=1, copies=True)
    expect('written anew', 'deleted', '/password.txt', version=1, file_offset=60, copies=True)
    expect('cut off', 'deleted', '/config.txt', version=1, file_offset=250, copies=True)
    expect('large', 'allocated', '/large.txt')
    expect('large cut', 'deleted', '/large.txt', version=1, file_offset=20_000)
    PLANTING.pack(image, os.path.join(HERE, 'logged'), ('over pages',))
    shutil.rmtree(work)


make()
