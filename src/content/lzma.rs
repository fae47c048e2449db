//! LZMA files of the older kind, which the xz programs call "alone": properties, dictionary size, length, data.

use super::{Decoder, Form, Member, Visit, decode_error};
use crate::error::{Error, Kind, Result};
use lzma_rust2::LzmaReader;
use std::io::Read;

/// Memory for the dictionary in KiB: that of `xz -9` and some.
pub(super) const MEMORY_MAX: u32 = 96 << 10;

pub(super) const DECODER: Decoder = Decoder { name: "lzma", probe: starts, form: Form::Stream(decode) };

/// There is no magic: the usual properties, a dictionary of a usual size, and a length that is unknown or
/// below 256 GiB. The first byte that the range coder reads is zero.
fn starts(head: &[u8]) -> bool {
    let [0x5d, a, b, c, d, length @ ..] = head else { return false };
    let Some((length, rest)) = length.split_first_chunk::<8>() else { return false };
    let (dictionary, length) = (u32::from_le_bytes([*a, *b, *c, *d]), u64::from_le_bytes(*length));
    dictionary.is_power_of_two()
        && (1 << 12..=1 << 27).contains(&dictionary)
        && (length == u64::MAX || (1..1 << 38).contains(&length))
        && rest.first() == Some(&0)
}

fn decode(content: &mut dyn Read, visit: Visit<'_>) -> Result<()> {
    let mut decoded = LzmaReader::new_mem_limit(content, MEMORY_MAX, None).map_err(decode_error)?;
    visit(Member { name: b"", stored: None, pieces: &[], content: &mut decoded })
}

/// Whether the memory for a dictionary of this size is granted.
///
/// # Errors
/// When it is not, or the property is none.
pub(super) fn limited(dictionary: u32, property: u8) -> Result<()> {
    let needed = lzma_rust2::lzma_get_memory_usage_by_props(dictionary, property).map_err(decode_error)?;
    if needed > MEMORY_MAX {
        return Err(Error::new(Kind::LimitExceeded, format!("a dictionary that needs {needed} KiB")));
    }
    Ok(())
}
