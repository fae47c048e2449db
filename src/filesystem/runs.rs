//! The content of a stream that is stored as data runs.

use super::{DataRun, Place, Stream};
use crate::error::{Error, Result};
use crate::io::{Backing, Extent, ReadAt, check_range};
use std::sync::Arc;

/// A stream read through its data runs: holes, unwritten runs and bytes past the initialised size are zeros.
#[derive(Debug)]
pub struct RunReader {
    volume: Arc<dyn ReadAt>,
    runs: Vec<DataRun>,
    size: u64,
    initialised: u64,
}

/// What a place in the stream comes to.
enum Piece {
    /// `length` bytes at a volume offset.
    Stored { at: u64, length: u64 },
    /// `length` zeros.
    Zeros { length: u64 },
}

impl RunReader {
    /// Reads `stream`, whose runs lie in `volume`. Runs are taken as they are; their order does not matter.
    pub fn new(volume: Arc<dyn ReadAt>, stream: &Stream) -> Self {
        let mut runs: Vec<_> =
            stream.runs().iter().filter(|run| matches!(run.place, Place::At(_))).copied().collect();
        runs.sort_by_key(|run| run.logical);
        Self { volume, runs, size: stream.size, initialised: stream.initialised }
    }

    /// The longest piece of one sort at `offset`, of at most `max` bytes.
    fn piece(&self, offset: u64, max: u64) -> Piece {
        let written = self.initialised.min(self.size);
        let Some(left) = written.checked_sub(offset).filter(|&left| left > 0) else {
            return Piece::Zeros { length: max };
        };
        let max = max.min(left);
        let next = self.runs.partition_point(|run| run.logical <= offset);
        let run = next.checked_sub(1).and_then(|before| self.runs.get(before));
        if let Some(DataRun { logical, length, place: Place::At(start) }) = run {
            let inside = offset.saturating_sub(*logical);
            if let Some(left) = length.checked_sub(inside).filter(|&left| left > 0) {
                return Piece::Stored { at: start.saturating_add(inside), length: max.min(left) };
            }
        }
        let until = self.runs.get(next).map_or(u64::MAX, |run| run.logical);
        Piece::Zeros { length: max.min(until.saturating_sub(offset)) }
    }
}

impl ReadAt for RunReader {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let length = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        check_range(self.size, offset, length)?;
        let (mut at, mut rest) = (offset, buffer);
        while !rest.is_empty() {
            let max = u64::try_from(rest.len()).unwrap_or(u64::MAX);
            let (stored, length) = match self.piece(at, max) {
                Piece::Stored { at, length } => (Some(at), length),
                Piece::Zeros { length } => (None, length),
            };
            let step = usize::try_from(length).unwrap_or(usize::MAX);
            let (now, later) = rest
                .split_at_mut_checked(step)
                .filter(|_| step > 0)
                .ok_or_else(|| Error::corrupt(at, "data run", "a length within the stream", length))?;
            match stored {
                Some(place) => self.volume.read_at(place, now)?,
                None => now.fill(0),
            }
            at = at.saturating_add(length);
            rest = later;
        }
        Ok(())
    }

    fn map(&self, offset: u64, max: u64) -> Result<Extent> {
        check_range(self.size, offset, 1)?;
        match self.piece(offset, max.min(self.size.saturating_sub(offset))) {
            Piece::Stored { at, length } => self.volume.map(at, length),
            Piece::Zeros { length } => Ok(Extent { length, backing: Backing::Hole }),
        }
    }

    fn slice(&self, offset: u64, max: u64) -> Option<&[u8]> {
        let max = max.min(self.size.checked_sub(offset)?);
        match self.piece(offset, max) {
            Piece::Stored { at, length } if length > 0 => self.volume.slice(at, length),
            _ => None,
        }
    }
}
