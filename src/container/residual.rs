//! What remains of a container's files when the disk and the format's own tables are taken away.

use super::Residual;
use crate::error::{Error, Kind, Result};
use crate::io::ReadAt;
use std::ops::Range;
use std::sync::Arc;

/// Ranges that are kept at most, 64 MiB of them.
const RANGES_MAX: usize = 4 << 20;
/// Ranges after which those that touch are joined.
const JOIN_EVERY: usize = 1 << 16;
/// Remains shorter than this are padding and markers between compressed units.
const LENGTH_MIN: u64 = 32;

/// Ranges of files that are in use.
#[derive(Debug)]
pub(super) struct Used {
    files: Vec<Ranges>,
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
        Self { files: vec![Ranges::default(); files] }
    }

    /// Adds `length` bytes from `at` on of file number `file`.
    ///
    /// # Errors
    /// [`Kind::LimitExceeded`] for more pieces than are kept.
    pub(super) fn add(&mut self, file: usize, at: u64, length: u64) -> Result<()> {
        let Some(ranges) = self.files.get_mut(file).filter(|_| length > 0) else { return Ok(()) };
        let end = at.saturating_add(length);
        if let Some(last) = ranges.list.last_mut().filter(|last| last.end == at) {
            last.end = end;
            return Ok(());
        }
        ranges.list.push(at..end);
        ranges.loose = ranges.loose.saturating_add(1);
        if ranges.loose >= JOIN_EVERY.max(ranges.list.len() / 2) {
            ranges.join();
        }
        if ranges.list.len() > RANGES_MAX {
            let message = format!("the image lies in more than {RANGES_MAX} pieces");
            return Err(Error::new(Kind::LimitExceeded, message));
        }
        Ok(())
    }

    /// The ranges that were not added.
    pub(super) fn rest(mut self, files: &[Arc<dyn ReadAt>]) -> Vec<Residual> {
        let mut rest = Vec::new();
        for (number, (file, used)) in files.iter().zip(&mut self.files).enumerate() {
            used.join();
            // A file that no table counts is the descriptor, or was not opened as part of the disk.
            if used.list.is_empty() {
                continue;
            }
            let ranges = used.gaps(file.size());
            if !ranges.is_empty() {
                rest.push(Residual { number, file: Arc::clone(file), ranges });
            }
        }
        rest
    }
}

impl Ranges {
    fn join(&mut self) {
        self.list.sort_unstable_by_key(|range| range.start);
        self.list.dedup_by(|next, last| {
            let touches = next.start <= last.end;
            if touches {
                last.end = last.end.max(next.end);
            }
            touches
        });
        self.loose = 0;
    }

    /// What lies between the ranges, and behind the last one up to `size`.
    fn gaps(&self, size: u64) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut cursor = 0;
        for range in self.list.iter().chain(std::iter::once(&(size..size))) {
            let end = range.start.min(size);
            if end.saturating_sub(cursor) >= LENGTH_MIN {
                gaps.push(cursor..end);
            }
            cursor = cursor.max(range.end);
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_added_remains() {
        let file: Arc<dyn ReadAt> = Arc::new(vec![0; 10_000]);
        let mut used = Used::new(1);
        for (at, length) in [(5000, 1000), (0, 100), (6000, 10), (100, 20), (9000, u64::MAX), (5500, 100)] {
            used.add(0, at, length).unwrap();
        }
        let rest = used.rest(&[file]);
        assert_eq!(rest[0].ranges, [120..5000, 6010..9000]);
    }

    #[test]
    fn many_pieces_are_joined_on_the_way() {
        let mut used = Used::new(1);
        for number in (0..300_000u64).rev() {
            used.add(0, number * 10, 10).unwrap();
        }
        assert!(used.files[0].list.len() < 200_000);
        used.files[0].join();
        assert_eq!(used.files[0].list, std::slice::from_ref(&(0..3_000_000)));
    }
}
