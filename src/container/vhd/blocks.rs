//! The block allocation table, blocks and their sector bitmaps ("Block Allocation Table and Data Blocks").

use super::dynamic::DynamicHeader;
use super::footer::{DiskType, Footer};
use crate::container::blocks::{FirstBit, SectorBitmap, Table};
use crate::container::residual::Used;
use crate::container::sparse::{Layout, Piece, Place, peek};
use crate::error::{Error, Result};
use crate::io::ReadAt;
use std::ops::Range;
use std::sync::Arc;

/// How to make a file that holds nothing but the disk.
const REWRITE: &str = "qemu-img convert -O vpc OLD NEW, or Convert-VHD OLD NEW";
/// Table entry of a block that is not stored.
const UNUSED: u32 = u32::MAX;
const SECTOR: u64 = 512;
/// Largest block that is read; the usual ones have 2 MiB.
const BLOCK_MAX: u64 = 256 << 20;

/// A fixed disk: the bytes as they are, up to the footer.
#[derive(Debug)]
pub(super) struct Fixed {
    pub(super) size: u64,
    pub(super) footer_at: u64,
}

impl Layout for Fixed {
    fn size(&self) -> u64 {
        self.size
    }

    fn locate(&self, offset: u64) -> Piece {
        match self.footer_at.checked_sub(offset).filter(|&left| left > 0) {
            Some(length) => Piece { length, place: Place::Stored { file: 0, at: offset } },
            None => {
                let left = self.size.saturating_sub(offset);
                Piece::missing(left, &Error::truncated("VHD fixed disk", offset, left, self.footer_at))
            }
        }
    }

    fn add_metadata(&self, used: &mut Used) -> Result<bool> {
        used.add(0, self.footer_at, SECTOR)?;
        Ok(true)
    }

    fn rewrite(&self) -> &'static str {
        REWRITE
    }
}

/// A disk in blocks.
#[derive(Debug)]
pub(super) struct Blocks {
    source: Arc<dyn ReadAt>,
    size: u64,
    table: Table,
    block: u64,
    /// Length of the sector bitmap in front of each block, in bytes.
    bitmap: u64,
    kind: DiskType,
    entries: u64,
    /// Footers, header, locators and table.
    fixed: Vec<Range<u64>>,
}

impl Blocks {
    /// The blocks that `header` describes.
    pub(super) fn new(header: &DynamicHeader, footer: &Footer, source: Arc<dyn ReadAt>) -> Result<Self> {
        let block = header.block;
        if !block.is_power_of_two() || !(SECTOR..=BLOCK_MAX).contains(&block) {
            return Err(Error::corrupt(footer.data_at, "VHD block size", "a power of two up to 2^28", block));
        }
        let needed = footer.size.div_ceil(block);
        if header.entries < needed {
            let expected = format!("at least {needed}");
            return Err(Error::corrupt(footer.data_at, "VHD table entries", expected, header.entries));
        }
        if header.table_at >= source.size() && needed > 0 {
            let length = header.entries.saturating_mul(4);
            return Err(Error::truncated("VHD block table", header.table_at, length, source.size()));
        }
        let bitmap = (block / SECTOR).div_ceil(8).next_multiple_of(SECTOR);
        let (size, table_at, kind) = (footer.size, header.table_at, footer.kind);
        let table_length = header.entries.saturating_mul(4).next_multiple_of(SECTOR);
        let mut fixed = header.locator_places();
        fixed.extend([
            0..SECTOR,
            footer.at..footer.at.saturating_add(SECTOR),
            footer.data_at..footer.data_at.saturating_add(2 * SECTOR),
            table_at..table_at.saturating_add(table_length),
        ]);
        let table = Table { at: table_at, width: 4, what: "VHD table entry" };
        Ok(Self { source, size, table, block, bitmap, kind, entries: header.entries, fixed })
    }

    /// The place of byte `inside` of a block whose table entry is `entry`.
    fn place(&self, entry: u32, inside: u64) -> Result<Piece> {
        let length = self.block.saturating_sub(inside);
        let differencing = self.kind == DiskType::Differencing;
        if entry == UNUSED {
            let place = if differencing { Place::Parent } else { Place::Hole };
            return Ok(Piece { length, place });
        }
        let at = u64::from(entry).saturating_mul(SECTOR);
        let stored = Place::Stored { file: 0, at: at.saturating_add(self.bitmap).saturating_add(inside) };
        if !differencing {
            return Ok(Piece { length, place: stored });
        }
        let bitmap = SectorBitmap { at, length: self.bitmap, first_bit: FirstBit::Highest };
        let first = inside / SECTOR;
        let (own, same) = bitmap.look_up(self.source.as_ref(), "VHD sector bitmap", first)?;
        let end = first.saturating_add(same).saturating_mul(SECTOR).min(self.block);
        Ok(Piece { length: end.saturating_sub(inside), place: if own { stored } else { Place::Parent } })
    }
}

impl Layout for Blocks {
    fn size(&self) -> u64 {
        self.size
    }

    fn locate(&self, offset: u64) -> Piece {
        let (number, inside) = (offset / self.block, offset % self.block);
        let rest = self.block.saturating_sub(inside);
        let lengths = (rest, self.size.saturating_sub(offset));
        self.table.locate(self.source.as_ref(), number, lengths, |entry| {
            self.place(u32::from_be_bytes(entry), inside)
        })
    }

    /// Both footers, the header with what it says of a parent, the table, and the bitmap of each block.
    fn add_metadata(&self, used: &mut Used) -> Result<bool> {
        used.add_all(0, &self.fixed)?;
        let held = self.source.size().saturating_sub(self.table.at) / self.table.width;
        for number in 0..self.entries.min(held) {
            let mut entry = [0; 4];
            peek(self.source.as_ref(), self.table.entry_at(number), &mut entry)?;
            let entry = u32::from_be_bytes(entry);
            if entry != UNUSED {
                used.add(0, u64::from(entry).saturating_mul(SECTOR), self.bitmap)?;
            }
        }
        Ok(true)
    }

    fn rewrite(&self) -> &'static str {
        REWRITE
    }
}
