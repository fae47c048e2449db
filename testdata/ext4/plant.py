#!/usr/bin/env python3
"""Makes planted.img.zst, control.img.zst and planted.jsonl: an ext4 volume with a token in every kind of place that
a file system leaves behind, its twin without tokens, and where each token is.

The kernel writes, removes, truncates and renames; debugfs makes the file in pieces and says which blocks are whose;
what no program writes any more (slack, bytes below reserved blocks) is put there by offset. Needs root, loop mounts,
e2fsprogs, util-linux and zstd. Run it in this folder."""
import json, os, re, shutil, struct, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..'))
from planting import Planting, patch, put, run

BLOCK = 1024
PLANTING = Planting()
token, body, expect = PLANTING.token, PLANTING.body, PLANTING.expect


def debugfs(image, *commands):
    return run('debugfs', '-w', '-f', '-', image, input='\n'.join(commands) + '\n')


def blocks(image, path):
    """(logical block, block, whether reserved only) of a file's content."""
    out = []
    for line in run('debugfs', '-R', 'dump_extents -l ' + path, image).splitlines():
        found = re.search(r'(\d+) -\s+(\d+)\s+(\d+) -\s+(\d+)\s+(\d+)\s*(\S*)', line)
        if found:
            first, last, block = int(found.group(1)), int(found.group(2)), int(found.group(3))
            out += [(logical, block + logical - first, found.group(6) == 'Uninit') for logical in range(first, last + 1)]
    return out


def pieces(image, work):
    """A file in many pieces, with a token over every seam."""
    small = os.path.join(work, 'small')
    put('', small, body(BLOCK))
    debugfs(image, *['write %s filler%02d' % (small, n) for n in range(24)])
    debugfs(image, *['rm filler%02d' % n for n in range(0, 24, 2)])
    places = [(BLOCK * n - 7, 'seam %d' % n) for n in range(1, 11)]
    put('', small, body(11 * BLOCK, *places))
    debugfs(image, 'write %s pieces.bin' % small)
    found = blocks(image, '/pieces.bin')
    for offset, label in places:
        one, other = found[(offset + 7) // BLOCK - 1][1], found[(offset + 7) // BLOCK][1]
        assert one + 1 != other, 'the file is in one piece at %d' % offset
        expect(label, 'allocated', '/pieces.bin', file_offset=offset)


def first(root):
    """Everything that is there at the start."""
    put(root, '/stays.txt', body(5000))
    put(root, '/gone/plain.txt', body(3000, (1500, 'deleted')))
    put(root, '/gone/large.bin', body(90_000, (100, 'deleted start'), (89_900, 'deleted end')))
    put(root, '/gone-dir/sub/inside.txt', body(2000, (700, 'deleted directory')))
    put(root, '/cut.log', body(40_000, (100, 'kept'), (30_000, 'cut off')))
    put(root, '/config', body(1500, (50, 'renamed over')))
    put(root, '/anew', body(2500, (2000, 'written anew')))
    put(root, '/short.txt', body(300))
    put(root, '/attributes', body(100))
    os.setxattr(root + '/attributes', 'user.key', b' ' + token('attribute in inode') + b' ')
    put(root, '/attributes-large', body(100))
    os.setxattr(root + '/attributes-large', 'user.key', body(600, (300, 'attribute in block')))
    put(root, '/gone/attribute', body(1030))
    os.setxattr(root + '/gone/attribute', 'user.key', b' ' + token('attribute of deleted') + b' ')
    put(root, '/gone/attribute-large', body(100))
    os.setxattr(root + '/gone/attribute-large', 'user.key', body(600, (300, 'attribute block of deleted')))
    put(root, '/core.417', b'\x7fELF\x02\x01\x01' + bytes(9) + struct.pack('<HH', 4, 62) + body(9000, (5000, 'core')))
    put(root, '/swapfile', bytes(64 * BLOCK))
    run('mkswap', '--pagesize', '4096', root + '/swapfile')
    with open(root + '/swapfile', 'r+b') as file:
        file.seek(20_000)
        file.write(body(400, (200, 'swap file')))
    os.sync()


def then(root):
    """What happens to it."""
    for path in ['/gone/plain.txt', '/gone/large.bin', '/gone/attribute', '/gone/attribute-large', '/gone-dir/sub/inside.txt']:
        os.remove(root + path)
    os.rmdir(root + '/gone-dir/sub')
    os.rmdir(root + '/gone-dir')
    os.truncate(root + '/cut.log', 10_000)
    put(root, '/config.new', body(1500))
    os.rename(root + '/config.new', root + '/config')
    with open(root + '/anew', 'wb') as file:
        os.fsync(file.fileno())
        file.write(body(2500))
        os.fsync(file.fileno())
    for path, flags in [('/reserved', []), ('/reserved-past-end', ['--keep-size'])]:
        put(root, path, body(500))
        run('fallocate', *flags, '--length', '16384', root + path)
    os.sync()


def by_offset(image):
    """What no program writes any more."""
    (_, block, _), = blocks(image, '/short.txt')
    patch(image, block * BLOCK + 600, b' ' + token('slack') + b' ')
    expect('slack', 'slack', '/short.txt', file_offset=601)
    for path in ['/reserved', '/reserved-past-end']:
        logical, block = next((logical, block) for logical, block, reserved in blocks(image, path) if reserved and logical == 9)
        patch(image, block * BLOCK + 100, b' ' + token(path) + b' ')
        expect(path, 'stale', path, file_offset=logical * BLOCK + 101)
    free = re.findall(r'Free blocks: .*?(\d+)-(\d+)\n', run('dumpe2fs', image))[-1]
    patch(image, int(free[1]) * BLOCK + 100, b' ' + token('free') + b' ')
    expect('free', 'unallocated')


def journaled(image, mount):
    """A file whose content went through the journal as well."""
    run('mount', '-o', 'loop,data=journal', image, mount)
    put(mount, '/journaled.txt', body(1500, (700, 'journaled')))
    os.sync()
    run('umount', mount)
    expect('journaled', 'allocated', '/journaled.txt', copies=True)


def make(name):
    work = tempfile.mkdtemp()
    image, mount = os.path.join(work, 'image'), os.path.join(work, 'mount')
    os.mkdir(mount)
    with open(image, 'wb') as file:
        file.truncate(8 << 20)
    uuid = '12345678-1234-5678-9abc-def012345678'
    run('mke2fs', '-q', '-F', '-t', 'ext4', '-b', str(BLOCK), '-J', 'size=1', '-m', '0', '-U', uuid,
        '-E', 'nodiscard,lazy_itable_init=0,hash_seed=' + uuid, image)
    pieces(image, work)
    journaled(image, mount)
    run('mount', '-o', 'loop,commit=300', image, mount)
    first(mount)
    then(mount)
    run('umount', mount)
    by_offset(image)
    for label, path in [('kept', '/cut.log'), ('core', '/core.417')]:
        expect(label, 'allocated', path)
    expect('swap file', 'swap', '/swapfile')
    # Attributes lie in tables, of which the journal has copies.
    for label, state, path in [('attribute in inode', 'allocated', '/attributes'),
                               ('attribute in block', 'allocated', '/attributes-large'),
                               ('attribute of deleted', 'deleted', '/gone/attribute'),
                               ('attribute block of deleted', 'deleted', '/gone/attribute-large')]:
        expect(label, state, path, stream='xattr:user.key', copies=True)
    for label, path in [('deleted', '/gone/plain.txt'), ('deleted start', '/gone/large.bin'),
                        ('deleted end', '/gone/large.bin'), ('deleted directory', '/gone-dir/sub/inside.txt'),
                        ('cut off', '/cut.log'), ('renamed over', '/config'), ('written anew', '/anew')]:
        expect(label, 'deleted', path)
    PLANTING.pack(image, os.path.join(HERE, name), ('seam',))
    shutil.rmtree(work)


def overwritten():
    """A large deleted file of which later files took a part: what debugfs says of each of its blocks."""
    work = tempfile.mkdtemp()
    image, mount = os.path.join(work, 'image'), os.path.join(work, 'mount')
    os.mkdir(mount)
    with open(image, 'wb') as file:
        file.truncate(4 << 20)
    run('mke2fs', '-q', '-F', '-t', 'ext4', '-b', str(BLOCK), '-J', 'size=1', '-m', '0', '-O', '^resize_inode', image)
    run('mount', '-o', 'loop,commit=300', image, mount)
    # Without what the kernel keeps back for itself, later files can have nearly all blocks.
    device = os.path.basename(run('findmnt', '-n', '-o', 'SOURCE', mount).strip())
    with open('/sys/fs/ext4/%s/reserved_clusters' % device, 'w') as file:
        file.write('0')
    labels = ['overwritten %d' % n for n in range(60)]
    put(mount, '/gone/large.bin', body(60 * BLOCK, *[(n * BLOCK + 500, label) for n, label in enumerate(labels)]))
    put(mount, '/filler', body((os.statvfs(mount).f_bavail - 10) * BLOCK))
    os.sync()
    os.remove(mount + '/gone/large.bin')
    os.sync()
    free = os.statvfs(mount).f_bavail
    put(mount, '/later', body((free - 25) * BLOCK))
    run('umount', mount)
    content = open(image, 'rb').read()
    with open(os.path.join(HERE, 'overwritten.jsonl'), 'w') as file:
        for n, label in enumerate(labels):
            places = [found.start() for found in re.finditer(re.escape(token(label)), content)]
            used = [run('debugfs', '-R', 'testb %d' % (at // BLOCK), image).endswith('marked in use\n') for at in places]
            assert not any(used) and len(places) < 2, (label, places, used)
            fact = {'label': label, 'token': token(label).decode(), 'path': '/gone/large.bin'}
            fact.update({'state': 'deleted', 'file_offset': n * BLOCK + 500} if places else {'state': 'gone'})
            file.write(json.dumps(fact) + '\n')
    run('zstd', '-q', '-f', '-19', image, '-o', os.path.join(HERE, 'overwritten.img.zst'))
    shutil.rmtree(work)


def inline():
    """Files in directories that keep their names in the inode, removed with them."""
    work = tempfile.mkdtemp()
    image, mount = os.path.join(work, 'image'), os.path.join(work, 'mount')
    os.mkdir(mount)
    with open(image, 'wb') as file:
        file.truncate(4 << 20)
    run('mke2fs', '-q', '-F', '-t', 'ext4', '-b', str(BLOCK), '-I', '256', '-O', 'inline_data', '-J', 'size=1', image)
    run('mount', '-o', 'loop,commit=300', image, mount)
    # The second has more names than fit beside the first ones: the rest is an attribute.
    paths = ['/gone/sub/one.txt'] + ['/many/file number %d.txt' % n for n in range(5)]
    for path in paths:
        put(mount, path, body(2000, (700, path)))
    os.sync()
    for directory in ['/gone', '/many']:
        shutil.rmtree(mount + directory)
    run('umount', mount)
    with open(os.path.join(HERE, 'inline-gone.jsonl'), 'w') as file:
        for path in paths:
            file.write(json.dumps({'token': token(path).decode(), 'state': 'deleted', 'path': path, 'file_offset': 700,
                                   'stream': None, 'copies': None}) + '\n')
    run('zstd', '-q', '-f', '-19', image, '-o', os.path.join(HERE, 'inline-gone.img.zst'))
    shutil.rmtree(work)


make('planted')
# Packed otherwise as well: as a disk image in a compressed file.
plain = subprocess.run(['zstd', '-dc', HERE + '/planted.img.zst'], check=True, capture_output=True).stdout
with open(HERE + '/planted.img.xz', 'wb') as file:
    subprocess.run(['xz', '-9', '-c'], input=plain, stdout=file, check=True)
overwritten()
inline()
PLANTING.planted = False
make('control')
