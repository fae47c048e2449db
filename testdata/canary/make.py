#!/usr/bin/env python3
"""Makes disk.raw.zst and map.tsv: a small disk whose every block's owner was said by other programs.

A test writes a token of its own into each block that map.tsv lists and expects each of them back, once, with the
right state and owner. Needs root, e2fsprogs, gdisk, ntfs-3g, sleuthkit and zstd.

map.tsv: state, volume, path (or -), offset in the stream (or -), offset on the disk, length; one line a contiguous run.
Owners of ext4 blocks come from debugfs and dumpe2fs, those of NTFS clusters from istat and $Bitmap read by icat.
"""
import os, re, shutil, subprocess, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BLOCK = 1024
EXT_START, EXT_SIZE = 1 << 20, 14 << 20
NTFS_START, NTFS_SIZE = 16 << 20, 8 << 20
SWAP_START, SWAP_SIZE = 24 << 20, 512 << 10
PAGE = 4096
DISK_SIZE = 26 << 20
# A disk image in a file of the first partition.
INNER, INNER_SIZE = 'vm/inner.img', 2 << 20
# Bytes of an NTFS file that count as written.
WRITTEN = 100_000


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=options.pop('text', True), **options).stdout


def body(size):
    """Bytes that hold no token and no zero block."""
    return (b'nothing to see here, move along\n' * (size // 32 + 1))[:size]


def files():
    sizes = [1, 500, 1023, 1024, 1025, 3000, 10_000, 70_000, 300_001]
    tree = {'dir%d/file%d.txt' % (n % 3, n): body(size) for n, size in enumerate(sizes)}
    tree['big.bin'] = body(1_000_003)
    return tree


def runs(state, volume, path, base, blocks, size=None):
    """Joins (logical block, block) pairs to lines; splits off the slack of the last block."""
    lines = []
    for logical, block in blocks:
        offset, disk, length = logical * BLOCK, base + block * BLOCK, BLOCK
        if size is not None and offset + length > size:
            slack = offset + length - max(size, offset)
            length -= slack
            if slack:
                lines.append(['slack', volume, path, offset + length, disk + length, slack])
        if length:
            last = lines[-1] if lines else None
            if last and last[0] == state and last[3] + last[5] == offset and last[4] + last[5] == disk:
                last[5] += length
            else:
                lines.append([state, volume, path, offset, disk, length])
    return lines


def inner_image():
    """The content of an image with a file system in it, and who owns its blocks: state, path, (logical block, block)
    pairs, size where the last block has slack."""
    root, image = tempfile.mkdtemp(), tempfile.NamedTemporaryFile(delete=False).name
    for name, size in [('kept.txt', 3000), ('large.bin', 100_000)]:
        open(os.path.join(root, name), 'wb').write(body(size))
    with open(image, 'wb') as f:
        f.truncate(INNER_SIZE)
    run('mkfs.ext4', '-q', '-F', '-b', str(BLOCK), '-O', '^has_journal', '-m', '0', '-E', 'nodiscard', '-d', root, image)
    shutil.rmtree(root)
    small = tempfile.NamedTemporaryFile(delete=False)
    small.write(body(40 * BLOCK)); small.close()
    debugfs = lambda *commands: run('debugfs', '-w', '-f', '-', image, input='\n'.join(commands) + '\n')
    debugfs('write %s gone.bin' % small.name, 'write %s reserved.bin' % small.name, 'fallocate /reserved.bin 40 59',
            'set_inode_field /reserved.bin size %d' % (60 * BLOCK))
    gone = extents(image, '/gone.bin')
    debugfs('rm gone.bin')
    owners = [('allocated', '/kept.txt', extents(image, '/kept.txt'), 3000),
              ('allocated', '/large.bin', extents(image, '/large.bin'), 100_000),
              ('allocated', '/reserved.bin', extents(image, '/reserved.bin'), None),
              ('stale', '/reserved.bin', extents(image, '/reserved.bin', reserved=True), None),
              ('deleted', '/gone.bin', gone, None)]
    free = set(free_blocks(image)) - {block for _, block in gone}
    owners.append(('unallocated', None, [(block, block) for block in sorted(free)], None))
    content = bytearray(open(image, 'rb').read())
    os.remove(image)
    # Blocks of zeros would be holes of the file that the image lies in.
    for state, _, blocks, _ in owners:
        for _, block in blocks if state in ('stale', 'unallocated') else ():
            content[block * BLOCK:(block + 1) * BLOCK] = body(BLOCK)
    return bytes(content), owners


def inner_lines(owners, image):
    """The lines of the inner image: its blocks are those of the file that it lies in."""
    outer = dict(extents(image, '/' + INNER))
    lines = []
    for state, path, blocks, size in owners:
        assert blocks, (state, path)
        placed = [(logical, outer[block]) for logical, block in blocks]
        found = runs(state, 'p1:/%s!/whole' % INNER, path or '-', EXT_START, placed, size)
        lines += found if path else [[*line[:3], '-', *line[4:]] for line in found]
    return lines


def free_blocks(image):
    ranges = re.findall(r'Free blocks: (.*)', run('dumpe2fs', image))
    return [block for first, last in re.findall(r'(\d+)(?:-(\d+))?', ' '.join(ranges))
            for block in range(int(first), int(last or first) + 1)]


def ext4(tree, image):
    inner, owners = inner_image()
    root = tempfile.mkdtemp()
    for path, data in tree.items():
        os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
        open(os.path.join(root, path), 'wb').write(data)
    os.makedirs(os.path.dirname(os.path.join(root, INNER)))
    open(os.path.join(root, INNER), 'wb').write(inner)
    with open(image, 'wb') as f:
        f.truncate(EXT_SIZE)
    run('mkfs.ext4', '-q', '-F', '-b', str(BLOCK), '-J', 'size=1', '-E', 'nodiscard', '-d', root, image)
    shutil.rmtree(root)
    # A file that lies in many pieces: every second block of the free space is taken first.
    debugfs = lambda *commands: run('debugfs', '-w', '-f', '-', image, input='\n'.join(commands) + '\n')
    small = tempfile.NamedTemporaryFile(delete=False)
    small.write(body(BLOCK)); small.close()
    debugfs(*['write %s filler%03d' % (small.name, n) for n in range(120)])
    gone = ['filler%03d' % n for n in range(0, 120, 2)] + ['big.bin']
    # debugfs leaves the extents of what it deletes in the inode, and the name in the directory's slack.
    deleted = {name: extents(image, '/' + name) for name in gone}
    debugfs(*['rm ' + name for name in gone[:-1]])
    long = tempfile.NamedTemporaryFile(delete=False)
    long.write(body(50 * BLOCK + 77)); long.close()
    lost = number(image, '/big.bin')
    debugfs('write %s pieces.bin' % long.name)
    # Reserved blocks, inside and past the end of the file, are not written by it.
    debugfs('write %s reserved.bin' % small.name, 'fallocate /reserved.bin 1 40',
            'set_inode_field /reserved.bin size 20480')
    swap = swap_space(64 * BLOCK)
    # What is deleted last is not used again.
    debugfs('write %s swapfile' % swap, 'rm big.bin')
    lines = []
    names = sorted(tree.keys() - {'big.bin'}) + ['pieces.bin'] + ['filler%03d' % n for n in range(1, 120, 2)]
    for name in names:
        size = int(re.search(r'Size: (\d+)', run('debugfs', '-R', 'stat /' + name, image)).group(1))
        lines += runs('allocated', 'p1', '/' + name, EXT_START, extents(image, '/' + name), size)
    lines += runs('allocated', 'p1', '/reserved.bin', EXT_START, extents(image, '/reserved.bin')[:1])
    lines += runs('stale', 'p1', '/reserved.bin', EXT_START, extents(image, '/reserved.bin', reserved=True))
    # The first page of a swap file has to stay what it is.
    lines += runs('swap', 'p1', '/swapfile', EXT_START, extents(image, '/swapfile')[PAGE // BLOCK:])
    # The journal's first block is its superblock; the rest is empty.
    lines += runs('journal', 'p1', '-', EXT_START, extents(image, '<8>')[1:])
    # A token in the tree of a deleted file would break its checksum, and with it the file.
    trees = {block for block in tree_blocks(image, lost)}
    free = [block for block in free_blocks(image) if block not in trees]
    for name, blocks in deleted.items():
        blocks = [(logical, block) for logical, block in blocks if block in set(free)]
        lines += runs('deleted', 'p1', '/' + name, EXT_START, blocks)
        free = sorted(set(free) - {block for _, block in blocks})
    lines += [[*line[:3], '-', *line[4:]] for line in runs('unallocated', 'p1', '-', EXT_START, [(b, b) for b in free])]
    return lines + inner_lines(owners, image)


def number(image, name):
    return '<%s>' % re.search(r'Inode: (\d+)', run('debugfs', '-R', 'stat ' + name, image)).group(1)


def tree_blocks(image, name):
    """Blocks of a file's extent tree."""
    nodes = run('debugfs', '-R', 'dump_extents -n ' + name, image).splitlines()
    found = [re.search(r'\d+ -\s+\d+\s+(\d+)\s+\d+\s*$', line) for line in nodes]
    return [int(node.group(1)) for node in found if node]


def swap_space(size):
    """A file that mkswap made."""
    file = tempfile.NamedTemporaryFile(delete=False)
    file.truncate(size)
    file.close()
    run('mkswap', '--pagesize', str(PAGE), file.name)
    with open(file.name, 'r+b') as f:
        f.seek(PAGE)
        f.write(body(size - PAGE))
    return file.name


def extents(image, name, reserved=False):
    """(logical block, block) of a file's content, from debugfs: written ones, or those that are only reserved; tree
    blocks left out."""
    out = []
    for line in run('debugfs', '-R', 'dump_extents -l ' + name, image).splitlines():
        found = re.search(r'(\d+) -\s+(\d+)\s+(\d+) -\s+(\d+)\s+(\d+)\s*(\S*)', line)
        if found and (found.group(6) == 'Uninit') == reserved:
            logical, last, block = int(found.group(1)), int(found.group(2)), int(found.group(3))
            out += [(logical + n, block + n) for n in range(last - logical + 1)]
    return out


def ntfs(tree, image):
    with open(image, 'wb') as f:
        f.truncate(NTFS_SIZE)
    run('mkntfs', '-F', '-q', '-c', str(BLOCK), '-p', str(NTFS_START // 512), '-s', '512', image)
    mount = tempfile.mkdtemp()
    run('ntfs-3g', image, mount)
    for path, data in tree.items():
        os.makedirs(os.path.dirname(os.path.join(mount, path)), exist_ok=True)
        open(os.path.join(mount, path), 'wb').write(data)
    os.setxattr(os.path.join(mount, 'dir0/file0.txt'), 'user.side', body(5000))
    run('umount', mount)
    lines = []
    # ntfs-3g leaves a deleted file's runs in its record.
    name = 'dir1/file7.txt'
    gone = re.search(r'r/r (\d+)-128-(\d+):\t%s' % name, run('fls', '-r', '-p', image))
    deleted = ntfs_stream(image, gone.group(1), gone.group(2), '/' + name)
    run('ntfs-3g', image, mount)
    os.remove(os.path.join(mount, name))
    run('umount', mount)
    bitmap = run('icat', image, '6', text=False)
    is_free = lambda cluster: not bitmap[cluster // 8] >> (cluster % 8) & 1
    for line in deleted:
        first = (line[4] - NTFS_START) // BLOCK
        assert all(is_free(first + n) for n in range((line[5] + BLOCK - 1) // BLOCK)), line
        # What is behind its end belongs to the same file that is gone.
        lines.append(['deleted', *line[1:]])
    taken = {(line[4] - NTFS_START) // BLOCK + n for line in deleted for n in range((line[5] + BLOCK - 1) // BLOCK)}
    for line in run('fls', '-r', '-p', image).splitlines():
        found = re.match(r'r/r (\d+)-128-(\d+):\t(.*)', line)
        if found and not found.group(3).startswith('$'):
            lines += ntfs_stream(image, found.group(1), found.group(2), '/' + found.group(3))
    # Afterwards, since istat shows no clusters behind what is written.
    shorten_written(image, 'dir2/file8.txt')
    lines = [part for line in lines for part in (split_written(line) if line[2] == '/dir2/file8.txt' else [line])]
    free = [c for c in range(NTFS_SIZE // BLOCK - 1) if is_free(c) and c not in taken]
    lines += [[*line[:3], '-', *line[4:]] for line in runs('unallocated', 'p2', '-', NTFS_START, [(c, c) for c in free])]
    return lines


def shorten_written(image, path):
    """Makes a file's initialised size less than its size, as writing far behind the end does on Windows."""
    inode = int(re.search(r'r/r (\d+)-128-\d+:\t%s' % path, run('fls', '-r', '-p', image)).group(1))
    with open(image, 'r+b') as f:
        f.seek(0x30)
        # The table is in one piece, and the attribute in front of the first word that a fixup keeps.
        place = int.from_bytes(f.read(8), 'little') * BLOCK + inode * 1024
        f.seek(place)
        record = f.read(510)
        at = int.from_bytes(record[0x14:0x16], 'little')
        while int.from_bytes(record[at:at + 4], 'little') != 0x80:
            at += int.from_bytes(record[at + 4:at + 8], 'little')
        assert record[at + 8] == 1
        f.seek(place + at + 0x38)
        f.write(WRITTEN.to_bytes(8, 'little'))


def ntfs_stream(image, inode, attribute, path):
    text = run('istat', image, inode)
    found = re.search(r'\$DATA \(128-%s\).*Non-Resident.*size: (\d+)  init_size: \d+\n([\d \n]*)' % attribute, text)
    if not found:
        return []
    blocks = list(enumerate(int(c) for c in found.group(2).split()))
    return runs('allocated', 'p2', path, NTFS_START, blocks, int(found.group(1)))


def split_written(line):
    """What of a line is written, and what the file only reserves: slack as well."""
    state, volume, path, offset, disk, length = line
    if offset + length <= WRITTEN:
        return [line]
    kept = max(WRITTEN - offset, 0)
    rest = ['stale', volume, path, offset + kept, disk + kept, length - kept]
    return ([[state, volume, path, offset, disk, kept]] if kept else []) + [rest]


def main():
    work = tempfile.mkdtemp()
    disk, ext, nt = (os.path.join(work, name) for name in ('disk.raw', 'ext', 'ntfs'))
    lines = ext4(files(), ext) + ntfs(files(), nt)
    with open(disk, 'wb') as f:
        f.truncate(DISK_SIZE)
    sector = lambda offset: str(offset // 512)
    run('sgdisk', '-n', '1:%s:%s' % (sector(EXT_START), sector(EXT_START + EXT_SIZE - 1)), '-t', '1:8300',
        '-n', '2:%s:%s' % (sector(NTFS_START), sector(NTFS_START + NTFS_SIZE - 1)), '-t', '2:0700',
        '-n', '3:%s:%s' % (sector(SWAP_START), sector(SWAP_START + SWAP_SIZE - 1)), '-t', '3:8200', disk)
    swap = swap_space(SWAP_SIZE)
    lines.append(['swap', 'p3', '-', '-', SWAP_START + PAGE, SWAP_SIZE - PAGE])
    with open(disk, 'r+b') as f:
        for start, part in ((EXT_START, ext), (NTFS_START, nt), (SWAP_START, swap)):
            f.seek(start)
            f.write(open(part, 'rb').read())
    # Behind the table, between the partitions, and behind the last one up to the backup table.
    gaps = [(34 * 512, EXT_START), (EXT_START + EXT_SIZE, NTFS_START), (SWAP_START + SWAP_SIZE, DISK_SIZE - 33 * 512)]
    lines += [['unpartitioned', 'unpartitioned', '-', '-', start, end - start] for start, end in gaps]
    with open(os.path.join(HERE, 'map.tsv'), 'w') as f:
        f.writelines('\t'.join(map(str, line)) + '\n' for line in lines)
    run('zstd', '-q', '-f', '-19', disk, '-o', os.path.join(HERE, 'disk.raw.zst'))
    shutil.rmtree(work)


main()
