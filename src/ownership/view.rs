//! Logical content around a place: what a reader of the owner would see, without the disk's seams.

use super::{Hold, OwnerMap, Zone};
use crate::error::Result;
use crate::filesystem::{DataRun, FileSystem, Place};
use crate::io::ReadAt;
use std::ops::Range;

/// Content with logical offsets, stitched over the places where it lies.
#[derive(Clone, Debug)]
pub struct View {
    /// Pieces sorted by logical offset, without overlaps: logical offset, volume offset, length.
    pieces: Vec<(u64, u64, u64)>,
    /// Logical range that counts; what no piece holds within it is zeros.
    clip: Range<u64>,
}

impl View {
    /// The view that `hold` lies in.
    ///
    /// # Errors
    /// When the owner's entry cannot be read again.
    pub fn new(map: &OwnerMap, filesystem: Option<&dyn FileSystem>, hold: &Hold) -> Result<Self> {
        match (hold.zone, hold.owner, filesystem) {
            (Zone::Content | Zone::Slack | Zone::Beyond, Some(owner), Some(filesystem)) => {
                let entry = filesystem.entry(owner.entry())?;
                let stream = entry.streams.get(usize::from(owner.stream));
                let runs = stream.map(|stream| stream.runs()).unwrap_or_default();
                let unit = map.block_size.max(1);
                let slack_end = owner.end.checked_next_multiple_of(unit).unwrap_or(u64::MAX);
                let clip = match hold.zone {
                    Zone::Content => 0..owner.end,
                    Zone::Slack => owner.end..slack_end,
                    _ => slack_end..runs.iter().map(DataRun::end).max().unwrap_or(slack_end),
                };
                Ok(Self::of_runs(runs, clip))
            }
            (Zone::Free, ..) => Ok(Self::of_free(&map.free, &hold.span)),
            _ => Ok(Self::of_span(hold)),
        }
    }

    /// The span of `hold` by itself.
    pub fn of_span(hold: &Hold) -> Self {
        let length = hold.span.end.saturating_sub(hold.span.start);
        let clip = hold.logical..hold.logical.saturating_add(length);
        Self { pieces: vec![(hold.logical, hold.span.start, length)], clip }
    }

    fn of_runs(runs: &[DataRun], clip: Range<u64>) -> Self {
        let mut pieces: Vec<_> = runs
            .iter()
            .filter_map(|run| match run.place {
                Place::At(at) => Some((run.logical, at, run.length)),
                _ => None,
            })
            .collect();
        pieces.sort_unstable();
        Self { pieces, clip }
    }

    /// Free ranges around `span`, each at its own volume offset: the space between them is cut out when the
    /// view is read, see [`read`](Self::read). Only neighbours within a bounded number of ranges are taken.
    fn of_free(free: &[Range<u64>], span: &Range<u64>) -> Self {
        /// Neighbours on each side; windows are small, and free space of one block a range is rare.
        const NEIGHBOURS: usize = 32;
        let at = free.partition_point(|range| range.end <= span.start);
        let from = at.saturating_sub(NEIGHBOURS);
        let to = at.saturating_add(NEIGHBOURS).min(free.len());
        let near = free.get(from..to).unwrap_or_default();
        // Logical offsets are counted so that the span keeps its volume offset as its logical one.
        let mut pieces = Vec::with_capacity(near.len());
        let mut logical = span.start;
        for range in near.iter().take(at.saturating_sub(from)).rev() {
            let length = range.end.saturating_sub(range.start);
            logical = logical.saturating_sub(length);
            pieces.push((logical, range.start, length));
        }
        pieces.reverse();
        let mut logical = span.start;
        for range in near.iter().skip(at.saturating_sub(from)) {
            let start = range.start.max(span.start);
            let length = range.end.saturating_sub(start);
            pieces.push((logical, start, length));
            logical = logical.saturating_add(length);
        }
        let start = pieces.first().map_or(span.start, |piece| piece.0);
        Self { pieces, clip: start..logical }
    }

    /// The logical range that has content.
    pub fn bounds(&self) -> Range<u64> {
        self.clip.clone()
    }

    /// Reads the part of `wanted` that lies within the bounds; returns where it starts and its bytes. Bytes
    /// that cannot be read end the content there.
    pub fn read(&self, volume: &dyn ReadAt, wanted: Range<u64>) -> (u64, Vec<u8>) {
        let start = wanted.start.max(self.clip.start);
        let end = wanted.end.min(self.clip.end).max(start);
        let mut bytes = vec![0; usize::try_from(end.saturating_sub(start)).unwrap_or(0)];
        let first = self.pieces.partition_point(|piece| piece.0.saturating_add(piece.2) <= start);
        for &(logical, at, length) in self.pieces.get(first..).unwrap_or_default() {
            if logical >= end {
                break;
            }
            let from = start.max(logical);
            let to = end.min(logical.saturating_add(length));
            let index = |offset: u64| usize::try_from(offset.saturating_sub(start)).unwrap_or(usize::MAX);
            let Some(part) = bytes.get_mut(index(from)..index(to)) else { continue };
            if volume.read_at(at.saturating_add(from.saturating_sub(logical)), part).is_err() {
                // The sweep reports the range itself as unread; here the content ends before it.
                bytes.truncate(index(from));
                break;
            }
        }
        (start, bytes)
    }

    /// Where a logical offset lies in the volume.
    pub fn to_volume(&self, logical: u64) -> Option<u64> {
        let next = self.pieces.partition_point(|piece| piece.0 <= logical);
        let &(start, at, length) = self.pieces.get(next.checked_sub(1)?)?;
        let inside = logical.checked_sub(start).filter(|&inside| inside < length)?;
        Some(at.saturating_add(inside))
    }
}
