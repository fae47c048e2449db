//! LZX as WIM files and the overlay filter use it: MS-PATCH 2.1 to 2.6 with a window of 32 KiB, but each chunk for
//! itself, the length of a block in one bit or in 17, and the translation of calls always on, for 12,000,000 bytes.

use super::bits::{Bits, Code, copy};
use crate::error::{Error, Kind, Result};

/// Bytes of a chunk, which are also those of the window, and of a block that does not say its length.
pub(super) const CHUNK: usize = 32 << 10;
/// Slots of match offsets for this window, and symbols of the main code: bytes, and for each slot eight lengths.
const SLOTS: usize = 30;
const LITERALS: usize = 256;
const MAIN: usize = LITERALS + SLOTS * 8;
const LENGTHS: usize = 249;
const PRETREE: usize = 20;
const ALIGNED: usize = 8;
/// Shortest match, and the length in a main symbol that another symbol adds to.
const MATCH_MIN: usize = 2;
const LONG: usize = 7;
/// What counts as the length of the file in the translation of calls.
const TRANSLATED: i32 = 12_000_000;
/// Bytes at the end of a chunk in which no call is translated.
const UNTRANSLATED: usize = 10;

/// What goes on from block to block of a chunk.
struct State {
    main: [u8; MAIN],
    lengths: [u8; LENGTHS],
    recent: [usize; 3],
}

/// The codes of one block.
struct Codes {
    main: Code,
    lengths: Code,
    aligned: Option<Code>,
}

/// The `size` bytes of one chunk.
///
/// # Errors
/// Corrupt or truncated; what came before is in `out`.
pub(super) fn decode(packed: &[u8], size: usize, out: &mut Vec<u8>) -> Result<()> {
    let mut bits = Bits::new(packed);
    let mut state = State { main: [0; MAIN], lengths: [0; LENGTHS], recent: [1; 3] };
    let mut outcome = Ok(());
    while out.len() < size && outcome.is_ok() {
        outcome = block(&mut bits, &mut state, size, out);
    }
    translate(out);
    outcome
}

fn block(bits: &mut Bits<'_>, state: &mut State, size: usize, out: &mut Vec<u8>) -> Result<()> {
    let kind = bits.read(3);
    let length = match bits.read(1) {
        1 => CHUNK,
        _ => usize::try_from(bits.read(16)).unwrap_or(0),
    };
    bits.check()?;
    let end = out.len().saturating_add(length);
    if length == 0 || end > size.max(CHUNK) {
        return Err(Error::corrupt(0, "length of an LZX block", "within its chunk", length));
    }
    let end = end.min(size);
    match kind {
        1 | 2 => {
            let codes = codes(bits, state, kind == 2)?;
            while out.len() < end {
                element(bits, state, &codes, end, out)?;
            }
            Ok(())
        }
        3 => stored(bits, state, end, out),
        other => Err(Error::corrupt(0, "kind of an LZX block", "1 to 3", other)),
    }
}

fn stored(bits: &mut Bits<'_>, state: &mut State, end: usize, out: &mut Vec<u8>) -> Result<()> {
    bits.align();
    for recent in &mut state.recent {
        let offset = bits.bytes(4)?.first_chunk().copied().map_or(0, u32::from_le_bytes);
        *recent = usize::try_from(offset).unwrap_or(usize::MAX);
    }
    let length = end.saturating_sub(out.len());
    out.extend_from_slice(bits.bytes(length)?);
    if length % 2 == 1 {
        // The last block's padding may be left out.
        let _padding = bits.bytes(1);
    }
    Ok(())
}

fn codes(bits: &mut Bits<'_>, state: &mut State, is_aligned: bool) -> Result<Codes> {
    let mut aligned = None;
    if is_aligned {
        let mut lengths = [0; ALIGNED];
        lengths.fill_with(|| u8::try_from(bits.read(3)).unwrap_or(0));
        aligned = Some(Code::new(&lengths)?);
    }
    let (literals, matches) = state.main.split_at_mut(LITERALS);
    code_lengths(bits, literals)?;
    code_lengths(bits, matches)?;
    code_lengths(bits, &mut state.lengths)?;
    Ok(Codes { main: Code::new(&state.main)?, lengths: Code::new(&state.lengths)?, aligned })
}

/// Changes code lengths as the stream says; they are themselves encoded.
fn code_lengths(bits: &mut Bits<'_>, lengths: &mut [u8]) -> Result<()> {
    let mut pretree = [0; PRETREE];
    pretree.fill_with(|| u8::try_from(bits.read(4)).unwrap_or(0));
    let pretree = Code::new(&pretree)?;
    let changed = |length: u8, symbol: usize| {
        let symbol = u8::try_from(symbol).unwrap_or(0);
        length.wrapping_add(17).wrapping_sub(symbol) % 17
    };
    let mut at = 0_usize;
    while let Some(&length) = lengths.get(at) {
        let (count, value) = match pretree.read(bits)? {
            17 => (bits.read(4).saturating_add(4), 0),
            18 => (bits.read(5).saturating_add(20), 0),
            19 => {
                let count = bits.read(1).saturating_add(4);
                let symbol = pretree.read(bits)?;
                if symbol > 16 {
                    return Err(Error::corrupt(0, "repeated LZX code length", "up to 16", symbol));
                }
                (count, changed(length, symbol))
            }
            symbol => (1, changed(length, symbol)),
        };
        let end = at.saturating_add(usize::try_from(count).unwrap_or(0)).min(lengths.len());
        lengths.get_mut(at..end).unwrap_or_default().fill(value);
        at = end;
    }
    Ok(())
}

/// A byte, or a match.
fn element(
    bits: &mut Bits<'_>,
    state: &mut State,
    codes: &Codes,
    end: usize,
    out: &mut Vec<u8>,
) -> Result<()> {
    let symbol = codes.main.read(bits)?;
    if let Ok(literal) = u8::try_from(symbol) {
        out.push(literal);
        return bits.check();
    }
    let header = symbol.saturating_sub(LITERALS);
    let mut length = header & LONG;
    if length == LONG {
        length = length.saturating_add(codes.lengths.read(bits)?);
    }
    let slot = header >> 3;
    let [latest, second, third] = state.recent;
    state.recent = match slot {
        0 => state.recent,
        1 => [second, latest, third],
        2 => [third, second, latest],
        _ => [far(bits, codes, slot)?, latest, second],
    };
    copy(out, state.recent.first().copied().unwrap_or(0), length.saturating_add(MATCH_MIN), end)
}

/// The offset of a slot: where the slot's offsets start, and how far behind that.
fn far(bits: &mut Bits<'_>, codes: &Codes, slot: usize) -> Result<usize> {
    let half = u32::try_from(slot >> 1).unwrap_or(0);
    let (base, extra) = match half {
        0 | 1 => (slot, 0),
        half => ((2 + (slot & 1)) << half.saturating_sub(1), half.saturating_sub(1)),
    };
    let number = |value: u32| usize::try_from(value).unwrap_or(0);
    let within = match &codes.aligned {
        Some(aligned) if extra >= 3 => {
            let high = number(bits.read(extra.saturating_sub(3))) << 3;
            high | aligned.read(bits)?
        }
        _ => number(bits.read(extra)),
    };
    base.saturating_add(within)
        .checked_sub(2)
        .ok_or_else(|| Error::new(Kind::Corrupt, "an LZX match offset below 1"))
}

/// Puts relative targets back where calls (byte 0xE8) were given absolute ones.
fn translate(chunk: &mut [u8]) {
    let mut at = 0_usize;
    let end = chunk.len().saturating_sub(UNTRANSLATED);
    while let Some(found) = chunk.get(at..end).and_then(|rest| rest.iter().position(|&byte| byte == 0xe8)) {
        let call = at.saturating_add(found);
        let (Some(place), Ok(position)) = (
            chunk.get_mut(call.saturating_add(1)..).and_then(<[u8]>::first_chunk_mut::<4>),
            i32::try_from(call),
        ) else {
            break;
        };
        let absolute = i32::from_le_bytes(*place);
        if (0..TRANSLATED).contains(&absolute) {
            *place = absolute.wrapping_sub(position).to_le_bytes();
        } else if absolute < 0 && absolute >= position.wrapping_neg() {
            *place = absolute.wrapping_add(TRANSLATED).to_le_bytes();
        }
        at = call.saturating_add(5);
    }
}
