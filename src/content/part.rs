//! A range of content, read from its start to its end.

use super::{to_u64, to_usize};
use crate::error::Error;
use crate::io::ReadAt;
use std::io::Read;

/// A range of the archive, such as a member as it is packed. Where the archive ends within it, what is there is read,
/// and then reading fails.
pub(super) struct Part<'a> {
    pub(super) content: &'a dyn ReadAt,
    /// Offset of the next byte.
    pub(super) at: u64,
    /// Bytes from there to the range's end.
    pub(super) left: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let there = self.content.size().saturating_sub(self.at);
        if there == 0 && self.left > 0 {
            let error = Error::truncated("packed data", self.at, self.left, self.content.size());
            return Err(std::io::Error::other(error));
        }
        let length = buffer.len().min(to_usize(self.left.min(there)));
        let part = buffer.get_mut(..length).unwrap_or_default();
        self.content.read_at(self.at, part).map_err(std::io::Error::other)?;
        let read = to_u64(length);
        (self.at, self.left) = (self.at.saturating_add(read), self.left.saturating_sub(read));
        Ok(length)
    }
}
