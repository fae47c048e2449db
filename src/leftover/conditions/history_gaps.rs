//! Histories whose times have holes or go backwards, and empty ones of users who logged in.

use super::{Condition, Found, Kind, parameters, shown};
use crate::error::Result;
use crate::filesystem::EntryKind;
use crate::leftover::hit::Hit;
use crate::leftover::lines::lines;
use serde::Deserialize;

pub(super) const KIND: Kind =
    Kind { name: "history_gaps", cases: &[], build: |table| Ok(Box::new(parameters::<HistoryGaps>(table)?)) };

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HistoryGaps {}

const DAY: i64 = 86_400;
/// Days without an entry between two entries.
const GAP_DAYS: i64 = 30;
/// Findings of one history.
const FINDINGS_MAX: usize = 20;
/// Bytes of the records of logins that are looked at.
const RECORDS_MAX: u64 = 4 << 20;

impl Condition for HistoryGaps {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        if hit.entry.kind != EntryKind::File {
            return Ok(());
        }
        if hit.entry.size() == 0 {
            return empty(hit, out);
        }
        let mut last: Option<i64> = None;
        for line in lines(&hit.content()?.bytes) {
            let Some(time) = stamp(line.bytes) else { continue };
            let step = last.map_or(0, |last| time.saturating_sub(last));
            let what = if step > GAP_DAYS * DAY {
                Some(("gap", step / DAY))
            } else if step < -DAY {
                Some(("backwards", -step / DAY))
            } else {
                None
            };
            if let (Some((what, days)), Some(last)) = (what, last)
                && out.len() < FINDINGS_MAX
            {
                let evidence =
                    vec![format!("{what}: {days} days, from {} to {}", shown_time(last), shown_time(time))];
                out.push(Found { place: Some(line.place()), evidence, ..Found::default() });
            }
            last = Some(time);
        }
        Ok(())
    }
}

/// An empty history of a user whom the records of logins name.
fn empty(hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
    let Some(user) = hit.home.and_then(|home| home.user.as_deref()) else { return Ok(()) };
    let Some(records) = hit.tree.read(b"/var/log/wtmp", RECORDS_MAX)? else { return Ok(()) };
    // A record of utmp(5): type at 0, user at 44, 32 bytes long.
    let logins = records.chunks_exact(384).filter(|record| {
        let name = record.get(44..76).unwrap_or_default();
        record.first() == Some(&7) && name.split(|&byte| byte == 0).next() == Some(user)
    });
    let count = logins.count();
    if count > 0 {
        let evidence =
            vec!["size: 0 bytes".to_owned(), format!("logins of {} in wtmp: {count}", shown(user))];
        out.push(Found { evidence, ..Found::default() });
    }
    Ok(())
}

/// The time of an entry of bash (`#digits`), zsh (`: digits:`) or fish (`  when: digits`).
fn stamp(line: &[u8]) -> Option<i64> {
    let marks: [&[u8]; 4] = [b"#+", b"#", b": ", b"  when: "];
    let rest = marks.iter().find_map(|mark| line.strip_prefix(*mark))?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_ended = matches!(rest.get(digits), None | Some(b':'));
    let text = rest.get(..digits).filter(|_| is_ended && (9..=11).contains(&digits))?;
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn shown_time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_marks_of_time_are_times() {
        let cases: [(&[u8], Option<i64>); 6] = [
            (b"#1700000000", Some(1_700_000_000)),
            (b"#+1700000000", Some(1_700_000_000)),
            (b": 1700000000:0;ls", Some(1_700_000_000)),
            (b"  when: 1700000000", Some(1_700_000_000)),
            (b"#1700000000 remark", None),
            (b"# 1700000000", None),
        ];
        for (line, expected) in cases {
            assert_eq!(stamp(line), expected, "{}", String::from_utf8_lossy(line));
        }
    }
}
