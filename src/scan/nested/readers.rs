//! The bytes of nested images as their readers and the sweep take them.

use crate::container::Image;
use crate::error::Result;
use crate::io::{Backing, Extent, ReadAt, check_range};
use std::ops::Range;
use std::sync::Arc;

/// The bytes of a file as a container's own file: places in it count from its first byte.
#[derive(Debug)]
pub(super) struct Outermost {
    pub(super) file: Arc<dyn ReadAt>,
}

impl ReadAt for Outermost {
    fn size(&self) -> u64 {
        self.file.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.file.read_at(offset, buffer)
    }

    fn map(&self, offset: u64, max: u64) -> Result<Extent> {
        let Extent { length, backing } = self.file.map(offset, max)?;
        let backing = match backing {
            Backing::Stored { .. } | Backing::Encoded { .. } => Backing::Stored { host: offset },
            other => other,
        };
        Ok(Extent { length, backing })
    }

    fn slice(&self, offset: u64, max: u64) -> Option<&[u8]> {
        self.file.slice(offset, max)
    }

    fn faulted(&self, offset: u64, length: u64) -> bool {
        self.file.faulted(offset, length)
    }

    fn release(&self, offset: u64, length: u64) {
        self.file.release(offset, length);
    }
}

/// A disk of which only some ranges count; the rest is holes.
#[derive(Debug)]
pub(super) struct Only {
    pub(super) image: Arc<dyn Image>,
    /// Ascending and apart from each other.
    pub(super) ranges: Vec<Range<u64>>,
}

impl ReadAt for Only {
    fn size(&self) -> u64 {
        self.image.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.image.read_at(offset, buffer)
    }

    fn map(&self, offset: u64, max: u64) -> Result<Extent> {
        check_range(self.size(), offset, 1)?;
        let max = max.min(self.size().saturating_sub(offset)).max(1);
        let next = self.ranges.partition_point(|range| range.end <= offset);
        Ok(match self.ranges.get(next) {
            Some(range) if range.start <= offset => {
                let length = range.end.saturating_sub(offset).min(max);
                Extent { length, backing: Backing::Encoded { host: 0, host_length: 0 } }
            }
            range => {
                let length = range.map_or(max, |range| range.start.saturating_sub(offset).min(max));
                Extent { length, backing: Backing::Hole }
            }
        })
    }
}
