//! `$ATTRIBUTE_LIST`: which record holds which piece of which attribute (`ATTRIBUTE_LIST_ENTRY`).

use super::record::Reference;
use crate::error::{Error, Result};
use crate::io::Fields;

/// Longest list, as Windows bounds it.
pub(super) const LIST_SIZE_MAX: u64 = 256 << 10;

/// An entry of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// Attribute type code.
    pub(super) code: u32,
    /// Whether the attribute has a name.
    pub(super) named: bool,
    /// First virtual cluster of the piece.
    pub(super) lowest_vcn: u64,
    /// The record that holds it.
    pub(super) record: Reference,
}

/// The entries of a list found at `at`; ends behind the first one that makes no sense.
pub(super) fn parse(list: &[u8], at: u64) -> impl Iterator<Item = Result<Listed>> + '_ {
    let mut next = Some(0_usize);
    std::iter::from_fn(move || {
        let start = next.filter(|&start| start < list.len())?;
        let fields = Fields::new("attribute list", list, at);
        match entry(&fields, start) {
            Ok((listed, length)) => {
                next = start.checked_add(length);
                Some(Ok(listed))
            }
            Err(error) => {
                next = None;
                Some(Err(error))
            }
        }
    })
}

fn entry(fields: &Fields<'_>, start: usize) -> Result<(Listed, usize)> {
    let field = |offset: usize| start.saturating_add(offset);
    let length = usize::from(fields.le_u16(field(4))?);
    // The fixed part has 26 bytes; entries are aligned to 8.
    if length < 26 || length % 8 != 0 {
        return Err(Error::corrupt(
            fields.offset(start),
            "length of list entry",
            "a multiple of 8 from 32",
            length,
        ));
    }
    let listed = Listed {
        code: fields.le_u32(start)?,
        named: fields.u8(field(6))? != 0,
        lowest_vcn: fields.le_u64(field(8))?,
        record: Reference::from_raw(fields.le_u64(field(16))?),
    };
    Ok((listed, length))
}
