//! Mapping pairs: the packed run list of a non-resident attribute.

use crate::error::{Error, Result};

/// A run of clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClusterRun {
    /// First virtual cluster.
    pub(super) vcn: u64,
    /// Number of clusters, at least 1.
    pub(super) clusters: u64,
    /// First logical cluster; `None` for a hole.
    pub(super) lcn: Option<u64>,
}

/// Appends the runs of `pairs`, the first of which starts at virtual cluster `lowest`. Logical clusters must
/// lie below `clusters`. `at` is where the attribute is, for messages.
///
/// # Errors
/// Corrupt at the first pair that makes no sense; the runs before it have been appended.
pub(super) fn decode(
    pairs: &[u8],
    lowest: u64,
    clusters: u64,
    at: u64,
    runs: &mut Vec<ClusterRun>,
) -> Result<()> {
    let mut rest = pairs;
    let mut vcn = lowest;
    let mut lcn = 0_i64;
    loop {
        let wrong = |expected: &str, found: String| Error::corrupt(at, "run list", expected, found);
        let Some((&header, tail)) = rest.split_first() else {
            return Err(wrong("a zero byte at the end", "the end of the attribute".to_owned()));
        };
        if header == 0 {
            return Ok(());
        }
        let (count_size, delta_size) = (usize::from(header & 15), usize::from(header >> 4));
        if count_size == 0 || count_size > 8 || delta_size > 8 {
            return Err(wrong("fields of up to 8 bytes", format!("header {header:#04x}")));
        }
        let split = tail.split_at_checked(count_size).and_then(|(count, tail)| {
            tail.split_at_checked(delta_size).map(|(delta, tail)| (count, delta, tail))
        });
        let Some((count, delta, tail)) = split else {
            return Err(wrong("a whole pair", "the end of the attribute".to_owned()));
        };
        let count = u64::try_from(signed(count)).unwrap_or(0);
        let next = vcn.checked_add(count).filter(|&next| count > 0 && i64::try_from(next).is_ok());
        let Some(next) = next else {
            return Err(wrong("a number of clusters", format!("{count} from cluster {vcn} on")));
        };
        let place = if delta_size == 0 {
            None
        } else {
            lcn = lcn.wrapping_add(signed(delta));
            let start = u64::try_from(lcn).ok();
            let inside = start.and_then(|start| start.checked_add(count)).filter(|&end| end <= clusters);
            if inside.is_none() {
                return Err(wrong(&format!("clusters below {clusters}"), format!("{count} at {lcn}")));
            }
            start
        };
        runs.push(ClusterRun { vcn, clusters: count, lcn: place });
        vcn = next;
        rest = tail;
    }
}

/// A little-endian two's complement number of up to 8 bytes.
fn signed(bytes: &[u8]) -> i64 {
    let fill = if bytes.last().is_some_and(|&last| last >= 0x80) { 0xff } else { 0 };
    let mut whole = [fill; 8];
    for (to, from) in whole.iter_mut().zip(bytes) {
        *to = *from;
    }
    i64::from_le_bytes(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_decode_to_runs_and_stop_at_nonsense_with_what_came_before() {
        let run = |vcn, clusters, lcn| ClusterRun { vcn, clusters, lcn };
        let cases: [(&[u8], Vec<ClusterRun>, Option<&str>); 9] = [
            (&[0x21, 0x18, 0x34, 0x56, 0], vec![run(0, 0x18, Some(0x5634))], None),
            (&[0x11, 5, 40, 0x11, 3, 0xfb, 0], vec![run(0, 5, Some(40)), run(5, 3, Some(35))], None),
            (&[0x11, 5, 40, 0x01, 9, 0], vec![run(0, 5, Some(40)), run(5, 9, None)], None),
            (&[0], vec![], None),
            (&[0x11, 5, 40], vec![run(0, 5, Some(40))], Some("a zero byte at the end")),
            (&[0x11, 5, 40, 0x11, 1, 0x80], vec![run(0, 5, Some(40))], Some("found 1 at -88")),
            (&[0x11, 0, 40, 0], vec![], Some("0 from cluster 0 on")),
            (&[0x99, 1, 2], vec![], Some("header 0x99")),
            (&[0x31, 1, 0xff, 0xff, 0x7f, 0], vec![], Some("clusters below 100000")),
        ];
        for (pairs, expected, message) in cases {
            let mut runs = Vec::new();
            let outcome = decode(pairs, 0, 100_000, 0, &mut runs);
            assert_eq!(runs, expected, "{pairs:02x?}");
            assert_eq!(outcome.is_err(), message.is_some(), "{pairs:02x?}");
            if let (Err(error), Some(message)) = (outcome, message) {
                assert!(error.to_string().contains(message), "{error}");
            }
        }
    }
}
