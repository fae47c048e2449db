//! The bytes that encoded text stands for, and where each of them stands in it.

use super::{Form, Run};

/// A run as bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Where the run starts, and behind it each group of characters.
    start: usize,
    groups: Vec<u32>,
    group_bytes: usize,
}

impl Decoded {
    /// Where the character stands with which the byte at `at` starts.
    pub fn source(&self, at: usize) -> Option<usize> {
        let group = at.checked_div(self.group_bytes).filter(|_| at < self.bytes.len())?;
        let within = usize::try_from(*self.groups.get(group)?).ok()?;
        self.start.checked_add(within)
    }

    /// Where the byte is whose group of characters is the one at `source`, or the last before it.
    pub fn position(&self, source: usize) -> usize {
        let within = u32::try_from(source.saturating_sub(self.start)).unwrap_or(u32::MAX);
        let groups = self.groups.partition_point(|&group| group <= within);
        groups.saturating_sub(1).saturating_mul(self.group_bytes).min(self.bytes.len())
    }
}

/// The bytes of a run.
pub fn decode(bytes: &[u8], run: &Run) -> Decoded {
    let (characters, group_bytes) = run.form.group();
    let mut decoded = Decoded { start: run.range.start, group_bytes, ..Decoded::default() };
    let (mut value, mut count) = (0_u32, 0_usize);
    let text = bytes.get(run.range.clone()).unwrap_or_default();
    let digits = text.iter().enumerate().filter_map(|(at, &byte)| Some((at, digit(byte, run.form)?)));
    for (at, digit) in digits.skip(run.skip) {
        if count == 0 {
            decoded.groups.push(u32::try_from(at).unwrap_or(u32::MAX));
        }
        value = (value << run.form.bits()) | u32::from(digit);
        count = count.saturating_add(1);
        if count == characters {
            // One byte of hexadecimal digits stands where the first of three does.
            let shift = if run.form == Form::Hex { 16 } else { 0 };
            push(&mut decoded.bytes, value << shift, group_bytes);
            (value, count) = (0, 0);
        }
    }
    // The last group of Base64 may be short: two characters make one byte, three make two.
    if run.form == Form::Base64 && count >= 2 {
        let missing = 4_usize.saturating_sub(count);
        push(&mut decoded.bytes, value << missing.saturating_mul(6), 3_usize.saturating_sub(missing));
    }
    decoded
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
