//! Content that is shorter than what its container claims: what is there is read, then the claim is an error.

use super::to_u64;
use crate::error::{Error, Kind};
use std::io::Read;

/// An error in place of content, or behind the part of it that is there; nothing without one.
pub(super) struct Refused(pub(super) Option<Error>);

impl Read for Refused {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        self.0.take().map_or(Ok(0), |error| Err(std::io::Error::other(error)))
    }
}

/// A member that is said to hold `size` bytes. More are read as well.
pub(super) struct Claimed<R> {
    content: R,
    size: u64,
    read: u64,
    has_failed: bool,
}

impl<R: Read> Claimed<R> {
    pub(super) fn new(content: R, size: u64) -> Self {
        Self { content, size, read: 0, has_failed: false }
    }

    /// Whether whoever read it got an error.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed
    }
}

impl<R: Read> Read for Claimed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let outcome = match self.content.read(buffer) {
            Ok(0) if !buffer.is_empty() && self.read < self.size => {
                let message = format!("member: {} bytes wanted, it ends at byte {}", self.size, self.read);
                Err(std::io::Error::other(Error::new(Kind::Truncated, message)))
            }
            outcome => outcome,
        };
        match &outcome {
            Ok(got) => self.read = self.read.saturating_add(to_u64(*got)),
            Err(_) => self.has_failed = true,
        }
        outcome
    }
}
