//! Confirmed matches with their places, before they become findings.

use crate::filesystem::EntryId;
use crate::finding::Secret;
use crate::location::State;
use crate::rules::{Severity, Verdict};
use std::ops::Range;

/// A match and its place.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Index of the land in the ground.
    pub land: usize,
    /// The entry and the index of its stream.
    pub entry: Option<(EntryId, u16)>,
    /// What owns the bytes; `None` where nothing is known of the volume.
    pub state: Option<State>,
    /// Offset of the secret in its stream or member.
    pub file_offset: Option<u64>,
    /// Offset of the secret on the disk.
    pub disk_offset: Option<u64>,
    /// The ranges of the disk that it lies in, where there are several.
    pub pieces: Vec<Range<u64>>,
    /// Length of the secret in bytes there; of text that stands for others, of that text.
    pub length: u64,
    /// Path inside decoded content.
    pub member: Option<String>,
    /// The secret in what the member was taken from: path of that one (empty for the content of the disk) and
    /// offset, where it lies there.
    pub container: Option<(String, u64)>,
    /// Whether the bytes come from a record after fixup or from a decoder: such a match replaces one of the
    /// raw bytes at the same place.
    pub decoded: bool,
    /// Index of the rule.
    pub rule: usize,
    /// How bad it is.
    pub severity: Severity,
    /// How sure it is.
    pub verdict: Verdict,
    /// Facts for the report.
    pub evidence: Vec<String>,
    /// The published credential that it is.
    pub known_good: Option<String>,
    /// Whether the match was longer than the window.
    pub cut: bool,
    /// The secret.
    pub secret: Secret,
}
