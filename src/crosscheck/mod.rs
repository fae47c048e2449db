//! A second opinion: every file read by this program's reader and by an independent one, and compared.
//!
//! The independent readers are the crates `ext4-view` and `ntfs`. Where they are known to be wrong or to
//! refuse, a disagreement is listed with that explanation; any other disagreement needs a person's look.

mod ext;
mod ntfs;

use crate::error::{Error, Result};
use crate::filesystem::{Entry, EntryId, FileSystem, StreamName};
use crate::io::ReadAt;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// Bytes that are hashed at a time.
const CHUNK: usize = 1 << 20;

/// A disagreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The entry concerned, where it is about one.
    pub entry: Option<EntryId>,
    /// Its name, escaped.
    pub path: Option<String>,
    /// The stream, escaped; absent for the unnamed one.
    pub stream: Option<String>,
    /// What this program's reader says and what the other one says.
    pub what: String,
    /// The known limit of the other reader that explains it.
    pub explained: Option<&'static str>,
}

/// How the comparison of one file system ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Streams whose content is the same.
    pub same: u64,
    /// Disagreements with an explanation.
    pub explained: u64,
    /// Disagreements without one.
    pub unexplained: u64,
}

/// Compares all allocated files of a file system on `volume`; `None` where no independent reader exists.
///
/// # Errors
/// When this program's own reader cannot walk the file system.
pub fn compare(
    volume: &Arc<dyn ReadAt>,
    filesystem: &dyn FileSystem,
    emit: &mut dyn FnMut(Difference),
) -> Option<Result<Counts>> {
    let mut tally = Tally { counts: Counts::default(), emit };
    let result = match filesystem.facts().kind {
        "ext2" | "ext3" | "ext4" => ext::compare(volume, filesystem, &mut tally),
        "ntfs" => ntfs::compare(volume, filesystem, &mut tally),
        _ => return None,
    };
    Some(result.map(|()| tally.counts))
}

/// Counts agreements and passes disagreements on.
struct Tally<'a> {
    counts: Counts,
    emit: &'a mut dyn FnMut(Difference),
}

impl Tally<'_> {
    fn same(&mut self) {
        self.counts.same = self.counts.same.saturating_add(1);
    }

    fn differ(&mut self, difference: Difference) {
        let count = match difference.explained {
            Some(_) => &mut self.counts.explained,
            None => &mut self.counts.unexplained,
        };
        *count = count.saturating_add(1);
        (self.emit)(difference);
    }
}

/// Length and SHA-256 of some content.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Content {
    length: u64,
    sha256: String,
}

impl std::fmt::Display for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes, SHA-256 {}", self.length, self.sha256)
    }
}

/// Hashes what `read` delivers until it delivers nothing; `read` fills the front of the buffer.
fn hash<E>(mut read: impl FnMut(u64, &mut [u8]) -> Result<usize, E>) -> Result<Content, E> {
    let mut buffer = vec![0; CHUNK];
    let mut hasher = Sha256::new();
    let mut length: u64 = 0;
    loop {
        let count = read(length, &mut buffer)?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        hasher.update(bytes);
        length = length.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }
    Ok(Content { length, sha256: data_encoding::HEXLOWER.encode(&hasher.finalize()) })
}

/// The first `length` bytes of a stream through this program's reader.
fn ours(filesystem: &dyn FileSystem, entry: &Entry, name: &StreamName, length: u64) -> Result<Content> {
    let content = filesystem.open(entry, name)?;
    let end = length.min(content.size());
    hash(|at, buffer| {
        let step = bounded(end.saturating_sub(at), buffer.len());
        let part = buffer.get_mut(..step).ok_or_else(|| Error::truncated("buffer", at, 0, 0))?;
        content.read_at(at, part)?;
        Ok(step)
    })
}

/// `length`, but at most `max`.
fn bounded(length: u64, max: usize) -> usize {
    usize::try_from(length).map_or(max, |length| length.min(max))
}
