//! Rows of tables with all their bytes, overflow pages included (sections 1.6 and 2.1 of the format).

use super::{Database, varint};
use crate::error::{Error, Result};
use crate::format::be32;

/// Columns of a row that are looked at.
const COLUMNS_MAX: usize = 2000;

/// A row: its record, header and all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row(Vec<u8>);

impl Row {
    /// The bytes of the first column that holds a blob of one byte or more.
    pub(crate) fn blob(&self) -> Option<&[u8]> {
        let (header_length, _) = varint(&self.0)?;
        let header_length = usize::try_from(header_length).ok()?;
        let (_, mut types) = varint(self.0.get(..header_length)?)?;
        let mut at = header_length;
        for _ in 0..COLUMNS_MAX {
            let (serial, rest) = varint(types)?;
            types = rest;
            let length = match serial {
                0 | 8 | 9 => 0,
                1..=4 => usize::try_from(serial).ok()?,
                5 => 6,
                6 | 7 => 8,
                _ => usize::try_from(serial.saturating_sub(12) / 2).ok()?,
            };
            let end = at.checked_add(length)?;
            if serial > 12 && serial % 2 == 0 {
                return self.0.get(at..end);
            }
            at = end;
        }
        None
    }
}

/// The row of a cell of a leaf page; `None` where the cell is none. `max` bounds its length.
///
/// # Errors
/// When its overflow pages cannot be read or end early, or it is longer than `max`.
pub(super) fn row(database: &Database<'_>, page: &[u8], cell: usize, max: usize) -> Result<Option<Row>> {
    let Some((length, local)) = local(page, cell, database.usable()) else { return Ok(None) };
    let at = u64::try_from(cell).unwrap_or(u64::MAX);
    if length > max {
        return Err(Error::corrupt(at, "length of a row", format!("at most {max}"), length));
    }
    let mut bytes = page.get(local.clone()).unwrap_or_default().to_vec();
    let mut next = be32(page, local.end).unwrap_or(0);
    let room = database.usable().saturating_sub(4);
    // Each step adds bytes of a page that is there, so that a cycle ends at the row's length.
    while bytes.len() < length {
        if next == 0 || room == 0 {
            return Err(Error::corrupt(
                at,
                "row",
                format!("{length} bytes"),
                format!("{} bytes", bytes.len()),
            ));
        }
        let page = database.page(next)?;
        let part = page.get(4..).and_then(|rest| rest.get(..room.min(length.saturating_sub(bytes.len()))));
        bytes.extend_from_slice(part.unwrap_or_default());
        next = be32(&page, 0).unwrap_or(0);
    }
    Ok(Some(Row(bytes)))
}

/// Length of a row, and the part of it that lies in the page.
fn local(page: &[u8], cell: usize, usable: usize) -> Option<(usize, std::ops::Range<usize>)> {
    let (length, rest) = varint(page.get(cell..)?)?;
    let (_row, rest) = varint(rest)?;
    let start = page.len().checked_sub(rest.len())?;
    let length = usize::try_from(length).ok()?;
    let most = usable.checked_sub(35)?;
    let local = if length <= most {
        length
    } else {
        let least = usable.checked_sub(12)?.checked_mul(32)?.checked_div(255)?.checked_sub(23)?;
        let rest = length.checked_sub(least)?.checked_rem(usable.checked_sub(4)?)?;
        let local = least.checked_add(rest)?;
        if local <= most { local } else { least }
    };
    let end = start.checked_add(local)?;
    (end <= page.len()).then_some((length, start..end))
}
