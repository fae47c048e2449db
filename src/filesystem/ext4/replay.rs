//! Finding the journal and turning its replay into an overlay over the volume.

use super::Ext4;
use super::blocks::{JOURNAL_MAGIC, JournalCopy, Overlay};
use super::inode::{BLOCK_AREA, BLOCK_AREA_AT, Inode, ORIGINAL, flags};
use super::journal::{self, Superblock};
use super::map::{BlockMap, Budget};
use super::scan;
use crate::error::{Error, Result};
use std::ops::Range;

/// `EXT4_FC_TAG_HEAD`: the first tag of a block of fast commits, little-endian.
const FAST_COMMIT_HEAD: [u8; 2] = [9, 0];

/// The journal inside of the file system.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) superblock: Superblock,
    map: BlockMap,
}

impl Journal {
    /// Opens the journal.
    ///
    /// # Errors
    /// Where its inode, its block map or its superblock cannot be read.
    pub(super) fn open(fs: &Ext4) -> Result<Self> {
        let map = map(fs)?;
        let first = map.physical(0).ok_or_else(|| missing(0))?;
        let superblock = Superblock::parse(&fs.blocks.read(first)?)
            .map_err(|error| error.context(format_args!("block {first}")))?;
        if u64::from(superblock.block_size) != fs.superblock.block_size() {
            let (expected, found) = (fs.superblock.block_size(), superblock.block_size);
            return Err(Error::corrupt(fs.blocks.to_bytes(first), "journal block size", expected, found));
        }
        Ok(Self { superblock, map })
    }

    /// The volume's block that holds a block of the journal.
    pub(super) fn physical(&self, block: u32) -> Option<u64> {
        self.map.physical(block.into())
    }

    /// Reads a block of the journal as it is stored.
    ///
    /// # Errors
    /// Where it has no place, or that cannot be read.
    pub(super) fn read(&self, fs: &Ext4, block: u32) -> Result<Vec<u8>> {
        fs.blocks.read(self.physical(block).ok_or_else(|| missing(block))?)
    }

    /// The blocks of the journal that are not holes of the image, ascending.
    pub(super) fn written(&self, fs: &Ext4) -> Vec<Range<u64>> {
        let mut found: Vec<Range<u64>> = Vec::new();
        for run in self.map.runs.iter().filter(|run| !run.unwritten) {
            let mut at = 0;
            while at < run.count {
                let left = run.count.saturating_sub(at);
                let (blocks, hole) = fs.blocks.extent(run.physical.saturating_add(at), left);
                let start = run.logical.saturating_add(at);
                if !hole {
                    found.push(start..start.saturating_add(blocks));
                }
                at = at.saturating_add(blocks.max(1));
            }
        }
        found
    }

    /// Whether a block of the journal starts with the journal's magic number.
    pub(super) fn starts_with_magic(&self, fs: &Ext4, block: u32) -> bool {
        let Some(place) = self.physical(block) else { return false };
        let mut start = [0; 4];
        fs.blocks.read_bytes(fs.blocks.to_bytes(place), &mut start).is_ok() && start == JOURNAL_MAGIC
    }

    /// Replays the log in memory; says in `notes` what came of it.
    pub(super) fn replay(&self, fs: &Ext4, notes: &mut Vec<String>) -> Overlay {
        let replay = journal::replay(&self.superblock, &|block| self.read(fs, block));
        let mut outside = 0_u64;
        let mut overlay = Overlay::new();
        for (home, tag) in &replay.copies {
            match self.physical(tag.copy).filter(|_| *home < fs.superblock.blocks) {
                Some(block) => {
                    overlay.insert(*home, JournalCopy { block, escaped: tag.escaped });
                }
                None => outside = outside.saturating_add(1),
            }
        }
        let (blocks, transactions) = (overlay.len(), replay.transactions);
        notes.push(format!("journal replayed in memory: {blocks} blocks from {transactions} transactions"));
        if replay.wrong_checksums > 0 {
            let count = replay.wrong_checksums;
            notes.push(format!("journal: {count} copies with a wrong checksum left out"));
        }
        if outside > 0 {
            notes.push(format!("journal: {outside} copies of blocks outside of the file system left out"));
        }
        if self.has_fast_commits(fs) {
            notes.push("journal: fast commits are present and were not replayed".to_string());
        }
        overlay
    }

    fn has_fast_commits(&self, fs: &Ext4) -> bool {
        self.superblock.fast_commit_blocks > 0
            && self.read(fs, self.superblock.end).is_ok_and(|block| block.starts_with(&FAST_COMMIT_HEAD))
    }
}

fn missing(block: u32) -> Error {
    Error::corrupt(0, "journal", format!("a place for its block {block}"), "a hole")
}

/// The journal's block map: that of its inode, or the copy that the superblock keeps.
fn map(fs: &Ext4) -> Result<BlockMap> {
    let number = fs.superblock.journal_inode;
    let mut budget = Budget::new(&fs.blocks, 1);
    let own = scan::record(fs, number.into()).and_then(|record| {
        let mut map = fs.map(&record.inode(), &mut budget);
        match map.damage.pop() {
            Some(damage) => Err(damage.error),
            None if map.runs.is_empty() => Err(missing(0)),
            None => Ok(map),
        }
    });
    let (Err(error), Some((area, _))) = (&own, &fs.superblock.journal_backup) else { return own };
    let mut bytes = vec![0; ORIGINAL];
    let copy = |bytes: &mut [u8], at: usize, from: &[u8]| {
        bytes.iter_mut().skip(at).zip(from).for_each(|(byte, from)| *byte = *from);
    };
    copy(&mut bytes, BLOCK_AREA_AT, area.first_chunk::<BLOCK_AREA>().unwrap_or(&[0; BLOCK_AREA]));
    if area.starts_with(&[0x0a, 0xf3]) {
        copy(&mut bytes, 0x20, &flags::EXTENTS.to_le_bytes());
    }
    let map = fs.map(&Inode { number, bytes: &bytes, place: 0 }, &mut budget);
    if map.runs.is_empty() {
        return Err(Error::new(error.kind(), format!("journal inode: {error}")));
    }
    Ok(map)
}
