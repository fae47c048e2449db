//! The map of the disk: volumes, what was not read, and where findings lie.
//!
//! Positions are in thousandths of the disk's length, so that the page can draw them at any width.

use super::words;
use crate::coverage::{Gap, GapKind};
use crate::finding::Finding;
use crate::location::State;
use crate::record::{Header, Summary};
use crate::rules::Severity;
use crate::volume::VolumeKind;
use std::collections::BTreeMap;

/// Length of the map.
const LENGTH: u64 = 1000;

/// A stretch of the map.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Start.
    pub start: u64,
    /// Length, at least 1.
    pub length: u64,
    /// What it is, as a class of the style sheet.
    pub class: &'static str,
    /// What a pointer that rests on it is told.
    pub title: String,
}

/// A row of the map.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// What it shows.
    pub name: &'static str,
    /// Its stretches in disk order.
    pub stretches: Vec<Stretch>,
}

/// The map.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Map {
    /// Rows from top to bottom; empty for a disk without size.
    pub rows: Vec<Row>,
    /// How much of the disk was scanned, blank and unread.
    pub shares: Vec<Stretch>,
}

/// What the map needs of a finding: a few bytes, so that there can be many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tick {
    offset: u64,
    severity: Severity,
    row: usize,
}

/// The rows that findings are told apart in.
const ROWS: [&str; 3] = ["in files", "in deleted files, slack and free space", "in journals, tables, swap"];

impl Tick {
    /// The tick of a finding that has a place on the disk.
    pub(super) fn of(finding: &Finding) -> Option<Self> {
        let row = match finding.place.state {
            None | Some(State::Allocated | State::Orphan) => 0,
            Some(State::Deleted | State::Slack | State::Stale | State::Unallocated) => 1,
            Some(
                State::Journal | State::Metadata | State::Swap | State::Unpartitioned | State::Container,
            ) => 2,
        };
        Some(Self { offset: finding.place.disk_offset?, severity: finding.severity, row })
    }
}

impl Map {
    pub(super) fn new(header: &Header, summary: &Summary, gaps: &[Gap], ticks: &[Tick]) -> Self {
        let size = header.container.virtual_size;
        if size == 0 {
            return Self::default();
        }
        let mut rows = vec![volumes(header, size)];
        let missing = not_read(gaps, size);
        if !missing.stretches.is_empty() {
            rows.push(missing);
        }
        rows.extend(ROWS.iter().enumerate().map(|(row, name)| findings(name, ticks, row, size)));
        Self { rows, shares: shares(summary, size) }
    }
}

fn stretch(start: u64, length: u64, size: u64) -> (u64, u64) {
    let scaled = |bytes: u64| {
        let scaled = u128::from(bytes) * u128::from(LENGTH) / u128::from(size.max(1));
        u64::try_from(scaled).unwrap_or(LENGTH).min(LENGTH)
    };
    let from = scaled(start).min(LENGTH - 1);
    (from, scaled(start.saturating_add(length)).saturating_sub(from).max(1))
}

fn volumes(header: &Header, size: u64) -> Row {
    // Disks inside of volumes and files would hide what they lie in.
    let outermost = header.volumes.iter().filter(|volume| !volume.name.contains("!/"));
    let stretches = outermost.map(|volume| {
        let (start, length) = stretch(volume.disk_offset, volume.size, size);
        let filesystem = volume.filesystem.as_ref().map(|filesystem| filesystem.kind);
        let class = match (&volume.kind, filesystem) {
            (VolumeKind::Table | VolumeKind::Gap, _) => "space",
            (_, Some(_)) => "volume",
            (_, None) => "unknown",
        };
        let title =
            format!("{} {} {}", volume.name, filesystem.unwrap_or_default(), words::size(volume.size));
        Stretch { start, length, class, title }
    });
    Row { name: "volumes", stretches: stretches.collect() }
}

fn not_read(gaps: &[Gap], size: u64) -> Row {
    let placed = gaps.iter().filter_map(|gap| {
        let (start, length) = stretch(gap.disk_offset?, gap.length?, size);
        let class = if gap.kind == GapKind::Unread { "unread" } else { "opaque" };
        Some(Stretch { start, length, class, title: format!("{}: {}", gap.volume, gap.reason) })
    });
    Row { name: "not read or not understood", stretches: placed.collect() }
}

/// The findings of one row, the worst of each thousandth.
fn findings(name: &'static str, ticks: &[Tick], row: usize, size: u64) -> Row {
    let mut worst: BTreeMap<u64, (Severity, u64)> = BTreeMap::new();
    for tick in ticks.iter().filter(|tick| tick.row == row) {
        let (start, _) = stretch(tick.offset, 0, size);
        let entry = worst.entry(start).or_insert((tick.severity, 0));
        *entry = (entry.0.max(tick.severity), entry.1.saturating_add(1));
    }
    let stretches = worst.into_iter().map(|(start, (severity, count))| Stretch {
        start,
        length: 2,
        class: words::severity(severity),
        title: format!("{}, worst {}", words::count(count, "finding"), words::severity(severity)),
    });
    Row { name, stretches: stretches.collect() }
}

fn shares(summary: &Summary, size: u64) -> Vec<Stretch> {
    let coverage = &summary.coverage;
    let parts = [("scanned", coverage.scanned), ("blank", coverage.blank), ("unread", coverage.unread)];
    let mut at = 0;
    let mut shares = Vec::new();
    for (class, bytes) in parts.into_iter().filter(|&(_, bytes)| bytes > 0) {
        let (start, length) = stretch(at, bytes, size);
        shares.push(Stretch { start, length, class, title: format!("{class}: {}", words::size(bytes)) });
        at = at.saturating_add(bytes);
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_stay_on_the_map_and_are_never_invisible() {
        let cases = [
            ((0, 100, 100), (0, 1000)),
            ((99, 1, 100), (990, 10)),
            ((100, 5, 100), (999, 1)),
            ((0, 1, u64::MAX), (0, 1)),
            ((u64::MAX, u64::MAX, u64::MAX), (999, 1)),
        ];
        for ((start, length, size), expected) in cases {
            assert_eq!(stretch(start, length, size), expected, "{start} {length} {size}");
        }
    }
}
