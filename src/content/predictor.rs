//! Rows of samples stored as differences from their neighbours (ISO 32000-1, 7.4.4.4): the predictors of PNG and TIFF.

use std::io::{Error, ErrorKind, Read, Result};

/// Bytes of a row.
const ROW_MAX: u64 = 1 << 20;

/// How rows are made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rows {
    /// 2 is that of TIFF; from 10 on each row says which one of PNG it uses.
    pub(super) predictor: u32,
    /// Samples of a pixel.
    pub(super) colours: u32,
    /// Bits of a sample: 1, 2, 4, 8 or 16.
    pub(super) bits: u32,
    /// Pixels of a row.
    pub(super) columns: u32,
}

impl Default for Rows {
    fn default() -> Self {
        Self { predictor: 1, colours: 1, bits: 8, columns: 1 }
    }
}

impl Rows {
    /// Whether rows are stored as anything but their bytes.
    pub(super) fn are_predicted(&self) -> bool {
        self.predictor > 1
    }

    /// Bytes of a row, and of a pixel, at least one; `None` where a number is out of its range.
    fn lengths(&self) -> Option<(usize, usize)> {
        let pixel = u64::from(self.colours).checked_mul(self.bits.into())?;
        let is_known = self.predictor == 2 || self.predictor >= 10;
        let row = pixel.checked_mul(self.columns.into())?.div_ceil(8);
        let fits = (1..=ROW_MAX).contains(&row) && [1, 2, 4, 8, 16].contains(&self.bits) && is_known;
        let usize_of = |length: u64| usize::try_from(length).ok();
        if fits { Some((usize_of(row)?, usize_of(pixel.div_ceil(8))?)) } else { None }
    }
}

/// The samples as they are.
pub(super) struct Predicted<R> {
    source: R,
    rows: Rows,
    pixel: usize,
    /// The row above, and the one that is read.
    above: Vec<u8>,
    row: Vec<u8>,
    /// Bytes of the row that are there, and those that were taken.
    held: usize,
    taken: usize,
    ended: bool,
    failure: Option<Error>,
}

impl<R: Read> Predicted<R> {
    /// # Errors
    /// Where the rows cannot be what they are said to be.
    pub(super) fn new(source: R, rows: Rows) -> crate::error::Result<Self> {
        let Rows { predictor, colours, bits, columns } = rows;
        let wrong = || {
            let pixels = format!("{columns} pixels with {colours} samples of {bits} bits");
            crate::error::Error::unsupported(format!("predictor {predictor} over rows of {pixels}"))
        };
        let (row, pixel) = rows.lengths().ok_or_else(wrong)?;
        let (above, row) = (vec![0; row], vec![0; row]);
        Ok(Self { source, rows, pixel, above, row, held: 0, taken: 0, ended: false, failure: None })
    }

    /// Reads the next row; the last one may be short.
    fn next(&mut self) -> Result<()> {
        (self.held, self.taken) = (0, 0);
        std::mem::swap(&mut self.above, &mut self.row);
        let mut tag = [0];
        if self.rows.predictor >= 10 && self.fill_tag(&mut tag)? == 0 {
            self.ended = true;
            return Ok(());
        }
        while let Some(rest) = self.row.get_mut(self.held..).filter(|rest| !rest.is_empty()) {
            match self.source.read(rest) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(got) => self.held = self.held.saturating_add(got),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failure = Some(error);
                    break;
                }
            }
        }
        let [tag] = tag;
        let (row, above) = (self.row.get_mut(..self.held).unwrap_or_default(), self.above.as_slice());
        match (self.rows.predictor, self.rows.bits) {
            (2, 8) => sub(row, self.pixel),
            (2, 16) => sub_pairs(row, self.pixel),
            (2, bits) => sub_bits(row, bits, self.rows.colours),
            _ => undo(tag, row, above, self.pixel)?,
        }
        Ok(())
    }

    fn fill_tag(&mut self, tag: &mut [u8; 1]) -> Result<usize> {
        loop {
            match self.source.read(tag) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                outcome => return outcome,
            }
        }
    }
}

impl<R: Read> Read for Predicted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        while self.taken == self.held && !buffer.is_empty() {
            match self.failure.take() {
                Some(failure) => {
                    self.ended = true;
                    return Err(failure);
                }
                None if self.ended => return Ok(0),
                None => self.next()?,
            }
        }
        let ready = self.row.get(self.taken..self.held).unwrap_or_default();
        let length = ready.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..length), ready.get(..length)) {
            to.copy_from_slice(from);
        }
        self.taken = self.taken.saturating_add(length);
        Ok(length)
    }
}

/// The byte at `at` less `back`; 0 before the row.
fn left(row: &[u8], at: usize, back: usize) -> u8 {
    at.checked_sub(back).and_then(|at| row.get(at)).copied().unwrap_or(0)
}

/// Adds to each byte the one a pixel before it.
fn sub(row: &mut [u8], pixel: usize) {
    for at in 0..row.len() {
        let before = left(row, at, pixel);
        if let Some(byte) = row.get_mut(at) {
            *byte = byte.wrapping_add(before);
        }
    }
}

/// The same for samples of two bytes.
fn sub_pairs(row: &mut [u8], pixel: usize) {
    for at in (0..row.len()).step_by(2) {
        let next = at.saturating_add(1);
        let before = u16::from_be_bytes([left(row, at, pixel), left(row, next, pixel)]);
        if let Some([high, low]) = row.get_mut(at..at.saturating_add(2)) {
            [*high, *low] = u16::from_be_bytes([*high, *low]).wrapping_add(before).to_be_bytes();
        }
    }
}

/// The same for samples of 1, 2 or 4 bits.
fn sub_bits(row: &mut [u8], bits: u32, colours: u32) {
    let in_byte = 8_u32.checked_div(bits).unwrap_or(1).max(1);
    let mask = u8::MAX.checked_shr(8_u32.saturating_sub(bits)).unwrap_or(u8::MAX);
    let mut before =
        vec![0_u8; usize::try_from(colours).unwrap_or(1).min(row.len().saturating_mul(8)).max(1)];
    let mut colour = 0_usize;
    for byte in row {
        let mut whole = 0_u8;
        for sample in 0..in_byte {
            let shift = 8_u32.saturating_sub(bits.saturating_mul(sample.saturating_add(1)));
            let Some(last) = before.get_mut(colour) else { break };
            *last = (*byte >> shift & mask).wrapping_add(*last) & mask;
            whole |= *last << shift;
            colour = colour.saturating_add(1);
            if colour >= before.len() {
                colour = 0;
            }
        }
        *byte = whole;
    }
}

/// Undoes a filter of PNG (PNG, 9.2).
fn undo(tag: u8, row: &mut [u8], above: &[u8], pixel: usize) -> Result<()> {
    if tag > 4 {
        return Err(Error::new(
            ErrorKind::InvalidData,
            format!("filter of a row: expected 0 to 4, found {tag}"),
        ));
    }
    for at in 0..row.len() {
        let (a, b, c) = (left(row, at, pixel), left(above, at, 0), left(above, at, pixel));
        let predicted = match tag {
            0 => 0,
            1 => a,
            2 => b,
            3 => u8::try_from(u16::from(a).saturating_add(b.into()) / 2).unwrap_or(0),
            _ => paeth(a, b, c),
        };
        if let Some(byte) = row.get_mut(at) {
            *byte = byte.wrapping_add(predicted);
        }
    }
    Ok(())
}

fn paeth(a: u8, b: u8, c: u8) -> u8 {
    let estimate = i16::from(a).saturating_add(b.into()).saturating_sub(c.into());
    let far = |byte: u8| estimate.saturating_sub(byte.into()).unsigned_abs();
    if far(a) <= far(b) && far(a) <= far(c) {
        a
    } else if far(b) <= far(c) {
        b
    } else {
        c
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(stored: &[u8], rows: Rows) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        Predicted::new(stored, rows).unwrap().read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn every_filter_of_png_is_undone() {
        let rows = Rows { predictor: 15, colours: 1, bits: 8, columns: 4 };
        // Each row is 10 20 30 40, whatever it is stored as; the last one is cut off.
        let stored = [
            &[0, 10, 20, 30, 40][..],
            &[1, 10, 10, 10, 10],
            &[2, 0, 0, 0, 0],
            &[3, 5, 5, 5, 5],
            &[4, 0, 0, 0, 0],
            &[1, 10, 10],
        ]
        .concat();
        let row = [10, 20, 30, 40];
        assert_eq!(read(&stored, rows).unwrap(), [&row[..], &row, &row, &row, &row, &[10, 20]].concat());
        assert!(read(&[5, 0, 0, 0, 0], rows).is_err());
    }

    #[test]
    fn samples_of_any_width_are_added_up_as_in_tiff() {
        let rows = |colours, bits, columns| Rows { predictor: 2, colours, bits, columns };
        assert_eq!(read(&[10, 10, 10, 250, 10, 1], rows(1, 8, 3)).unwrap(), [10, 20, 30, 250, 4, 5]);
        assert_eq!(read(&[1, 2, 1, 2], rows(2, 8, 2)).unwrap(), [1, 2, 2, 4]);
        assert_eq!(read(&[0, 255, 0, 1], rows(1, 16, 2)).unwrap(), [0, 255, 1, 0]);
        assert_eq!(read(&[0x11, 0x1f], rows(1, 4, 4)).unwrap(), [0x12, 0x32]);
        assert_eq!(read(&[0b1100_0001], rows(1, 1, 8)).unwrap(), [0b1000_0001]);
    }

    #[test]
    fn rows_that_cannot_be_are_refused() {
        for (predictor, colours, bits, columns) in [
            (2, 0, 8, 1),
            (2, 1, 3, 1),
            (12, 1, 8, 0),
            (12, u32::MAX, 16, u32::MAX),
            (7, 1, 8, 1),
            (12, 1, 8, 1 << 21),
        ] {
            let rows = Rows { predictor, colours, bits, columns };
            assert!(Predicted::new(&[][..], rows).is_err(), "{rows:?}");
        }
    }
}
