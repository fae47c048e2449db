//! Journals of systemd (Journal File Format, header).

use super::{Condition, Found, Kind, parameters};
use crate::error::{Error, Result};
use crate::leftover::hit::Hit;
use serde::Deserialize;

pub(super) const KIND: Kind =
    Kind { name: "journal", cases: &[], build: |table| Ok(Box::new(parameters::<Journal>(table)?)) };

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Journal {}

impl Condition for Journal {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        if !hit.is_filled() {
            return Ok(());
        }
        let head = hit.head(208)?;
        if !head.starts_with(b"LPKSHHRH") {
            return Err(Error::corrupt(0, "journal", "LPKSHHRH", "something else"));
        }
        let field =
            |at: usize| head.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes);
        let entries = field(152);
        if entries == 0 {
            return Ok(());
        }
        let mut evidence = vec![format!("entries: {entries}")];
        for (name, at) in [("first entry", 184), ("last entry", 192)] {
            let micros = i64::try_from(field(at)).unwrap_or(0);
            let time = jiff::Timestamp::from_microsecond(micros).ok().filter(|_| micros > 0);
            evidence.extend(time.map(|time| format!("{name}: {time}")));
        }
        out.push(Found { evidence, ..Found::default() });
        Ok(())
    }
}
