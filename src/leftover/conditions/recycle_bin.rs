//! The Recycle Bin: `$I` records (original name, size, time) and the `$R` files beside them.

use super::{Condition, Found, Kind, parameters, shown};
use crate::error::{Error, Result};
use crate::filesystem::EntryKind;
use crate::leftover::hit::Hit;
use serde::Deserialize;

pub(super) const KIND: Kind =
    Kind { name: "recycle_bin", cases: &[], build: |table| Ok(Box::new(parameters::<RecycleBin>(table)?)) };

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecycleBin {}

/// A record is at most this long: header and a path of 32,767 characters.
const RECORD_MAX: u64 = 28 + 2 * 32_768;

impl Condition for RecycleBin {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        let name = hit.name();
        if name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(b"$I")) && hit.is_filled() {
            let record = hit.head(RECORD_MAX)?;
            let Some(record) = Record::parse(&record) else {
                return Err(Error::corrupt(0, "$I record", "version 1 or 2 and a path", "something else"));
            };
            out.push(record.found());
        } else if matches!(hit.entry.kind, EntryKind::File | EntryKind::Directory) {
            // A `$R` file without its record is reported as what it is.
            out.push(Found { evidence: vec!["kept: deleted content".to_owned()], ..Found::default() });
        }
        Ok(())
    }
}

/// An `$I` record.
#[derive(Debug, PartialEq, Eq)]
struct Record {
    size: u64,
    /// 100-nanosecond units since 1601.
    deleted: u64,
    path: String,
}

impl Record {
    /// Version 1 has a fixed field of 260 characters, version 2 a length in front of the path.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| bytes.get(at..at + 8)?.try_into().map(u64::from_le_bytes).ok();
        let path = match number(0)? {
            1 => bytes.get(24..)?,
            2 => {
                let length = bytes.get(24..28)?.try_into().map(u32::from_le_bytes).ok()?;
                let length = usize::try_from(length).ok()?.checked_mul(2)?;
                bytes.get(28..28_usize.checked_add(length)?)?
            }
            _ => return None,
        };
        let units = path.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(u16::from_le_bytes);
        let units: Vec<u16> = units.take_while(|&unit| unit != 0).collect();
        Some(Self { size: number(8)?, deleted: number(16)?, path: String::from_utf16_lossy(&units) })
    }

    fn found(&self) -> Found {
        let mut evidence = vec![
            format!("original path: {}", shown(self.path.as_bytes())),
            format!("size: {} bytes", self.size),
        ];
        evidence.extend(file_time(self.deleted).map(|time| format!("deleted: {time}")));
        Found { detail: self.path.clone().into_bytes(), evidence, ..Found::default() }
    }
}

/// Time of a FILETIME.
pub(super) fn file_time(ticks: u64) -> Option<jiff::Timestamp> {
    const UNIX: u64 = 11_644_473_600;
    let seconds = (ticks / 10_000_000).checked_sub(UNIX)?;
    jiff::Timestamp::from_second(i64::try_from(seconds).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_give_the_original_path() {
        let path: Vec<u8> = "C:\\a.txt\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let header = |version: u64| {
            [version.to_le_bytes(), 5_u64.to_le_bytes(), 133_000_000_000_000_000_u64.to_le_bytes()].concat()
        };
        let mut one = [header(1), path.clone()].concat();
        one.resize(24 + 520, 0);
        let two = [header(2), 9_u32.to_le_bytes().to_vec(), path].concat();
        for record in [one, two] {
            let record = Record::parse(&record).unwrap();
            assert_eq!((record.path.as_str(), record.size), ("C:\\a.txt", 5));
            assert_eq!(file_time(record.deleted).unwrap().to_string(), "2022-06-18T04:26:40Z");
        }
        assert_eq!(Record::parse(b"\x02\0\0\0"), None);
    }
}
