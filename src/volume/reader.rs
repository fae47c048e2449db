//! The bytes of a volume, read through its segments.

use super::{Segment, Volume};
use crate::error::{Error, Kind, Result};
use crate::io::{Backing, Extent, ReadAt, check_range};
use std::sync::Arc;

/// Why a part of a volume has no bytes.
const ABSENT: &str = "this part of the volume lies on a device that is not in the image";

/// A volume's bytes, as a layer of their own.
#[derive(Clone, Debug)]
pub struct VolumeReader {
    disk: Arc<dyn ReadAt>,
    volume: Volume,
}

impl VolumeReader {
    /// Reads `volume` through `disk`.
    pub fn new(disk: Arc<dyn ReadAt>, volume: Volume) -> Self {
        Self { disk, volume }
    }

    /// The first piece at or behind `offset`, of at most `max` bytes.
    fn piece(&self, offset: u64, max: u64) -> Option<Segment> {
        self.volume.pieces(offset..offset.saturating_add(max)).next()
    }
}

fn absent(offset: u64) -> Error {
    Error::new(Kind::MissingParent, ABSENT).at(offset)
}

impl ReadAt for VolumeReader {
    fn size(&self) -> u64 {
        self.volume.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let length = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        check_range(self.size(), offset, length)?;
        let (mut at, mut rest) = (offset, buffer);
        for piece in self.volume.pieces(offset..offset.saturating_add(length)) {
            if piece.volume_offset != at {
                return Err(absent(at));
            }
            let step = usize::try_from(piece.length).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at_mut_checked(step).ok_or_else(|| {
                Error::corrupt(at, "volume segments", "at most the range asked for", piece.length)
            })?;
            self.disk.read_at(piece.disk_offset, now)?;
            (at, rest) = (piece.end(), later);
        }
        if rest.is_empty() { Ok(()) } else { Err(absent(at)) }
    }

    fn map(&self, offset: u64, max: u64) -> Result<Extent> {
        check_range(self.size(), offset, 1)?;
        let max = max.min(self.size().saturating_sub(offset));
        let piece = self.piece(offset, max);
        let Some(piece) = piece.filter(|piece| piece.volume_offset == offset) else {
            let until = piece.map_or(offset.saturating_add(max), |piece| piece.volume_offset);
            let backing = Backing::Missing { reason: ABSENT.into() };
            return Ok(Extent { length: until.saturating_sub(offset), backing });
        };
        if piece.disk_end() > self.disk.size() {
            let reason = "the volume passes the end of the image".into();
            return Ok(Extent { length: piece.length, backing: Backing::Missing { reason } });
        }
        self.disk.map(piece.disk_offset, piece.length)
    }

    fn slice(&self, offset: u64, max: u64) -> Option<&[u8]> {
        let piece = self.piece(offset, max).filter(|piece| piece.volume_offset == offset)?;
        self.disk.slice(piece.disk_offset, piece.length)
    }
}
