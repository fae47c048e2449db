//! `$STANDARD_INFORMATION`: times and file attributes.

use crate::error::Result;
use crate::filesystem::Times;
use crate::io::Fields;
use jiff::Timestamp;

/// Seconds from 1601-01-01, where FILETIME starts, to 1970-01-01.
const EPOCH_SECONDS: i64 = 11_644_473_600;

/// File attributes worth a note, by their usual names.
const NOTED: &[(u32, &str)] = &[
    (0x0002, "hidden"),
    (0x0004, "system"),
    (0x0100, "temporary"),
    (0x1000, "offline"),
    (0x4000, "encrypted"),
];

/// Times and attributes of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct StandardInformation {
    /// The four times.
    pub(super) times: Times,
    /// File attributes (`FILE_ATTRIBUTE_*`).
    pub(super) attributes: u32,
}

impl StandardInformation {
    /// Parses the value of the attribute, found at `at`.
    ///
    /// # Errors
    /// Truncated values.
    pub(super) fn parse(value: &[u8], at: u64) -> Result<Self> {
        let fields = Fields::new("$STANDARD_INFORMATION", value, at);
        let times = Times {
            created: time(fields.le_u64(0x00)?),
            modified: time(fields.le_u64(0x08)?),
            changed: time(fields.le_u64(0x10)?),
            accessed: time(fields.le_u64(0x18)?),
            deleted: None,
        };
        Ok(Self { times, attributes: fields.le_u32(0x20)? })
    }

    /// The attributes that a reader of a report should know of.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> + '_ {
        NOTED.iter().filter(|(bit, _)| self.attributes & bit != 0).map(|(_, name)| (*name).to_owned())
    }
}

/// A FILETIME: units of 100 ns since 1601. `None` for zero, which stands for "not set", and for times that
/// no calendar holds.
pub(super) fn time(filetime: u64) -> Option<Timestamp> {
    let seconds = i64::try_from(filetime / 10_000_000).ok()?.checked_sub(EPOCH_SECONDS)?;
    let nanoseconds = i32::try_from(filetime % 10_000_000).ok()?.checked_mul(100)?;
    if filetime == 0 { None } else { Timestamp::new(seconds, nanoseconds).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filetime_counts_100_ns_from_1601() {
        for (filetime, expected) in [
            (0, None),
            (116_444_736_000_000_000, Some("1970-01-01T00:00:00Z")),
            (132_223_104_001_234_567, Some("2020-01-01T00:00:00.1234567Z")),
            (1, Some("1601-01-01T00:00:00.0000001Z")),
            (u64::MAX, None),
        ] {
            assert_eq!(time(filetime).map(|time| time.to_string()).as_deref(), expected, "{filetime}");
        }
    }
}
