//! Bits of both formats: words of 16 bits, little-endian, each from its highest bit on; and canonical Huffman codes.

use crate::error::{Error, Kind, Result};

/// Bits that one look-up resolves; longer codes take a few steps more.
const LOOKED_UP: u32 = 10;
/// Longest code of both formats and, for the lists of codes by length, one more.
const LENGTH_MAX: usize = 16;
/// How far behind the end of its bytes a stream may have read: what is held there is zeros.
const BEHIND_MAX: usize = 8;

/// A stream of bits with whole bytes between them.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Bits that were read and not taken, at the high end.
    held: u32,
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, held: 0, count: 0 }
    }

    /// Holds at least 16 bits. Both formats put their bytes behind the word that these come from.
    pub(super) fn fill(&mut self) {
        if self.count < 16 {
            let word = self
                .bytes
                .get(self.at..)
                .and_then(|rest| rest.first_chunk())
                .map_or(0, |word| u32::from(u16::from_le_bytes(*word)));
            self.at = self.at.saturating_add(2);
            self.held |= word << 16_u32.saturating_sub(self.count);
            self.count = self.count.saturating_add(16);
        }
    }

    fn peek(&self, count: u32) -> u32 {
        self.held.checked_shr(32_u32.saturating_sub(count)).unwrap_or(0)
    }

    fn take(&mut self, count: u32) {
        self.held = self.held.checked_shl(count).unwrap_or(0);
        self.count = self.count.saturating_sub(count);
    }

    /// The next bits as a number, 16 at most.
    pub(super) fn read(&mut self, count: u32) -> u32 {
        self.fill();
        let value = self.peek(count.min(16));
        self.take(count.min(16));
        value
    }

    /// Goes on at the next word, over 16 bits where this is one.
    pub(super) fn align(&mut self) {
        self.fill();
        if self.count > 16 {
            self.at = self.at.saturating_sub(2);
        }
        (self.held, self.count) = (0, 0);
    }

    /// The bytes at the current place, which are taken.
    ///
    /// # Errors
    /// Truncated, where there are not so many.
    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self.at.saturating_add(count);
        let bytes = self.bytes.get(self.at..end).ok_or_else(ended)?;
        self.at = end;
        Ok(bytes)
    }

    /// # Errors
    /// Truncated, where more was read than there is.
    pub(super) fn check(&self) -> Result<()> {
        if self.at > self.bytes.len().saturating_add(BEHIND_MAX) { Err(ended()) } else { Ok(()) }
    }
}

fn ended() -> Error {
    Error::new(Kind::Truncated, "the compressed chunk ends too early")
}

/// A canonical Huffman code.
#[derive(Debug)]
pub(super) struct Code {
    /// For each value of the next bits the symbol and its code's length; zero for longer codes.
    table: Vec<(u16, u8)>,
    /// Symbols sorted by length and value.
    symbols: Vec<u16>,
    /// For each length: its first code, and how many symbols are shorter.
    firsts: [(u32, usize); LENGTH_MAX + 2],
}

impl Code {
    /// The code whose symbols have these lengths, zero for those that do not occur.
    ///
    /// # Errors
    /// Corrupt where the lengths claim more codes than there are.
    pub(super) fn new(lengths: &[u8]) -> Result<Self> {
        let mut counts = [0_u32; LENGTH_MAX + 1];
        for &length in lengths {
            if let Some(count) = counts.get_mut(usize::from(length)).filter(|_| length > 0) {
                *count = count.saturating_add(1);
            }
        }
        let mut code = Self {
            table: vec![(0, 0); 1 << LOOKED_UP],
            symbols: Vec::with_capacity(lengths.len()),
            firsts: [(0, 0); LENGTH_MAX + 2],
        };
        let (mut first, mut shorter) = (0_u32, 0_usize);
        for (length, &count) in counts.iter().enumerate().skip(1) {
            first <<= 1;
            if let Some(into) = code.firsts.get_mut(length) {
                *into = (first, shorter);
            }
            let value = u8::try_from(length).unwrap_or(0);
            let symbols = lengths.iter().zip(0_u16..).filter(|(length, _)| **length == value);
            let known = code.symbols.len();
            code.symbols.extend(symbols.map(|(_, symbol)| symbol));
            code.look_up(first, length, known);
            first = first.saturating_add(count);
            if first > 1 << length {
                return Err(Error::new(Kind::Corrupt, "a Huffman code has more symbols than codes"));
            }
            shorter = shorter.saturating_add(usize::try_from(count).unwrap_or(0));
        }
        if let Some(last) = code.firsts.last_mut() {
            *last = (0, code.symbols.len());
        }
        Ok(code)
    }

    /// Enters the codes of one length, those of the symbols from `known` on, into the table.
    fn look_up(&mut self, first: u32, length: usize, known: usize) {
        let Some(free) = LOOKED_UP.checked_sub(u32::try_from(length).unwrap_or(u32::MAX)) else { return };
        let each = 1_usize << free;
        let start = usize::try_from(first).unwrap_or(usize::MAX).saturating_mul(each);
        let symbols = self.symbols.get(known..).unwrap_or_default();
        let slots = self.table.get_mut(start..).unwrap_or_default().chunks_mut(each);
        for (slots, &symbol) in slots.zip(symbols) {
            slots.fill((symbol, u8::try_from(length).unwrap_or(0)));
        }
    }

    /// The next symbol.
    ///
    /// # Errors
    /// Corrupt where the bits are no symbol's code, truncated where the stream is over.
    pub(super) fn read(&self, bits: &mut Bits<'_>) -> Result<usize> {
        bits.fill();
        let near = usize::try_from(bits.peek(LOOKED_UP)).unwrap_or(0);
        if let Some(&(symbol, length)) = self.table.get(near).filter(|(_, length)| *length > 0) {
            bits.take(length.into());
            return Ok(usize::from(symbol));
        }
        for length in usize::try_from(LOOKED_UP).unwrap_or(0).saturating_add(1)..=LENGTH_MAX {
            let count = u32::try_from(length).unwrap_or(0);
            let (first, shorter) = self.firsts.get(length).copied().unwrap_or_default();
            let next = self.firsts.get(length.saturating_add(1)).map_or(self.symbols.len(), |next| next.1);
            let within = bits.peek(count).checked_sub(first).map(usize::try_from);
            if let Some(Ok(within)) = within
                && let Some(place) = shorter.checked_add(within).filter(|&place| place < next)
                && let Some(&symbol) = self.symbols.get(place)
            {
                bits.take(count);
                bits.check()?;
                return Ok(usize::from(symbol));
            }
        }
        bits.check()?;
        Err(Error::new(Kind::Corrupt, "bits that are no symbol of their Huffman code"))
    }
}

/// Appends `length` bytes that stand `offset` before the end of what was written.
///
/// # Errors
/// Corrupt where they would stand before its start, or end behind `size`.
pub(super) fn copy(out: &mut Vec<u8>, offset: usize, length: usize, size: usize) -> Result<()> {
    let start = out.len().checked_sub(offset).filter(|_| offset > 0);
    let (Some(start), true) = (start, out.len().saturating_add(length) <= size) else {
        let message = format!("a match of {length} bytes from {offset} before byte {}", out.len());
        return Err(Error::new(Kind::Corrupt, message));
    };
    if offset >= length {
        out.extend_from_within(start..start.saturating_add(length));
        return Ok(());
    }
    // What is copied may be what this copy writes.
    for at in start..start.saturating_add(length) {
        let byte = out.get(at).copied().unwrap_or(0);
        out.push(byte);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_all_lengths_are_read() {
        // Lengths 1, 2, … 14, 15, 15: the codes 0, 10, 110 …
        let lengths: Vec<u8> = (1..=15).chain([15]).collect();
        let code = Code::new(&lengths).unwrap();
        for (symbol, length) in (0..14).map(|symbol| (symbol, symbol + 1)) {
            let word = (!0_u16 << (16 - length)) << 1;
            let word = if length == 16 { 0xfffe } else { word & !(1 << (16 - length)) };
            let bytes = [word.to_le_bytes(), [0, 0]].concat();
            assert_eq!(code.read(&mut Bits::new(&bytes)).unwrap(), symbol, "{word:016b}");
        }
        assert_eq!(code.read(&mut Bits::new(&0xfffe_u16.to_le_bytes())).unwrap(), 15);
        assert_eq!(code.read(&mut Bits::new(&0xfffc_u16.to_le_bytes())).unwrap(), 14);
        assert!(Code::new(&[1, 1, 1]).is_err());
        assert!(Code::new(&[0; 20]).unwrap().read(&mut Bits::new(&[1, 2])).is_err());
    }

    #[test]
    fn a_stream_that_is_over_is_an_error_and_not_endless_zeros() {
        let code = Code::new(&[15; 3]).unwrap();
        let mut bits = Bits::new(&[0; 4]);
        assert!((0..100).any(|_| code.read(&mut bits).is_err()));
    }
}
