//! The snapshot table ("Snapshots").

use super::header::Header;
use crate::error::{Error, Result};
use crate::io::{Fields, ReadAt, read_vec};
use crate::location::escape;

/// Snapshots that the format's own program allows.
const SNAPSHOTS_MAX: u32 = 65_536;
/// Length of an entry without its variable parts.
const ENTRY_LENGTH: usize = 40;

/// An internal snapshot.
#[derive(Clone, Debug)]
pub(super) struct SnapshotEntry {
    /// Its name, or its identifier where it has none; escaped.
    pub(super) name: String,
    /// Where its L1 table lies.
    pub(super) l1_at: u64,
    /// Entries of that table.
    pub(super) l1_entries: u64,
    /// Size of the disk, where the entry says it.
    pub(super) size: Option<u64>,
}

/// The internal snapshots. Damage in the table ends the list and is noted.
pub(super) fn read(file: &dyn ReadAt, header: &Header, notes: &mut Vec<String>) -> Vec<SnapshotEntry> {
    let mut found = Vec::new();
    let mut at = header.snapshots_at;
    for number in 0..header.snapshots.min(SNAPSHOTS_MAX) {
        match entry(file, at) {
            Ok((snapshot, next)) => {
                found.push(snapshot);
                at = next;
            }
            Err(error) => {
                notes.push(format!("snapshot {number} of {} cannot be read: {error}", header.snapshots));
                break;
            }
        }
    }
    if header.snapshots > SNAPSHOTS_MAX {
        notes.push(format!("{} snapshots claimed, {SNAPSHOTS_MAX} allowed", header.snapshots));
    }
    found
}

/// The entry at `at`, and where the next one starts.
fn entry(file: &dyn ReadAt, at: u64) -> Result<(SnapshotEntry, u64)> {
    let bytes = read_vec(file, at, ENTRY_LENGTH)?;
    let fields = Fields::new("snapshot", &bytes, at);
    let (id, name) = (u64::from(fields.be_u16(12)?), u64::from(fields.be_u16(14)?));
    let extra = u64::from(fields.be_u32(36)?);
    let past_end = || Error::truncated("snapshot", at, extra, file.size());
    let extra_at = at.checked_add(40).ok_or_else(past_end)?;
    let id_at = extra_at.checked_add(extra).ok_or_else(past_end)?;
    let name_at = id_at.checked_add(id).ok_or_else(past_end)?;
    let text = |at, length: u64| read_vec(file, at, usize::try_from(length).unwrap_or(usize::MAX));
    let shown = match text(name_at, name)? {
        bytes if bytes.is_empty() => escape(&text(id_at, id)?),
        bytes => escape(&bytes),
    };
    // "Extra data": eight bytes of the machine state's size, eight of the disk's.
    let size = match extra >= 16 {
        true => Some(Fields::new("snapshot", &read_vec(file, extra_at, 16)?, extra_at).be_u64(8)?),
        false => None,
    };
    let snapshot =
        SnapshotEntry { name: shown, l1_at: fields.be_u64(0)?, l1_entries: fields.be_u32(8)?.into(), size };
    let end = name_at.checked_add(name).and_then(|end| end.checked_next_multiple_of(8));
    Ok((snapshot, end.ok_or_else(past_end)?))
}
