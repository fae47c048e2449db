//! Bytes written as text: Base64 (RFC 4648 and its URL-safe form, in lines or not) and hexadecimal digits.
//!
//! Looked for in all content, so it must cost next to nothing: one block of [`BLOCK`] bytes in each [`STRIDE`]
//! is tested, and only runs that decode to text, or to a format that a decoder knows, are decoded at all.

use super::{HEAD, recognise};
use std::ops::Range;

/// Bytes tested at a time.
const BLOCK: usize = 16;
/// How far from one test to the next.
const STRIDE: usize = 32;
/// Shortest run: any that is this long covers a block that is tested.
pub const RUN_MIN: usize = BLOCK + STRIDE;
/// Shortest line of a run that goes on in the next one.
const LINE_MIN: usize = 32;
/// White space between two lines.
const BREAK_MAX: usize = 64;
/// Decoded bytes that must look like text.
const SAMPLE: usize = 24;

/// A run, and how it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Where it lies.
    pub range: Range<usize>,
    /// How it is written.
    pub form: Form,
    /// Characters before the first that counts.
    skip: usize,
}

/// How bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Four characters for three bytes.
    Base64,
    /// Two digits a byte.
    Hex,
}

impl Form {
    /// Name for reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Hex => "hex",
        }
    }

    /// Characters and bytes of a group.
    fn group(self) -> (usize, usize) {
        match self {
            Self::Base64 => (4, 3),
            Self::Hex => (2, 1),
        }
    }
}

/// A run as bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Where each group of characters starts.
    groups: Vec<usize>,
    group_bytes: usize,
}

impl Decoded {
    /// Where the character stands with which the byte at `at` starts.
    pub fn source(&self, at: usize) -> Option<usize> {
        self.groups.get(at.checked_div(self.group_bytes)?).copied()
    }
}

/// Places in `bytes` where a run may be: one for each stretch of text without white space, and the first and
/// last block, over which one may come in or go out.
pub fn places(bytes: &[u8], found: &mut Vec<usize>) {
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let step = STRIDE / BLOCK;
    let mut until = 0;
    for (index, block) in blocks.iter().enumerate().step_by(step) {
        if is_plain(block) {
            let at = index.saturating_mul(BLOCK);
            if at >= until {
                found.push(at);
                until = end_of_line(bytes, at);
            }
        }
    }
    let tail = bytes.len().saturating_sub(BLOCK);
    if bytes.get(tail..).and_then(|rest| rest.first_chunk()).is_some_and(is_plain) && tail >= until {
        found.push(tail);
    }
}

/// Whether all bytes are letters, digits or one of `+,-./_`: somewhat more than the alphabets have.
fn is_plain(block: &[u8; BLOCK]) -> bool {
    let mut other = false;
    for &byte in block {
        let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        let digit = byte.wrapping_sub(b'+') < 15;
        other |= !(letter | digit | (byte == b'_'));
    }
    !other
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

fn end_of_line(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().position(|&byte| !is_base64(byte)).map_or(bytes.len(), |length| at.saturating_add(length))
}

fn start_of_line(bytes: &[u8], at: usize) -> usize {
    let before = bytes.get(..at).unwrap_or_default();
    before.iter().rposition(|&byte| !is_base64(byte)).map_or(0, |place| place.saturating_add(1))
}

/// The stretch around `at` that looks like a run, and the run, if it decodes to something that is worth a look.
pub fn look(bytes: &[u8], at: usize) -> (Range<usize>, Option<Run>) {
    let range = lines_around(bytes, at);
    let run = if range.len() < RUN_MIN { None } else { run(bytes, &range) };
    (range, run)
}

fn run(bytes: &[u8], range: &Range<usize>) -> Option<Run> {
    let text = bytes.get(range.clone())?;
    let is_hex = text.iter().all(|byte| byte.is_ascii_hexdigit() || byte.is_ascii_whitespace());
    let form = if is_hex { Form::Hex } else { Form::Base64 };
    // What stands right before a run (a path, a name) may belong to the alphabet as well.
    (0..form.group().0).find_map(|skip| {
        let run = Run { range: range.clone(), form, skip };
        let head = decode_up_to(bytes, &run, HEAD).bytes;
        is_worth_it(&head).then_some(run)
    })
}

/// The lines of the alphabets' characters around `at`, with line breaks and indentation between them.
fn lines_around(bytes: &[u8], at: usize) -> Range<usize> {
    let (mut start, mut end) = (start_of_line(bytes, at), end_of_line(bytes, at));
    while let Some(line) = neighbour_before(bytes, start) {
        start = line;
    }
    // A line that goes on is a full one.
    while let Some(line) = neighbour_after(bytes, end) {
        end = line;
    }
    start..end
}

fn neighbour_before(bytes: &[u8], start: usize) -> Option<usize> {
    let before = bytes.get(start.saturating_sub(BREAK_MAX)..start)?;
    let blank = before.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
    let gap = before.get(before.len().saturating_sub(blank)..)?;
    let end = start.checked_sub(blank).filter(|_| gap.contains(&b'\n'))?;
    let line = start_of_line(bytes, end);
    (end.saturating_sub(line) >= LINE_MIN).then_some(line)
}

fn neighbour_after(bytes: &[u8], end: usize) -> Option<usize> {
    let line = end.saturating_sub(start_of_line(bytes, end));
    let after = bytes.get(end..end.saturating_add(BREAK_MAX).min(bytes.len()))?;
    let blank = after.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let gap = after.get(..blank)?;
    let start = end.saturating_add(blank);
    let next = end_of_line(bytes, start);
    (line >= LINE_MIN && gap.contains(&b'\n') && next > start).then_some(next)
}

/// Whether decoded bytes start like text in one byte or UTF-16, or like a format that is decoded further.
fn is_worth_it(head: &[u8]) -> bool {
    let is_text = |byte: &u8| (0x20..0x7f).contains(byte) || matches!(byte, b'\t' | b'\n' | b'\r');
    let Some(sample) = head.get(..SAMPLE) else { return false };
    let (even, odd): (Vec<u8>, Vec<u8>) =
        sample.as_chunks::<2>().0.iter().map(|&[one, two]| (one, two)).unzip();
    let is_zero = |bytes: &[u8]| bytes.iter().all(|&byte| byte == 0);
    let is_wide = (is_zero(&odd) && even.iter().all(is_text)) || (is_zero(&even) && odd.iter().all(is_text));
    sample.iter().all(is_text) || is_wide || recognise(head).is_some()
}

/// The bytes of a run.
pub fn decode(bytes: &[u8], run: &Run) -> Decoded {
    decode_up_to(bytes, run, usize::MAX)
}

fn decode_up_to(bytes: &[u8], run: &Run, most: usize) -> Decoded {
    let (characters, group_bytes) = run.form.group();
    let mut decoded = Decoded { group_bytes, ..Decoded::default() };
    let (mut value, mut count) = (0_u32, 0_usize);
    let text = bytes.get(run.range.clone()).unwrap_or_default();
    let digits = text.iter().enumerate().filter_map(|(at, &byte)| Some((at, digit(byte, run.form)?)));
    for (at, digit) in digits.skip(run.skip) {
        if count == 0 {
            if decoded.bytes.len() >= most {
                return decoded;
            }
            decoded.groups.push(run.range.start.saturating_add(at));
        }
        value = (value << if run.form == Form::Hex { 4 } else { 6 }) | u32::from(digit);
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

fn digit(byte: u8, form: Form) -> Option<u8> {
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
