//! What is left of the blocks of files that are gone: those that are free, and that no file deleted later had.

use super::Ext4;
use super::bitmap;
use super::blocks::Blocks;
use super::map::{BlockMap, BlockRun, Budget};
use super::scan::{self, Scanned};
use super::{describe, inode::Inode};
use crate::error::Error;
use std::collections::{BTreeMap, HashMap};
use std::ops::{ControlFlow, Range};

/// Blocks that are free and have not been given out: start → end.
#[derive(Clone, Debug)]
pub(super) struct Free(BTreeMap<u64, u64>);

impl Free {
    /// Reads the bitmaps. Groups whose bitmap cannot be read have no block that is known to be free.
    pub(super) fn read(fs: &Ext4) -> Self {
        let mut ranges = BTreeMap::new();
        let _known = bitmap::free_blocks(fs, &mut |range| {
            ranges.insert(range.start, range.end);
        });
        Self(ranges)
    }

    /// The parts of `range` that are left, ascending.
    pub(super) fn parts(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        let first = self.0.range(..=range.start).next_back().map_or(range.start, |(start, _)| *start);
        let touched = self.0.range(first..range.end.max(first));
        let parts = touched.map(|(start, end)| (*start).max(range.start)..(*end).min(range.end));
        parts.filter(|part| part.start < part.end).collect()
    }

    /// Whether anything of `range` is left.
    pub(super) fn touches(&self, range: &Range<u64>) -> bool {
        let before = self.0.range(..range.end).next_back();
        range.start < range.end && before.is_some_and(|(_, end)| *end > range.start)
    }

    /// Whether one block is left.
    pub(super) fn has(&self, block: u64) -> bool {
        self.touches(&(block..block.saturating_add(1)))
    }

    /// Takes out the parts of `range` that are left, ascending.
    pub(super) fn take(&mut self, range: &Range<u64>) -> Vec<Range<u64>> {
        let taken = self.parts(range);
        for part in &taken {
            let Some((start, end)) = self.0.range(..=part.start).next_back().map(|(s, e)| (*s, *e)) else {
                continue;
            };
            self.0.remove(&start);
            if start < part.start {
                self.0.insert(start, part.start);
            }
            if part.end < end {
                self.0.insert(part.end, end);
            }
        }
        taken
    }
}

/// What is left of a block map.
#[derive(Clone, Debug, Default)]
pub(super) struct Remains {
    /// Runs of blocks that still are as the file left them.
    pub(super) runs: Vec<BlockRun>,
    /// Blocks of the content that belong to others by now.
    pub(super) missing: Vec<Range<u64>>,
    /// How many of the map's blocks those are.
    pub(super) lost: u64,
    /// Blocks that the map names.
    pub(super) total: u64,
}

impl Remains {
    /// Takes from `free` what `map` names.
    pub(super) fn take(map: &BlockMap, free: &mut Free) -> Self {
        let mut remains = Self::default();
        for run in &map.runs {
            remains.add(run, free);
        }
        remains
    }

    fn add(&mut self, run: &BlockRun, free: &mut Free) {
        let range = run.physical..run.physical.saturating_add(run.count);
        let logical = |block: u64| run.logical.saturating_add(block.saturating_sub(range.start));
        self.total = self.total.saturating_add(run.count);
        let mut done = range.start;
        for part in free.take(&range) {
            self.lose(logical(done)..logical(part.start));
            let count = part.end.saturating_sub(part.start);
            self.runs.push(BlockRun { logical: logical(part.start), physical: part.start, count, ..*run });
            done = part.end;
        }
        self.lose(logical(done)..logical(range.end));
    }

    fn lose(&mut self, blocks: Range<u64>) {
        if blocks.start < blocks.end {
            self.lost = self.lost.saturating_add(blocks.end.saturating_sub(blocks.start));
            self.missing.push(blocks);
        }
    }

    /// A sentence on what is lost, where anything is.
    pub(super) fn note(&self) -> Option<String> {
        (self.lost > 0).then(|| format!("{} of {} blocks overwritten", self.lost, self.total))
    }
}

/// Leaves out of the map of an inode that is gone what cannot be believed: all that stands in blocks of the
/// map which belong to others by now, or whose checksum is not that of this inode.
pub(super) fn distrust(map: &mut BlockMap, blocks: &Blocks, is_own: &dyn Fn(u64) -> bool) {
    let mut wrong: Vec<Range<u64>> = Vec::new();
    let foreign = map.nodes.iter().filter(|node| !node.sound || !is_own(node.block));
    let first = foreign.clone().next().map(|node| node.block);
    let mut covers: Vec<_> = foreign.map(|node| node.covers.clone()).collect();
    covers.sort_unstable_by_key(|covers| (covers.start, covers.end));
    for covers in covers {
        match wrong.last_mut() {
            Some(last) if covers.start <= last.end => last.end = last.end.max(covers.end),
            _ => wrong.push(covers),
        }
    }
    let is_wrong = |logical: u64| {
        let next = wrong.partition_point(|covers| covers.start <= logical);
        next.checked_sub(1).and_then(|at| wrong.get(at)).is_some_and(|covers| logical < covers.end)
    };
    map.runs.retain(|run| !is_wrong(run.logical));
    let place = blocks.to_bytes(first.unwrap_or(0));
    for covers in &wrong {
        let error = Error::corrupt(place, "block of a block map", "one of this file", "one used again since");
        map.lose(covers.clone(), error);
    }
}

/// What is left of deleted inodes that still say where their content was: ext2's, and those that programs
/// other than the kernel removed. Of two that name a block, the one deleted later had it last.
#[derive(Debug, Default)]
pub(super) struct Claims(HashMap<u32, Remains>);

impl Claims {
    /// Goes through all inode tables.
    pub(super) fn build(fs: &Ext4) -> Self {
        let mut free = Free::read(fs);
        let mut budget = Budget::new(&fs.blocks, 2);
        let mut found: Vec<(u32, u32, BlockMap)> = Vec::new();
        let _ = scan::tables(fs, &mut |scanned| {
            if let Scanned::Inode(inode, allocated) = scanned
                && !fs.in_use(&inode, allocated)
                && describe::has_map(fs, &inode)
            {
                let map = trusted_map(fs, &inode, &free, &mut budget);
                if !map.runs.is_empty() {
                    found.push((inode.deletion(), inode.number, map));
                }
            }
            ControlFlow::Continue(())
        });
        found.sort_by_key(|(deleted, number, _)| (std::cmp::Reverse(*deleted), *number));
        let remains = found.into_iter().map(|(_, number, mut map)| {
            distrust(&mut map, &fs.blocks, &|block| free.has(block));
            (number, Remains::take(&map, &mut free))
        });
        Self(remains.collect())
    }

    /// What is left of an inode's blocks.
    pub(super) fn of(&self, number: u32) -> Option<&Remains> {
        self.0.get(&number)
    }
}

/// The map of an inode that is gone, as far as it can be believed.
pub(super) fn trusted_map(fs: &Ext4, inode: &Inode<'_>, free: &Free, budget: &mut Budget) -> BlockMap {
    let mut map = fs.map(inode, budget);
    distrust(&mut map, &fs.blocks, &|block| free.has(block));
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(ranges: &[Range<u64>]) -> Vec<(u64, u64)> {
        ranges.iter().map(|range| (range.start, range.end)).collect()
    }

    #[test]
    fn free_blocks_are_given_out_once() {
        let mut free = Free(BTreeMap::from([(10, 20), (30, 40)]));
        assert!(free.touches(&(19..30)) && !free.touches(&(20..30)) && !free.touches(&(15..15)));
        assert!(free.has(10) && !free.has(9) && !free.has(20));
        assert_eq!(pairs(&free.take(&(15..35))), [(15, 20), (30, 35)]);
        assert_eq!(pairs(&free.take(&(0..100))), [(10, 15), (35, 40)]);
        assert!(free.take(&(0..100)).is_empty());
    }

    #[test]
    fn what_others_have_is_missing_and_counted() {
        let mut map = BlockMap::default();
        map.runs.push(BlockRun { logical: 0, physical: 100, count: 10, unwritten: false });
        let mut free = Free(BTreeMap::from([(102, 104), (108, 200)]));
        let remains = Remains::take(&map, &mut free);
        let runs: Vec<_> = remains.runs.iter().map(|run| (run.logical, run.physical, run.count)).collect();
        assert_eq!(runs, [(2, 102, 2), (8, 108, 2)]);
        assert_eq!(pairs(&remains.missing), [(0, 2), (4, 8)]);
        assert_eq!(remains.note().as_deref(), Some("6 of 10 blocks overwritten"));
        let again = Remains::take(&map, &mut free);
        assert_eq!((again.lost, again.total), (10, 10), "the later one had them");
    }
}
