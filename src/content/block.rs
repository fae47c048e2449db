//! Tests of [`BLOCK`] bytes at a time, in vector instructions that any processor has.
//!
//! Written out with [`wide`]: what compilers make of loops over so few bytes differs by a factor of six between
//! forms that say the same.

use std::ops::RangeInclusive;
use wide::u8x16;

/// Bytes of a block.
pub(super) const BLOCK: usize = 16;

/// Which bytes of a block are what was asked for, a bit for each, the first the lowest.
pub(super) type Bits = u32;
/// All bytes of a block.
pub(super) const ALL: Bits = 0xffff;

/// Which bytes of a block are what was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mask(u8x16);

impl Mask {
    #[inline]
    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[inline]
    pub(super) fn bits(self) -> Bits {
        self.0.to_bitmask()
    }
}

/// A block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block(u8x16);

impl Block {
    #[inline]
    pub(super) fn new(bytes: &[u8; BLOCK]) -> Self {
        Self(u8x16::new(*bytes))
    }

    /// The same with small letters for capital ones; other characters become others as well.
    #[inline]
    pub(super) fn lower(self) -> Self {
        Self(self.0 | u8x16::splat(0x20))
    }

    /// Which bytes lie in a range.
    #[inline]
    pub(super) fn within(self, range: RangeInclusive<u8>) -> Mask {
        let distance = self.0 - u8x16::splat(*range.start());
        let last = u8x16::splat(range.end().wrapping_sub(*range.start()));
        Mask(distance.min(last).simd_eq(distance))
    }

    /// Which bytes are this one.
    #[inline]
    pub(super) fn is(self, byte: u8) -> Mask {
        Mask(self.0.simd_eq(u8x16::splat(byte)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_told_in_each_place() {
        for byte in 0..=u8::MAX {
            for other in [0, b'5', 0x7f, 0x80, 0xff] {
                for place in 0..BLOCK {
                    let mut bytes = [other; BLOCK];
                    bytes[place] = byte;
                    let block = Block::new(&bytes);
                    for range in [0..=0, b'\n'..=b'\r', b'0'..=b'9', b'a'..=b'z', 0..=0x7f, 0..=0xff] {
                        let expected = |(at, byte)| Bits::from(range.contains(byte)) << at;
                        let expected: Bits = bytes.iter().enumerate().map(expected).sum();
                        assert_eq!(block.within(range.clone()).bits(), expected, "{byte} {other} {range:?}");
                    }
                    let is = block.is(byte).bits();
                    assert_eq!(is, if byte == other { ALL } else { 1 << place }, "{byte} {other}");
                }
            }
        }
    }
}
