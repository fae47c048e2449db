//! What formats have in common that cut the disk into blocks of one size and place them by one table.

use super::sparse::{Piece, peek};
use crate::error::{Error, Result};
use crate::io::ReadAt;

/// Bytes of a sector bitmap that one look-up reads.
const BITMAP_STEP: usize = 64;

/// A table in which entry `n` places block `n`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    /// Where its first entry lies.
    pub(super) at: u64,
    /// Length of an entry in bytes.
    pub(super) width: u64,
    /// What an entry is called in errors.
    pub(super) what: &'static str,
}

impl Table {
    /// Where entry `index` lies.
    pub(super) fn entry_at(self, index: u64) -> u64 {
        self.at.saturating_add(index.saturating_mul(self.width))
    }

    /// Reads entry `index` and asks `place` where its block lies; what cannot be read or placed is missing.
    /// `lengths` are those of what is left of the block and of the disk: where the file ends before the entry,
    /// it ends before all others, too, and all of the disk is missing at once.
    pub(super) fn locate<const N: usize>(
        self,
        file: &dyn ReadAt,
        index: u64,
        lengths: (u64, u64),
        place: impl FnOnce([u8; N]) -> Result<Piece>,
    ) -> Piece {
        let (rest_of_block, left) = lengths;
        let (at, mut entry) = (self.entry_at(index), [0; N]);
        if at.saturating_add(self.width) > file.size() {
            let error = Error::truncated(self.what, at, self.width, file.size());
            return Piece::missing(left.max(1), &error);
        }
        match peek(file, at, &mut entry) {
            Ok(()) => place(entry).unwrap_or_else(|error| Piece::missing(rest_of_block.max(1), &error)),
            Err(error) => Piece::missing(rest_of_block.max(1), &error.context(self.what)),
        }
    }
}

/// Which bit of a bitmap's byte stands for its first sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstBit {
    /// The highest.
    Highest,
    /// The lowest.
    Lowest,
}

/// A bitmap of sectors.
#[derive(Clone, Copy, Debug)]
pub(super) struct SectorBitmap {
    /// Where it lies.
    pub(super) at: u64,
    /// Its length in bytes.
    pub(super) length: u64,
    /// Its bit order.
    pub(super) first_bit: FirstBit,
}

impl SectorBitmap {
    /// Whether the bit of sector `first` is set, and how many sectors from there on have the same; it may be
    /// more than one look-up tells.
    pub(super) fn look_up(self, file: &dyn ReadAt, what: &str, first: u64) -> Result<(bool, u64)> {
        let start = first / 8;
        let wanted = usize::try_from(self.length.saturating_sub(start)).unwrap_or(BITMAP_STEP);
        let mut bytes = [0; BITMAP_STEP];
        let bytes = bytes.get_mut(..wanted.min(BITMAP_STEP)).unwrap_or_default();
        peek(file, self.at.saturating_add(start), bytes).map_err(|error| error.context(what))?;
        let bit = |byte: u8, number: u32| match self.first_bit {
            FirstBit::Highest => byte >> 7u32.saturating_sub(number) & 1 == 1,
            FirstBit::Lowest => byte >> number & 1 == 1,
        };
        let bits = bytes.iter().flat_map(|&byte| (0..8u32).map(move |number| bit(byte, number)));
        let mut bits = bits.skip(usize::try_from(first % 8).unwrap_or(0));
        let own = bits.next().unwrap_or(false);
        let same = bits.take_while(|&bit| bit == own).count();
        Ok((own, u64::try_from(same).unwrap_or(0).saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::sparse::Place;

    #[test]
    fn runs_of_sectors_are_counted_in_either_order() {
        let file = vec![0b1110_0000u8, 0b0000_0001, 0xff];
        let look = |first_bit, first| {
            SectorBitmap { at: 0, length: 3, first_bit }.look_up(&file, "bitmap", first).unwrap()
        };
        assert_eq!(look(FirstBit::Highest, 0), (true, 3));
        assert_eq!(look(FirstBit::Highest, 4), (false, 11));
        assert_eq!(look(FirstBit::Highest, 15), (true, 9));
        assert_eq!(look(FirstBit::Lowest, 0), (false, 5));
        assert_eq!(look(FirstBit::Lowest, 6), (true, 3));
        assert_eq!(look(FirstBit::Lowest, 9), (false, 7));
    }

    #[test]
    fn behind_the_end_of_the_file_all_blocks_are_missing_at_once() {
        let table = Table { at: 4, width: 4, what: "table entry" };
        let file = vec![1u8; 12];
        let place = |entry: [u8; 4]| {
            assert_eq!(entry, [1; 4]);
            Ok(Piece { length: 7, place: Place::Hole })
        };
        assert_eq!(table.locate(&file, 1, (512, u64::MAX), place).length, 7);
        assert_eq!(table.locate(&file, 2, (512, u64::MAX), place).length, u64::MAX);
        let refused = |_: [u8; 4]| Err(Error::corrupt(4, "entry", "a place", "none"));
        assert_eq!(table.locate(&file, 1, (512, u64::MAX), refused).length, 512);
    }
}
