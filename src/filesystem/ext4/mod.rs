//! ext2, ext3 and ext4 (kernel documentation, "ext4 Data Structures and Algorithms").
//!
//! All metadata is read through [`blocks::Blocks`], which puts the journal's copies in place of blocks that
//! a replay would overwrite. Wrong checksums are noted, never fatal: damaged evidence is still evidence.
#![cfg_attr(
    not(test),
    warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)
)]

mod bitmap;
mod blocks;
mod checksum;
mod content;
mod copied;
mod describe;
mod directory;
mod extent;
mod features;
mod former;
mod free;
mod groups;
mod indirect;
mod inode;
mod journal;
mod listing;
mod map;
mod names;
mod orphans;
mod replay;
mod scan;
mod superblock;
mod xattr;

use super::{
    DirEntry, Entry, EntryId, EntryKind, EntryNumber, EntryState, Facts, FileSystem, Kind, Layout, Paths,
    Recognised, RunReader, StreamName, Walked,
};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::io::ReadAt;
use blocks::{Blocks, Overlay};
use content::Partial;
use copied::Copied;
use describe::{Check, Described};
use former::Former;
use free::Claims;
use groups::Groups;
use inode::{Inode, flags};
use map::{BlockMap, Budget};
use names::{Builder, Names};
use replay::Journal;
use scan::Scanned;
use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};
use std::sync::{Arc, OnceLock};
use superblock::Superblock;

/// ext2, ext3, ext4 by the superblock at byte 1,024.
pub(super) const KIND: Kind = Kind { name: "ext", probe };

/// The same by a backup superblock. It has to stand behind all other kinds: a volume that was given another
/// file system may still hold the backups of the former one.
pub(super) const BACKUP_KIND: Kind = Kind { name: "ext (backup superblock)", probe: probe_backup };

fn probe(volume: &Arc<dyn ReadAt>) -> Option<Recognised> {
    let superblock = superblock::primary(volume.as_ref()).ok()?;
    let mut notes = Vec::new();
    let backup = if superblock.checksum_ok { None } else { superblock::backup(volume.as_ref()) };
    let (chosen, source) = match backup.filter(|backup| backup.uuid == superblock.uuid) {
        Some(backup) => {
            notes
                .push(format!("superblock: checksum mismatch, the backup in group {} is used", backup.group));
            (backup, Source::Backup)
        }
        None => {
            if !superblock.checksum_ok {
                notes.push("superblock: checksum mismatch".to_string());
            }
            (superblock, Source::Primary)
        }
    };
    Some(Recognised::Opened(Arc::new(Ext4::open(volume, chosen, source, notes))))
}

fn probe_backup(volume: &Arc<dyn ReadAt>) -> Option<Recognised> {
    let backup = superblock::backup(volume.as_ref())?;
    let cause =
        superblock::primary(volume.as_ref()).err().map_or(String::new(), |error| format!(" ({error})"));
    let note = format!("superblock damaged{cause}: the backup in group {} is used", backup.group);
    let fs = Ext4::open(volume, backup, Source::Backup, vec![note]);
    let root = fs.entry(fs.root()).ok()?;
    (root.kind == EntryKind::Directory).then(|| Recognised::Opened(Arc::new(fs)))
}

/// Which superblock the file system was opened by. A backup does not say whether the journal is dirty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Primary,
    Backup,
}

/// An ext2, ext3 or ext4 file system.
#[derive(Debug)]
struct Ext4 {
    superblock: Superblock,
    groups: Groups,
    blocks: Blocks,
    facts: Facts,
    journal: Option<Journal>,
    names: OnceLock<Names>,
    former: OnceLock<Former>,
    claims: OnceLock<Claims>,
    orphans: OnceLock<BTreeSet<u32>>,
    copied: OnceLock<Copied>,
}

fn facts(superblock: &Superblock, kind: &'static str, notes: Vec<String>) -> Facts {
    let label = Some(crate::location::escape(&superblock.label)).filter(|label| !label.is_empty());
    Facts {
        kind,
        label,
        uuid: Some(superblock.uuid_text()),
        block_size: superblock.block_size(),
        size: superblock.size(),
        features: superblock.features.names(),
        notes,
    }
}

impl Ext4 {
    /// The root directory's inode.
    const ROOT: u32 = 2;

    fn open(
        volume: &Arc<dyn ReadAt>,
        superblock: Superblock,
        source: Source,
        mut notes: Vec<String>,
    ) -> Self {
        let mut fs = Self::assemble(volume, superblock, Overlay::new());
        let overlay = fs.recover(source, &mut notes);
        if !overlay.is_empty() {
            let home = Blocks::new(Arc::clone(volume), fs.blocks.bits(), fs.blocks.count(), overlay);
            let mut bytes = vec![0; superblock::LENGTH];
            let current = home.read_bytes(superblock::OFFSET, &mut bytes);
            let current = current.and_then(|()| Superblock::parse(&bytes, superblock::OFFSET));
            let same = |found: &Superblock| {
                found.uuid == fs.superblock.uuid
                    && found.block_bits == fs.superblock.block_bits
                    && source == Source::Primary
            };
            let superblock = current.ok().filter(same).unwrap_or(fs.superblock);
            let journal = fs.journal;
            fs = Self { journal, ..Self::assemble(volume, superblock, home.into_overlay()) };
        }
        if volume.size() < fs.superblock.size() {
            let (claimed, found) = (fs.superblock.size(), volume.size());
            notes.push(format!("the file system claims {claimed} bytes, the volume has {found}"));
        }
        let unknown = fs.superblock.features.unknown();
        if !unknown.is_empty() {
            notes.push(format!("unknown features: {}", unknown.join(", ")));
        }
        notes.append(&mut fs.groups.notes);
        fs.facts = facts(&fs.superblock, fs.superblock.features.kind(), notes);
        fs
    }

    fn assemble(volume: &Arc<dyn ReadAt>, superblock: Superblock, overlay: Overlay) -> Self {
        let blocks = Blocks::new(Arc::clone(volume), superblock.block_bits, superblock.blocks, overlay);
        let groups = Groups::read(&blocks, &superblock);
        Self {
            superblock,
            groups,
            blocks,
            facts: Facts::default(),
            journal: None,
            names: OnceLock::new(),
            former: OnceLock::new(),
            claims: OnceLock::new(),
            orphans: OnceLock::new(),
            copied: OnceLock::new(),
        }
    }

    /// What the journal holds that has not reached its place.
    fn recover(&mut self, source: Source, notes: &mut Vec<String>) -> Overlay {
        let features = self.superblock.features;
        if !features.has(features::HAS_JOURNAL) {
            return Overlay::new();
        }
        let dirty = features.has(features::NEEDS_RECOVERY);
        if self.superblock.journal_inode == 0 {
            let state = if dirty { ", which needs a replay that was not done" } else { "" };
            let device = self.superblock.journal_device;
            notes.push(format!("the journal is on another device ({device:#x}){state}"));
            return Overlay::new();
        }
        let journal = match Journal::open(self) {
            Ok(journal) => journal,
            Err(error) => {
                notes.push(format!("the journal cannot be read: {error}"));
                return Overlay::new();
            }
        };
        let mut overlay = Overlay::new();
        if journal.superblock.start != 0 && (dirty || source == Source::Backup) {
            overlay = journal.replay(self, notes);
        } else if journal.superblock.start != 0 {
            notes.push("the journal is not empty, but marked clean: not replayed".to_string());
        }
        self.journal = Some(journal);
        overlay
    }

    /// Where an inode's content lies.
    fn map(&self, inode: &Inode<'_>, budget: &mut Budget) -> BlockMap {
        if !describe::has_map(self, inode) {
            BlockMap::default()
        } else if inode.has(flags::EXTENTS) {
            extent::read((&self.blocks, &self.superblock), inode, budget)
        } else {
            indirect::read(&self.blocks, inode, budget)
        }
    }

    /// Whether an inode is in use: as its bitmap says; where that is damaged, as the inode itself says.
    fn in_use(&self, inode: &Inode<'_>, allocated: Option<bool>) -> bool {
        allocated.unwrap_or_else(|| {
            let named = inode.links() > 0 && inode.deletion() == 0 && inode.kind() != EntryKind::Unknown;
            named || (inode.number < self.superblock.first_inode && !inode.is_blank())
        })
    }

    /// Whether a directory's names are ciphertext.
    fn is_encrypted(&self, directory: u32) -> bool {
        scan::record(self, directory.into()).is_ok_and(|record| record.inode().has(flags::ENCRYPT))
    }

    fn names(&self) -> &Names {
        self.names.get_or_init(|| Names::build(self))
    }

    /// What the journal remembers of files that are gone.
    fn former(&self) -> &Former {
        self.former.get_or_init(|| Former::build(self))
    }

    /// What is left of deleted inodes that still say where their content was.
    fn claims(&self) -> &Claims {
        self.claims.get_or_init(|| Claims::build(self))
    }

    /// The inodes on the orphan list.
    fn orphans(&self) -> &BTreeSet<u32> {
        self.orphans.get_or_init(|| orphans::read(self))
    }

    /// What the journal's blocks are copies of.
    fn copied(&self) -> &Copied {
        self.copied.get_or_init(|| Copied::build(self))
    }

    /// Whether a stream is the content of the journal.
    fn is_journal(&self, entry: EntryId, stream: &StreamName) -> bool {
        entry.0 == u64::from(self.superblock.journal_inode) && *stream == StreamName::Data
    }

    /// Gives a deleted inode back what the journal remembers of it.
    fn with_former(&self, mut described: Described) -> Described {
        let entry = &mut described.entry;
        let emptied = entry.state == EntryState::Deleted && entry.streams.iter().all(|s| s.runs().is_empty());
        if !emptied {
            return described;
        }
        let former = self.former().get(entry.id);
        if let Some(former) = former.filter(|former| former.entry.generation == entry.generation) {
            described.missing.clone_from(&former.missing);
            described.entry = former.entry.clone();
        }
        described
    }

    /// Describes one inode.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a number outside of the tables or a record that holds no inode.
    fn describe(&self, id: EntryId) -> Result<Described> {
        if let Some(former) = self.former().get(id).filter(|_| id.0 > u64::from(u32::MAX)) {
            let (entry, missing) = (former.entry.clone(), former.missing.clone());
            return Ok(Described { entry, errors: Vec::new(), missing });
        }
        let record = scan::record(self, id.0)?;
        let mut budget = Budget::new(&self.blocks, 1);
        describe::describe(self, &record.inode(), record.allocated, Check::Entry, &mut budget)
            .map(|described| self.with_former(described))
            .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("inode {} has never been used", id.0)))
    }
}

impl FileSystem for Ext4 {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn walk(&self, visit: &mut dyn FnMut(Walked) -> ControlFlow<()>) -> Result<()> {
        let mut budget = Budget::new(&self.blocks, 4);
        let mut deleted = BTreeSet::new();
        // The names come out of the same pass, unless they are known.
        let mut names = self.names.get().is_none().then(|| Builder::new(self));
        let flow = scan::tables(self, &mut |scanned| match scanned {
            Scanned::Problem(error) => visit(Walked::Problem { entry: None, error }),
            Scanned::Inode(inode, allocated) => {
                if let Some(names) = &mut names {
                    names.inode(self, (&inode, allocated), &mut budget);
                }
                let check = Check::Content(names.as_mut());
                let found = describe::describe(self, &inode, allocated, check, &mut budget);
                let Some(Described { entry, errors, .. }) = found.map(|found| self.with_former(found)) else {
                    return ControlFlow::Continue(());
                };
                let (id, state) = (entry.id, entry.state);
                if state == EntryState::Deleted {
                    deleted.insert(id);
                }
                visit(Walked::Entry(entry))?;
                // What is left of a deleted inode is rarely whole; its notes say so.
                if state != EntryState::Deleted {
                    for error in errors {
                        visit(Walked::Problem { entry: Some(id), error })?;
                    }
                }
                ControlFlow::Continue(())
            }
        });
        // Those whose number has been used again, or whose record has been wiped.
        let rest = self.former().all().filter(|former| !deleted.contains(&former.entry.id));
        if flow.is_continue() {
            // Someone else may have built them by now; they are the same.
            let _known = names.map(|names| self.names.set(names.finish(self)));
            // The caller may ask to stop; that is no error.
            let _stopped = rest.map(|former| former.entry.clone()).try_for_each(|e| visit(Walked::Entry(e)));
            if self.former().is_cut {
                let text = "the journal holds more former states of inodes than are kept";
                let _stopped =
                    visit(Walked::Problem { entry: None, error: Error::new(ErrorKind::LimitExceeded, text) });
            }
        }
        Ok(())
    }

    fn large_files(&self, size: u64, visit: &mut dyn FnMut(Entry) -> ControlFlow<()>) -> Result<()> {
        let mut budget = Budget::new(&self.blocks, 4);
        let _stopped = scan::tables(self, &mut |scanned| {
            let Scanned::Inode(inode, allocated) = scanned else { return ControlFlow::Continue(()) };
            if inode.kind() != EntryKind::File || inode.size(&self.superblock) < size {
                return ControlFlow::Continue(());
            }
            let found = describe::describe(self, &inode, allocated, Check::Entry, &mut budget);
            match found.map(|found| found.entry).filter(Entry::is_file_in_use) {
                Some(entry) => visit(entry),
                None => ControlFlow::Continue(()),
            }
        });
        Ok(())
    }

    fn entry(&self, id: EntryId) -> Result<Entry> {
        self.describe(id).map(|described| described.entry)
    }

    fn number(&self, id: EntryId) -> EntryNumber {
        let version = Some(id.0 >> 32).filter(|version| *version > 0);
        EntryNumber { number: Former::number(id).into(), version }
    }

    fn numbered(&self, number: EntryNumber) -> EntryId {
        // A number that no inode can have stays one.
        let version = number.version.filter(|_| number.number <= u64::from(u32::MAX)).unwrap_or(0);
        EntryId(number.number | version.min(u64::from(u32::MAX)) << 32)
    }

    fn about(&self, entry: EntryId, stream: &StreamName, offset: u64) -> Option<String> {
        if self.is_journal(entry, stream) { self.copied().about(self, offset) } else { None }
    }

    fn home(&self, entry: EntryId, stream: &StreamName, offset: u64) -> Option<u64> {
        if self.is_journal(entry, stream) { self.copied().home(self, offset) } else { None }
    }

    fn root(&self) -> EntryId {
        EntryId(Self::ROOT.into())
    }

    fn list(&self, directory: EntryId, visit: &mut dyn FnMut(DirEntry) -> ControlFlow<()>) -> Result<()> {
        let record = scan::record(self, directory.0)?;
        let inode = record.inode();
        if inode.kind() != EntryKind::Directory {
            let text = format!("inode {} is not a directory", directory.0);
            return Err(Error::new(ErrorKind::NotFound, text));
        }
        let mut budget = Budget::new(&self.blocks, 2);
        let map = self.map(&inode, &mut budget);
        let encrypted = inode.has(flags::ENCRYPT);
        let mut wrong = None;
        let listed = listing::visit(self, &inode, &map, &mut budget, &mut |record, place| {
            if record.removed || matches!(record.name, b"." | b"..") {
                return ControlFlow::Continue(());
            }
            if !names::is_name(&record, encrypted) || record.inode > self.superblock.inodes {
                let expected = "a name without `/` and NUL, and an inode that exists";
                let found = format_args!("inode {}, {} bytes of name", record.inode, record.name.len());
                wrong.get_or_insert(Error::corrupt(place, "directory record", expected, found));
                return ControlFlow::Continue(());
            }
            let name = directory::shown(record.name, encrypted);
            visit(DirEntry { name, id: EntryId(record.inode.into()), kind: record.kind })
        });
        let map_damage = map.damage.into_iter().map(|damage| damage.error);
        listed.errors.into_iter().chain(map_damage).chain(wrong).next().map_or(Ok(()), Err)
    }

    fn paths(&self, id: EntryId) -> Result<Paths> {
        let number = Former::number(id);
        if number == Self::ROOT {
            return Ok(Paths { all: vec![b"/".to_vec()] });
        }
        if id.0 != u64::from(number) {
            let former = self.former().get(id);
            if former.is_some_and(|former| former.is_live) {
                return Ok(Paths { all: self.names().paths(self, number)? });
            }
            let kind = former.map_or(EntryKind::Unknown, |former| former.entry.kind);
            let mut all = self.names().former_paths(self, id, kind)?;
            // The number belongs to another file by now, whose names these are not.
            let live = self.names().paths(self, number)?;
            all.retain(|path| !live.contains(path));
            return Ok(Paths { all });
        }
        let record = scan::record(self, id.0)?;
        let inode = record.inode();
        let all = self.names().paths(self, number)?;
        let alive = self.in_use(&inode, record.allocated) && inode.links() > 0;
        if !all.is_empty() || alive {
            return Ok(Paths { all });
        }
        Ok(Paths { all: self.names().former_paths(self, id, inode.kind())? })
    }

    fn open(&self, entry: &Entry, stream: &StreamName) -> Result<Arc<dyn ReadAt>> {
        let found = entry.stream(stream).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("inode {} has no such stream", entry.id.0))
        })?;
        match &found.layout {
            Layout::Resident { bytes, .. } => Ok(Arc::new(bytes.clone())),
            Layout::Encrypted(_) => {
                let text = format!("inode {}: the content is encrypted (fscrypt)", entry.id.0);
                Err(Error::new(ErrorKind::Encrypted, text))
            }
            Layout::Encoded(_) => Err(Error::unsupported("encoded content on ext")),
            Layout::Runs(_) => {
                let content = Arc::new(RunReader::new(self.blocks.content_volume(), found));
                let mut missing = match stream {
                    StreamName::Data => self.describe(entry.id)?.missing,
                    _ => Vec::new(),
                };
                missing.sort_unstable_by_key(|range| (range.start, range.end));
                if missing.is_empty() { Ok(content) } else { Ok(Arc::new(Partial { content, missing })) }
            }
        }
    }

    fn unallocated(&self, visit: &mut dyn FnMut(Range<u64>)) -> Result<()> {
        bitmap::free_blocks(self, &mut |blocks| {
            visit(self.blocks.to_bytes(blocks.start)..self.blocks.to_bytes(blocks.end));
        })
    }
}
