//! A part of a layer that starts and ends somewhere within it.

use super::{Extent, ReadAt, check_range};
use crate::error::{Error, Result};
use std::sync::Arc;

/// `length` bytes of a layer from `start` on, as a layer of its own.
#[derive(Clone, Debug)]
pub struct Window {
    inner: Arc<dyn ReadAt>,
    start: u64,
    length: u64,
}

impl Window {
    /// The part of `inner` from `start` on.
    ///
    /// # Errors
    /// [`Kind::Truncated`](crate::error::Kind::Truncated) when it would pass the end of `inner`.
    pub fn new(inner: Arc<dyn ReadAt>, start: u64, length: u64) -> Result<Self> {
        check_range(inner.size(), start, length)?;
        Ok(Self { inner, start, length })
    }

    /// Translates an offset; the constructor's check makes the sum safe for offsets below `length`.
    fn inner_offset(&self, offset: u64) -> u64 {
        self.start.saturating_add(offset)
    }
}

impl ReadAt for Window {
    fn size(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let length = u64::try_from(buffer.len())
            .map_err(|error| Error::truncated("read", offset, u64::MAX, self.length).with_source(error))?;
        check_range(self.length, offset, length)?;
        self.inner.read_at(self.inner_offset(offset), buffer)
    }

    fn map(&self, offset: u64, max: u64) -> Result<Extent> {
        check_range(self.length, offset, 1)?;
        let max = max.min(self.length.saturating_sub(offset));
        self.inner.map(self.inner_offset(offset), max)
    }

    fn slice(&self, offset: u64, max: u64) -> Option<&[u8]> {
        let max = max.min(self.length.checked_sub(offset)?);
        if max == 0 { None } else { self.inner.slice(self.inner_offset(offset), max) }
    }

    fn faulted(&self, offset: u64, length: u64) -> bool {
        self.inner.faulted(self.inner_offset(offset), length)
    }

    fn release(&self, offset: u64, length: u64) {
        let length = length.min(self.length.saturating_sub(offset));
        self.inner.release(self.inner_offset(offset), length);
    }
}
