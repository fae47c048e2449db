//! The snapshot table ("Snapshots").

use super::header::Header;
use crate::error::{Error, Result};
use crate::io::{Fields, ReadAt, read_vec};
use crate::location::escape;

/// Snapshots that the format's own program allows.
const SNAPSHOTS_MAX: u32 = 65_536;
/// Length of an entry without its variable parts.
const ENTRY_LENGTH: usize = 40;

/// Names of the internal snapshots, escaped. Damage in the table ends the list and is noted.
pub(super) fn names(file: &dyn ReadAt, header: &Header, notes: &mut Vec<String>) -> Vec<String> {
    let mut found = Vec::new();
    let mut at = header.snapshots_at;
    for number in 0..header.snapshots.min(SNAPSHOTS_MAX) {
        match entry(file, at) {
            Ok((name, next)) => {
                found.push(name);
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
    if !found.is_empty() {
        notes.push(format!("{} internal snapshots hold older states, which are not read", found.len()));
    }
    found
}

/// Name of the entry at `at`, and where the next one starts.
fn entry(file: &dyn ReadAt, at: u64) -> Result<(String, u64)> {
    let bytes = read_vec(file, at, ENTRY_LENGTH)?;
    let fields = Fields::new("snapshot", &bytes, at);
    let (id, name) = (u64::from(fields.be_u16(12)?), u64::from(fields.be_u16(14)?));
    let extra = u64::from(fields.be_u32(36)?);
    let past_end = || Error::truncated("snapshot", at, extra, file.size());
    let id_at = at.checked_add(40).and_then(|at| at.checked_add(extra)).ok_or_else(past_end)?;
    let name_at = id_at.checked_add(id).ok_or_else(past_end)?;
    let text = |at, length: u64| read_vec(file, at, usize::try_from(length).unwrap_or(usize::MAX));
    let shown = match text(name_at, name)? {
        bytes if bytes.is_empty() => escape(&text(id_at, id)?),
        bytes => escape(&bytes),
    };
    let end = name_at.checked_add(name).and_then(|end| end.checked_next_multiple_of(8));
    Ok((shown, end.ok_or_else(past_end)?))
}
