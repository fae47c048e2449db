//! Windows event logs: the file header of EVTX ([MS-EVEN6], file format of libevtx's documentation).

use super::{Condition, Found, Kind, parameters};
use crate::error::{Error, Result};
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
}

fn cleared() -> u64 {
    1
}

impl Condition for EventLog {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        if !hit.is_filled() {
            return Ok(());
        }
        let head = hit.head(4096)?;
        if head.starts_with(b"\x30\0\0\0LfLe") {
            out.push(Found { evidence: vec!["format: EVT".to_owned()], ..Found::default() });
            return Ok(());
        }
        if !head.starts_with(b"ElfFile\0") {
            return Err(Error::corrupt(0, "event log", "ElfFile", "something else"));
        }
        // Offset 24: identifier of the next record, counted from 1.
        let next = head.get(24..32).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
        let records = next.saturating_sub(1);
        if records > self.expected {
            let evidence = vec![format!("records written: {records}")];
            out.push(Found { evidence, ..Found::default() });
        }
        Ok(())
    }
}
