//! Allocation bitmaps (ext4 on-disk format, "Block and Inode Bitmaps").

use super::Ext4;
use super::checksum::crc32c;
use super::groups::{Group, base_blocks, table_blocks};
use crate::error::{Error, Result};
use std::ops::Range;
use std::sync::Arc;

/// Whether bit `index` is set; bits past the end are.
pub(super) fn is_set(bitmap: &[u8], index: u64) -> bool {
    let byte = usize::try_from(index / 8).ok().and_then(|byte| bitmap.get(byte));
    byte.is_none_or(|byte| byte >> (index % 8) & 1 == 1)
}

/// Which inodes of a group are in use.
#[derive(Debug)]
pub(super) enum InodeUse {
    /// None: the bitmap has never been written.
    None,
    /// As the bitmap says.
    Bitmap(Arc<[u8]>),
    /// The bitmap is damaged: the inodes themselves have to say.
    Unknown(Error),
}

impl InodeUse {
    /// Reads the inode bitmap of a group.
    pub(super) fn read(fs: &Ext4, group: &Group) -> Self {
        if group.inodes_unused() {
            return Self::None;
        }
        let bitmap = match fs.blocks.look_up(group.inode_bitmap) {
            Ok(bitmap) => bitmap,
            Err(error) => return Self::Unknown(error.context("inode bitmap")),
        };
        let used = usize::try_from(fs.superblock.inodes_per_group.div_ceil(8)).unwrap_or(0);
        let sum = crc32c(fs.superblock.checksum_seed, bitmap.get(..used).unwrap_or_default());
        if fs.superblock.has_checksums() && !sum_matches(fs, sum, group.inode_bitmap_checksum) {
            let place = fs.blocks.to_bytes(group.inode_bitmap);
            let expected = format!("{:#x}", group.inode_bitmap_checksum);
            return Self::Unknown(Error::corrupt(
                place,
                "inode bitmap checksum",
                expected,
                format_args!("{sum:#x}"),
            ));
        }
        Self::Bitmap(bitmap)
    }

    /// Whether the inode at `slot` of the group is in use; `None` where that is not known.
    pub(super) fn allocated(&self, slot: u64) -> Option<bool> {
        match self {
            Self::None => Some(false),
            Self::Bitmap(bitmap) => Some(is_set(bitmap, slot)),
            Self::Unknown(_) => None,
        }
    }
}

/// Compares as many bits as the descriptor has room for.
fn sum_matches(fs: &Ext4, sum: u32, stored: u32) -> bool {
    let mask = if fs.superblock.descriptor_size >= 64 { u32::MAX } else { 0xffff };
    sum & mask == stored & mask
}

/// Ranges of blocks, given in ascending order, joined where they touch.
#[derive(Debug, Default)]
struct Joined {
    open: Option<Range<u64>>,
}

impl Joined {
    fn add(&mut self, range: Range<u64>, visit: &mut dyn FnMut(Range<u64>)) {
        match &mut self.open {
            Some(open) if open.end == range.start => open.end = range.end,
            open => {
                if let Some(done) = open.replace(range) {
                    visit(done);
                }
            }
        }
    }

    fn finish(self, visit: &mut dyn FnMut(Range<u64>)) {
        if let Some(done) = self.open {
            visit(done);
        }
    }
}

/// Visits the free ranges of blocks, ascending and joined. Groups whose bitmap cannot be read are left out,
/// and the first such error comes back at the end. A bitmap with a wrong checksum is still believed.
pub(super) fn free_blocks(fs: &Ext4, visit: &mut dyn FnMut(Range<u64>)) -> Result<()> {
    let tables = own_blocks(fs);
    let mut joined = Joined::default();
    let mut failed = None;
    for number in 0..fs.superblock.groups() {
        let done = fs.groups.get(number).and_then(|group| {
            let range = fs.superblock.group_start(number)..fs.superblock.group_end(number);
            let found = if group.blocks_unused() {
                unused_group(fs, number, range, &tables)
            } else {
                clear_bits(&fs.blocks.read(group.block_bitmap)?, range, fs.superblock.cluster_bits)
            };
            found.into_iter().for_each(|range| joined.add(range, visit));
            Ok(())
        });
        if let Err(error) = done {
            let behind = number.saturating_add(1) >= u64::try_from(fs.groups.all.len()).unwrap_or(u64::MAX);
            failed.get_or_insert(error.context("block bitmap"));
            // Groups that have no descriptor at all follow each other to the end.
            if behind {
                break;
            }
        }
    }
    joined.finish(visit);
    failed.map_or(Ok(()), Err)
}

/// The blocks of `range` whose bit is clear; a bit stands for `1 << cluster_bits` blocks.
fn clear_bits(bitmap: &[u8], range: Range<u64>, cluster_bits: u32) -> Vec<Range<u64>> {
    let count = range.end.saturating_sub(range.start);
    let bits = count.div_ceil(1 << cluster_bits);
    let mut found: Vec<Range<u64>> = Vec::new();
    let mut bit = 0;
    while bit < bits {
        // Whole bytes of ones are passed over: most of a full disk.
        let byte = usize::try_from(bit / 8).ok().and_then(|byte| bitmap.get(byte)).copied().unwrap_or(0xff);
        if bit % 8 == 0 && byte == 0xff {
            bit = bit.saturating_add(8);
            continue;
        }
        if byte >> (bit % 8) & 1 == 0 {
            let start = range.start.saturating_add(bit << cluster_bits);
            let end = range.start.saturating_add(bit.saturating_add(1) << cluster_bits).min(range.end);
            match found.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => found.push(start..end),
            }
        }
        bit = bit.saturating_add(1);
    }
    found
}

/// All blocks of bitmaps and inode tables, ascending. With flex_bg they may lie in any group.
fn own_blocks(fs: &Ext4) -> Vec<Range<u64>> {
    let table = table_blocks(&fs.superblock);
    let groups = fs.groups.all.iter().filter_map(Option::as_ref);
    let mut all: Vec<_> = groups
        .flat_map(|group| {
            let one = |block: u64| block..block.saturating_add(1);
            let inodes = group.inode_table..group.inode_table.saturating_add(table);
            [one(group.block_bitmap), one(group.inode_bitmap), inodes]
        })
        .collect();
    all.sort_unstable_by_key(|range| (range.start, range.end));
    all
}

/// The free blocks of a group whose bitmap has never been written: all but the file system's own.
fn unused_group(fs: &Ext4, number: u64, range: Range<u64>, tables: &[Range<u64>]) -> Vec<Range<u64>> {
    let align = |block: u64, up: bool| {
        let size = 1_u64 << fs.superblock.cluster_bits;
        let inside = block.saturating_sub(range.start);
        let blocks = if up { inside.next_multiple_of(size) } else { inside & !size.saturating_sub(1) };
        range.start.saturating_add(blocks).min(range.end)
    };
    let mut free = align(range.start.saturating_add(base_blocks(&fs.superblock, number)), true);
    let mut found = Vec::new();
    let first = tables.partition_point(|table| table.end <= range.start);
    for table in tables.get(first..).unwrap_or_default().iter().take_while(|table| table.start < range.end) {
        let start = align(table.start, false);
        if start > free {
            found.push(free..start);
        }
        free = free.max(align(table.end, true));
    }
    if free < range.end {
        found.push(free..range.end);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clear_bits_become_ranges_of_blocks() {
        let cases = [
            (vec![0b1111_0011], (10, 18), 0, vec![(12, 14)]),
            (vec![0xff, 0xff], (0, 16), 0, vec![]),
            (vec![0xff, 0x7f, 0xfe], (0, 24), 0, vec![(15, 17)]),
            (vec![0b1111_1101], (0, 10), 2, vec![(4, 8)]),
            (vec![0b1111_1011], (0, 10), 2, vec![(8, 10)]),
        ];
        for (bitmap, (start, end), cluster_bits, expected) in cases {
            let found = clear_bits(&bitmap, start..end, cluster_bits);
            let found: Vec<_> = found.into_iter().map(|range| (range.start, range.end)).collect();
            assert_eq!(found, expected, "{bitmap:?}");
        }
    }
}
