//! Inodes as they were: what old copies of inode tables in the journal say of files that are gone, and of
//! content that files in use have lost.
//!
//! ext4 empties the extent tree of an inode when it deletes it. The journal keeps the blocks of the inode
//! table as they were before, until it comes round to the same place again. Of each inode number and
//! generation the latest copy that still had content counts, and of earlier ones, as of files that are still
//! in use, those that named blocks which are free by now: what was cut off or written anew. Blocks that the
//! bitmaps give to others, or that a later copy had, are left out.

use super::Ext4;
use super::bitmap::InodeUse;
use super::blocks::{Blocks, JournalCopy, Overlay};
use super::free::{self, Free, Remains};
use super::groups::table_blocks;
use super::inode::Inode;
use super::journal::{self, Tag};
use super::listing;
use super::map::{BlockMap, Budget};
use super::replay::Journal;
use super::xattr;
use super::{describe, extent, indirect, inode};
use crate::filesystem::{Entry, EntryId, EntryKind, EntryState, Layout, Stream, StreamName};
use crate::io::is_zero;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

/// Earlier copies of one inode that are kept besides the latest: of a file that was written anew again and
/// again, each may have left blocks behind.
const EARLIER_MAX: usize = 32;

/// Runs of blocks that are kept of all inodes together; 32 bytes each.
const RUNS_MAX: usize = 1 << 23;

/// A file that is gone, or content that a file in use no longer has.
#[derive(Debug)]
pub(super) struct FormerInode {
    pub(super) entry: Entry,
    /// Whether the file itself is still there, so that its names are these.
    pub(super) is_live: bool,
    /// See [`OldCopy::age`].
    pub(super) age: u32,
    /// Byte ranges of its content that have been overwritten.
    pub(super) missing: Vec<Range<u64>>,
    /// Blocks that it had, whoever has them by now: the journal may hold them as they were.
    pub(super) home: Vec<Range<u64>>,
    /// For a directory that kept its names in the inode: these bytes, and where they lie on the volume.
    pub(super) inline: Vec<(Vec<u8>, u64)>,
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
    /// Whether there was more than is kept.
    pub(super) is_cut: bool,
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
        let mut free = Free::read(fs);
        let mut search = Search::new(fs, &free);
        search.run(&history);
        found.is_cut = search.is_cut;
        let mut versions: Vec<_> = search.found.into_values().flatten().collect();
        // The latest first: what it had cannot have stayed with one that was there before it.
        versions
            .sort_unstable_by_key(|version| (std::cmp::Reverse(version.age), version.number, version.place));
        let (mut counts, mut seen) = (HashMap::<u32, u64>::new(), HashSet::new());
        for version in versions {
            let remains = Remains::take(&version.map, &mut free);
            // The latest copy of a file that is gone says at least that it was there.
            let latest = seen.insert((version.number, version.generation)) && version.then != Then::Live;
            if !latest && remains.runs.is_empty() {
                continue;
            }
            let id = if latest && version.then == Then::Gone {
                version.number.into()
            } else {
                let count = counts.entry(version.number).or_default();
                *count = count.saturating_add(1);
                *count << 32 | u64::from(version.number)
            };
            let former = recover(fs, EntryId(id), &version, &remains, latest);
            found.inodes.insert(id, former);
        }
        found
    }
}

/// All copies in the journal, the oldest first: age, home block, place of the copy.
fn history(fs: &Ext4, journal: &Journal) -> Vec<(u32, u64, JournalCopy)> {
    let sb = &journal.superblock;
    let written = journal.written(fs);
    let is_written = |block: u32| {
        let next = written.partition_point(|range| range.end <= block.into());
        written.get(next).is_some_and(|range| range.start <= block.into())
    };
    let starts = |block: u32| is_written(block) && journal.starts_with_magic(fs, block);
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

/// What has become of the inode of an old copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// It is in use, for the same file.
    Live,
    /// It is free, and its record still is that of the same file.
    Gone,
    /// Another file has it, or had it since.
    Reused,
}

/// An inode as it was once.
struct Version {
    age: u32,
    number: u32,
    generation: u32,
    bytes: Vec<u8>,
    /// Volume offset of the copy of the record.
    place: u64,
    map: BlockMap,
    /// The block of its attributes, and where that stood then.
    attributes: Option<(u64, u64)>,
    then: Then,
    deleted: Option<jiff::Timestamp>,
}

/// Goes through the journal from its oldest transaction to its latest.
struct Search<'a> {
    fs: &'a Ext4,
    free: &'a Free,
    /// Start of each inode table and its group, ascending.
    tables: Vec<(u64, u64)>,
    used: HashMap<u64, InodeUse>,
    /// The volume as it was when the transaction at hand was committed, as far as the journal knows.
    past: Blocks,
    budget: Budget,
    /// By number and generation, the oldest first.
    found: HashMap<(u32, u32), Vec<Version>>,
    runs: usize,
    is_cut: bool,
}

impl<'a> Search<'a> {
    fn new(fs: &'a Ext4, free: &'a Free) -> Self {
        let groups = fs.groups.all.iter().zip(0_u64..);
        let mut tables: Vec<_> =
            groups.filter_map(|(group, number)| Some((group.as_ref()?.inode_table, number))).collect();
        tables.sort_unstable();
        let volume = Arc::clone(fs.blocks.volume());
        Self {
            fs,
            free,
            tables,
            used: HashMap::new(),
            past: Blocks::new(volume, fs.blocks.bits(), fs.blocks.count(), Overlay::new()),
            budget: Budget::new(&fs.blocks, 2),
            found: HashMap::new(),
            runs: 0,
            is_cut: false,
        }
    }

    fn run(&mut self, history: &[(u32, u64, JournalCopy)]) {
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
            let then_is = match (now.generation() == then.generation(), used) {
                (true, true) => Then::Live,
                (true, false) => Then::Gone,
                (false, _) => Then::Reused,
            };
            // What a file in use has lost: its map, or its length, was another one.
            let lost = || {
                then.block_area() != now.block_area() || then.size(&fs.superblock) > now.size(&fs.superblock)
            };
            if slot < per_group && had_content(fs, &then) && (then_is != Then::Live || lost()) {
                let deleted = now.deletion_time().filter(|_| then_is == Then::Gone);
                candidates.push((then, then_is, deleted));
            }
        }
        for (then, then_is, deleted) in candidates {
            self.keep(age, &then, then_is, deleted);
        }
    }

    fn keep(&mut self, age: u32, inode: &Inode<'_>, then: Then, deleted: Option<jiff::Timestamp>) {
        let (number, generation) = (inode.number, inode.generation());
        let bytes = inode.bytes.to_vec();
        let attributes = self.attributes(inode).filter(|_| then != Then::Live);
        let known = self.found.entry((number, generation)).or_default();
        if let Some(known) = known.last_mut()
            && known.bytes.get(..inode::ORIGINAL) == bytes.get(..inode::ORIGINAL)
        {
            known.age = age;
            return;
        }
        let sb = &self.fs.superblock;
        let has_map = describe::has_map(self.fs, inode);
        let mut map = if !has_map {
            BlockMap::default()
        } else if inode.has(inode::flags::EXTENTS) {
            extent::read((&self.past, sb), inode, &mut self.budget)
        } else {
            indirect::read(&self.past, inode, &mut self.budget)
        };
        let is_own = |block: u64| self.past.overlay().contains_key(&block) || self.free.has(block);
        if then != Then::Live {
            free::distrust(&mut map, &self.fs.blocks, &is_own);
        }
        map.nodes = Vec::new();
        let place = inode.place;
        let version = Version { age, number, generation, bytes, place, map, attributes, then, deleted };
        // A tree that is being cut back says less than the copy before it.
        if has_map && version.map.runs.is_empty() || then == Then::Live && !version.is_left(self.free) {
            return;
        }
        // The copy before is not the latest any more: it stays where it has something that is free.
        let superseded = known.pop_if(|known| !known.is_left(self.free));
        let oldest = (known.len() > EARLIER_MAX).then(|| known.remove(0));
        for dropped in superseded.iter().chain(&oldest) {
            self.runs = self.runs.saturating_sub(dropped.map.runs.len());
        }
        self.runs = self.runs.saturating_add(version.map.runs.len());
        if self.runs > RUNS_MAX {
            self.runs = self.runs.saturating_sub(version.map.runs.len());
            self.is_cut = true;
            return;
        }
        known.push(version);
    }
}

impl Search<'_> {
    /// The block of an inode's attributes, and the block that holds it as it was: the block itself where nobody
    /// else has or had it since, or a copy in the journal.
    fn attributes(&self, inode: &Inode<'_>) -> Option<(u64, u64)> {
        let block = Some(inode.attribute_block()).filter(|&block| block != 0)?;
        let copy = self.past.overlay().get(&block).filter(|copy| !copy.escaped).map(|copy| copy.block);
        let read = |block: u64| self.fs.blocks.read(block).ok();
        let is_left = self.free.has(block) && copy.is_none_or(|copy| read(copy) == read(block));
        if is_left { Some((block, block)) } else { Some((block, copy?)) }
    }
}

impl Version {
    /// Whether any of its blocks is free by now.
    fn is_left(&self, free: &Free) -> bool {
        let runs = self.map.runs.iter();
        runs.map(|run| run.physical..run.physical.saturating_add(run.count)).any(|run| free.touches(&run))
    }
}

/// Whether a record is that of a file, link or directory that is not empty.
fn had_content(fs: &Ext4, inode: &Inode<'_>) -> bool {
    inode.number >= fs.superblock.first_inode
        && inode.number <= fs.superblock.inodes
        && matches!(inode.kind(), EntryKind::File | EntryKind::Symlink | EntryKind::Directory)
        && inode.size(&fs.superblock) > 0
        // An inline directory keeps its size when it is removed, and none of its names.
        && (inode.kind() != EntryKind::Directory || inode.links() > 0)
        // So does a link whose target stood in the inode: that is filled with zeros.
        && (inode.kind() != EntryKind::Symlink || !is_zero(inode.block_area()))
        && inode.checksum_ok(&fs.superblock)
}

/// Turns a version into an entry, with what is left of its blocks. `latest` says whether it is the last that
/// is known of its file.
fn recover(fs: &Ext4, id: EntryId, version: &Version, remains: &Remains, latest: bool) -> FormerInode {
    let number = Former::number(id);
    let inode = Inode { number, bytes: &version.bytes, place: version.place };
    let bytes = |blocks: &Range<u64>| fs.blocks.to_bytes(blocks.start)..fs.blocks.to_bytes(blocks.end);
    let mut notes = vec![NOTE.to_string()];
    match (version.then, latest) {
        (Then::Live, _) => {
            notes.push("content that the file no longer has: cut off or written anew".to_string())
        }
        (_, false) => notes.push("an earlier state of a file that is gone".to_string()),
        _ => {}
    }
    notes.extend(remains.note());
    if !version.map.damage.is_empty() {
        notes.push("block map not complete".to_string());
    }
    let damage = version.map.damage.iter().map(|damage| bytes(&damage.blocks));
    let missing = remains.missing.iter().map(bytes).chain(damage).collect();
    let mut times = inode.times();
    times.deleted = version.deleted;
    let entry = Entry {
        id,
        generation: inode.generation().into(),
        kind: inode.kind(),
        state: EntryState::Deleted,
        links: inode.links().into(),
        times,
        owner: inode.owner(),
        streams: streams(fs, &inode, remains, version.attributes),
        notes,
        ..Entry::default()
    };
    let runs = version.map.runs.iter();
    let home = runs.map(|run| run.physical..run.physical.saturating_add(run.count)).collect();
    let inline = if entry.kind == EntryKind::Directory { listing::pieces(fs, &inode) } else { Vec::new() };
    FormerInode { entry, is_live: version.then == Then::Live, age: version.age, missing, home, inline }
}

/// Note on everything that comes from the journal.
const NOTE: &str = "recovered from the journal";

/// The content, and the attributes: those inside the record, and those of a block where it is still there.
fn streams(
    fs: &Ext4,
    inode: &Inode<'_>,
    remains: &Remains,
    attribute_block: Option<(u64, u64)>,
) -> Vec<Stream> {
    let mut attributes = xattr::in_record(fs, inode);
    let encrypted = inode.has(inode::flags::ENCRYPT) && inode.kind() != EntryKind::Directory;
    let mut size = inode.size(&fs.superblock);
    let layout = if describe::has_map(fs, inode) {
        let map = BlockMap::of(remains.runs.clone());
        let runs = describe::data_runs(fs, &map);
        if encrypted { Layout::Encrypted(runs) } else { Layout::Runs(runs) }
    } else {
        let (bytes, place) = describe::inline(fs, inode, &attributes, size);
        size = u64::try_from(bytes.len()).unwrap_or(0);
        Layout::Resident { bytes, place }
    };
    let mut streams = vec![Stream { name: StreamName::Data, size, initialised: size, layout }];
    attributes
        .all
        .extend(attribute_block.into_iter().flat_map(|(block, copy)| xattr::in_copy(fs, block, copy)));
    for attribute in attributes.all.into_iter().filter(|attribute| !attribute.is_inline_data()) {
        if let xattr::Value::Here { bytes, place } = attribute.value {
            let size = u64::try_from(bytes.len()).unwrap_or(0);
            let layout = Layout::Resident { bytes, place: Some(place) };
            let name = StreamName::Xattr(attribute.name);
            streams.push(Stream { name, size, initialised: size, layout });
        }
    }
    streams
}
