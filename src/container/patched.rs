//! A file with some of its sectors replaced in memory.

use crate::error::{Error, Kind, Result};
use crate::io::{Backing, Extent, ReadAt, check_range};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is replaced starts and ends on multiples of this.
const SECTOR: u64 = 4096;
/// Patches at most: 256 MiB of sectors.
const PATCHES_MAX: usize = 65_536;

/// Bytes that stand in for those of the file.
#[derive(Clone, Debug)]
enum Patch {
    /// Zeros.
    Zeros,
    /// A sector, and where in the file its bytes were kept.
    Sector { bytes: Arc<[u8; 4096]>, host: u64 },
}

/// A file and what is laid over it.
#[derive(Debug)]
pub(super) struct Patched {
    source: Arc<dyn ReadAt>,
    size: u64,
    /// Disjoint ranges by their start, with their end.
    patches: BTreeMap<u64, (u64, Patch)>,
}

/// What a place of the file comes to.
enum Piece<'a> {
    Source { length: u64 },
    Patch { start: u64, length: u64, patch: &'a Patch },
}

impl Patched {
    /// `source` without any patches.
    pub(super) fn new(source: Arc<dyn ReadAt>) -> Self {
        Self { size: source.size(), source, patches: BTreeMap::new() }
    }

    /// Replaces the sector at `at`, whose bytes are kept at byte `host` of the file.
    pub(super) fn replace(&mut self, at: u64, bytes: [u8; 4096], host: u64) -> Result<()> {
        self.insert(at, SECTOR, Patch::Sector { bytes: Arc::new(bytes), host })
    }

    /// Replaces `length` bytes at `at` by zeros.
    pub(super) fn zero(&mut self, at: u64, length: u64) -> Result<()> {
        if length == 0 { Ok(()) } else { self.insert(at, length, Patch::Zeros) }
    }

    fn insert(&mut self, start: u64, length: u64, patch: Patch) -> Result<()> {
        let end = start
            .checked_add(length)
            .filter(|end| start.is_multiple_of(SECTOR) && end.is_multiple_of(SECTOR));
        let end = end.ok_or_else(|| Error::corrupt(start, "replaced range", "whole sectors", length))?;
        if self.patches.len() >= PATCHES_MAX {
            return Err(Error::new(Kind::LimitExceeded, format!("more than {PATCHES_MAX} replaced ranges")));
        }
        let before = self.patches.range(..start).next_back().map(|(&at, _)| at);
        let inside = self.patches.range(start..end).map(|(&at, _)| at);
        for at in before.into_iter().chain(inside).collect::<Vec<_>>() {
            let Some((old_end, old)) = self.patches.remove(&at) else { continue };
            // Sectors are whole, so what remains of a patch on either side is zeros or all of it.
            if at < start {
                self.patches.insert(at, (old_end.min(start), old.clone()));
            }
            if old_end > end {
                self.patches.insert(end, (old_end, old));
            }
        }
        self.patches.insert(start, (end, patch));
        self.size = self.size.max(end);
        Ok(())
    }

    fn piece(&self, offset: u64, max: u64) -> Piece<'_> {
        if let Some((&start, (end, patch))) = self.patches.range(..=offset).next_back()
            && offset < *end
        {
            return Piece::Patch { start, length: max.min(end.saturating_sub(offset)), patch };
        }
        let next = self.patches.range(offset..).next().map_or(u64::MAX, |(&start, _)| start);
        Piece::Source { length: max.min(next.saturating_sub(offset)) }
    }
}

impl ReadAt for Patched {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        check_range(self.size, offset, u64::try_from(buffer.len()).unwrap_or(u64::MAX))?;
        let (mut at, mut rest) = (offset, buffer);
        while !rest.is_empty() {
            let piece = self.piece(at, u64::try_from(rest.len()).unwrap_or(u64::MAX));
            let (Piece::Source { length } | Piece::Patch { length, .. }) = piece;
            let step = usize::try_from(length).unwrap_or(usize::MAX);
            let (now, later) = rest
                .split_at_mut_checked(step)
                .ok_or_else(|| Error::truncated("replaced range", at, length, self.size))?;
            match piece {
                Piece::Source { .. } => self.source.read_at(at, now)?,
                Piece::Patch { patch: Patch::Zeros, .. } => now.fill(0),
                Piece::Patch { start, patch: Patch::Sector { bytes, .. }, .. } => {
                    let first = usize::try_from(at.saturating_sub(start)).unwrap_or(usize::MAX);
                    let part = first.checked_add(step).and_then(|end| bytes.get(first..end));
                    now.copy_from_slice(part.ok_or_else(|| Error::truncated("sector", at, length, SECTOR))?);
                }
            }
            at = at.saturating_add(length);
            rest = later;
        }
        Ok(())
    }

    fn map(&self, offset: u64, max: u64) -> Result<Extent> {
        check_range(self.size, offset, 1)?;
        match self.piece(offset, max.min(self.size.saturating_sub(offset)).max(1)) {
            Piece::Source { length } => self.source.map(offset, length),
            Piece::Patch { length, patch: Patch::Zeros, .. } => Ok(Extent { length, backing: Backing::Hole }),
            Piece::Patch { length, patch: Patch::Sector { host, .. }, .. } => {
                Ok(Extent { length, backing: Backing::Encoded { host: *host, host_length: SECTOR } })
            }
        }
    }

    fn slice(&self, offset: u64, max: u64) -> Option<&[u8]> {
        match self.piece(offset, max) {
            Piece::Source { length } => self.source.slice(offset, length),
            Piece::Patch { .. } => None,
        }
    }

    fn faulted(&self, offset: u64, length: u64) -> bool {
        self.source.faulted(offset, length)
    }

    fn release(&self, offset: u64, length: u64) {
        self.source.release(offset, length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_patches_win_and_the_rest_stays() {
        let mut expected = vec![1u8; 20 * 4096];
        let mut patched = Patched::new(Arc::new(expected.clone()));
        patched.zero(4096, 8 * 4096).unwrap();
        expected[4096..9 * 4096].fill(0);
        patched.replace(3 * 4096, [7; 4096], 0).unwrap();
        expected[3 * 4096..4 * 4096].fill(7);
        patched.replace(19 * 4096, [8; 4096], 0).unwrap();
        expected[19 * 4096..].fill(8);
        patched.zero(2 * 4096, 4096).unwrap();
        patched.zero(0, 4096).unwrap();
        expected[..4096].fill(0);
        patched.replace(8 * 4096, [9; 4096], 0).unwrap();
        expected[8 * 4096..9 * 4096].fill(9);
        let mut read = vec![0xee; expected.len()];
        patched.read_at(0, &mut read).unwrap();
        assert!(read == expected);
        for start in (0..expected.len() - 5000).step_by(3001) {
            let mut part = [0xee; 5000];
            patched.read_at(start as u64, &mut part).unwrap();
            assert!(part == expected[start..start + 5000], "{start}");
        }
    }

    #[test]
    fn ranges_that_are_not_whole_sectors_are_refused() {
        let mut patched = Patched::new(Arc::new(vec![1u8; 8192]));
        for (at, length) in [(1, 4096), (4096, 5), (u64::MAX - 4095, 4096), (0, u64::MAX)] {
            patched.zero(at, length).unwrap_err();
        }
    }
}
