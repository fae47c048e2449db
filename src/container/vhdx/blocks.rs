//! The block allocation table ("Block Allocation Table", section 2.5).

use super::metadata::Metadata;
use crate::container::blocks::{FirstBit, SectorBitmap, Table};
use crate::container::residual::Used;
use crate::container::sparse::{Layout, Piece, Place, peek};
use crate::error::{Error, Result};
use crate::io::ReadAt;
use std::ops::Range;
use std::sync::Arc;

/// Length of a sector bitmap block.
const BITMAP_BLOCK: u64 = 1 << 20;
/// Sectors that one sector bitmap block describes.
const BITMAP_SECTORS: u64 = 1 << 23;

/// Entry states ("Payload Block BAT Entry States").
const NOT_PRESENT: u64 = 0;
const UNDEFINED: u64 = 1;
const ZERO: u64 = 2;
const UNMAPPED: u64 = 3;
const FULLY_PRESENT: u64 = 6;
const PARTIALLY_PRESENT: u64 = 7;

/// Payload blocks and, in differencing images, their sector bitmaps.
#[derive(Debug)]
pub(super) struct Blocks {
    source: Arc<dyn ReadAt>,
    size: u64,
    table: Table,
    block: u64,
    sector: u64,
    /// Payload entries between two sector bitmap entries ("Chunk Ratio").
    ratio: u64,
    differencing: bool,
    /// Headers, log and regions.
    fixed: Vec<Range<u64>>,
}

impl Blocks {
    /// The blocks that the table describes; `fixed` is what the format takes up besides.
    pub(super) fn new(
        metadata: &Metadata,
        table: &Range<u64>,
        fixed: Vec<Range<u64>>,
        source: Arc<dyn ReadAt>,
    ) -> Result<Self> {
        let ratio = BITMAP_SECTORS.saturating_mul(metadata.sector) / metadata.block;
        let payload = metadata.size.div_ceil(metadata.block);
        let differencing = metadata.parent.is_some();
        let entries = if differencing {
            // Every chunk has its sector bitmap, also the last one, behind places for all its blocks.
            payload.div_ceil(ratio).saturating_mul(ratio.saturating_add(1))
        } else {
            payload.saturating_add(payload.saturating_sub(1) / ratio)
        };
        let needed = entries.saturating_mul(8);
        let length = table.end.saturating_sub(table.start);
        if length < needed {
            return Err(Error::corrupt(table.start, "length of the VHDX block table", needed, length));
        }
        if table.start >= source.size() {
            return Err(Error::truncated("VHDX block table", table.start, needed, source.size()));
        }
        let (size, block, sector) = (metadata.size, metadata.block, metadata.sector);
        let table = Table { at: table.start, width: 8, what: "VHDX table entry" };
        Ok(Self { source, size, table, block, sector, ratio, differencing, fixed })
    }

    /// State and file offset of a sector bitmap's table entry.
    fn bitmap_entry(&self, chunk: u64) -> Result<(u64, u64)> {
        let index = chunk.saturating_add(1).saturating_mul(self.ratio).saturating_add(chunk);
        let mut bytes = [0; 8];
        peek(self.source.as_ref(), self.table.entry_at(index), &mut bytes)
            .map_err(|error| error.context(self.table.what))?;
        Ok(split_entry(bytes))
    }

    /// The place of byte `inside` of block `number`, whose table entry is `entry`.
    fn place(&self, entry: [u8; 8], number: u64, inside: u64) -> Result<Piece> {
        let length = self.block.saturating_sub(inside);
        let (state, host) = split_entry(entry);
        let stored = Place::Stored { file: 0, at: host.saturating_add(inside) };
        let place = match state {
            NOT_PRESENT if self.differencing => Place::Parent,
            NOT_PRESENT | UNDEFINED | ZERO | UNMAPPED => Place::Hole,
            FULLY_PRESENT => stored,
            PARTIALLY_PRESENT if self.differencing => {
                let (own, length) = self.sectors(number, inside)?;
                return Ok(Piece { length, place: if own { stored } else { Place::Parent } });
            }
            other => {
                let at = self.table.entry_at(self.index(number));
                return Err(Error::corrupt(at, "state of a VHDX block", "0 to 3, 6 or 7", other));
            }
        };
        Ok(Piece { length, place })
    }

    /// The table entry of block `number`: sector bitmaps have entries between those of blocks.
    fn index(&self, number: u64) -> u64 {
        number.saturating_add(number / self.ratio)
    }

    /// Whether the sector at byte `inside` of a block is its own, and for how many bytes that holds.
    fn sectors(&self, number: u64, inside: u64) -> Result<(bool, u64)> {
        let chunk = number / self.ratio;
        let (state, at) = self.bitmap_entry(chunk)?;
        if state != FULLY_PRESENT {
            let what = "state of a VHDX sector bitmap";
            return Err(Error::corrupt(self.table.at, what, FULLY_PRESENT, state));
        }
        let bitmap = SectorBitmap { at, length: BITMAP_BLOCK, first_bit: FirstBit::Lowest };
        let inside_block = inside / self.sector;
        let first = (number % self.ratio).saturating_mul(self.block / self.sector);
        let first = first.saturating_add(inside_block);
        let (own, same) = bitmap.look_up(self.source.as_ref(), "VHDX sector bitmap", first)?;
        let end = inside_block.saturating_add(same).saturating_mul(self.sector);
        Ok((own, end.min(self.block).saturating_sub(inside)))
    }
}

/// State, and offset in the file.
fn split_entry(bytes: [u8; 8]) -> (u64, u64) {
    let entry = u64::from_le_bytes(bytes);
    // Bits 20 to 63 are the offset in MiB, hence the offset itself once the rest is cleared.
    (entry & 7, entry & !0xf_ffff)
}

impl Layout for Blocks {
    fn size(&self) -> u64 {
        self.size
    }

    fn locate(&self, offset: u64) -> Piece {
        let (number, inside) = (offset / self.block, offset % self.block);
        let rest = self.block.saturating_sub(inside);
        let lengths = (rest, self.size.saturating_sub(offset));
        self.table.locate(self.source.as_ref(), self.index(number), lengths, |entry| {
            self.place(entry, number, inside)
        })
    }

    /// Headers, log, regions, and blocks of sector bitmaps.
    fn add_metadata(&self, used: &mut Used) -> Result<bool> {
        used.add_all(0, &self.fixed)?;
        if self.differencing {
            for chunk in 0..self.size.div_ceil(self.block).div_ceil(self.ratio) {
                match self.bitmap_entry(chunk) {
                    Ok((FULLY_PRESENT, bitmap)) => used.add(0, bitmap, BITMAP_BLOCK)?,
                    Ok(_) => {}
                    // Behind the end of the file.
                    Err(_) => break,
                }
            }
        }
        Ok(true)
    }

    fn rewrite(&self) -> &'static str {
        "qemu-img convert -O vhdx OLD NEW, or Convert-VHD OLD NEW"
    }
}
