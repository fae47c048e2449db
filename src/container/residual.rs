//! What remains of a container's files when the disk and the format's own tables are taken away.

use super::{Remains, RemainsKind, Residual};
use crate::error::{Error, Kind, Result};
use crate::io::ReadAt;
use std::ops::Range;
use std::sync::Arc;

/// Ranges that are kept at most, 64 MiB of them.
const RANGES_MAX: usize = 4 << 20;
/// Ranges after which those that touch are joined.
const JOIN_EVERY: usize = 1 << 16;
/// Remains shorter than this are markers between compressed units.
const LENGTH_MIN: u64 = 32;
/// The same for images in so many pieces that their padding cannot be kept apart.
const COARSE_LENGTH_MIN: u64 = 4096;
/// Remains shorter than this between two things in use are padding.
const PADDING_MAX: u64 = 512;
/// Compressed units that are counted in sectors share the last one with what follows.
const SECTOR: u64 = 512;

/// Ranges of files that are in use.
#[derive(Debug)]
pub(super) struct Used {
    files: Vec<Ranges>,
    nearness: Nearness,
}

/// How near to each other two ranges count as one.
#[derive(Clone, Copy, Debug)]
struct Nearness {
    /// Remains shorter than this do not count.
    length_min: u64,
    /// Whether compressed units lie behind each other without regard to sectors.
    packed: bool,
}

#[derive(Clone, Debug, Default)]
struct Ranges {
    list: Vec<Range<u64>>,
    /// Ranges at the end of the list that were not joined yet.
    loose: usize,
}

impl Used {
    /// Nothing of `files` files.
    pub(super) fn new(files: usize) -> Self {
        let nearness = Nearness { length_min: LENGTH_MIN, packed: false };
        Self { files: vec![Ranges::default(); files], nearness }
    }

    /// Adds `length` bytes from `at` on of file number `file`.
    ///
    /// # Errors
    /// [`Kind::LimitExceeded`] for more pieces than are kept.
    pub(super) fn add(&mut self, file: usize, at: u64, length: u64) -> Result<()> {
        let nearness = self.nearness;
        let Some(ranges) = self.files.get_mut(file).filter(|_| length > 0) else { return Ok(()) };
        let end = at.saturating_add(length);
        if let Some(last) = ranges.list.last_mut().filter(|last| nearness.joins(last, at)) {
            last.end = last.end.max(end);
            return Ok(());
        }
        ranges.list.push(at..end);
        ranges.loose = ranges.loose.saturating_add(1);
        if ranges.loose >= JOIN_EVERY.max(ranges.list.len() / 2) {
            ranges.join(nearness);
        }
        if ranges.list.len() > RANGES_MAX {
            return self.coarsen();
        }
        Ok(())
    }

    /// Adds each of the ranges of file number `file`.
    ///
    /// # Errors
    /// As [`Used::add`].
    pub(super) fn add_all(&mut self, file: usize, ranges: &[Range<u64>]) -> Result<()> {
        ranges.iter().try_for_each(|range| self.add(file, range.start, range.end.saturating_sub(range.start)))
    }

    /// Adds a compressed unit of which at most `length` bytes are in use, and all but the last `tail` of them
    /// surely are: what follows the unit's end counts as a remain unless another unit starts there.
    pub(super) fn add_encoded(&mut self, file: usize, at: u64, length: u64, tail: u64) -> Result<()> {
        self.nearness.packed |= tail > 0;
        self.add(file, at, length.saturating_sub(tail).max(1))
    }

    /// Gives up the short remains, so that fewer ranges do.
    fn coarsen(&mut self) -> Result<()> {
        self.nearness.length_min = COARSE_LENGTH_MIN;
        for ranges in &mut self.files {
            ranges.join(self.nearness);
        }
        if self.files.iter().any(|ranges| ranges.list.len() > RANGES_MAX / 2) {
            let message = format!("the image lies in more than {RANGES_MAX} pieces");
            return Err(Error::new(Kind::LimitExceeded, message));
        }
        Ok(())
    }

    /// The ranges that were not added, told apart by `marks`.
    pub(super) fn rest(
        mut self,
        files: &[Arc<dyn ReadAt>],
        mut marks: Vec<(RemainsKind, Self)>,
        rewrite: &'static str,
    ) -> Vec<Residual> {
        let (nearness, length_min) = (self.nearness, self.nearness.length_min);
        for (_, mark) in &mut marks {
            mark.files.iter_mut().for_each(|ranges| ranges.join(mark.nearness));
        }
        let mut rest = Vec::new();
        for (number, (file, used)) in files.iter().zip(&mut self.files).enumerate() {
            used.join(nearness);
            // A file that no table counts is the descriptor, or was not opened as part of the disk.
            if used.list.is_empty() {
                continue;
            }
            let mut remains = used.gaps(file.size(), length_min);
            for (kind, mark) in &marks {
                let mark = mark.files.get(number).map(|ranges| ranges.list.as_slice()).unwrap_or_default();
                remains = divide(remains, *kind, mark);
            }
            if !remains.is_empty() {
                rest.push(Residual { number, file: Arc::clone(file), remains, length_min, rewrite });
            }
        }
        rest
    }
}

impl Nearness {
    /// Whether what starts at `at` goes on where `last` ends: what lies between them is too short to count, or
    /// is the rest of a sector in which a packed unit starts.
    fn joins(self, last: &Range<u64>, at: u64) -> bool {
        // Something that starts inside of the range is sorted in later.
        let Some(distance) = at.checked_sub(last.end) else { return false };
        distance == 0
            || (self.length_min > LENGTH_MIN && distance < self.length_min)
            || (self.packed && distance < SECTOR && !at.is_multiple_of(SECTOR))
    }
}

/// Gives the parts of unreferenced remains that lie in `mark` their kind.
fn divide(remains: Vec<Remains>, kind: RemainsKind, mark: &[Range<u64>]) -> Vec<Remains> {
    if mark.is_empty() {
        return remains;
    }
    let mut out = Vec::with_capacity(remains.len());
    for Remains { range, kind: old } in remains {
        let mut cursor = range.start;
        let first = mark.partition_point(|mark| mark.end <= range.start);
        let marks = mark.get(first..).unwrap_or_default().iter().take_while(|mark| mark.start < range.end);
        for mark in marks {
            let (start, end) = (mark.start.max(cursor), mark.end.min(range.end));
            if cursor < start {
                out.push(Remains { range: cursor..start, kind: old });
            }
            out.push(Remains { range: start..end, kind });
            cursor = end;
        }
        if cursor < range.end {
            out.push(Remains { range: cursor..range.end, kind: old });
        }
    }
    out
}

impl Ranges {
    fn join(&mut self, nearness: Nearness) {
        self.list.sort_unstable_by_key(|range| range.start);
        self.list.dedup_by(|next, last| {
            let touches = next.start <= last.end || nearness.joins(last, next.start);
            if touches {
                last.end = last.end.max(next.end);
            }
            touches
        });
        self.loose = 0;
    }

    /// What lies between the ranges, and behind the last one up to `size`.
    fn gaps(&self, size: u64, length_min: u64) -> Vec<Remains> {
        let mut gaps = Vec::new();
        let mut cursor = 0;
        for range in self.list.iter().chain(std::iter::once(&(size..size))) {
            let end = range.start.min(size);
            let length = end.saturating_sub(cursor);
            if length >= length_min {
                let kind = match (end == size, length < PADDING_MAX) {
                    (true, _) => RemainsKind::Trailing,
                    (false, true) => RemainsKind::Padding,
                    (false, false) => RemainsKind::Unreferenced,
                };
                gaps.push(Remains { range: cursor..end, kind });
            }
            cursor = cursor.max(range.end);
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(residual: &Residual) -> Vec<(u64, u64, RemainsKind)> {
        residual.remains.iter().map(|r| (r.range.start, r.range.end, r.kind)).collect()
    }

    #[test]
    fn what_was_not_added_remains() {
        let file: Arc<dyn ReadAt> = Arc::new(vec![0; 10_000]);
        let mut used = Used::new(1);
        for (at, length) in [(5000, 1000), (0, 100), (6000, 10), (100, 20), (9000, 500), (5500, 100)] {
            used.add(0, at, length).unwrap();
        }
        used.add(0, 9100, 10).unwrap();
        let mut mark = Used::new(1);
        mark.add(0, 4000, 200).unwrap();
        mark.add(0, 4900, 1000).unwrap();
        let rest = used.rest(&[file], vec![(RemainsKind::Snapshot, mark)], "");
        use RemainsKind::{Snapshot, Trailing, Unreferenced};
        assert_eq!(
            ranges(&rest[0]),
            [
                (120, 4000, Unreferenced),
                (4000, 4200, Snapshot),
                (4200, 4900, Unreferenced),
                (4900, 5000, Snapshot),
                (6010, 9000, Unreferenced),
                (9500, 10_000, Trailing),
            ]
        );
    }

    #[test]
    fn the_rest_of_a_sector_remains_unless_a_packed_unit_starts_in_it() {
        let file: Arc<dyn ReadAt> = Arc::new(vec![0; 8192]);
        let mut used = Used::new(1);
        used.add(0, 0, 1024).unwrap();
        // Two units packed behind each other, and one that ends somewhere in its last sector.
        used.add_encoded(0, 1024, 1024, 511).unwrap();
        used.add_encoded(0, 1700, 860, 511).unwrap();
        used.add(0, 4096, 4096).unwrap();
        let rest = used.rest(&[file], Vec::new(), "");
        assert_eq!(ranges(&rest[0]), [(2049, 4096, RemainsKind::Unreferenced)]);
    }

    #[test]
    fn many_pieces_are_joined_on_the_way() {
        let mut used = Used::new(1);
        for number in (0..300_000u64).rev() {
            used.add(0, number * 10, 10).unwrap();
        }
        assert!(used.files[0].list.len() < 200_000);
        let nearness = used.nearness;
        used.files[0].join(nearness);
        assert_eq!(used.files[0].list, std::slice::from_ref(&(0..3_000_000)));
    }
}
