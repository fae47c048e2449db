//! From partition entries, as tables claim them, to volumes that cover the disk exactly once.

use super::{Tiling, Volume, VolumeKind};
use std::cmp::Reverse;
use std::ops::Range;

/// What a partition entry claims.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) name: String,
    pub(super) kind: VolumeKind,
    /// Label, escaped.
    pub(super) label: Option<String>,
    /// Bytes of the disk; may pass its end and overlap others.
    pub(super) disk: Range<u64>,
}

/// A partition table as it was found.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) scheme: &'static str,
    pub(super) sector_size: u64,
    pub(super) claims: Vec<Claim>,
    /// Where the table itself lies.
    pub(super) places: Vec<Range<u64>>,
    pub(super) notes: Vec<String>,
}

/// Cuts a disk of `size` bytes as `table` says. Where entries overlap, each keeps its start, because a file
/// system is recognised there; an entry that lies within another one gives way to it.
pub(super) fn cover(size: u64, table: Table) -> Tiling {
    let Table { scheme, sector_size, mut claims, mut places, mut notes } = table;
    claims.retain(|claim| lies_on_disk(claim, size, &mut notes));
    for claim in &mut claims {
        claim.disk.end = claim.disk.end.min(size);
    }
    claims.sort_by_key(|claim| (claim.disk.start, Reverse(claim.disk.end)));
    let claims = without_overlap(claims, &mut notes);
    places.sort_by_key(|place| place.start);

    let mut volumes = Vec::new();
    let mut cursor = 0;
    for claim in claims {
        fill(cursor..claim.disk.start, &places, &mut volumes);
        cursor = claim.disk.end;
        let mut volume = Volume::contiguous(claim.name, claim.kind, claim.disk);
        volume.label = claim.label;
        volumes.push(volume);
    }
    fill(cursor..size, &places, &mut volumes);
    Tiling { scheme, sector_size, volumes, logical: Vec::new(), notes }
}

/// Whether any byte of a claim is on the disk; what passes the end is said.
fn lies_on_disk(claim: &Claim, size: u64, notes: &mut Vec<String>) -> bool {
    let Claim { name, disk: Range { start, end }, .. } = claim;
    if end <= start {
        notes.push(format!("{name} is empty: it ends at byte {end:#x} and starts at {start:#x}"));
        return false;
    }
    if *start >= size {
        notes
            .push(format!("{name} ({start:#x} to {end:#x}) lies past the end of the disk at byte {size:#x}"));
        return false;
    }
    if *end > size {
        notes.push(format!("{name} ends at byte {end:#x}, past the end of the disk at byte {size:#x}"));
    }
    true
}

/// Claims in disk order, the outer before the inner, made disjoint.
fn without_overlap(claims: Vec<Claim>, notes: &mut Vec<String>) -> Vec<Claim> {
    let mut disjoint: Vec<Claim> = Vec::new();
    for claim in claims {
        let Some(last) = disjoint.last_mut().filter(|last| last.disk.end > claim.disk.start) else {
            disjoint.push(claim);
            continue;
        };
        if claim.disk.end <= last.disk.end {
            notes.push(format!("{} lies within {} and is read as part of it", claim.name, last.name));
            continue;
        }
        notes.push(format!("{} overlaps {}, which is cut off where it starts", claim.name, last.name));
        last.disk.end = claim.disk.start;
        disjoint.push(claim);
    }
    disjoint
}

/// Covers a range that no partition claims with tables and gaps. `places` are sorted by start.
fn fill(range: Range<u64>, places: &[Range<u64>], volumes: &mut Vec<Volume>) {
    let mut cursor = range.start;
    for place in places {
        let (start, end) = (place.start.max(cursor), place.end.min(range.end));
        if start >= end {
            continue;
        }
        if start > cursor {
            volumes.push(Volume::contiguous("unpartitioned", VolumeKind::Gap, cursor..start));
        }
        match volumes.last_mut().and_then(|last| extends_table(last, start)) {
            Some(last) => lengthen(last, end.saturating_sub(start)),
            None => volumes.push(Volume::contiguous("table", VolumeKind::Table, start..end)),
        }
        cursor = end;
    }
    if cursor < range.end {
        volumes.push(Volume::contiguous("unpartitioned", VolumeKind::Gap, cursor..range.end));
    }
}

/// `last`, where it is a table that ends at `start`.
fn extends_table(last: &mut Volume, start: u64) -> Option<&mut Volume> {
    let ends = last.segments.last().map(super::Segment::disk_end);
    (last.kind == VolumeKind::Table && ends == Some(start)).then_some(last)
}

fn lengthen(table: &mut Volume, by: u64) {
    table.length = table.length.saturating_add(by);
    if let Some(segment) = table.segments.last_mut() {
        segment.length = segment.length.saturating_add(by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn claim((number, (start, end)): (usize, (u64, u64))) -> Claim {
        let kind = VolumeKind::Partition { type_id: "0x83".to_owned(), type_name: None };
        Claim { name: format!("p{number}"), kind, label: None, disk: start..end }
    }

    fn table(claims: &[(u64, u64)], places: &[(u64, u64)]) -> Table {
        let claims = claims.iter().copied().enumerate().map(claim).collect();
        let places = places.iter().map(|&(start, end)| start..end).collect();
        Table { scheme: "mbr", sector_size: 512, claims, places, notes: Vec::new() }
    }

    fn shape(tiling: &Tiling) -> Vec<(&str, u64, u64)> {
        let volumes = tiling.volumes.iter();
        volumes.map(|v| (v.name.as_str(), v.disk_start(), v.disk_start() + v.size())).collect()
    }

    #[test]
    fn partitions_tables_and_gaps_stand_in_disk_order() {
        let tiling = cover(100, table(&[(50, 80), (10, 40)], &[(0, 1), (1, 3), (95, 100)]));
        let expected = [
            ("table", 0, 3),
            ("unpartitioned", 3, 10),
            ("p1", 10, 40),
            ("unpartitioned", 40, 50),
            ("p0", 50, 80),
            ("unpartitioned", 80, 95),
            ("table", 95, 100),
        ];
        assert_eq!(shape(&tiling), expected);
    }

    #[test]
    fn overlapping_partitions_keep_their_starts_and_are_noted() {
        let tiling = cover(100, table(&[(10, 60), (40, 120), (50, 55), (200, 300)], &[]));
        assert_eq!(shape(&tiling), [("unpartitioned", 0, 10), ("p0", 10, 40), ("p1", 40, 100)]);
        let notes = tiling.notes.join("\n");
        for part in ["p1 overlaps p0", "p2 lies within p1", "p3 (0xc8 to 0x12c) lies past", "p1 ends at byte"]
        {
            assert!(notes.contains(part), "{part}: {notes}");
        }
    }

    proptest! {
        #[test]
        fn any_table_covers_the_disk_exactly_once(
            size in 0..2000u64,
            claims in prop::collection::vec((any_offset(), any_offset()), 0..12),
            places in prop::collection::vec((any_offset(), any_offset()), 0..6),
        ) {
            let tiling = cover(size, table(&claims, &places));
            let mut cursor = 0;
            for (name, start, end) in shape(&tiling) {
                prop_assert_eq!(start, cursor, "{}", name);
                prop_assert!(end > start, "{} is empty", name);
                cursor = end;
            }
            prop_assert_eq!(cursor, size);
        }
    }

    fn any_offset() -> impl Strategy<Value = u64> {
        prop_oneof![9 => 0..2500u64, 1 => any::<u64>()]
    }
}
