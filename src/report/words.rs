//! Numbers and names as sentences for people show them; the same in every format that people read.

use crate::finding::{Finding, Location};
use crate::location::{Chain, State, harmless};
use crate::record::{ExitReason, Summary};
use crate::rules::{Severity, Verdict};

/// Severities from the worst down.
pub const SEVERITIES: [Severity; 5] =
    [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Info];

/// A severity's name as in the JSON lines.
pub fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
        Severity::Info => "info",
    }
}

/// A verdict's name as in the JSON lines.
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Possible => "possible",
        Verdict::Likely => "likely",
        Verdict::Proven => "proven",
    }
}

/// A state's name as in the JSON lines.
pub fn state(state: State) -> &'static str {
    match state {
        State::Allocated => "allocated",
        State::Deleted => "deleted",
        State::Orphan => "orphan",
        State::Slack => "slack",
        State::Stale => "stale",
        State::Unallocated => "unallocated",
        State::Journal => "journal",
        State::Swap => "swap",
        State::Metadata => "metadata",
        State::Unpartitioned => "unpartitioned",
        State::Container => "container",
    }
}

/// What a state means for the bytes, as part of a sentence.
pub fn state_phrase(state: State) -> &'static str {
    match state {
        State::Allocated => "in a file",
        State::Deleted => "in a deleted file",
        State::Orphan => "in a file without a name",
        State::Slack => "in the slack behind a file",
        State::Stale => "in stale blocks",
        State::Unallocated => "in free space",
        State::Journal => "in the journal",
        State::Swap => "in swap space",
        State::Metadata => "in metadata",
        State::Unpartitioned => "outside of all partitions",
        State::Container => "in the container, outside of the disk",
    }
}

/// The place as [`crate::location::Place::parse`] and `residue cat` read it.
///
/// Deleted files are named by number, since no path leads to them. Bytes that a file's own content does not
/// include (slack, free space, journals) are named by their place on the disk.
pub fn place(place: &Location) -> String {
    let in_content = matches!(
        place.state,
        None | Some(State::Allocated | State::Deleted | State::Orphan | State::Container)
    );
    let has_entry = place.path.is_some() || place.inode.is_some();
    let is_named = !matches!(place.state, Some(State::Deleted | State::Orphan)) || place.inode.is_none();
    if in_content && has_entry {
        return Chain {
            image: &place.image,
            volume: &place.volume,
            fs: place.fs,
            path: place.path.as_deref().filter(|_| is_named),
            inode: place.inode,
            version: place.version,
            stream: place.stream.as_deref(),
            member: place.member.as_deref(),
            offset: place.file_offset,
        }
        .to_string();
    }
    // Only content that is opened counts its bytes from its own start.
    let member = place.member.as_deref().filter(|_| !has_entry && place.file_offset.is_some());
    if member.is_some() {
        let volume = if place.disk_offset.is_some() { "disk" } else { &place.volume };
        let chain = Chain { image: &place.image, volume, member, ..Chain::default() };
        return Chain { offset: place.file_offset, ..chain }.to_string();
    }
    match place.disk_offset {
        Some(offset) => {
            let chain =
                Chain { image: &place.image, volume: "disk", offset: Some(offset), ..Chain::default() };
            // Ranges that were put together are read in their order.
            match place.pieces.split_first() {
                Some((first, rest)) => {
                    let rest = rest.iter().map(|piece| format!(",{}+{}", piece.disk_offset, piece.length));
                    format!("{chain}+{}{}", first.length, rest.collect::<String>())
                }
                None => chain.to_string(),
            }
        }
        None => {
            let offset = place.file_offset.filter(|_| place.state == Some(State::Container));
            let chain = Chain { image: &place.image, volume: &place.volume, ..Chain::default() };
            Chain { fs: place.fs, offset, ..chain }.to_string()
        }
    }
}

/// The facts about a finding's place beside its name, each a short phrase.
pub fn circumstances(finding: &Finding) -> Vec<String> {
    let place = &finding.place;
    let mut facts = Vec::new();
    if let Some(line) = place.line {
        facts.push(format!("line {line}"));
    }
    if let Some(state) = place.state {
        let of = match (&place.path, state) {
            (Some(path), State::Deleted) => format!(", formerly {path}"),
            (Some(path), State::Slack | State::Stale | State::Swap) => format!(" of {path}"),
            (_, State::Unallocated | State::Journal | State::Metadata) => format!(" of {}", place.volume),
            _ => String::new(),
        };
        facts.push(format!("{}{of}", state_phrase(state)));
    }
    match (place.inode, place.version) {
        (Some(inode), Some(version)) => facts.push(format!("inode {inode}, former state {version}")),
        (Some(inode), None) => facts.push(format!("inode {inode}")),
        (None, _) => {}
    }
    match (&finding.owner, finding.owner_uid) {
        (Some(name), Some(uid)) => facts.push(format!("owner {name} ({uid})")),
        (Some(name), None) => facts.push(format!("owner {name}")),
        (None, Some(uid)) => facts.push(format!("owner {uid}")),
        (None, None) => {}
    }
    if let Some(mtime) = &finding.mtime {
        facts.push(format!("modified {}", seconds_of(mtime)));
    }
    facts
}

/// An RFC 3339 time without its fraction of a second.
fn seconds_of(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => time.to_owned(),
    }
}

/// What a verdict of a scan that counts as complete leaves out: work cut short by limits, gaps that the caller accepts.
/// Nothing where there is none of it.
pub fn reservations(summary: &Summary) -> Option<String> {
    let (missing, not_made) = summary.missing_checks();
    let of = |kind: &str| summary.gaps.get(kind).copied().unwrap_or(0);
    let limits = of("limited").saturating_add(not_made);
    let gaps = ["unread", "opaque", "damaged"].into_iter().map(of).fold(missing, u64::saturating_add);
    // Where they are not accepted they make a scan incomplete, and are in its verdict.
    let is_complete = matches!(summary.exit_reason, ExitReason::Clean | ExitReason::Findings);
    let limits = (limits > 0).then(|| count(limits, "limit"));
    let gaps = (gaps > 0 && is_complete).then(|| format!("{} accepted", count(gaps, "gap")));
    let parts: Vec<String> = limits.into_iter().chain(gaps).collect();
    (!parts.is_empty() && summary.exit_reason != ExitReason::Unreadable).then(|| parts.join(", "))
}

/// The verdict on an image in one sentence: may it leave?
pub fn decision(summary: &Summary) -> String {
    let threshold = match summary.fail_on.map_or("info", severity) {
        "critical" => "critical".to_owned(),
        name => format!("{name} or above"),
    };
    let failing = match summary.failing {
        0 => format!("no finding that is {threshold}"),
        some => format!("{} {threshold}", count(some, "finding")),
    };
    let but = reservations(summary).map(|but| format!(", {but}")).unwrap_or_default();
    match summary.exit_reason {
        ExitReason::Clean => format!("CLEAN{but}: {failing}"),
        ExitReason::Findings => format!("DO NOT RELEASE{but}: {failing}"),
        ExitReason::Incomplete => {
            let gaps = summary.coverage.unread > 0 || !summary.gaps.is_empty();
            let read = (gaps || summary.unchecked == 0).then(|| "not everything could be read".to_owned());
            let made = (summary.unchecked > 0)
                .then(|| format!("{} could not be made", count(summary.unchecked, "check")));
            let parts: Vec<String> = read.into_iter().chain(made).collect();
            format!("INCOMPLETE{but}: {failing}, but {}", parts.join(" and "))
        }
        ExitReason::Unreadable => {
            let error = summary.error.as_deref().unwrap_or("nothing of the image could be read");
            format!("NOT READ: {}", harmless(error))
        }
    }
}

/// Bytes with a binary prefix: `512 B`, `1.5 MiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut scaled = bytes;
    let mut tenths = 0;
    let mut unit = "B";
    for name in UNITS {
        tenths = scaled.saturating_mul(10) / 1024 % 10;
        scaled /= 1024;
        unit = name;
        if scaled < 1024 {
            break;
        }
    }
    format!("{scaled}.{tenths} {unit}")
}

/// A count with its noun, in the plural where it is not one: `1 finding`, `3 findings`.
pub fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{} {noun}s", grouped(number)) }
}

/// A number with a comma between groups of three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_counts_read_as_people_write_them() {
        let sizes = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            (6_979_321_856, "6.5 GiB"),
            (u64::MAX, "15.9 EiB"),
        ];
        for (bytes, shown) in sizes {
            assert_eq!(size(bytes), shown);
        }
        assert_eq!(count(1, "finding"), "1 finding");
        assert_eq!(count(1_234_567, "finding"), "1,234,567 findings");
    }

    #[test]
    fn a_verdict_says_what_was_cut_short_and_what_was_accepted() {
        let cases = [
            (ExitReason::Clean, &[][..], "CLEAN: no finding that is medium or above"),
            (ExitReason::Clean, &[("limited", 4)], "CLEAN, 4 limits: no finding that is medium or above"),
            (
                ExitReason::Clean,
                &[("limited", 1), ("opaque", 2)],
                "CLEAN, 1 limit, 2 gaps accepted: no finding that is medium or above",
            ),
            (
                ExitReason::Findings,
                &[("limited", 2)],
                "DO NOT RELEASE, 2 limits: no finding that is medium or above",
            ),
            (
                ExitReason::Incomplete,
                &[("limited", 1), ("unread", 1)],
                "INCOMPLETE, 1 limit: no finding that is medium or above, but not everything could be read",
            ),
        ];
        for (exit_reason, gaps, expected) in cases {
            let gaps = gaps.iter().map(|&(kind, number)| (kind.to_owned(), number)).collect();
            let summary =
                Summary { exit_reason, gaps, fail_on: Some(Severity::Medium), ..Summary::default() };
            assert_eq!(decision(&summary), expected);
        }
    }

    #[test]
    fn a_place_in_free_space_is_named_by_its_disk_offset_and_one_in_a_file_by_its_path() {
        let file = Location {
            image: "d.raw".into(),
            volume: "p1".into(),
            fs: Some("ext4"),
            path: Some("/etc/shadow".into()),
            state: Some(State::Allocated),
            file_offset: Some(7),
            disk_offset: Some(4096),
            ..Location::default()
        };
        assert_eq!(place(&file), "d.raw / p1 ext4 / etc/shadow @ 7");
        let slack = Location { state: Some(State::Slack), ..file };
        assert_eq!(place(&slack), "d.raw / disk @ 4096");
    }
}
