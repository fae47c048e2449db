//! Entries of a file system, in the words that all of them share.

use crate::io::Backing;
use crate::location::{escape, unescape};
use jiff::Timestamp;
use std::fmt;

/// Inode number, or MFT record number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId(pub u64);

/// How an entry is called in reports: its number, and which of its former states it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryNumber {
    /// Inode or MFT record number.
    pub number: u64,
    /// Counts back from the latest former state that a journal remembers, from 1; absent for the entry that
    /// its table holds.
    pub version: Option<u64>,
}

impl fmt::Display for EntryNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number)?;
        self.version.map_or(Ok(()), |version| write!(f, "#{version}"))
    }
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum EntryKind {
    /// A file with content.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, or a reparse point that is one.
    Symlink,
    /// A device, socket or pipe.
    Special,
    /// Not said or not known.
    #[default]
    Unknown,
}

/// Whether the file system still counts the entry as its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum EntryState {
    /// In use.
    #[default]
    Allocated,
    /// Freed; its runs may belong to others since.
    Deleted,
    /// In use without a name (open when the machine stopped, or its directory is damaged).
    Orphan,
}

/// What the file system uses an entry for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Role {
    /// Content of users.
    #[default]
    Content,
    /// The journal (`$LogFile`).
    Journal,
    /// The file system's own tables kept as files (`$MFT`, `$Bitmap`, resize inode).
    Metadata,
}

/// The four times, and the deletion time where one is kept; `None` where not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Times {
    /// Content last modified.
    pub modified: Option<Timestamp>,
    /// Content last read.
    pub accessed: Option<Timestamp>,
    /// Entry (inode, MFT record) last changed.
    pub changed: Option<Timestamp>,
    /// Created.
    pub created: Option<Timestamp>,
    /// Deleted.
    pub deleted: Option<Timestamp>,
}

/// Who owns an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Owner {
    /// User id.
    pub uid: Option<u32>,
    /// Group id.
    pub gid: Option<u32>,
    /// Permission bits, including set-id and sticky (`0o7777`).
    pub mode: Option<u16>,
}

/// Name of the stream that a record's bytes behind its used part make; `:` and the record's number follow for
/// one that extends another.
pub const RECORD_SLACK: &[u8] = b"record slack";

/// Which of an entry's streams.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StreamName {
    /// The content itself (unnamed `$DATA`).
    Data,
    /// An alternate data stream.
    Named(Vec<u8>),
    /// An extended attribute, with its name space (`user.comment`).
    Xattr(Vec<u8>),
    /// Another NTFS attribute by type and name (`$REPARSE_POINT`, `$EA`, `$INDEX_ALLOCATION:$I30`).
    Attribute(Vec<u8>),
}

impl StreamName {
    /// Whether it is what lies behind the used part of a record of the file system's tables.
    pub fn is_slack(&self) -> bool {
        matches!(self, Self::Attribute(name) if name.starts_with(RECORD_SLACK))
    }

    /// The name as findings, listings and places show it, escaped: `None` for the unnamed stream, a named
    /// one as it is, others behind `xattr:` and `attribute:`.
    pub fn shown(&self) -> Option<String> {
        match self {
            Self::Data => None,
            Self::Named(name) => Some(escape(name)),
            Self::Xattr(name) => Some(format!("xattr:{}", escape(name))),
            Self::Attribute(name) => Some(format!("attribute:{}", escape(name))),
        }
    }

    /// Reads what [`shown`](Self::shown) shows.
    pub fn parse(shown: &str) -> Self {
        match shown.split_once(':') {
            Some(("xattr", name)) => Self::Xattr(unescape(name)),
            Some(("attribute", name)) => Self::Attribute(unescape(name)),
            _ => Self::Named(unescape(shown)),
        }
    }
}

/// Where a data run lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At this volume offset.
    At(u64),
    /// Nowhere: zeros.
    Hole,
    /// Reserved at this volume offset but not written: the content is zeros, the disk holds older bytes.
    Unwritten(u64),
    /// At this volume offset once; a journal holds the current bytes. Not part of the content.
    Superseded(u64),
}

/// A stretch of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataRun {
    /// Offset in the stream in bytes.
    pub logical: u64,
    /// Length in bytes: whole allocation units, so that the last run may pass the stream's size (slack).
    pub length: u64,
    /// Where it lies.
    pub place: Place,
}

/// How a stream is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Inside the entry's own record, as these bytes (after fixup).
    Resident {
        /// The content.
        bytes: Vec<u8>,
        /// Volume offset of its first byte, where it lies in one piece.
        place: Option<u64>,
    },
    /// As data runs, sorted by logical offset, holes included or left out.
    Runs(Vec<DataRun>),
    /// As data runs whose bytes are encoded (LZNT1): the content comes from `FileSystem::open` only.
    Encoded(Vec<DataRun>),
    /// As data runs whose bytes are encrypted: there is no content to be had.
    Encrypted(Vec<DataRun>),
}

/// A stream of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Which one.
    pub name: StreamName,
    /// Length of the content in bytes.
    pub size: u64,
    /// Bytes that have been written; the rest up to `size` reads as zeros while the disk holds older bytes.
    pub initialised: u64,
    /// How it is stored.
    pub layout: Layout,
}

impl Stream {
    /// What runs hold, all of it written, to the end of the last one.
    pub fn of_runs(name: StreamName, runs: Vec<DataRun>) -> Self {
        let size = runs.iter().map(DataRun::end).max().unwrap_or(0);
        Self { name, size, initialised: size, layout: Layout::Runs(runs) }
    }

    /// The data runs, whatever they hold; none for a resident stream.
    pub fn runs(&self) -> &[DataRun] {
        match &self.layout {
            Layout::Resident { .. } => &[],
            Layout::Runs(runs) | Layout::Encoded(runs) | Layout::Encrypted(runs) => runs,
        }
    }
}

/// An entry: an inode or MFT record with everything that hangs on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Number.
    pub id: EntryId,
    /// Generation or sequence number, which tells reuses of a number apart.
    pub generation: u64,
    /// What it is.
    pub kind: EntryKind,
    /// Whether it is in use.
    pub state: EntryState,
    /// What the file system uses it for.
    pub role: Role,
    /// Names that point to it, as the entry counts them.
    pub links: u32,
    /// Times.
    pub times: Times,
    /// Owner and mode.
    pub owner: Owner,
    /// Streams, the unnamed one first.
    pub streams: Vec<Stream>,
    /// What a reader of the report should know: encrypted, casefold, checksum mismatch, reparse tag …
    pub notes: Vec<String>,
}

impl Entry {
    /// Whether it is a file that is in use and does not belong to the file system itself.
    pub fn is_file_in_use(&self) -> bool {
        self.kind == EntryKind::File && self.state == EntryState::Allocated && self.role == Role::Content
    }

    /// The stream called `name`.
    pub fn stream(&self, name: &StreamName) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.name == *name)
    }

    /// Size of the unnamed stream, 0 without one.
    pub fn size(&self) -> u64 {
        self.stream(&StreamName::Data).map_or(0, |stream| stream.size)
    }
}

impl Default for EntryId {
    /// Zero, which no ext entry has and which is `$MFT` on NTFS.
    fn default() -> Self {
        Self(0)
    }
}

impl From<Place> for Backing {
    /// As seen from the volume: holes and unwritten runs read as zeros.
    fn from(place: Place) -> Self {
        match place {
            Place::At(host) => Self::Stored { host },
            Place::Hole | Place::Unwritten(_) | Place::Superseded(_) => Self::Hole,
        }
    }
}

impl DataRun {
    /// Offset in the stream just past the run.
    pub fn end(&self) -> u64 {
        self.logical.saturating_add(self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_names_come_back_as_they_were_shown() {
        let names = [
            StreamName::Named(b"Zone.Identifier".to_vec()),
            StreamName::Xattr(b"user.comment".to_vec()),
            StreamName::Attribute(b"$INDEX_ALLOCATION:$I30".to_vec()),
        ];
        for name in names {
            assert_eq!(StreamName::parse(&name.shown().unwrap()), name);
        }
        assert_eq!(StreamName::Data.shown(), None);
    }
}
