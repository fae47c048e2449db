//! The bytes that encoded text stands for, and where each of them stands in it.

use super::{Form, Run};
use std::ops::Range;

/// A run as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The bytes.
    pub bytes: Vec<u8>,
    form: Form,
    /// Where the run starts, and bytes of a character.
    start: usize,
    width: usize,
    /// Characters that stand for bytes: where they do not follow the one before, how many came before, and which
    /// character of the run it is.
    lines: Vec<(u32, u32)>,
    /// How many characters stand for bytes.
    digits: usize,
}

impl Decoded {
    /// The characters with whose bits the byte at `at` is written, from the first byte to behind the last.
    pub fn source(&self, at: usize) -> Option<Range<usize>> {
        let bits = self.form.bits();
        let first = at.checked_mul(8)?.checked_div(bits).filter(|_| at < self.bytes.len())?;
        let last = at.checked_mul(8)?.checked_add(7)?.checked_div(bits)?;
        Some(self.character(first)?..self.character(last)?.checked_add(self.width)?)
    }

    /// Which byte starts in the last character that starts at `source` or before it.
    pub fn position(&self, source: usize) -> usize {
        let bits = self.digits_before(source).saturating_add(1).saturating_mul(self.form.bits());
        bits.div_ceil(8).saturating_sub(1).min(self.bytes.len())
    }

    /// How many bytes are written with the characters before `source`, of which the last may be cut.
    pub fn end(&self, source: usize) -> usize {
        (self.digits_before(source).saturating_mul(self.form.bits()) / 8).min(self.bytes.len())
    }

    /// Where a character stands, counted among those that stand for bytes.
    fn character(&self, digit: usize) -> Option<usize> {
        let next = self.lines.partition_point(|line| to_usize(line.0) <= digit);
        let &(before, character) = self.lines.get(next.checked_sub(1)?)?;
        let character = to_usize(character).saturating_add(digit.saturating_sub(to_usize(before)));
        self.start.checked_add(character.checked_mul(self.width)?)
    }

    /// How many characters that stand for bytes start before `source`.
    fn digits_before(&self, source: usize) -> usize {
        let character = source.saturating_sub(self.start).div_ceil(self.width);
        let next = self.lines.partition_point(|line| to_usize(line.1) < character);
        let Some(&(before, first)) = next.checked_sub(1).and_then(|line| self.lines.get(line)) else {
            return 0;
        };
        let end = self.lines.get(next).map_or(self.digits, |line| to_usize(line.0));
        to_usize(before).saturating_add(character.saturating_sub(to_usize(first))).min(end)
    }
}

fn to_usize(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// The bytes of a run.
pub fn decode(bytes: &[u8], run: &Run) -> Decoded {
    let (characters, group_bytes) = run.form.group();
    let mut out = Vec::new();
    let mut lines = Vec::new();
    let (mut value, mut count, mut digits, mut next) = (0_u32, 0_usize, 0_usize, None);
    let text = run.text(bytes);
    let found = text.iter().enumerate().filter_map(|(at, &byte)| Some((at, digit(byte, run.form)?)));
    for (at, digit) in found.skip(run.skip) {
        if next != Some(at) {
            let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            lines.push((place(digits), place(at)));
        }
        next = at.checked_add(1);
        digits = digits.saturating_add(1);
        value = (value << run.form.bits()) | u32::from(digit);
        count = count.saturating_add(1);
        if count == characters {
            // One byte of hexadecimal digits stands where the first of three does.
            let shift = if run.form == Form::Hex { 16 } else { 0 };
            push(&mut out, value << shift, group_bytes);
            (value, count) = (0, 0);
        }
    }
    // The last group of Base64 may be short: two characters make one byte, three make two.
    if run.form == Form::Base64 && count >= 2 {
        let missing = 4_usize.saturating_sub(count);
        push(&mut out, value << missing.saturating_mul(6), 3_usize.saturating_sub(missing));
    }
    Decoded { bytes: out, form: run.form, start: run.range.start, width: run.width(), lines, digits }
}

/// The first `count` of the value's three bytes.
fn push(bytes: &mut Vec<u8>, value: u32, count: usize) {
    let [_, a, b, c] = value.to_be_bytes();
    bytes.extend([a, b, c].into_iter().take(count));
}

pub(super) fn digit(byte: u8, form: Form) -> Option<u8> {
    let offset = |from: u8, plus: u8| byte.wrapping_sub(from).wrapping_add(plus);
    match (form, byte) {
        (Form::Hex, b'0'..=b'9') => Some(offset(b'0', 0)),
        (Form::Hex, b'a'..=b'f') => Some(offset(b'a', 10)),
        (Form::Hex, b'A'..=b'F') => Some(offset(b'A', 10)),
        (Form::Base64, b'A'..=b'Z') => Some(offset(b'A', 0)),
        (Form::Base64, b'a'..=b'z') => Some(offset(b'a', 26)),
        (Form::Base64, b'0'..=b'9') => Some(offset(b'0', 52)),
        (Form::Base64, b'+' | b'-') => Some(62),
        (Form::Base64, b'/' | b'_') => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::{BASE64_MIME, HEXLOWER};

    const TEXT: &str = "aws_access_key_id = 0123456789 and other words that go on for a while?>~~";

    #[test]
    fn each_byte_knows_its_characters_and_comes_back_by_them() {
        let hex = HEXLOWER.encode(TEXT.as_bytes());
        let lines = BASE64_MIME.encode(TEXT.repeat(3).as_bytes());
        for text in [hex, lines] {
            let wide: Vec<u8> = text.bytes().flat_map(|byte| [byte, 0]).collect();
            for bytes in [text.as_bytes(), &wide] {
                let width = bytes.len() / text.len();
                let run = super::super::look(bytes, 20, 0).1.unwrap();
                let decoded = decode(bytes, &run);
                assert!(decoded.bytes.starts_with(TEXT.as_bytes()), "{text}");
                for at in 0..decoded.bytes.len() {
                    let source = decoded.source(at).unwrap();
                    assert_eq!((decoded.position(source.start), decoded.end(source.end)), (at, at + 1));
                    // A byte by itself is what its own characters say: those of the next one add nothing to it.
                    assert_eq!(decoded.end(source.end - width), at);
                }
                assert_eq!(decoded.source(decoded.bytes.len()), None);
                assert_eq!(decoded.end(usize::MAX), decoded.bytes.len());
                let first = decoded.source(0).unwrap();
                assert_eq!(first, 0..2 * width);
            }
        }
    }
}
