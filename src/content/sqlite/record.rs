//! Cells of b-tree pages and the records in them (section 1.6 and 2.1 of the format), with overflow pages.

use crate::content::gather::Pieces;
use crate::content::{HEAD, Visit, recognise, to_u64, to_usize};
use crate::error::Result;
use crate::format::be32;
use crate::format::sqlite::{cells, varint};
use crate::io::ReadAt;

/// Columns of a record that are looked at.
const COLUMNS_MAX: usize = 2000;
/// Shortest column that is looked at for a format of its own.
const COLUMN_MIN: u64 = 32;

/// Where pages lie: in a database, or in the frames of its log.
pub(super) trait Pages {
    /// What they lie in.
    fn content(&self) -> &dyn ReadAt;
    /// Offset of a page, where there is one of this number.
    fn place(&self, number: u32) -> Option<u64>;
    /// How many there are at most: the bound of every chain.
    fn count(&self) -> u32;
}

/// A page in memory.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) number: u32,
    pub(super) source: u64,
    /// Offset of the b-tree header: 100 on the first page.
    pub(super) header: usize,
    pub(super) bytes: Vec<u8>,
}

impl Page {
    /// The b-tree page's type.
    pub(super) fn kind(&self) -> Option<u8> {
        self.bytes.get(self.header).copied()
    }
}

/// Adds the overflow pages from `next` on that hold `left` bytes.
pub(super) fn follow(pages: &dyn Pages, usable: usize, next: u32, left: u64, pieces: &mut Pieces) {
    let (mut next, mut left) = (next, left);
    let room = to_u64(usable.saturating_sub(4));
    for _ in 0..pages.count() {
        let Some(source) = pages.place(next).filter(|_| left > 0) else { return };
        let mut pointer = [0; 4];
        // A page that cannot be read ends the chain; the sweep of its own place has reported it.
        if pages.content().read_at(source, &mut pointer).is_err() {
            return;
        }
        let length = left.min(room);
        pieces.push(source.saturating_add(4), length);
        left = left.saturating_sub(length);
        next = u32::from_be_bytes(pointer);
    }
}

/// Hands on the records of a page that lie in more than one piece, and columns with formats of their own.
pub(super) fn page(
    pages: &dyn Pages,
    usable: usize,
    table: &str,
    page: &Page,
    visit: Visit<'_>,
) -> Result<()> {
    // Interior pages of tables hold keys only.
    let Some(kind) = page.kind().filter(|kind| matches!(kind, 2 | 10 | 13)) else { return Ok(()) };
    for (index, at) in cells(&page.bytes, page.header).into_iter().enumerate() {
        let Some(cell) = cell(pages, usable, kind, page, at) else { continue };
        let name = match cell.row {
            Some(row) => format!("{table}/row {row}"),
            None => format!("{table}/page {} cell {index}", page.number),
        };
        if cell.pieces.count() > 1 {
            cell.pieces.visit(pages.content(), &name, visit)?;
        }
        for (column, from, length) in columns(&cell, page) {
            let part = cell.pieces.part(from, length);
            // What cannot be read has been reported by the sweep of its place.
            let head = part.head(pages.content(), HEAD).unwrap_or_default();
            if recognise(&head).is_some() {
                part.visit(pages.content(), &format!("{name}/column {column}"), visit)?;
            }
        }
    }
    Ok(())
}

/// A cell's record.
struct Cell {
    row: Option<u64>,
    pieces: Pieces,
    /// Where the part in the b-tree page starts and ends.
    local: std::ops::Range<usize>,
}

fn cell(pages: &dyn Pages, usable: usize, kind: u8, page: &Page, at: usize) -> Option<Cell> {
    let at = if kind == 2 { at.checked_add(4)? } else { at };
    let bytes = page.bytes.get(at..)?;
    let (length, mut rest) = varint(bytes)?;
    let mut row = None;
    if kind == 13 {
        let (number, after) = varint(rest)?;
        (row, rest) = (Some(number), after);
    }
    let start = page.bytes.len().checked_sub(rest.len())?;
    let local = to_usize(local_length(length, usable, kind)?);
    let end = start.checked_add(local).filter(|&end| end <= page.bytes.len())?;
    let mut pieces = Pieces::default();
    pieces.push(page.source.checked_add(to_u64(start))?, to_u64(local));
    let left = length.checked_sub(to_u64(local))?;
    if left > 0 {
        follow(pages, usable, be32(&page.bytes, end)?, left, &mut pieces);
    }
    Some(Cell { row, pieces, local: start..end })
}

/// How many bytes of a record lie in the b-tree page.
fn local_length(length: u64, usable: usize, kind: u8) -> Option<u64> {
    let usable = to_u64(usable);
    let eighth = |parts: u64| usable.checked_sub(12)?.checked_mul(parts)?.checked_div(255)?.checked_sub(23);
    let most = if kind == 13 { usable.checked_sub(35)? } else { eighth(64)? };
    if length <= most {
        return Some(length);
    }
    let least = eighth(32)?;
    let rest = length.checked_sub(least)?.checked_rem(usable.checked_sub(4)?)?;
    let local = least.checked_add(rest)?;
    Some(if local <= most { local } else { least })
}

/// Number, offset in the record and length of each column that may hold a format of its own.
fn columns(cell: &Cell, page: &Page) -> Vec<(usize, u64, u64)> {
    let record = page.bytes.get(cell.local.clone()).unwrap_or_default();
    let mut columns = Vec::new();
    let Some((header_length, _)) = varint(record) else { return columns };
    let Some(header) = record.get(..to_usize(header_length)) else { return columns };
    let mut types = varint(header).map(|(_, rest)| rest).unwrap_or_default();
    let mut at = header_length;
    for number in 0..COLUMNS_MAX {
        let Some((serial, rest)) = varint(types) else { break };
        types = rest;
        let length = match serial {
            0 | 8 | 9 => 0,
            1..=4 => serial,
            5 => 6,
            6 | 7 => 8,
            _ => serial.saturating_sub(12) / 2,
        };
        // Blobs; text has no format that a decoder knows.
        if serial >= 12 && serial % 2 == 0 && length >= COLUMN_MIN {
            columns.push((number, at, length));
        }
        at = at.saturating_add(length);
    }
    columns
}
