//! Inodes that a crash left half removed (ext4 on-disk format, "Orphan file" and `s_last_orphan`): removed
//! while they were open, or being truncated.

use super::Ext4;
use super::features;
use super::map::Budget;
use super::scan;
use crate::io::Fields;
use std::collections::BTreeSet;

/// Bytes at the end of each block of the orphan file: a magic number and a checksum.
const TAIL: usize = 8;

/// `EXT4_ORPHAN_BLOCK_MAGIC`.
const MAGIC: u32 = 0x0b10_ca04;

/// The inodes on the list that starts in the superblock, and those in the orphan file. A list that leads
/// nowhere or back to itself ends there: the inodes' own link counts say the same again.
pub(super) fn read(fs: &Ext4) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let mut next = fs.superblock.last_orphan;
    // The list cannot hold an inode twice, so that there are at most as many steps as inodes.
    while (fs.superblock.first_inode..=fs.superblock.inodes).contains(&next) && found.insert(next) {
        let Ok(record) = scan::record(fs, next.into()) else { break };
        next = record.inode().deletion();
    }
    if fs.superblock.features.has(features::ORPHAN_FILE) {
        in_file(fs, &mut found);
    }
    found
}

/// Adds the inodes that the orphan file names.
fn in_file(fs: &Ext4, found: &mut BTreeSet<u32>) {
    let [.., number] = fs.superblock.own_inodes;
    let Ok(record) = scan::record(fs, number.into()) else { return };
    let map = fs.map(&record.inode(), &mut Budget::new(&fs.blocks, 1));
    let blocks = map.runs.iter().filter(|run| !run.unwritten);
    for block in blocks.flat_map(|run| run.physical..run.physical.saturating_add(run.count)) {
        let Ok(bytes) = fs.blocks.read(block) else { continue };
        let fields = Fields::new("orphan file", &bytes, fs.blocks.to_bytes(block));
        let end = bytes.len().saturating_sub(TAIL);
        if !fields.le_u32(end).is_ok_and(|magic| magic == MAGIC) {
            continue;
        }
        let numbers = (0..end).step_by(4).filter_map(|at| fields.le_u32(at).ok());
        found.extend(numbers.filter(|number| (1..=fs.superblock.inodes).contains(number)));
    }
}
