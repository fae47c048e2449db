//! What was read and what was not: every byte of the disk is scanned, blank or unread.

use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Why bytes count against completeness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GapKind {
    /// The bytes could not be obtained.
    Unread,
    /// The bytes were swept raw, but what they mean could not be read (encrypted, unsupported, unknown).
    Opaque,
    /// A structure inside was damaged; its bytes were swept raw.
    Damaged,
    /// Work on them was cut short by a budget, or an archive is locked.
    Limited,
}

impl std::fmt::Display for GapKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(f)
    }
}

/// Something that was not read or not understood.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// Why it counts.
    pub kind: GapKind,
    /// Volume concerned.
    pub volume: String,
    /// Offset on the disk in bytes, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_offset: Option<u64>,
    /// Length in bytes, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// Path or inode concerned, escaped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What was expected, what was found, at which offset.
    pub reason: String,
}

/// Byte counts of one disk. Each is counted on its own; [`is_whole`](Self::is_whole) compares them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Size of the disk.
    pub size: u64,
    /// Bytes that went through the matchers.
    pub scanned: u64,
    /// Bytes of holes and all-zero blocks.
    pub blank: u64,
    /// Bytes that could not be obtained.
    pub unread: u64,
    /// Bytes that exist only decoded and went through the matchers; not part of `size`.
    pub decoded: u64,
    /// Bytes of volumes whose structure is not understood, though swept.
    pub opaque: u64,
}

impl Coverage {
    /// Adds another part's counts.
    pub fn add(&mut self, other: &Self) {
        self.size = self.size.saturating_add(other.size);
        self.scanned = self.scanned.saturating_add(other.scanned);
        self.blank = self.blank.saturating_add(other.blank);
        self.unread = self.unread.saturating_add(other.unread);
        self.decoded = self.decoded.saturating_add(other.decoded);
        self.opaque = self.opaque.saturating_add(other.opaque);
    }

    /// Whether scanned, blank and unread bytes add up to the disk.
    pub fn is_whole(&self) -> bool {
        self.scanned.checked_add(self.blank).and_then(|sum| sum.checked_add(self.unread)) == Some(self.size)
    }
}

/// Length of a range of bytes.
pub fn length(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start)
}
