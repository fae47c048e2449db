//! The map of a disk: how much of each of a few hundred buckets every zone holds, and how much of that was
//! scanned, blank or not read.

use crate::location::State;
use crate::record::{DiskMap, ZoneMap};
use std::collections::BTreeMap;
use std::ops::Range;

/// Buckets of a map at most.
const BUCKETS_MAX: u64 = 400;
/// A bucket is a multiple of this many bytes.
const BUCKET_STEP: u64 = 4096;

/// What is counted of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    /// All of its bytes.
    Held,
    /// Bytes that went through the matchers.
    Scanned,
    /// Bytes that could not be obtained.
    Unread,
}

/// Bytes of one zone by bucket.
#[derive(Clone, Debug, Default)]
struct Zone {
    held: Vec<u64>,
    scanned: Vec<u64>,
    unread: Vec<u64>,
}

/// Counts zones.
#[derive(Debug)]
pub(super) struct MapBuilder {
    size: u64,
    bucket: u64,
    zones: BTreeMap<Option<State>, Zone>,
}

impl MapBuilder {
    /// For a disk of so many bytes.
    pub(super) fn new(size: u64) -> Self {
        let bucket = size.div_ceil(BUCKETS_MAX).max(1).next_multiple_of(BUCKET_STEP);
        Self { size, bucket, zones: BTreeMap::new() }
    }

    /// Counts a range of the disk that belongs to a zone.
    pub(super) fn add(&mut self, count: Count, state: Option<State>, disk: &Range<u64>) {
        let buckets = usize::try_from(self.size.div_ceil(self.bucket)).unwrap_or(0);
        let zone = self.zones.entry(state).or_insert_with(|| Zone {
            held: vec![0; buckets],
            scanned: vec![0; buckets],
            unread: vec![0; buckets],
        });
        let counts = match count {
            Count::Held => &mut zone.held,
            Count::Scanned => &mut zone.scanned,
            Count::Unread => &mut zone.unread,
        };
        let mut at = disk.start;
        while at < disk.end {
            let index = at / self.bucket;
            let end = index.saturating_add(1).saturating_mul(self.bucket).min(disk.end);
            if let Some(sum) = usize::try_from(index).ok().and_then(|index| counts.get_mut(index)) {
                *sum = sum.saturating_add(end.saturating_sub(at));
            }
            at = end.max(at.saturating_add(1));
        }
    }

    /// The map, under the name of the image.
    pub(super) fn finish(self, image: &str) -> DiskMap {
        let sum = |counts: &[u64]| counts.iter().copied().fold(0, u64::saturating_add);
        let bucket = self.bucket;
        let zones = self.zones.into_iter().map(|(state, zone)| ZoneMap {
            state,
            size: sum(&zone.held),
            scanned: sum(&zone.scanned),
            unread: sum(&zone.unread),
            shares: shares(&zone.held, bucket),
            scanned_shares: shares(&zone.scanned, bucket),
            unread_shares: shares(&zone.unread, bucket),
        });
        DiskMap {
            image: image.to_owned(),
            size: self.size,
            bucket_size: bucket,
            zones: zones.filter(|zone| zone.size > 0).collect(),
        }
    }
}

/// Per cent of the bucket's length, rounded up, so that a single byte shows; nothing where all are zero.
fn shares(counts: &[u64], bucket: u64) -> Vec<u8> {
    if counts.iter().all(|&count| count == 0) {
        return Vec::new();
    }
    let share = |&count: &u64| {
        let share = u128::from(count).saturating_mul(100).div_ceil(u128::from(bucket.max(1)));
        u8::try_from(share.min(100)).unwrap_or(100)
    };
    counts.iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_fall_into_their_buckets_and_a_byte_shows() {
        let mut map = MapBuilder::new(40_960);
        assert_eq!(map.bucket, 4096);
        map.add(Count::Held, Some(State::Allocated), &(0..6144));
        map.add(Count::Held, Some(State::Slack), &(6144..6145));
        map.add(Count::Scanned, Some(State::Slack), &(6144..6145));
        map.add(Count::Held, None, &(6145..40_960));
        let map = map.finish("x");
        assert_eq!(map.zones.iter().map(|zone| zone.size).sum::<u64>(), 40_960);
        let of = |state| map.zones.iter().find(|zone| zone.state == state).unwrap();
        assert_eq!(of(Some(State::Allocated)).shares, [100, 50, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(of(Some(State::Slack)).scanned_shares[1], 1);
        assert!(of(None).scanned_shares.is_empty());
        assert!(MapBuilder::new(u64::MAX).size.div_ceil(MapBuilder::new(u64::MAX).bucket) <= BUCKETS_MAX);
    }
}
