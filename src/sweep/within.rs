//! Text that stands for other bytes, in the content around it.

use super::confirm::{Content, ToDisk, to_u64, to_usize};
use crate::content::coded::Decoded;
use crate::content::escaped::Unescaped;
use std::ops::Range;

/// What text stands for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meaning<'a> {
    /// Base64 or hexadecimal digits.
    Decoded(&'a Decoded),
    /// Text with escapes.
    Unescaped(&'a Unescaped),
}

impl Meaning<'_> {
    /// The characters that stand for a byte.
    fn source(self, at: usize) -> Option<Range<usize>> {
        match self {
            Self::Decoded(decoded) => decoded.source(at),
            Self::Unescaped(text) => text.source(at),
        }
    }
}

/// Bytes that text stands for. Where they are is told by where that text is, so that one place is one finding, however
/// much of a long text is seen at a time.
#[derive(Debug)]
pub(super) struct Within<'a> {
    pub(super) outer: &'a Content<'a>,
    pub(super) meaning: Meaning<'a>,
}

impl Within<'_> {
    /// The characters that stand for some bytes, in the content around the text.
    fn outside(&self, bytes: Range<u64>) -> Option<Range<u64>> {
        let first = self.meaning.source(to_usize(bytes.start))?;
        let last = self.meaning.source(to_usize(bytes.end.checked_sub(1)?))?;
        let outside = |at: usize| self.outer.logical.saturating_add(to_u64(at));
        Some(outside(first.start)..outside(last.end))
    }
}

impl ToDisk for Within<'_> {
    fn to_disk(&self, logical: u64) -> Option<u64> {
        self.outer.to_disk.to_disk(self.outside(logical..logical.saturating_add(1))?.start)
    }

    fn told(&self, range: Range<u64>) -> Range<u64> {
        let start = self.outer.logical;
        self.outer.to_disk.told(self.outside(range).unwrap_or(start..start))
    }

    fn pieces(&self, range: Range<u64>) -> Vec<Range<u64>> {
        self.outside(range).map(|range| self.outer.to_disk.pieces(range)).unwrap_or_default()
    }
}
