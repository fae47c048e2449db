//! Records of logins that were wiped or moved: utmp(5) files are only ever appended to.

use super::{Condition, Found, Kind, parameters};
use crate::error::Result;
use crate::io::read_vec;
use crate::leftover::hit::Hit;
use serde::Deserialize;

pub(super) const KIND: Kind =
    Kind { name: "record_gaps", cases: &[], build: |table| Ok(Box::new(parameters::<RecordGaps>(table)?)) };

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordGaps {}

/// Length of a record on most machines.
const RECORD: usize = 384;
/// Offset of the time in seconds.
const TIME: usize = 340;
/// Seconds by which clocks may be put back.
const TOLERANCE: u32 = 86_400;
/// Bytes of the file that are looked at.
const LOOKED_MAX: u64 = 16 << 20;
/// Findings of one file.
const FINDINGS_MAX: usize = 20;

impl Condition for RecordGaps {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        if !hit.is_filled() || !hit.entry.size().is_multiple_of(384) {
            return Ok(());
        }
        let content = hit.tree.open(hit.spot.node, hit.entry)?;
        let size = content.size().min(LOOKED_MAX);
        let bytes = read_vec(content.as_ref(), 0, usize::try_from(size).unwrap_or(0))?;
        let mut last = 0_u32;
        for (record, number) in bytes.chunks_exact(RECORD).zip(0_u64..) {
            let time = record
                .get(TIME..TIME + 4)
                .and_then(|time| time.try_into().ok())
                .map_or(0, u32::from_le_bytes);
            let what = if record.iter().all(|&byte| byte == 0) {
                Some("all zeros".to_owned())
            } else if time > 0 && time < last.saturating_sub(TOLERANCE) {
                let shown = |seconds: u32| {
                    jiff::Timestamp::from_second(i64::from(seconds))
                        .map(|time| time.to_string())
                        .unwrap_or_default()
                };
                Some(format!("time goes back from {} to {}", shown(last), shown(time)))
            } else {
                None
            };
            last = if time > 0 { time } else { last };
            if let Some(what) = what
                && out.len() < FINDINGS_MAX
            {
                let evidence = vec![format!("record {}: {what}", number.saturating_add(1))];
                let place = Some((number.saturating_mul(384), number.saturating_add(1)));
                out.push(Found { place, evidence, ..Found::default() });
            }
        }
        Ok(())
    }
}
