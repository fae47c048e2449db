//! XPRESS with Huffman codes (MS-XCA, section 2.2, "LZ77+Huffman Decompression").

use super::bits::{Bits, Code, copy};
use crate::error::{Error, Kind, Result};

/// Bytes of the code lengths in front: four bits for each of 512 symbols.
const LENGTHS: usize = 256;
/// Shortest match.
const MATCH_MIN: usize = 3;
/// A match of so many bytes above the shortest is told by bytes that follow.
const LONG: usize = 15;

/// The `size` bytes of one chunk.
///
/// # Errors
/// Corrupt or truncated; what came before is in `out`.
pub(super) fn decode(packed: &[u8], size: usize, out: &mut Vec<u8>) -> Result<()> {
    let lengths = packed.get(..LENGTHS).unwrap_or_default();
    let lengths: Vec<u8> = lengths.iter().flat_map(|byte| [byte & 0x0f, byte >> 4]).collect();
    let code = Code::new(&lengths)?;
    let mut bits = Bits::new(packed.get(LENGTHS..).unwrap_or_default());
    bits.fill();
    while out.len() < size {
        let symbol = code.read(&mut bits)?;
        bits.fill();
        bits.check()?;
        if let Ok(literal) = u8::try_from(symbol) {
            out.push(literal);
            continue;
        }
        let header = symbol.saturating_sub(256);
        let length = match header & LONG {
            LONG => long(&mut bits)?,
            length => length,
        };
        let bits_of_offset = u32::try_from(header >> 4).unwrap_or(0);
        let offset = bits.read(bits_of_offset) | 1 << bits_of_offset;
        copy(out, usize::try_from(offset).unwrap_or(usize::MAX), length.saturating_add(MATCH_MIN), size)?;
    }
    Ok(())
}

/// The length of a long match: in one byte, else in two, else in four.
fn long(bits: &mut Bits<'_>) -> Result<usize> {
    let byte = bits.bytes(1)?.first().copied().unwrap_or(0);
    if byte < u8::MAX {
        return Ok(usize::from(byte).saturating_add(LONG));
    }
    let narrow = bits.bytes(2)?.first_chunk().copied().map_or(0, u16::from_le_bytes);
    let length = match narrow {
        0 => bits.bytes(4)?.first_chunk().copied().map_or(0, u32::from_le_bytes),
        length => length.into(),
    };
    let length = usize::try_from(length).ok().filter(|&length| length >= LONG);
    length.ok_or_else(|| Error::new(Kind::Corrupt, "a long match that is short"))
}
