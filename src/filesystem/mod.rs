//! File systems: what turns a volume into entries with streams and data runs.
//!
//! One folder or file a file system, one line in [`FILE_SYSTEMS`]. Readers scan inode tables and the MFT
//! linearly, never by path, so that deleted entries and damage come out of the same loop; paths are built
//! on request. Damage in one entry stays in that entry.

mod directory;
mod entry;
mod ext4;
mod fat;
mod ntfs;
mod recognise;
mod runs;

pub use directory::Directory;
pub use entry::{
    DataRun, Entry, EntryId, EntryKind, EntryNumber, EntryState, Layout, Owner, Place, RECORD_SLACK, Role,
    Stream, StreamName, Times,
};

pub use runs::RunReader;

use crate::error::{Error, Result};
use crate::io::ReadAt;
use crate::location::escape;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

/// What is known of a file system apart from its entries.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Name: `ext4`, `ext2`, `ntfs`, `swap` …
    #[serde(deserialize_with = "crate::names::read")]
    pub kind: crate::names::Name,
    /// Volume label, escaped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// UUID or serial number, as the platform's own tools print it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// Allocation unit (block or cluster) in bytes.
    pub block_size: u64,
    /// Length in bytes that the file system claims; the volume may be longer (volume slack) or shorter.
    pub size: u64,
    /// Features by their usual names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// What a reader of the report should know (journal replayed, checksum mismatches, backup superblock …).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What a walk comes across.
#[derive(Debug)]
pub enum Walked {
    /// An entry, allocated or not.
    Entry(Entry),
    /// Something that could not be read; the walk goes on behind it.
    Problem {
        /// The entry concerned, where one is.
        entry: Option<EntryId>,
        /// What is wrong.
        error: Error,
    },
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// The name's bytes: as stored on ext, WTF-8 on NTFS. Never empty, never holds `/` or NUL.
    pub name: Vec<u8>,
    /// The entry that it names.
    pub id: EntryId,
    /// What the directory says the entry is; [`EntryKind::Unknown`] where it does not say.
    pub kind: EntryKind,
}

/// Full names of an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// Absolute paths with `/` between names, bytewise sorted; more than one for hard links. Empty for an
    /// entry that no directory names (orphans, the journal).
    pub all: Vec<Vec<u8>>,
}

/// A file system on a volume. All offsets are volume-relative bytes.
pub trait FileSystem: Send + Sync + fmt::Debug {
    /// What is known of it as a whole.
    fn facts(&self) -> &Facts;

    /// Visits every entry once, in on-disk order: allocated, deleted and orphaned ones, and the file
    /// system's own (journal, `$MFT` …, see [`Role`]). Stops early on [`ControlFlow::Break`].
    ///
    /// # Errors
    /// Only what makes going on impossible; all else is [`Walked::Problem`].
    fn walk(&self, visit: &mut dyn FnMut(Walked) -> ControlFlow<()>) -> Result<()>;

    /// Visits the files in use that have at least `size` bytes, as [`walk`](Self::walk) does; what cannot be
    /// read is left out. Reading fewer entries whole, this is faster where a format allows it.
    ///
    /// # Errors
    /// As [`walk`](Self::walk).
    fn large_files(&self, size: u64, visit: &mut dyn FnMut(Entry) -> ControlFlow<()>) -> Result<()> {
        self.walk(&mut |walked| match walked {
            Walked::Entry(entry) if entry.is_file_in_use() && entry.size() >= size => visit(entry),
            _ => ControlFlow::Continue(()),
        })
    }

    /// Reads one entry again.
    ///
    /// # Errors
    /// [`Kind::NotFound`](crate::error::Kind::NotFound) for a number outside of the tables, and damage.
    fn entry(&self, id: EntryId) -> Result<Entry>;

    /// How reports call an entry.
    fn number(&self, id: EntryId) -> EntryNumber {
        EntryNumber { number: id.0, version: None }
    }

    /// The entry that reports call so.
    fn numbered(&self, number: EntryNumber) -> EntryId {
        EntryId(number.number)
    }

    /// What a place in a stream of the file system's own (journal, tables) is about, for a reader of a report;
    /// `None` where that is not known.
    fn about(&self, _entry: EntryId, _stream: &StreamName, _offset: u64) -> Option<String> {
        None
    }

    /// The place of the volume that a place in the journal was written for, where it is known: the journal holds
    /// what stood, or should have stood, there once.
    fn home(&self, _entry: EntryId, _stream: &StreamName, _offset: u64) -> Option<u64> {
        None
    }

    /// The root directory.
    fn root(&self) -> EntryId;

    /// Visits the names of a directory in stored order, without `.` and `..`.
    ///
    /// # Errors
    /// As [`entry`](Self::entry); damage inside is reported after the readable names have been visited.
    fn list(&self, directory: EntryId, visit: &mut dyn FnMut(DirEntry) -> ControlFlow<()>) -> Result<()>;

    /// All full names of an entry, deleted ones with the last known name.
    ///
    /// # Errors
    /// When the directories concerned cannot be read.
    fn paths(&self, id: EntryId) -> Result<Paths>;

    /// The content of a stream as its file system would give it: holes, unwritten blocks and bytes past the
    /// initialised size are zeros, compressed units are decoded, the length is the stream's size.
    ///
    /// # Errors
    /// [`Kind::NotFound`](crate::error::Kind::NotFound) for a stream that the entry does not have,
    /// [`Kind::Encrypted`](crate::error::Kind::Encrypted), and damage.
    fn open(&self, entry: &Entry, stream: &StreamName) -> Result<Arc<dyn ReadAt>>;

    /// Visits the unallocated ranges in ascending order, coalesced.
    ///
    /// # Errors
    /// When the allocation bitmap cannot be read; ranges visited before are right.
    fn unallocated(&self, visit: &mut dyn FnMut(Range<u64>)) -> Result<()>;

    /// Opens one entry by path: bytes, absolute, `/` between names. Follows no symbolic links.
    ///
    /// # Errors
    /// [`Kind::NotFound`](crate::error::Kind::NotFound), and damage on the way.
    fn find(&self, path: &[u8]) -> Result<EntryId> {
        let mut at = self.root();
        for name in path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
            let mut found = None;
            self.list(at, &mut |entry| {
                if self.same_name(&entry.name, name) {
                    found = Some(entry.id);
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            })?;
            at = found.ok_or_else(|| {
                let shown = crate::location::escape(path);
                Error::new(crate::error::Kind::NotFound, format!("no such path: {shown}"))
            })?;
        }
        Ok(at)
    }

    /// Whether two names are one to this file system (NTFS folds case).
    fn same_name(&self, one: &[u8], other: &[u8]) -> bool {
        one == other
    }
}

/// What probing a volume's first bytes came to.
#[derive(Debug)]
pub enum Recognised {
    /// A file system that is read.
    Opened(Arc<dyn FileSystem>),
    /// Content with a known name that needs no file-system reader to be complete once swept (swap, an EFI
    /// boot image …).
    Plain(Facts),
    /// Recognised, but its content cannot be read: encrypted or unsupported. Swept raw, reported as opaque.
    Opaque {
        /// What it is.
        facts: Facts,
        /// Why it cannot be read.
        error: Error,
    },
    /// Nothing known.
    Unknown,
}

/// A kind of file system or of recognised volume content.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Name for reports.
    pub name: &'static str,
    /// Looks at the volume; `None` when it is something else.
    pub probe: fn(&Arc<dyn ReadAt>) -> Option<Recognised>,
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kind").field("name", &self.name).finish_non_exhaustive()
    }
}

/// All kinds, in the order in which they are probed. What stands near the end of a volume comes last, because
/// the file system at its start says more; what is only guessed comes after everything.
pub const FILE_SYSTEMS: &[Kind] = &[
    recognise::luks::KIND,
    recognise::bitlocker::KIND,
    ntfs::KIND,
    recognise::ext_journal::KIND,
    ext4::KIND,
    fat::KIND,
    recognise::swap::KIND,
    recognise::unread::XFS,
    recognise::unread::BTRFS,
    recognise::unread::SQUASHFS,
    recognise::unread::REFS,
    recognise::unread::APFS,
    recognise::unread::HFS_PLUS,
    recognise::unread::HFSX,
    recognise::unread::F2FS,
    recognise::unread::ISO9660,
    recognise::lvm::KIND,
    recognise::zfs::KIND,
    recognise::md::KIND,
    ext4::BACKUP_KIND,
    recognise::random::KIND,
];

/// An entry in words, with its path where it has one: `inode 12 (/etc/x)`.
pub fn named(filesystem: &dyn FileSystem, entry: EntryId) -> String {
    let path = filesystem.paths(entry).unwrap_or_default().all.into_iter().next();
    let path = path.map(|path| format!(" ({})", escape(&path))).unwrap_or_default();
    format!("inode {}{path}", filesystem.number(entry))
}

/// Says what a volume holds.
pub fn recognise(volume: &Arc<dyn ReadAt>) -> Recognised {
    FILE_SYSTEMS.iter().find_map(|kind| (kind.probe)(volume)).unwrap_or(Recognised::Unknown)
}

/// What the kind called `name` says of a volume, where it recognises it.
pub fn describe(name: &str, volume: &Arc<dyn ReadAt>) -> Option<Facts> {
    let kind = FILE_SYSTEMS.iter().find(|kind| kind.name == name)?;
    match (kind.probe)(volume)? {
        Recognised::Plain(facts) | Recognised::Opaque { facts, .. } => Some(facts),
        Recognised::Opened(_) | Recognised::Unknown => None,
    }
}
