//! A pack read from any place on, with what was read ahead kept.

use crate::content::peek::read_held;
use crate::content::{decode_error, to_u64, to_usize};
use crate::error::{Error, Result};
use crate::io::ReadAt;
use std::io::{BufRead, Read};

/// Bytes read at a time.
const STEP: u64 = 64 << 10;

pub(super) struct Input<'a> {
    content: &'a dyn ReadAt,
    /// Offset of the first byte held, and how many of those held were taken.
    start: u64,
    taken: usize,
    held: Vec<u8>,
}

impl<'a> Input<'a> {
    pub(super) fn new(content: &'a dyn ReadAt, at: u64) -> Self {
        Self { content, start: at, taken: 0, held: Vec::new() }
    }

    /// Offset of the next byte.
    pub(super) fn at(&self) -> u64 {
        self.start.saturating_add(to_u64(self.taken))
    }

    /// The next byte.
    pub(super) fn byte(&mut self) -> Result<u8> {
        let mut byte = [0];
        self.read_exact(&mut byte).map_err(decode_error)?;
        let [byte] = byte;
        Ok(byte)
    }

    /// How far before an object its base lies: groups of 7 bits, each but the last with one added.
    pub(super) fn back(&mut self) -> Result<u64> {
        let at = self.at();
        let mut byte = self.byte()?;
        let mut value = u64::from(byte & 0x7f);
        while byte & 0x80 != 0 {
            byte = self.byte()?;
            let next = value.checked_add(1).and_then(|value| value.checked_mul(128));
            value = next
                .and_then(|next| next.checked_add(u64::from(byte & 0x7f)))
                .ok_or_else(|| Error::corrupt(at, "offset of a base", "64 bits", "more"))?;
        }
        Ok(value)
    }
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        read_held(self, buffer)
    }
}

impl BufRead for Input<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        if self.taken >= self.held.len() {
            self.start = self.at();
            self.taken = 0;
            let left = self.content.size().saturating_sub(self.start).min(STEP);
            self.held.resize(to_usize(left), 0);
            self.content.read_at(self.start, &mut self.held).map_err(std::io::Error::other)?;
        }
        Ok(self.held.get(self.taken..).unwrap_or_default())
    }

    fn consume(&mut self, length: usize) {
        self.taken = self.taken.saturating_add(length).min(self.held.len());
    }
}
