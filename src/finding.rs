//! What is reported: a secret or a leftover, its place, and what is known of it.
//!
//! Field names and order are those of the JSON lines (schema 1, see `docs/schema.md`).

use crate::location::State;
use crate::rules::{Category, Severity, Verdict};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A secret's bytes. Has no `Display` and no `Serialize`, so that no writer shows it by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes a secret into custody.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes themselves; only for validators, fingerprints and `--show-secrets`.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// At most the first four characters (never more than a fifth of the secret), and its length in bytes.
    pub fn masked(&self) -> String {
        let shown = (self.0.len() / 5).min(4);
        let head: String = self.0.iter().take(shown).map(|&byte| printable(byte)).collect();
        format!("{head}… ({} bytes)", self.0.len())
    }
}

/// A byte as one harmless character.
fn printable(byte: u8) -> char {
    if byte.is_ascii_graphic() { char::from(byte) } else { '.' }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

/// How a finding stands to an earlier scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Baseline {
    /// The earlier scan had it.
    Known,
    /// The earlier scan did not have it.
    New,
}

/// A finding. Absent means "not applicable".
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// Hash of place and rule; the same for one disk in any container.
    pub id: String,
    /// Rule or check that found it.
    pub rule: String,
    /// What sort it is.
    pub category: Category,
    /// How bad it is.
    pub severity: Severity,
    /// How sure it is.
    pub verdict: Verdict,
    /// One line for people.
    pub title: String,
    /// Place.
    #[serde(flatten)]
    pub place: Location,
    /// Length of the secret in bytes where it lies; of text that stands for other bytes, of that text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// Head and length of the secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_masked: Option<String>,
    /// The secret, with `--show-secrets` only.
    #[serde(rename = "secret", skip_serializing_if = "Option::is_none")]
    pub secret_shown: Option<String>,
    /// Keyed hash of the secret: the same secret in another place has the same one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Last modification of the file, RFC 3339 in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtime: Option<String>,
    /// User id of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_uid: Option<u32>,
    /// User name or SID, as the image's own tables give it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The id of the finding that completes this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pair: Option<String>,
    /// Other physical copies of this very place (journal, mirrors), as disk offsets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<u64>,
    /// Facts that back the finding, one sentence or `name: value` each. Never a secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// The package that the file belongs to unchanged, or the published test key that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_good: Option<String>,
    /// Checks for leftovers that found the same bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
    /// Why it is accepted, by whom and until when, as an allow-list says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
    /// Whether an earlier scan had it; absent without a baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// How to remove it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remedy: String,
    /// The secret itself, kept from writers.
    #[serde(skip)]
    pub secret: Option<Secret>,
}

/// The place of a finding.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct Location {
    /// File name of the image, escaped.
    pub image: String,
    /// Volume: `p3`, `whole`, `unpartitioned` …
    pub volume: String,
    /// File system.
    #[serde(
        default,
        deserialize_with = "crate::names::read_optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub fs: Option<crate::names::Name>,
    /// Full name in the file system, escaped; the bytewise smallest of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Inode or MFT record number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inode: Option<u64>,
    /// Which former state of the entry, counted back from the latest that a journal remembers; absent for the
    /// entry that its table holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// What owns the bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Stream other than the unnamed one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// Path inside an archive or other decoded content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// Offset in the stream (or member) in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_offset: Option<u64>,
    /// Line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Offset on the virtual disk in bytes; absent for bytes that exist only decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_offset: Option<u64>,
    /// Offset in the image file in bytes; absent where the container stores the place encoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_offset: Option<u64>,
    /// The ranges of the disk in which the bytes lie, in their order, where they lie in more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pieces: Vec<Piece>,
}

/// A range of the disk.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Piece {
    /// Offset on the virtual disk in bytes.
    pub disk_offset: u64,
    /// Length in bytes.
    pub length: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_shows_at_most_a_fifth_and_no_control_character() {
        assert_eq!(Secret::new("hunter2").masked(), "h… (7 bytes)");
        assert_eq!(Secret::new("\x1b[31mAAAAAAAAAAAAAAAAAAAAAAAAAA").masked(), ".[31… (31 bytes)");
        assert_eq!(Secret::new("abc").masked(), "… (3 bytes)");
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(7 bytes)");
    }
}
