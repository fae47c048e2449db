//! Deltas (gitformat-pack, "deltified representation"): copies out of the base, and what is put in between.

use crate::content::{to_u64, to_usize};
use crate::error::{Error, Kind, Result};

/// What `delta` makes of `base`, at most `most` bytes.
///
/// # Errors
/// When it belongs to another base, copies from outside of it, or makes more or less than it says.
pub(super) fn apply(base: &[u8], delta: &[u8], most: u64) -> Result<Vec<u8>> {
    let wrong = |expected: &str| Error::corrupt(0, "delta", expected, "something else");
    let (base_size, rest) = size(delta).ok_or_else(|| wrong("the base's length"))?;
    let (result_size, mut rest) = size(rest).ok_or_else(|| wrong("a length"))?;
    if base_size != to_u64(base.len()) {
        return Err(wrong("the length of its base"));
    }
    if result_size > most {
        return Err(Error::new(Kind::LimitExceeded, format!("an object of {result_size} bytes")));
    }
    let mut out = Vec::new();
    while let Some((&instruction, after)) = rest.split_first() {
        let part = if instruction & 0x80 == 0 {
            // Insert the next bytes; zero is reserved.
            let (part, after) = after
                .split_at_checked(usize::from(instruction))
                .filter(|_| instruction != 0)
                .ok_or_else(|| wrong("bytes to insert"))?;
            rest = after;
            part
        } else {
            let (offset, length, after) = copy(instruction, after).ok_or_else(|| wrong("a copy"))?;
            rest = after;
            let end = offset.checked_add(length);
            end.and_then(|end| base.get(offset..end)).ok_or_else(|| wrong("a copy from within its base"))?
        };
        if to_u64(out.len()).saturating_add(to_u64(part.len())) > result_size {
            return Err(wrong("no more than it says"));
        }
        out.extend_from_slice(part);
    }
    if to_u64(out.len()) != result_size {
        return Err(wrong("as much as it says"));
    }
    Ok(out)
}

/// What `delta` puts in between its copies, each behind the one before on a line of its own: all that is known of
/// an object whose base is elsewhere.
///
/// # Errors
/// When it is no delta.
pub(super) fn inserted(delta: &[u8]) -> Result<Vec<u8>> {
    let wrong = |expected: &str| Error::corrupt(0, "delta", expected, "something else");
    let (_, rest) = size(delta).ok_or_else(|| wrong("the base's length"))?;
    let (_, mut rest) = size(rest).ok_or_else(|| wrong("a length"))?;
    let (mut out, mut is_joined) = (Vec::new(), true);
    while let Some((&instruction, after)) = rest.split_first() {
        if instruction & 0x80 != 0 {
            (_, _, rest) = copy(instruction, after).ok_or_else(|| wrong("a copy"))?;
            is_joined = false;
            continue;
        }
        let parts = after.split_at_checked(usize::from(instruction)).filter(|_| instruction != 0);
        let (part, after) = parts.ok_or_else(|| wrong("bytes to insert"))?;
        // One instruction inserts at most 127 bytes.
        if !is_joined {
            out.push(b'\n');
        }
        out.extend_from_slice(part);
        (rest, is_joined) = (after, true);
    }
    Ok(out)
}

/// A length in groups of 7 bits, the lowest first.
fn size(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (mut value, mut shift, mut rest) = (0_u64, 0_u32, bytes);
    loop {
        let (&byte, after) = rest.split_first()?;
        value |= u64::from(byte & 0x7f).checked_shl(shift).filter(|_| shift < 57)?;
        (rest, shift) = (after, shift.saturating_add(7));
        if byte & 0x80 == 0 {
            return Some((value, rest));
        }
    }
}

/// Offset and length of a copy: the bits of the instruction say which bytes of them follow.
fn copy(instruction: u8, bytes: &[u8]) -> Option<(usize, usize, &[u8])> {
    let (mut fields, mut rest) = ([0_u8; 7], bytes);
    for (bit, field) in fields.iter_mut().enumerate() {
        if instruction & (1 << bit) != 0 {
            let (&byte, after) = rest.split_first()?;
            (*field, rest) = (byte, after);
        }
    }
    let [a, b, c, d, e, f, g] = fields;
    let offset = u32::from_le_bytes([a, b, c, d]);
    let length = u32::from_le_bytes([e, f, g, 0]);
    // Zero stands for 64 KiB.
    let length = if length == 0 { 0x1_0000 } else { length };
    Some((to_usize(u64::from(offset)), to_usize(u64::from(length)), rest))
}
