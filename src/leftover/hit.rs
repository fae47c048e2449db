//! What a condition gets to see: an entry whose path matched, its content, and the system around it.

use super::hive_log;
use super::system::{Home, System};
use super::tree::{Spot, Tree};
use crate::error::Result;
use crate::filesystem::{Entry, EntryKind};
use crate::format::hive::Hive;
use crate::io::ReadAt;
use std::cell::OnceCell;
use std::sync::Arc;

/// Bytes of a file that a condition parses; a longer one is looked at so far and then said to be cut.
pub(crate) const PARSED_BYTES_MAX: u64 = 4 << 20;

/// An entry whose path matched.
#[derive(Debug)]
pub(crate) struct Hit<'a> {
    /// The tree it stands in.
    pub(crate) tree: &'a Tree<'a>,
    /// The system it belongs to.
    pub(crate) system: &'a System,
    /// The entry, behind all links, with the path in its own file system.
    pub(crate) spot: &'a Spot,
    /// Path as the system sees it, in front of all links.
    pub(crate) seen: &'a [u8],
    /// The entry behind all links.
    pub(crate) entry: &'a Entry,
    /// Target of the link that stands at the path, where one does.
    pub(crate) link: Option<&'a [u8]>,
    /// The home that the pattern started in.
    pub(crate) home: Option<&'a Home>,
    /// Content, read at most once for all checks.
    pub(crate) content: OnceCell<Content>,
    /// Content as a registry hive with its logs replayed, opened at most once for all checks.
    pub(crate) hive: OnceCell<Arc<dyn ReadAt>>,
}

/// What was read of a file.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    /// The first bytes.
    pub(crate) bytes: Vec<u8>,
    /// Whether they are all.
    pub(crate) whole: bool,
}

impl Hit<'_> {
    /// Whether there is content to look at: a regular file that is not empty.
    pub(crate) fn is_filled(&self) -> bool {
        self.entry.kind == EntryKind::File && self.entry.size() > 0
    }

    /// Last component of the seen path.
    pub(crate) fn name(&self) -> &[u8] {
        self.seen.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
    }

    /// Content of the file, at most [`PARSED_BYTES_MAX`] of it.
    ///
    /// # Errors
    /// As the file system's.
    pub(crate) fn content(&self) -> Result<&Content> {
        if let Some(content) = self.content.get() {
            return Ok(content);
        }
        let bytes = self.tree.head(self.spot.node, self.entry, PARSED_BYTES_MAX)?;
        let whole = u64::try_from(bytes.len()).unwrap_or(u64::MAX) >= self.entry.size();
        Ok(self.content.get_or_init(|| Content { bytes, whole }))
    }

    /// The file as a registry hive, with its logs replayed where it was not closed cleanly.
    ///
    /// # Errors
    /// As the file system's, and when the content is no hive.
    pub(crate) fn hive(&self) -> Result<Hive<'_>> {
        if let Some(content) = self.hive.get() {
            return Hive::open(content.as_ref());
        }
        let content = hive_log::open(self.tree, self.spot.node, self.entry, self.seen)?;
        Hive::open(self.hive.get_or_init(|| content).as_ref())
    }

    /// The first bytes of the file, at most `max`.
    ///
    /// # Errors
    /// As the file system's.
    pub(crate) fn head(&self, max: u64) -> Result<Vec<u8>> {
        self.tree.head(self.spot.node, self.entry, max)
    }
}
