//! The map of the disk: volumes, what each zone holds and how much of it was scanned, what was not read, and
//! where findings lie.
//!
//! Positions are in two-thousandths of the disk's length, so that the page can draw them at any width.

use super::words;
use crate::coverage::{Gap, GapKind};
use crate::finding::Finding;
use crate::location::State;
use crate::record::{DiskMap, Header, Summary};
use crate::rules::Severity;
use crate::volume::VolumeKind;
use std::collections::BTreeMap;

/// Length of the map.
const LENGTH: u64 = 2000;

/// A stretch of the map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Start.
    pub start: u64,
    /// Length, at least 1.
    pub length: u64,
    /// What it is, as a class of the style sheet.
    pub class: &'static str,
    /// What a pointer that rests on it is told; nothing for shading.
    pub title: String,
}

/// A volume as a box with its name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct VolumeBox {
    /// Start and width in per cent, as the style sheet wants them.
    pub left: String,
    /// Width.
    pub width: String,
    /// Class of the style sheet.
    pub class: &'static str,
    /// What stands in it.
    pub name: String,
    /// The same with its size.
    pub title: String,
}

/// A row of the map: a zone of the disk.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Name of the zone.
    pub name: &'static str,
    /// Class of the style sheet, and value of the filter.
    pub class: &'static str,
    /// Its size, how much of it is data, its findings.
    pub facts: String,
    /// How much of the disk it holds, in places.
    pub held: Vec<Stretch>,
    /// How much of that holds data that was scanned.
    pub scanned: Vec<Stretch>,
    /// Findings.
    pub ticks: Vec<Stretch>,
}

/// The map.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Map {
    /// Volumes in disk order.
    pub volumes: Vec<VolumeBox>,
    /// Zones from top to bottom; empty for a disk without size.
    pub rows: Vec<Row>,
    /// How much of the disk was scanned, blank and unread.
    pub shares: Vec<Stretch>,
    /// Marks of the scale.
    pub scale: Vec<String>,
}

/// What the map needs of a finding: a few bytes, so that there can be many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tick {
    offset: Option<u64>,
    severity: Severity,
    zone: usize,
}

/// Zones that are told apart: name and class.
const ZONES: [(&str, &str); 7] = [
    ("Files", "files"),
    ("Slack and stale blocks", "slack"),
    ("Deleted files", "deleted"),
    ("Free space", "free"),
    ("Journals, tables, swap", "system"),
    ("Outside of volumes", "outside"),
    ("Other volumes, swept raw", "unknown"),
];

/// Class of the row for what could not be read.
const UNREAD: usize = 7;

fn zone(state: Option<State>) -> usize {
    match state {
        Some(State::Allocated | State::Orphan) => 0,
        Some(State::Slack | State::Stale) => 1,
        Some(State::Deleted) => 2,
        Some(State::Unallocated) => 3,
        Some(State::Journal | State::Metadata | State::Swap) => 4,
        Some(State::Unpartitioned | State::Container) => 5,
        None => 6,
    }
}

/// Class of the zone in which a finding lies, for filters.
pub(super) fn class_of(finding: &Finding) -> &'static str {
    ZONES.get(zone(finding.place.state)).map_or("unknown", |(_, class)| class)
}

/// Zones that a reader can choose from: class and name.
pub(super) fn zones() -> Vec<(&'static str, &'static str)> {
    ZONES.iter().map(|&(name, class)| (class, name)).collect()
}

impl Tick {
    /// The tick of a finding.
    pub(super) fn of(finding: &Finding) -> Self {
        let place = &finding.place;
        Self { offset: place.disk_offset, severity: finding.severity, zone: zone(place.state) }
    }
}

/// Bytes of a zone, and its shares of the buckets in per cent.
#[derive(Clone, Debug, Default)]
struct Band {
    size: u64,
    scanned: u64,
    held_shares: Vec<u64>,
    scanned_shares: Vec<u64>,
}

impl Map {
    pub(super) fn new(
        header: &Header,
        summary: &Summary,
        map: &DiskMap,
        gaps: &[Gap],
        ticks: &[Tick],
    ) -> Self {
        let size = header.container.virtual_size;
        if size == 0 {
            return Self::default();
        }
        let bands = bands(map);
        let mut rows: Vec<Row> =
            (0..ZONES.len()).filter_map(|zone| row(zone, bands.get(&zone), ticks, size)).collect();
        rows.extend(not_read(gaps, bands.get(&UNREAD), summary.coverage.unread, size));
        let scale = (0..=4_u64).map(|part| words::size(size / 4 * part)).collect();
        Self { volumes: volumes(header, size), rows, shares: shares(summary, size), scale }
    }
}

/// Adds up the zones of the record to those of the page; what could not be read is one of its own.
fn bands(map: &DiskMap) -> BTreeMap<usize, Band> {
    let mut bands: BTreeMap<usize, Band> = BTreeMap::new();
    let add = |sums: &mut Vec<u64>, shares: &[u8]| {
        if sums.len() < shares.len() {
            sums.resize(shares.len(), 0);
        }
        sums.iter_mut().zip(shares).for_each(|(sum, &share)| *sum = sum.saturating_add(u64::from(share)));
    };
    for part in &map.zones {
        let band = bands.entry(zone(part.state)).or_default();
        band.size = band.size.saturating_add(part.size);
        band.scanned = band.scanned.saturating_add(part.scanned);
        add(&mut band.held_shares, &part.shares);
        add(&mut band.scanned_shares, &part.scanned_shares);
        if part.unread > 0 {
            let unread = bands.entry(UNREAD).or_default();
            unread.size = unread.size.saturating_add(part.unread);
            add(&mut unread.scanned_shares, &part.unread_shares);
        }
    }
    bands
}

fn row(zone: usize, band: Option<&Band>, ticks: &[Tick], size: u64) -> Option<Row> {
    let &(name, class) = ZONES.get(zone)?;
    let own = || ticks.iter().filter(move |tick| tick.zone == zone);
    let count = u64::try_from(own().count()).unwrap_or(u64::MAX);
    let mut facts = Vec::new();
    if let Some(band) = band {
        facts.push(match band.scanned {
            0 => format!("{}, all blank", words::size(band.size)),
            some if some == band.size => words::size(band.size),
            some => format!("{}, {} of it data", words::size(band.size), words::size(some)),
        });
    }
    if count > 0 {
        facts.push(words::count(count, "finding"));
    }
    if facts.is_empty() {
        return None;
    }
    Some(Row {
        name,
        class,
        facts: facts.join(" · "),
        held: band.map(|band| shading(&band.held_shares)).unwrap_or_default(),
        scanned: band.map(|band| shading(&band.scanned_shares)).unwrap_or_default(),
        ticks: marks(own(), size),
    })
}

/// The row for what was not read, and what stands in the way of reading it.
fn not_read(gaps: &[Gap], band: Option<&Band>, unread: u64, size: u64) -> Option<Row> {
    let placed = gaps.iter().filter(|gap| gap.kind == GapKind::Unread).filter_map(|gap| {
        let (start, length) = stretch(gap.disk_offset?, gap.length?, size);
        let title = format!("{} {}: {}", gap.volume, words::size(gap.length?), gap.reason);
        Some(Stretch { start, length, class: "gap", title })
    });
    let ticks: Vec<Stretch> = placed.collect();
    (unread > 0 || !ticks.is_empty()).then(|| Row {
        name: "Not read",
        class: "unread",
        facts: words::size(unread),
        held: Vec::new(),
        scanned: band.map(|band| shading(&band.scanned_shares)).unwrap_or_default(),
        ticks,
    })
}

/// Runs of buckets with the same depth of colour.
fn shading(shares: &[u64]) -> Vec<Stretch> {
    let buckets = u64::try_from(shares.len()).unwrap_or(u64::MAX).max(1);
    let edge = |bucket: u64| bucket.saturating_mul(LENGTH) / buckets;
    let mut runs: Vec<Stretch> = Vec::new();
    for (bucket, &share) in (0..).zip(shares) {
        let Some(class) = depth(share) else { continue };
        let (start, end) = (edge(bucket), edge(bucket + 1));
        match runs.last_mut() {
            Some(last) if last.class == class && last.start + last.length == start => {
                last.length = end - last.start;
            }
            _ => runs.push(Stretch { start, length: end - start, class, title: String::new() }),
        }
    }
    runs
}

/// Five depths; a little of something must still be seen.
fn depth(share: u64) -> Option<&'static str> {
    Some(match share {
        0 => return None,
        1..=2 => "d1",
        3..=10 => "d2",
        11..=35 => "d3",
        36..=75 => "d4",
        _ => "d5",
    })
}

fn stretch(start: u64, length: u64, size: u64) -> (u64, u64) {
    let scaled = |bytes: u64| {
        let scaled = u128::from(bytes) * u128::from(LENGTH) / u128::from(size.max(1));
        u64::try_from(scaled).unwrap_or(LENGTH).min(LENGTH)
    };
    let from = scaled(start).min(LENGTH - 1);
    (from, scaled(start.saturating_add(length)).saturating_sub(from).max(1))
}

fn volumes(header: &Header, size: u64) -> Vec<VolumeBox> {
    let per_cent = |part: u64| format!("{}.{:02}%", part / 20, part % 20 * 5);
    // Disks inside of volumes and files would hide what they lie in.
    let outermost = header.volumes.iter().filter(|volume| !volume.name.contains("!/"));
    let boxed = outermost.map(|volume| {
        let (start, length) = stretch(volume.disk_offset, volume.size, size);
        let filesystem = volume.filesystem.as_ref().map(|filesystem| filesystem.kind).unwrap_or_default();
        let is_space = matches!(volume.kind, VolumeKind::Table | VolumeKind::Gap);
        let name = if is_space { String::new() } else { format!("{} {filesystem}", volume.name) };
        let class = match (is_space, filesystem.is_empty()) {
            (true, _) => "space",
            (false, false) => "known",
            (false, true) => "strange",
        };
        let title = format!("{} {filesystem} {}", volume.name, words::size(volume.size));
        VolumeBox { left: per_cent(start), width: per_cent(length), class, name, title }
    });
    boxed.collect()
}

/// The findings of a zone, the worst of each place.
fn marks<'t>(ticks: impl Iterator<Item = &'t Tick>, size: u64) -> Vec<Stretch> {
    let mut worst: BTreeMap<u64, (Severity, u64)> = BTreeMap::new();
    for tick in ticks {
        let Some(offset) = tick.offset else { continue };
        // Marks are wider than a place, so neighbours share one.
        let (start, _) = stretch(offset, 0, size);
        let entry = worst.entry(start / 5 * 5).or_insert((tick.severity, 0));
        *entry = (entry.0.max(tick.severity), entry.1.saturating_add(1));
    }
    let mark = |(start, (severity, count))| Stretch {
        start,
        length: 5,
        class: words::severity(severity),
        title: match count {
            1 => format!("1 finding, {}", words::severity(severity)),
            more => format!("{more} findings, the worst {}", words::severity(severity)),
        },
    };
    worst.into_iter().map(mark).collect()
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
            ((0, 100, 100), (0, 2000)),
            ((99, 1, 100), (1980, 20)),
            ((100, 5, 100), (1999, 1)),
            ((0, 1, u64::MAX), (0, 1)),
            ((u64::MAX, u64::MAX, u64::MAX), (1999, 1)),
        ];
        for ((start, length, size), expected) in cases {
            assert_eq!(stretch(start, length, size), expected, "{start} {length} {size}");
        }
    }

    #[test]
    fn neighbours_of_one_depth_are_one_run() {
        let runs = shading(&[0, 100, 90, 1, 0]);
        let found: Vec<_> = runs.iter().map(|run| (run.start, run.length, run.class)).collect();
        assert_eq!(found, [(400, 800, "d5"), (1200, 400, "d1")]);
    }
}
