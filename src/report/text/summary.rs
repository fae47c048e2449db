//! The parts of the text report that are about the whole image: verdict, facts, coverage, checks.

use super::GAPS_SHOWN;
use super::paint::Paint;
use crate::coverage::{Gap, GapKind};
use crate::leftover::CheckState;
use crate::location::harmless;
use crate::record::{ExitReason, Header, Summary};
use crate::report::words;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Checks of one kind that are named; the rest is counted.
const CHECKS_SHOWN: usize = 12;

/// The first line: may this image leave?
pub(super) fn verdict(paint: Paint, summary: &Summary) -> String {
    let sentence = words::decision(summary);
    let sentence = match summary.exit_reason {
        ExitReason::Clean => paint.good(&sentence),
        _ => paint.bad(&sentence),
    };
    format!("{}  {sentence}\n", paint.bold(&harmless(&summary.image)))
}

/// What was scanned.
pub(super) fn header(header: &Header) -> String {
    let container = &header.container;
    let mut text = format!(
        "{} image, {} disk, {} stored, partition table: {}\n",
        container.format,
        words::size(container.virtual_size),
        words::size(container.stored_size),
        header.scheme
    );
    for volume in header.volumes.iter().filter(|volume| volume.filesystem.is_some()) {
        let Some(filesystem) = &volume.filesystem else { continue };
        let label = filesystem.label.as_ref().or(volume.label.as_ref());
        let label = label.map(|label| format!(" \"{}\"", harmless(label))).unwrap_or_default();
        writeln!(text, "  {}  {}{label}, {}", volume.name, filesystem.kind, words::size(volume.size))
            .unwrap_or_default();
    }
    text
}

/// What was read and what was not, which checks were made, how many findings there are.
pub(super) fn coverage(paint: Paint, summary: &Summary, gaps: &[Gap]) -> String {
    let mut text = format!("\n{}\n", paint.bold("Coverage"));
    let counts = &summary.coverage;
    let size = words::size;
    writeln!(
        text,
        "  disk {} = {} scanned + {} blank + {} unread",
        size(counts.size),
        size(counts.scanned),
        size(counts.blank),
        size(counts.unread)
    )
    .unwrap_or_default();
    if let Some(counts) = &summary.container {
        writeln!(
            text,
            "  container, besides the disk: {} = {} scanned + {} blank + {} unread",
            size(counts.size),
            size(counts.scanned),
            size(counts.blank),
            size(counts.unread)
        )
        .unwrap_or_default();
    }
    if counts.decoded > 0 {
        writeln!(text, "  {} of decoded content besides", size(counts.decoded)).unwrap_or_default();
    }
    if counts.opaque > 0 {
        writeln!(text, "  {} swept without knowing what the bytes mean", size(counts.opaque))
            .unwrap_or_default();
    }
    list_gaps(summary, gaps, &mut text);
    checks(paint, summary, &mut text);
    totals(paint, summary, &mut text);
    text
}

fn list_gaps(summary: &Summary, gaps: &[Gap], text: &mut String) {
    for gap in gaps {
        let kind = gap_kind(gap.kind);
        let path = gap.path.as_deref().map(|path| format!(" {path}")).unwrap_or_default();
        let offset = gap.disk_offset.map(|at| format!(" at disk offset {at}")).unwrap_or_default();
        let length = gap.length.map(|length| format!(", {}", words::size(length))).unwrap_or_default();
        let place = format!("{}{path}{offset}{length}", gap.volume);
        writeln!(text, "  {kind:<10} {}: {}", harmless(&place), harmless(&gap.reason)).unwrap_or_default();
    }
    let all: u64 = summary.gaps.values().sum();
    let shown = u64::try_from(gaps.len()).unwrap_or(u64::MAX);
    if gaps.len() == GAPS_SHOWN && all > shown {
        writeln!(text, "  and {} more", words::grouped(all.saturating_sub(shown))).unwrap_or_default();
    }
}

fn gap_kind(kind: GapKind) -> &'static str {
    match kind {
        GapKind::Unread => "unread",
        GapKind::Opaque => "opaque",
        GapKind::Damaged => "damaged",
        GapKind::Limited => "limited",
    }
}

fn checks(paint: Paint, summary: &Summary, text: &mut String) {
    if summary.checks.is_empty() {
        return;
    }
    let mut clean = Vec::new();
    let mut found = Vec::new();
    let mut not_evaluated: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for outcome in &summary.checks {
        match &outcome.state {
            CheckState::Clean => clean.push(outcome.check.as_str()),
            CheckState::Finding { .. } => found.push(outcome.check.as_str()),
            CheckState::NotEvaluated { reason, .. } => {
                not_evaluated.entry(reason).or_default().push(&outcome.check);
            }
        }
    }
    writeln!(text, "\n{}", paint.bold("Checks")).unwrap_or_default();
    writeln!(text, "  {} clean", clean.len()).unwrap_or_default();
    writeln!(text, "  {} found{}", found.len(), named(&found)).unwrap_or_default();
    for (reason, names) in not_evaluated {
        writeln!(text, "  {} not evaluated ({}){}", names.len(), harmless(reason), named(&names))
            .unwrap_or_default();
    }
}

fn named(checks: &[&str]) -> String {
    if checks.is_empty() {
        return String::new();
    }
    let shown = checks.get(..CHECKS_SHOWN.min(checks.len())).unwrap_or_default().join(", ");
    let more = checks.len().saturating_sub(CHECKS_SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(": {}{more}", harmless(&shown))
}

fn totals(paint: Paint, summary: &Summary, text: &mut String) {
    writeln!(text, "\n{}", paint.bold("Findings")).unwrap_or_default();
    let mut parts = Vec::new();
    for severity in words::SEVERITIES {
        if let Some(&number) = summary.by_severity.get(words::severity(severity)).filter(|&&n| n > 0) {
            parts.push(format!("{} {}", words::grouped(number), words::severity(severity)));
        }
    }
    let line = if parts.is_empty() { "none".to_owned() } else { parts.join(", ") };
    writeln!(text, "  {line}").unwrap_or_default();
    let besides = [
        (summary.possible, "only possible, not shown"),
        (summary.known_good, "known good"),
        (summary.allowed, "allowed by the allow-list"),
        (summary.in_baseline, "in the baseline already"),
        (summary.counted_only, "more of a kind in one file, counted only"),
    ];
    for (number, what) in besides.into_iter().filter(|&(number, _)| number > 0) {
        writeln!(text, "  {} {what}", words::grouped(number)).unwrap_or_default();
    }
    for note in &summary.notes {
        writeln!(text, "  {}", harmless(note)).unwrap_or_default();
    }
}

/// The last lines when several images were scanned.
pub(super) fn overall(paint: Paint, summaries: &[Summary]) -> String {
    let mut text = format!("\n{}\n", paint.bold(&format!("{} images", summaries.len())));
    for summary in summaries {
        write!(text, "  {}", verdict(paint, summary)).unwrap_or_default();
    }
    text
}
