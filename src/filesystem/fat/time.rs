//! Dates and times as FAT and exFAT keep them: local time in steps of two seconds, from 1980 on.

use jiff::Timestamp;
use jiff::civil::DateTime;

/// The time of a date and a time field, with `centiseconds` on top; `None` where the date is not set or is none.
/// `offset` is exFAT's: minutes in quarters from UTC where bit 7 is set.
pub(super) fn time(date: u16, time: u16, centiseconds: u8, offset: u8) -> Option<Timestamp> {
    let field = |value: u16, shift: u16, bits: u16| i8::try_from(value >> shift & bits).ok();
    let year = i16::try_from(date >> 9).ok()?.checked_add(1980)?;
    let seconds =
        field(time, 0, 0x1f)?.checked_mul(2)?.checked_add(i8::try_from(centiseconds / 100).ok()?)?;
    let nanoseconds = i32::from(centiseconds % 100).checked_mul(10_000_000)?;
    let (month, day) = (field(date, 5, 0xf)?, field(date, 0, 0x1f)?);
    let (hour, minute) = (field(time, 11, 0x1f)?, field(time, 5, 0x3f)?);
    let local = DateTime::new(year, month, day, hour, minute, seconds, nanoseconds).ok()?;
    // Seven bits with a sign.
    let quarters = i64::from(offset & 0x7f);
    let quarters = if quarters >= 64 { quarters.saturating_sub(128) } else { quarters };
    let seconds = if offset & 0x80 == 0 { 0 } else { quarters.saturating_mul(900) };
    let as_utc = jiff::tz::TimeZone::UTC.to_timestamp(local).ok()?;
    as_utc.checked_sub(jiff::SignedDuration::from_secs(seconds)).ok()
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn fields_become_a_time_and_nonsense_becomes_none() {
        let shown =
            |date, at, centiseconds, offset| time(date, at, centiseconds, offset).map(|t| t.to_string());
        let day = 46 << 9 | 11 << 5 | 23;
        assert_eq!(shown(day, 12 << 11 | 34 << 5 | 3, 150, 0).as_deref(), Some("2026-11-23T12:34:07.5Z"));
        assert_eq!(shown(day, 12 << 11, 0, 0x80 | 8).as_deref(), Some("2026-11-23T10:00:00Z"));
        assert_eq!(shown(day, 12 << 11, 0, 0x80 | 0x7c).as_deref(), Some("2026-11-23T13:00:00Z"));
        assert_eq!(shown(0, 0, 0, 0), None);
        assert_eq!(shown(0xffff, 0xffff, 255, 255), None);
    }
}
