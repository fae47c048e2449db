//! LZW (ISO 32000-1, 7.4.4): codes of 9 to 12 bits, the highest bit first.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result};
use weezl::decode::Decoder;
use weezl::{BitOrder, LzwStatus};

/// When codes become one bit longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// One code before they have to be, as TIFF does it too.
    Early,
    /// When they have to be.
    Late,
}

/// The bytes that codes stand for.
pub(super) struct Lzw<R> {
    source: BufReader<R>,
    decoder: Decoder,
    ended: bool,
    failure: Option<Error>,
}

impl<R: Read> Lzw<R> {
    pub(super) fn new(source: R, change: Change) -> Self {
        let decoder = match change {
            Change::Early => Decoder::with_tiff_size_switch(BitOrder::Msb, 8),
            Change::Late => Decoder::new(BitOrder::Msb, 8),
        };
        Self { source: BufReader::new(source), decoder, ended: false, failure: None }
    }
}

impl<R: Read> Read for Lzw<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if let Some(failure) = self.failure.take() {
            self.ended = true;
            return Err(failure);
        }
        while !buffer.is_empty() && !self.ended {
            let codes = self.source.fill_buf()?;
            let is_last = codes.is_empty();
            let result = self.decoder.decode_bytes(codes, buffer);
            self.source.consume(result.consumed_in);
            match result.status {
                Ok(LzwStatus::Done) => self.ended = true,
                Ok(_) if result.consumed_in == 0 && result.consumed_out == 0 => {
                    self.ended = true;
                    // The code for the end is left out by some writers.
                    return if is_last { Ok(0) } else { Err(ErrorKind::InvalidData.into()) };
                }
                Ok(_) => {}
                Err(error) => self.failure = Some(Error::new(ErrorKind::InvalidData, error.to_string())),
            }
            if result.consumed_out > 0 {
                return Ok(result.consumed_out);
            }
            if let Some(failure) = self.failure.take() {
                self.ended = true;
                return Err(failure);
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard_and_text_of_any_length_come_back() {
        // ISO 32000-1, 7.4.4.2.
        let codes = [0x80, 0x0b, 0x60, 0x50, 0x22, 0x0c, 0x0c, 0x85, 0x01];
        let mut bytes = Vec::new();
        Lzw::new(codes.as_slice(), Change::Early).read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, [45, 45, 45, 45, 45, 65, 45, 45, 45, 66]);
        let text: Vec<u8> = (0..20_000_u32).flat_map(|number| format!("{number} ").into_bytes()).collect();
        for change in [Change::Early, Change::Late] {
            let mut encoder = match change {
                Change::Early => weezl::encode::Encoder::with_tiff_size_switch(BitOrder::Msb, 8),
                Change::Late => weezl::encode::Encoder::new(BitOrder::Msb, 8),
            };
            let codes = encoder.encode(&text).unwrap();
            let mut bytes = Vec::new();
            Lzw::new(codes.as_slice(), change).read_to_end(&mut bytes).unwrap();
            assert!(bytes == text, "{change:?}");
            // Cut off, it gives what is there.
            let mut start = Vec::new();
            let cut = codes.get(..codes.len() / 2).unwrap();
            Lzw::new(cut, change).read_to_end(&mut start).unwrap();
            assert!(start.len() > text.len() / 4 && text.starts_with(&start), "{change:?}");
        }
    }

    #[test]
    fn wrong_codes_are_an_error() {
        let mut bytes = Vec::new();
        assert!(
            Lzw::new([0x80, 0x0b, 0xff, 0xff, 0xff].as_slice(), Change::Early)
                .read_to_end(&mut bytes)
                .is_err()
        );
    }
}
