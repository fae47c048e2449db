//! Names that a directory once held: entries in the slack of its index records (`$INDEX_ALLOCATION:$I30`).
//!
//! Removing a name moves the entries behind it to the front, so that old ones stay behind the end of those in
//! use. Only names whose record has been given to another file since are of interest: all others are known
//! from their records. Index records are read one by one in stored order; the tree's own links are not followed.

use super::name::FileName;
use super::record::{Reference, undo_fixups};
use super::standard_information::time;
use crate::error::Result;
use crate::io::{Fields, ReadAt};
use std::collections::BTreeSet;

/// Names shown of one directory.
pub(super) const NAMES_MAX: usize = 1000;
/// Offset of the index header in an index record, which its fields count from.
const HEADER: usize = 0x18;
/// Offset of the key, a `$FILE_NAME`, in an index entry.
const KEY: usize = 0x10;

/// A name that was found, and the record that it named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Former {
    number: u64,
    sequence: u16,
    name: Vec<u8>,
    size: u64,
    modified: u64,
}

impl Former {
    /// The record.
    pub(super) fn record(&self) -> Reference {
        Reference { number: self.number, sequence: self.sequence }
    }

    /// Whether it is this name of this record.
    pub(super) fn is(&self, record: Reference, name: &[u8]) -> bool {
        self.record() == record && self.name == name
    }

    /// The name for a reader of a report.
    pub(super) fn note(&self) -> String {
        let name = crate::location::escape(&self.name);
        let modified = time(self.modified).map(|time| format!(", modified {time}")).unwrap_or_default();
        format!("once held {name} (record {}, {} bytes{modified})", self.number, self.size)
    }
}

/// Names in the slack of the index records of `size` bytes in `index`, which belongs to `directory`, as far as
/// `is_gone` says so of their records. Index records that cannot be read are left out: they only repeat what
/// the records themselves say.
pub(super) fn names(
    index: &dyn ReadAt,
    size: usize,
    directory: Reference,
    is_gone: &dyn Fn(Reference) -> bool,
) -> Vec<Former> {
    let mut found = BTreeSet::new();
    let mut record = vec![0; size];
    let step = u64::try_from(size).unwrap_or(u64::MAX).max(1);
    for at in (0..index.size() / step).map(|number| number.saturating_mul(step)) {
        if index.read_at(at, &mut record).is_err()
            || record.get(..4) != Some(b"INDX")
            || undo_fixups(&mut record, at).is_err()
        {
            continue;
        }
        let fields = Fields::new("index record", &record, at);
        let used = fields.le_u32(HEADER.saturating_add(4)).ok().and_then(|used| usize::try_from(used).ok());
        let start = used.map_or(size, |used| used.saturating_add(HEADER)).next_multiple_of(8);
        for entry in (start..size).step_by(8) {
            if let Ok(Some(former)) = entry_at(&fields, entry, directory)
                && is_gone(former.record())
                && found.len() < NAMES_MAX
            {
                found.insert(former);
            }
        }
    }
    found.into_iter().collect()
}

/// The index entry at `entry`, where all of its fields agree with each other and with the directory.
fn entry_at(fields: &Fields<'_>, entry: usize, directory: Reference) -> Result<Option<Former>> {
    let at = |offset: usize| entry.saturating_add(offset);
    let length = usize::from(fields.le_u16(at(8))?);
    let key_length = usize::from(fields.le_u16(at(10))?);
    let key = fields.bytes(at(KEY), key_length)?;
    let key = Fields::new("index key", key, fields.offset(at(KEY)));
    let name_end = usize::from(key.u8(0x40)?).saturating_mul(2).saturating_add(0x42);
    let lengths = key_length == name_end && length >= key_length.saturating_add(KEY) && length % 8 == 0;
    let record = Reference::from_raw(fields.le_u64(entry)?);
    let parent = Reference::from_raw(key.le_u64(0)?);
    if !lengths || parent != directory || record.sequence == 0 {
        return Ok(None);
    }
    let name = FileName::parse(key.all(), key.offset(0))?;
    Ok(Some(Former {
        number: record.number,
        sequence: record.sequence,
        name: name.name,
        size: key.le_u64(0x30)?,
        modified: key.le_u64(0x10)?,
    }))
}
