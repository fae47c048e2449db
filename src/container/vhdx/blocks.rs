//! The block allocation table ("Block Allocation Table", section 2.5).

use super::metadata::Metadata;
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
/// Bytes of a sector bitmap that one look-up reads.
const BITMAP_STEP: usize = 64;

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
    table_at: u64,
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
        Ok(Self { source, size, table_at: table.start, block, sector, ratio, differencing, fixed })
    }

    /// State and file offset of a table entry.
    fn entry(&self, index: u64) -> Result<(u64, u64, u64)> {
        let at = self.table_at.saturating_add(index.saturating_mul(8));
        let mut bytes = [0; 8];
        peek(self.source.as_ref(), at, &mut bytes).map_err(|error| error.context("VHDX table entry"))?;
        let entry = u64::from_le_bytes(bytes);
        // Bits 20 to 63 are the offset in MiB, hence the offset itself once the rest is cleared.
        Ok((entry & 7, entry & !0xf_ffff, at))
    }

    fn place(&self, number: u64, inside: u64) -> Result<Piece> {
        let length = self.block.saturating_sub(inside);
        let (state, host, at) = self.entry(number.saturating_add(number / self.ratio))?;
        let stored = Place::Stored { file: 0, at: host.saturating_add(inside) };
        let place = match state {
            NOT_PRESENT if self.differencing => Place::Parent,
            NOT_PRESENT | UNDEFINED | ZERO | UNMAPPED => Place::Hole,
            FULLY_PRESENT => stored,
            PARTIALLY_PRESENT if self.differencing => {
                let (own, length) = self.sectors(number, inside)?;
                return Ok(Piece { length, place: if own { stored } else { Place::Parent } });
            }
            other => return Err(Error::corrupt(at, "state of a VHDX block", "0 to 3, 6 or 7", other)),
        };
        Ok(Piece { length, place })
    }

    /// Whether the sector at byte `inside` of a block is its own, and for how many bytes that holds.
    fn sectors(&self, number: u64, inside: u64) -> Result<(bool, u64)> {
        let chunk = number / self.ratio;
        let bitmap_index = chunk.saturating_add(1).saturating_mul(self.ratio).saturating_add(chunk);
        let (state, bitmap, at) = self.entry(bitmap_index)?;
        if state != FULLY_PRESENT {
            return Err(Error::corrupt(at, "state of a VHDX sector bitmap", FULLY_PRESENT, state));
        }
        let block_sectors = self.block / self.sector;
        let first = (number % self.ratio).saturating_mul(block_sectors).saturating_add(inside / self.sector);
        let start = first / 8;
        let wanted = usize::try_from(BITMAP_BLOCK.saturating_sub(start)).unwrap_or(0).min(BITMAP_STEP);
        let mut bytes = [0; BITMAP_STEP];
        let bytes = bytes.get_mut(..wanted).unwrap_or_default();
        peek(self.source.as_ref(), bitmap.saturating_add(start), bytes)
            .map_err(|error| error.context("VHDX sector bitmap"))?;
        // The first sector is the lowest bit.
        let bits = bytes.iter().flat_map(|byte| (0..8u32).map(move |bit| byte >> bit & 1 == 1));
        let mut bits = bits.skip(usize::try_from(first % 8).unwrap_or(0));
        let own = bits.next().unwrap_or(false);
        let same = u64::try_from(bits.take_while(|&bit| bit == own).count()).unwrap_or(0);
        let end = (inside / self.sector).saturating_add(same).saturating_add(1).saturating_mul(self.sector);
        Ok((own, end.min(self.block).saturating_sub(inside)))
    }
}

impl Layout for Blocks {
    fn size(&self) -> u64 {
        self.size
    }

    fn locate(&self, offset: u64) -> Piece {
        let (number, inside) = (offset / self.block, offset % self.block);
        let rest = self.block.saturating_sub(inside);
        self.place(number, inside).unwrap_or_else(|error| Piece::missing(rest, &error))
    }

    /// Headers, log, regions, and blocks of sector bitmaps.
    fn add_metadata(&self, used: &mut Used) -> Result<bool> {
        for range in &self.fixed {
            used.add(0, range.start, range.end.saturating_sub(range.start))?;
        }
        if self.differencing {
            for chunk in 0..self.size.div_ceil(self.block).div_ceil(self.ratio) {
                let index = chunk.saturating_add(1).saturating_mul(self.ratio).saturating_add(chunk);
                if let Ok((FULLY_PRESENT, bitmap, _)) = self.entry(index) {
                    used.add(0, bitmap, BITMAP_BLOCK)?;
                }
            }
        }
        Ok(true)
    }

    fn rewrite(&self) -> &'static str {
        "qemu-img convert -O vhdx OLD NEW, or Convert-VHD OLD NEW"
    }
}
