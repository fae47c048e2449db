//! The log ("Log", section 2.3): what was not yet written to its place when the image was closed.
//!
//! The entries of the last complete sequence are laid over the file in memory; the file stays as it is.

use super::header::Header;
use crate::container::crc32c::crc32c;
use crate::container::patched::Patched;
use crate::error::{Error, Kind, Result};
use crate::io::{Fields, ReadAt, read_vec};
use std::ops::Range;
use std::sync::Arc;

/// Unit of the log and of what its data descriptors replace.
const SECTOR: u64 = 4096;
/// Largest log that is replayed; the usual one has 1 MiB.
const LOG_MAX: u64 = 256 << 20;
/// Length of the header of an entry.
const ENTRY_HEADER: usize = 64;
const DESCRIPTOR: usize = 32;

/// A log entry that is valid by itself.
struct Entry {
    /// Where in the log it starts.
    at: u64,
    /// The whole entry.
    bytes: Vec<u8>,
    sequence: u64,
    /// Where in the log the oldest entry of its sequence starts.
    tail: u64,
    /// Length that the file had at least when the entry was written.
    file_length: u64,
}

/// The file with its log replayed; the file itself where the log is empty.
///
/// # Errors
/// Where the log is not empty and holds no complete sequence, or is too large.
pub(super) fn replayed(
    source: Arc<dyn ReadAt>,
    header: &Header,
    notes: &mut Vec<String>,
) -> Result<Arc<dyn ReadAt>> {
    if header.log_identifier == [0; 16] {
        return Ok(source);
    }
    let length = header.log.end.saturating_sub(header.log.start);
    if length > LOG_MAX || length == 0 || !length.is_multiple_of(SECTOR) {
        let expected = format!("4 KiB to {LOG_MAX} bytes in steps of 4 KiB");
        return Err(Error::corrupt(header.log.start, "length of the VHDX log", expected, length));
    }
    let bytes = read_vec(source.as_ref(), header.log.start, usize::try_from(length).unwrap_or(usize::MAX))?;
    let log = Log { bytes, identifier: header.log_identifier };
    let sequence = log.active_sequence().ok_or_else(|| {
        Error::corrupt(header.log.start, "VHDX log", "a complete sequence of entries", "none")
    })?;
    if let Some(last) = sequence.last().filter(|last| last.file_length > source.size()) {
        let what = "the file is shorter than its log says";
        return Err(Error::truncated(what, 0, last.file_length, source.size()));
    }
    let mut patched = Patched::new(source);
    for entry in &sequence {
        apply(entry, &header.log, &mut patched)?;
    }
    notes.push(format!("the log was not empty: {} entries were replayed in memory", sequence.len()));
    Ok(Arc::new(patched))
}

/// The log's bytes, a ring.
struct Log {
    bytes: Vec<u8>,
    identifier: [u8; 16],
}

impl Log {
    /// "Log Replay": the sequence with the largest number whose entries are all there, oldest first.
    fn active_sequence(&self) -> Option<Vec<Entry>> {
        let length = u64::try_from(self.bytes.len()).ok()?;
        let mut best: Option<Vec<Entry>> = None;
        let mut at = 0;
        while at < length {
            let Some(sequence) = self.sequence_from(at) else {
                at = at.saturating_add(SECTOR);
                continue;
            };
            // Entries inside this sequence cannot start a longer one, but the ring may wrap.
            let reached = sequence.iter().map(|entry| entry.bytes.len()).fold(0, usize::saturating_add);
            at = at.saturating_add(u64::try_from(reached).unwrap_or(SECTOR).max(SECTOR));
            let head = |entries: &[Entry]| entries.last().map(|entry| entry.sequence);
            let complete = trim_to_tail(sequence);
            if let Some(complete) = complete
                && best.as_deref().and_then(head) < head(&complete)
            {
                best = Some(complete);
            }
        }
        best
    }

    /// Valid entries from `at` on that follow each other by place and number.
    fn sequence_from(&self, at: u64) -> Option<Vec<Entry>> {
        let length = u64::try_from(self.bytes.len()).ok()?;
        let mut entries: Vec<Entry> = Vec::new();
        let mut next = at;
        let mut used = 0u64;
        while used < length {
            let Some(entry) = self.entry(next) else { break };
            if entries.last().is_some_and(|last| last.sequence.checked_add(1) != Some(entry.sequence)) {
                break;
            }
            let entry_length = u64::try_from(entry.bytes.len()).ok()?;
            used = used.saturating_add(entry_length);
            next = next.saturating_add(entry_length) % length;
            entries.push(entry);
        }
        (!entries.is_empty()).then_some(entries)
    }

    /// The entry at `at`, where it is valid by itself ("Log Entry Header").
    fn entry(&self, at: u64) -> Option<Entry> {
        let start = self.ring(at, ENTRY_HEADER)?;
        let fields = Fields::new("VHDX log entry", &start, at);
        let length = fields.le_u32(8).ok()?;
        let sane = fields.bytes(0, 4).ok()? == b"loge"
            && fields.array(32).ok()? == self.identifier
            && length != 0
            && u64::from(length).is_multiple_of(SECTOR)
            && fields.le_u64(16).ok()? > 0;
        if !sane {
            return None;
        }
        let bytes = self.ring(at, usize::try_from(length).ok()?)?;
        (fields.le_u32(4).ok()? == crc32c(&bytes, 4)).then_some(())?;
        let tail = u64::from(fields.le_u32(12).ok()?);
        let (sequence, file_length) = (fields.le_u64(16).ok()?, fields.le_u64(48).ok()?);
        Some(Entry { at, bytes, sequence, tail, file_length })
    }

    /// `length` bytes from `at` on, around the end of the ring; `None` for more than the ring has.
    fn ring(&self, at: u64, length: usize) -> Option<Vec<u8>> {
        let at = usize::try_from(at).ok()?;
        if length > self.bytes.len() {
            return None;
        }
        let first = self.bytes.len().checked_sub(at)?.min(length);
        let mut bytes = self.bytes.get(at..at.checked_add(first)?)?.to_vec();
        bytes.extend_from_slice(self.bytes.get(..length.checked_sub(first)?)?);
        Some(bytes)
    }
}

/// The part of a sequence from its last entry's tail on; `None` where the tail is not in it.
fn trim_to_tail(mut entries: Vec<Entry>) -> Option<Vec<Entry>> {
    let tail = entries.last()?.tail;
    let first = entries.iter().position(|entry| entry.at == tail)?;
    Some(entries.split_off(first))
}

/// Lays what the descriptors of an entry in `log` say over the file.
fn apply(entry: &Entry, log: &Range<u64>, patched: &mut Patched) -> Result<()> {
    let fields = Fields::new("VHDX log entry", &entry.bytes, entry.at);
    let count = usize::try_from(fields.le_u32(24)?).unwrap_or(usize::MAX);
    let descriptors = count.saturating_mul(DESCRIPTOR).saturating_add(ENTRY_HEADER);
    let mut data = descriptors.checked_next_multiple_of(4096).unwrap_or(usize::MAX);
    for at in (ENTRY_HEADER..).step_by(DESCRIPTOR).take(count) {
        let file_at = fields.le_u64(at.saturating_add(16))?;
        if fields.le_u64(at.saturating_add(24))? != entry.sequence {
            let expected = entry.sequence;
            let found = fields.le_u64(at.saturating_add(24))?;
            return Err(Error::corrupt(fields.offset(at), "sequence of a log descriptor", expected, found));
        }
        if !file_at.is_multiple_of(SECTOR) {
            let expected = "a multiple of 4096";
            return Err(Error::corrupt(fields.offset(at), "place of a log descriptor", expected, file_at));
        }
        match fields.bytes(at, 4)? {
            b"zero" => patched.zero(file_at, fields.le_u64(at.saturating_add(8))?)?,
            b"desc" => {
                let sector = data_sector(&fields, at, data, entry.sequence)?;
                let inside = fields.offset(data).checked_rem(log.end.saturating_sub(log.start)).unwrap_or(0);
                patched.replace(file_at, sector, log.start.saturating_add(inside))?;
                data = data.saturating_add(4096);
            }
            _ => return Err(Error::corrupt(fields.offset(at), "log descriptor", "zero or desc", "other")),
        }
    }
    Ok(())
}

/// The sector of a data descriptor: its first eight and last four bytes are kept in the descriptor, because
/// the data sector has its sequence number there.
fn data_sector(fields: &Fields<'_>, at: usize, data: usize, sequence: u64) -> Result<[u8; 4096]> {
    let high = u64::from(fields.le_u32(data.saturating_add(4))?);
    let low = u64::from(fields.le_u32(data.saturating_add(4092))?);
    if fields.bytes(data, 4)? != b"data" || (high << 32 | low) != sequence {
        return Err(Error::corrupt(
            fields.offset(data),
            "sequence of a log sector",
            sequence,
            high << 32 | low,
        ));
    }
    let parts = [
        fields.bytes(at.saturating_add(8), 8)?,
        fields.bytes(data.saturating_add(8), 4084)?,
        fields.bytes(at.saturating_add(4), 4)?,
    ];
    let sector = parts.concat();
    sector.first_chunk().copied().ok_or_else(|| Error::new(Kind::Corrupt, "log sector of a wrong length"))
}
