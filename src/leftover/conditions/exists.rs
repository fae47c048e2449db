//! An entry that is there, as far as it says something: a regular file with content by default.

use super::{Condition, Found, Kind, parameters};
use crate::error::Result;
use crate::filesystem::EntryKind;
use crate::leftover::hit::Hit;
use serde::Deserialize;

pub(super) const KIND: Kind =
    Kind { name: "exists", cases: &[], build: |table| Ok(Box::new(parameters::<Exists>(table)?)) };

/// Parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Exists {
    /// Smallest size in bytes.
    min_size: u64,
    /// Count directories instead of files.
    directory: bool,
    /// Hexadecimal beginnings of which the content must have one.
    magic: Vec<Magic>,
    /// Only homes of people, not of services.
    people: bool,
}

impl Default for Exists {
    fn default() -> Self {
        Self { min_size: 1, directory: false, magic: Vec::new(), people: false }
    }
}

/// Bytes at an offset.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Magic {
    /// Text that stands there.
    #[serde(default)]
    text: String,
    /// Hexadecimal bytes that stand there.
    #[serde(default)]
    hex: String,
    /// Offset in bytes.
    #[serde(default)]
    at: u64,
    /// What it is.
    name: String,
}

impl Magic {
    fn stands_in(&self, hit: &Hit<'_>) -> Result<bool> {
        let bytes = match data_encoding::HEXLOWER_PERMISSIVE.decode(self.hex.as_bytes()) {
            Ok(bytes) if !bytes.is_empty() => bytes,
            _ => self.text.as_bytes().to_vec(),
        };
        let end = self.at.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if end > hit.entry.size() || end > 1 << 20 {
            return Ok(false);
        }
        Ok(hit.head(end)?.ends_with(&bytes))
    }
}

impl Condition for Exists {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        if self.people && !hit.home.is_none_or(|home| home.is_person) {
            return Ok(());
        }
        let right = match hit.entry.kind {
            EntryKind::Directory => self.directory,
            EntryKind::File => !self.directory && hit.entry.size() >= self.min_size,
            EntryKind::Symlink | EntryKind::Special | EntryKind::Unknown => false,
        };
        if !right {
            return Ok(());
        }
        let mut evidence = Vec::new();
        if !self.magic.is_empty() {
            let mut matched = None;
            for magic in &self.magic {
                if magic.stands_in(hit)? {
                    matched = Some(magic);
                    break;
                }
            }
            let Some(magic) = matched else { return Ok(()) };
            evidence.push(format!("content: {}", magic.name));
        }
        out.push(Found { evidence, ..Found::default() });
        Ok(())
    }
}
