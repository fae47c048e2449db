//! Inodes as they were: what old copies of inode tables in the journal say of files that are gone.
//!
//! ext4 empties the extent tree of an inode when it deletes it. The journal keeps the blocks of the inode
//! table as they were before, until it comes round to the same place again. Of each inode number and
//! generation the latest copy that still had content counts; blocks that the bitmaps give to others by now,
//! or that a file deleted later had, are left out.

use super::Ext4;
use super::bitmap::{self, InodeUse};
use super::blocks::{Blocks, JournalCopy, Overlay};
use super::groups::table_blocks;
use super::inode::Inode;
use super::journal::{self, Tag};
use super::map::{BlockMap, Budget};
use super::replay::Journal;
use super::{describe, extent, indirect, inode};
use crate::filesystem::{DataRun, Entry, EntryId, EntryKind, EntryState, Layout, Place, Stream, StreamName};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

/// A file that is gone.
#[derive(Debug)]
pub(super) struct FormerInode {
    pub(super) entry: Entry,
    /// See [`OldCopy::age`].
    pub(super) age: u32,
    /// Byte ranges of its content that have been overwritten.
    pub(super) missing: Vec<Range<u64>>,
}

/// An old copy of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OldCopy {
    /// The block's own place.
    pub(super) home: u64,
    /// Place of the transaction among those that the journal remembers: later ones are greater.
    pub(super) age: u32,
    /// The volume's block that holds the copy.
    pub(super) block: u64,
}

/// What the journal remembers.
#[derive(Debug, Default)]
pub(super) struct Former {
    /// By id: the inode's number while that has not been used again, else with a count in the upper half.
    inodes: BTreeMap<u64, FormerInode>,
    /// By home block.
    copies: Vec<OldCopy>,
}

impl Former {
    /// The former inode with this id.
    pub(super) fn get(&self, id: EntryId) -> Option<&FormerInode> {
        self.inodes.get(&id.0)
    }

    /// Number of the inode behind an id.
    pub(super) fn number(id: EntryId) -> u32 {
        u32::try_from(id.0 & u64::from(u32::MAX)).unwrap_or(0)
    }

    /// All of them, by id.
    pub(super) fn all(&self) -> impl Iterator<Item = &FormerInode> {
        self.inodes.values()
    }

    /// Old copies of the blocks in `home`.
    pub(super) fn copies(&self, home: Range<u64>) -> &[OldCopy] {
        let first = self.copies.partition_point(|copy| copy.home < home.start);
        let end = self.copies.partition_point(|copy| copy.home < home.end);
        self.copies.get(first..end).unwrap_or_default()
    }

    /// Reads the whole journal.
    pub(super) fn build(fs: &Ext4) -> Self {
        let Some(journal) = &fs.journal else { return Self::default() };
        let history = history(fs, journal);
        if history.is_empty() {
            return Self::default();
        }
        let mut found = Self::default();
        for (age, home, copy) in &history {
            found.copies.push(OldCopy { home: *home, age: *age, block: copy.block });
        }
        found.copies.sort_unstable();
        found.copies.dedup();
        let mut versions: Vec<_> = Search::new(fs).run(&history).into_iter().collect();
        // The latest first: what it had cannot have stayed with one that was deleted before it.
        versions.sort_unstable_by_key(|(key, version)| (std::cmp::Reverse(version.age), *key));
        let mut free = Free::read(fs);
        let mut counts = HashMap::<u32, u64>::new();
        for ((number, _), version) in versions {
            let count = counts.entry(number).or_default();
            let id = if version.in_place {
                number.into()
            } else {
                *count = count.saturating_add(1);
                *count << 32 | u64::from(number)
            };
            found.inodes.insert(id, recover(fs, EntryId(id), &version, &mut free));
        }
        found
    }
}

/// All copies in the journal, the oldest first: age, home block, place of the copy.
fn history(fs: &Ext4, journal: &Journal) -> Vec<(u32, u64, JournalCopy)> {
    let sb = &journal.superblock;
    let starts = |block: u32| journal.starts_with_magic(fs, block);
    let mut all = journal::history(sb, &starts, &|block| journal.read(fs, block));
    // Numbers of transactions wrap around: what counts is how far they lie behind the current one.
    let oldest = sb.sequence.wrapping_sub(1 << 31);
    all.sort_by_key(|(sequence, _)| sequence.wrapping_sub(oldest));
    let placed = |(sequence, tag): (u32, Tag)| {
        let block = journal.physical(tag.copy).filter(|_| tag.home < fs.superblock.blocks)?;
        let copy = JournalCopy { block, escaped: tag.escaped };
        Some((sequence.wrapping_sub(oldest), tag.home, copy))
    };
    all.into_iter().filter_map(placed).collect()
}

/// The latest state of an inode that had content.
struct Version {
    age: u32,
    bytes: Vec<u8>,
    /// Volume offset of the copy of the record.
    place: u64,
    map: BlockMap,
    /// Whether the record in the table still is of the same generation, and free.
    in_place: bool,
    deleted: Option<jiff::Timestamp>,
}

/// Goes through the journal from its oldest transaction to its latest.
struct Search<'a> {
    fs: &'a Ext4,
    /// Start of each inode table and its group, ascending.
    tables: Vec<(u64, u64)>,
    used: HashMap<u64, InodeUse>,
    /// The volume as it was when the transaction at hand was committed, as far as the journal knows.
    past: Blocks,
    budget: Budget,
    found: HashMap<(u32, u32), Version>,
}

impl<'a> Search<'a> {
    fn new(fs: &'a Ext4) -> Self {
        let groups = fs.groups.all.iter().zip(0_u64..);
        let mut tables: Vec<_> =
            groups.filter_map(|(group, number)| Some((group.as_ref()?.inode_table, number))).collect();
        tables.sort_unstable();
        let volume = Arc::clone(fs.blocks.volume());
        Self {
            fs,
            tables,
            used: HashMap::new(),
            past: Blocks::new(volume, fs.blocks.bits(), fs.blocks.count(), Overlay::new()),
            budget: Budget::new(&fs.blocks, 2),
            found: HashMap::new(),
        }
    }

    fn run(mut self, history: &[(u32, u64, JournalCopy)]) -> HashMap<(u32, u32), Version> {
        for transaction in history.chunk_by(|one, other| one.0 == other.0) {
            for (_, home, copy) in transaction {
                self.past.cover(*home, *copy);
            }
            for (age, home, copy) in transaction {
                if let Some((group, block)) = self.table(*home) {
                    self.block(*age, (*home, copy.block), (group, block));
                }
            }
        }
        self.found
    }

    /// The group in whose inode table a block lies, and the block's number in the table.
    fn table(&self, home: u64) -> Option<(u64, u64)> {
        let next = self.tables.partition_point(|(start, _)| *start <= home);
        let (start, group) = self.tables.get(next.checked_sub(1)?)?;
        let inside = home.saturating_sub(*start);
        (inside < table_blocks(&self.fs.superblock)).then_some((*group, inside))
    }

    /// Looks at the records in an old copy of a block of an inode table, beside the block as it is.
    fn block(&mut self, age: u32, (home, copy): (u64, u64), (group, inside): (u64, u64)) {
        let fs = self.fs;
        let Ok(descriptor) = fs.groups.get(group) else { return };
        let (Ok(old), Ok(current)) = (self.past.read(home), fs.blocks.read(home)) else { return };
        let used = self.used.entry(group).or_insert_with(|| InodeUse::read(fs, descriptor));
        let size = fs.superblock.inode_size;
        let record_size = u64::try_from(size).unwrap_or(u64::MAX);
        let first = fs.blocks.to_bytes(inside).checked_div(record_size).unwrap_or(0);
        let per_group = u64::from(fs.superblock.inodes_per_group);
        let pairs = old.chunks_exact(size).zip(current.chunks_exact(size));
        let mut candidates = Vec::new();
        for ((bytes, current), nth) in pairs.zip(0_u64..) {
            let slot = first.saturating_add(nth);
            let number = group.saturating_mul(per_group).saturating_add(slot).saturating_add(1);
            let Ok(number) = u32::try_from(number) else { break };
            let offset = nth.saturating_mul(record_size);
            let place = fs.blocks.to_bytes(copy).saturating_add(offset);
            let then = Inode { number, bytes, place };
            let now =
                Inode { number, bytes: current, place: fs.blocks.to_bytes(home).saturating_add(offset) };
            let used = fs.in_use(&now, used.allocated(slot));
            let same = now.generation() == then.generation();
            if slot < per_group && had_content(fs, &then) && !(used && same) {
                candidates.push((then, same && !used, now.deletion_time()));
            }
        }
        for (then, in_place, deletion) in candidates {
            self.keep(age, &then, in_place, deletion.filter(|_| in_place));
        }
    }

    fn keep(&mut self, age: u32, then: &Inode<'_>, in_place: bool, deleted: Option<jiff::Timestamp>) {
        let key = (then.number, then.generation());
        let bytes = then.bytes.to_vec();
        if let Some(known) = self.found.get_mut(&key)
            && known.bytes.get(..inode::ORIGINAL) == bytes.get(..inode::ORIGINAL)
        {
            known.age = age;
            return;
        }
        let sb = &self.fs.superblock;
        let map = if !describe::has_map(self.fs, then) {
            BlockMap::default()
        } else if then.has(inode::flags::EXTENTS) {
            extent::read((&self.past, sb), then, &mut self.budget)
        } else {
            indirect::read(&self.past, then, &mut self.budget)
        };
        // A tree that is being cut back says less than the copy before it.
        if map.runs.is_empty() && describe::has_map(self.fs, then) {
            return;
        }
        self.found.insert(key, Version { age, bytes, place: then.place, map, in_place, deleted });
    }
}

/// Whether a record is that of a file, link or directory that is not empty.
fn had_content(fs: &Ext4, inode: &Inode<'_>) -> bool {
    inode.number >= fs.superblock.first_inode
        && inode.number <= fs.superblock.inodes
        && matches!(inode.kind(), EntryKind::File | EntryKind::Symlink | EntryKind::Directory)
        && inode.size(&fs.superblock) > 0
        && inode.checksum_ok(&fs.superblock)
}

/// Turns a version into an entry, with what is left of its blocks.
fn recover(fs: &Ext4, id: EntryId, version: &Version, free: &mut Free) -> FormerInode {
    let number = Former::number(id);
    let inode = Inode { number, bytes: &version.bytes, place: version.place };
    let (mut runs, mut missing, mut total, mut lost) = (Vec::new(), Vec::new(), 0_u64, 0_u64);
    let bytes = |blocks: u64| fs.blocks.to_bytes(blocks);
    for run in &version.map.runs {
        total = total.saturating_add(run.count);
        let mut done = run.physical;
        let end = run.physical.saturating_add(run.count);
        let logical = |block: u64| bytes(run.logical.saturating_add(block.saturating_sub(run.physical)));
        let mut lose = |from: u64, to: u64| {
            if from < to {
                missing.push(logical(from)..logical(to));
                lost = lost.saturating_add(to.saturating_sub(from));
            }
        };
        for left in free.take(run.physical..end) {
            lose(done, left.start);
            let at = bytes(left.start);
            let place = if run.unwritten { Place::Unwritten(at) } else { Place::At(at) };
            let length = bytes(left.end.saturating_sub(left.start));
            runs.push(DataRun { logical: logical(left.start), length, place });
            done = left.end;
        }
        lose(done, end);
    }
    let mut notes = vec!["recovered from the journal".to_string()];
    if lost > 0 {
        notes.push(format!("{lost} of {total} blocks overwritten"));
    }
    if !version.map.damage.is_empty() {
        notes.push("block map not complete".to_string());
    }
    missing
        .extend(version.map.damage.iter().map(|damage| bytes(damage.blocks.start)..bytes(damage.blocks.end)));
    let mut times = inode.times();
    times.deleted = version.deleted;
    let streams = vec![data_stream(fs, &inode, runs)];
    let entry = Entry {
        id,
        generation: inode.generation().into(),
        kind: inode.kind(),
        state: EntryState::Deleted,
        links: inode.links().into(),
        times,
        owner: inode.owner(),
        streams,
        notes,
        ..Entry::default()
    };
    FormerInode { entry, age: version.age, missing }
}

fn data_stream(fs: &Ext4, inode: &Inode<'_>, runs: Vec<DataRun>) -> Stream {
    let resident = !describe::has_map(fs, inode);
    let encrypted = inode.has(inode::flags::ENCRYPT) && inode.kind() != EntryKind::Directory;
    let mut size = inode.size(&fs.superblock);
    let layout = if resident {
        // What does not fit into `i_block` is left to the sweep of the journal.
        let length = usize::try_from(size).unwrap_or(usize::MAX).min(inode::BLOCK_AREA);
        let bytes = inode.block_area().get(..length).unwrap_or_default().to_vec();
        size = u64::try_from(bytes.len()).unwrap_or(0);
        let at = u64::try_from(inode::BLOCK_AREA_AT).unwrap_or(0);
        Layout::Resident { bytes, place: Some(inode.place.saturating_add(at)) }
    } else if encrypted {
        Layout::Encrypted(runs)
    } else {
        Layout::Runs(runs)
    };
    Stream { name: StreamName::Data, size, initialised: size, layout }
}

/// Blocks that are free and that no file deleted later has had: start → end.
struct Free(BTreeMap<u64, u64>);

impl Free {
    fn read(fs: &Ext4) -> Self {
        let mut ranges = BTreeMap::new();
        // Groups whose bitmap cannot be read have no block that is known to be free.
        let _known = bitmap::free_blocks(fs, &mut |range| {
            ranges.insert(range.start, range.end);
        });
        Self(ranges)
    }

    /// Takes out the free parts of `range`, ascending.
    fn take(&mut self, range: Range<u64>) -> Vec<Range<u64>> {
        let first = self.0.range(..=range.start).next_back().map_or(range.start, |(start, _)| *start);
        let touched: Vec<_> = self.0.range(first..range.end).map(|(start, end)| (*start, *end)).collect();
        let mut taken = Vec::new();
        for (start, end) in touched {
            let part = start.max(range.start)..end.min(range.end);
            if part.start >= part.end {
                continue;
            }
            self.0.remove(&start);
            if start < part.start {
                self.0.insert(start, part.start);
            }
            if part.end < end {
                self.0.insert(part.end, end);
            }
            taken.push(part);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_blocks_are_given_out_once() {
        let mut free = Free(BTreeMap::from([(10, 20), (30, 40)]));
        let pairs = |ranges: Vec<Range<u64>>| ranges.iter().map(|r| (r.start, r.end)).collect::<Vec<_>>();
        assert_eq!(pairs(free.take(15..35)), [(15, 20), (30, 35)]);
        assert_eq!(pairs(free.take(0..100)), [(10, 15), (35, 40)]);
        assert!(free.take(0..100).is_empty());
    }
}
