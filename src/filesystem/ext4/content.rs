//! The content of a stream whose block map is partly lost.

use crate::error::{Error, Result};
use crate::io::{Backing, Extent, ReadAt};
use std::ops::Range;
use std::sync::Arc;

/// A stream in which some byte ranges cannot be had: reading those is an error, never zeros.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) content: Arc<dyn ReadAt>,
    /// Ascending.
    pub(super) missing: Vec<Range<u64>>,
}

impl Partial {
    /// Bytes from `offset` on that can be had, up to `max`; 0 inside a missing range.
    fn present(&self, offset: u64, max: u64) -> u64 {
        let end = offset.saturating_add(max);
        let next = self.missing.iter().filter(|range| range.end > offset && range.start < end);
        next.map(|range| range.start.max(offset)).min().map_or(max, |start| start.saturating_sub(offset))
    }
}

impl ReadAt for Partial {
    fn size(&self) -> u64 {
        self.content.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let length = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        let present = self.present(offset, length);
        if present < length {
            let at = offset.saturating_add(present);
            return Err(Error::corrupt(at, "block map", "a block for this part of the content", "damage"));
        }
        self.content.read_at(offset, buffer)
    }

    fn map(&self, offset: u64, max: u64) -> Result<Extent> {
        match self.present(offset, max) {
            0 => {
                let ends = self.missing.iter().filter(|range| range.contains(&offset)).map(|range| range.end);
                let end = ends.max().unwrap_or(offset).min(self.size());
                let reason = "the block map is damaged".into();
                let length = end.saturating_sub(offset).clamp(1, max.max(1));
                Ok(Extent { length, backing: Backing::Missing { reason } })
            }
            present => self.content.map(offset, present),
        }
    }

    fn slice(&self, offset: u64, max: u64) -> Option<&[u8]> {
        match self.present(offset, max) {
            0 => None,
            present => self.content.slice(offset, present),
        }
    }

    fn release(&self, offset: u64, length: u64) {
        self.content.release(offset, length);
    }
}
