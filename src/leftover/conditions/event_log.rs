//! Windows event logs: file header, chunk headers and the first bytes of records (EVTX file format).

use super::recycle_bin::file_time;
use super::{Condition, Found, Kind, parameters};
use crate::error::{Error, Result};
use crate::io::{ReadAt, read_vec};
use crate::leftover::hit::Hit;
use serde::Deserialize;

pub(super) const KIND: Kind =
    Kind { name: "event_log", cases: &[], build: |table| Ok(Box::new(parameters::<EventLog>(table)?)) };

/// Parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventLog {
    /// As many records as a log has after it was cleared.
    #[serde(default = "cleared")]
    expected: u64,
    /// Report a log only when it was cleared: records are missing from its front though it never wrapped.
    #[serde(default)]
    cleared: bool,
}

fn cleared() -> u64 {
    1
}

/// Length of the file header's block.
const HEADER: u64 = 4096;
/// Length of a chunk.
const CHUNK: u64 = 65_536;
/// Chunks of one log that are looked at: 4 GiB.
const CHUNKS_MAX: u64 = 65_536;
/// Offset of the first record of a chunk.
const FIRST_RECORD: u64 = 512;

impl Condition for EventLog {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        if !hit.is_filled() {
            return Ok(());
        }
        let content = hit.tree.open(hit.spot.node, hit.entry)?;
        let head = read_vec(content.as_ref(), 0, usize::try_from(content.size().min(128)).unwrap_or(0))?;
        if head.starts_with(b"\x30\0\0\0LfLe") {
            let evidence = vec!["format: EVT".to_owned()];
            out.extend((!self.cleared).then(|| Found { evidence, ..Found::default() }));
            return Ok(());
        }
        if !head.starts_with(b"ElfFile\0") {
            return Err(Error::corrupt(0, "event log", "ElfFile", "something else"));
        }
        let log = Log::read(content.as_ref(), &head);
        let counts = if self.cleared { log.is_cleared() } else { log.records > self.expected };
        if counts {
            out.push(Found { evidence: log.evidence(), ..Found::default() });
        }
        match log.damaged {
            // What could be read says enough when it holds records.
            Some(at) if !counts => Err(Error::corrupt(at, "event log chunk", "ElfChnk", "something else")),
            _ => Ok(()),
        }
    }
}

/// What the headers say.
#[derive(Debug, Default)]
struct Log {
    /// Records in all chunks.
    records: u64,
    /// Identifier of the oldest record.
    first: Option<u64>,
    /// Whether older chunks were overwritten.
    wrapped: bool,
    /// Times of the oldest and the newest record, as FILETIME.
    span: Option<(u64, u64)>,
    /// Offset of the first chunk that is none.
    damaged: Option<u64>,
}

impl Log {
    fn read(content: &dyn ReadAt, head: &[u8]) -> Self {
        let chunks = head.get(42..44).and_then(|b| b.try_into().ok()).map_or(0, u16::from_le_bytes);
        let in_file = content.size().saturating_sub(HEADER).div_ceil(CHUNK);
        let mut log = Self { wrapped: long(head, 8).is_some_and(|oldest| oldest > 0), ..Self::default() };
        // The header counts modulo 65,536, and lags behind on a log that was not closed.
        let in_use =
            if long(head, 120).is_some_and(|flags| flags & 1 == 1) { in_file } else { u64::from(chunks) };
        for index in 0..in_use.min(in_file).min(CHUNKS_MAX) {
            let at = HEADER.saturating_add(index.saturating_mul(CHUNK));
            if !log.chunk(content, at) && log.damaged.is_none() {
                log.damaged = Some(at);
            }
        }
        log
    }

    /// Takes a chunk; `false` when it is none. An empty one, all zeros, is none but no damage.
    fn chunk(&mut self, content: &dyn ReadAt, at: u64) -> bool {
        let Ok(head) = read_vec(content, at, 128) else { return false };
        if head.iter().all(|&byte| byte == 0) {
            return true;
        }
        let (Some(first), Some(last)) = (long(&head, 24), long(&head, 32)) else { return false };
        if !head.starts_with(b"ElfChnk\0") || last < first {
            return false;
        }
        if first == u64::MAX {
            // A chunk in use without a record yet.
            return true;
        }
        let most = CHUNK / 24;
        self.records = self.records.saturating_add(last.saturating_sub(first).saturating_add(1).min(most));
        self.first = Some(self.first.map_or(first, |own| own.min(first)));
        let last_at = head.get(44..48).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
        for within in [FIRST_RECORD, u64::from(last_at)] {
            // A record: magic 2a 2a 00 00, length, identifier, time written.
            let record = read_vec(content, at.saturating_add(within.min(CHUNK)), 24).unwrap_or_default();
            if let Some(time) = long(&record, 16).filter(|_| record.starts_with(b"**\0\0")) {
                let (oldest, newest) = self.span.unwrap_or((time, time));
                self.span = Some((oldest.min(time), newest.max(time)));
            }
        }
        true
    }

    /// Clearing keeps the numbers of records going and begins the file anew.
    fn is_cleared(&self) -> bool {
        !self.wrapped && self.first.is_some_and(|first| first > 1)
    }

    fn evidence(&self) -> Vec<String> {
        let mut evidence = vec![format!("records: {}", self.records)];
        evidence.extend(self.first.map(|first| format!("first record: {first}")));
        if self.is_cleared() {
            evidence.push("cleared: the records before it are gone though the log never wrapped".to_owned());
        }
        let (oldest, newest) = self.span.unzip();
        for (name, ticks) in [("oldest", oldest), ("newest", newest)] {
            evidence.extend(ticks.and_then(file_time).map(|time| format!("{name}: {time}")));
        }
        evidence
    }
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at.checked_add(8)?)?.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log with one chunk that holds these records.
    fn log(first: u64, last: u64, oldest_chunk: u64) -> Vec<u8> {
        let mut file = vec![0; 4096 + 65_536];
        file[..8].copy_from_slice(b"ElfFile\0");
        file[8..16].copy_from_slice(&oldest_chunk.to_le_bytes());
        file[42] = 1;
        let chunk = &mut file[4096..];
        chunk[..8].copy_from_slice(b"ElfChnk\0");
        chunk[24..32].copy_from_slice(&first.to_le_bytes());
        chunk[32..40].copy_from_slice(&last.to_le_bytes());
        chunk[44..48].copy_from_slice(&512_u32.to_le_bytes());
        chunk[512..516].copy_from_slice(b"**\0\0");
        chunk[528..536].copy_from_slice(&133_000_000_000_000_000_u64.to_le_bytes());
        file
    }

    #[test]
    fn records_span_and_clearing_come_from_the_headers() {
        let read = |file: &Vec<u8>| Log::read(file, &file[..128]);
        let full = read(&log(1, 90, 0));
        assert_eq!((full.records, full.is_cleared(), full.damaged), (90, false, None));
        assert!(full.evidence().contains(&"oldest: 2022-06-18T04:26:40Z".to_owned()));
        assert!(read(&log(5000, 5000, 0)).is_cleared());
        assert!(!read(&log(5000, 5090, 3)).is_cleared());
        let mut broken = log(1, 2, 0);
        broken[4096] = b'x';
        assert_eq!(read(&broken).damaged, Some(4096));
        assert!(read(&vec![0; 128]).records == 0);
    }
}
