//! Bytes written as text: Base64 (RFC 4648 and its URL-safe form, in lines or not) and hexadecimal digits.
//!
//! Looked for in all content, so it must cost next to nothing: one block of [`BLOCK`] bytes in each [`STRIDE`]
//! is tested. Text in ASCII or UTF-16 has bits in its Base64, and digits in its hexadecimal form, that are
//! always zero, so one block tells it from identifiers, paths and digests. What else may be encoded (a format
//! that a decoder knows) is looked for in long runs only. Text in UTF-16 that is encoded is read as the same text of
//! one byte a character.

mod decoded;
mod places;

pub use decoded::{Decoded, decode};
pub use places::places;

use super::block::BLOCK;
use super::{mime, recognise, wide};
use decoded::digit;
use std::borrow::Cow;
use std::ops::Range;
use wide::Order;

/// How far from one test to the next.
const STRIDE: usize = 32;
/// Shortest run: any that is this long covers a block that is tested.
pub const RUN_MIN: usize = BLOCK + STRIDE;
/// Shortest line of a run that goes on in the next one.
const LINE_MIN: usize = 32;
/// White space between two lines.
const BREAK_MAX: usize = 64;
/// How many tested blocks a long run has: above those of a digest of 512 bits.
const LONG: usize = 4;
/// Shortest run that is looked at for a format: one that has [`LONG`] tested blocks wherever it lies, in one
/// line and in several, where blocks with a line break count against it.
const FORMAT_MIN: usize = (LONG + 1) * STRIDE + BLOCK;
const FORMAT_LINES_MIN: usize = 4096;
/// Characters at the start of a run in which a mark may part it from what stands before.
const BEFORE_MAX: usize = 64;
/// Decoded bytes that must look like text, those of as many characters as the shortest run has: some block
/// that is tested lies among these.
const SAMPLE: usize = 36;

/// A run, and how it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Where it lies.
    pub range: Range<usize>,
    /// How it is written.
    pub form: Form,
    /// The byte order, where it is text in UTF-16.
    wide: Option<Order>,
    /// Characters before the first that counts.
    skip: usize,
}

impl Run {
    /// Bytes of a character.
    fn width(&self) -> usize {
        if self.wide.is_some() { wide::UNIT } else { 1 }
    }

    /// Its characters, one byte each.
    fn text<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        match self.wide {
            Some(order) => Cow::Owned(wide::narrow(bytes, self.range.clone(), order)),
            None => Cow::Borrowed(bytes.get(self.range.clone()).unwrap_or_default()),
        }
    }
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

    /// Bits of a character.
    fn bits(self) -> usize {
        match self {
            Self::Base64 => 6,
            Self::Hex => 4,
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

/// Which bytes belong to the alphabets; a table, as this is asked for much of all text.
static ALPHABET: [bool; 256] = {
    let mut alphabet = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        alphabet[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
        byte += 1;
    }
    alphabet
};

fn is_base64(byte: u8) -> bool {
    ALPHABET.get(usize::from(byte)).is_some_and(|&is_in| is_in)
}

fn end_of_line(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().position(|&byte| !is_base64(byte)).map_or(bytes.len(), |length| at.saturating_add(length))
}

fn start_of_line(bytes: &[u8], at: usize) -> usize {
    let before = bytes.get(..at).unwrap_or_default();
    before.iter().rposition(|&byte| !is_base64(byte)).map_or(0, |place| place.saturating_add(1))
}

/// The run that a header of a mail announces, whose body starts at `at`: it needs to look like nothing.
pub fn announced(bytes: &[u8], at: usize) -> Option<Run> {
    Some(Run { range: mime::base64_lines(bytes, at)?, form: Form::Base64, wide: None, skip: 0 })
}

/// The stretch around `at` that looks like a run, and the run, if it decodes to something that is worth a look. The
/// first of the bytes has the offset `base` in its content, which says where units of UTF-16 start.
pub fn look(bytes: &[u8], at: usize, base: u64) -> (Range<usize>, Option<Run>) {
    if let Some((unit, order)) = wide::unit_at(bytes, at, base, is_base64) {
        return look_wide(bytes, unit, order);
    }
    let range = lines_around(bytes, at);
    let run = run(bytes, &range);
    (range, run)
}

/// The same around a unit of text in UTF-16.
fn look_wide(bytes: &[u8], unit: usize, order: Order) -> (Range<usize>, Option<Run>) {
    /// Characters on each side that are looked at first, what they are multiplied by where the run goes on, and
    /// those that are enough of a run at a time.
    const FIRST: usize = 256;
    const MORE: usize = 4;
    const ENOUGH: usize = 1 << 20;
    /// What [`lines_around`] looks at beside a run.
    const BESIDE: usize = BREAK_MAX + LINE_MIN;
    let left = bytes.len().saturating_sub(unit) / wide::UNIT;
    let mut reach = FIRST;
    loop {
        let (before, after) = ((unit / wide::UNIT).min(reach), left.min(reach));
        let first = unit.saturating_sub(before.saturating_mul(wide::UNIT));
        let end = unit.saturating_add(after.saturating_mul(wide::UNIT));
        let text = wide::narrow(bytes, first..end, order);
        let lines = lines_around(&text, before);
        let is_cut = (lines.start < BESIDE && before == reach)
            || (text.len().saturating_sub(lines.end) < BESIDE && after == reach);
        if is_cut && reach < ENOUGH {
            reach = reach.saturating_mul(MORE);
            continue;
        }
        let place = |character: usize| first.saturating_add(character.saturating_mul(wide::UNIT));
        let range = place(lines.start)..place(lines.end);
        let run = run(&text, &lines).map(|run| Run { range: range.clone(), wide: Some(order), ..run });
        return (range, run);
    }
}

fn run(bytes: &[u8], range: &Range<usize>) -> Option<Run> {
    let text = bytes.get(range.clone()).filter(|text| text.len() >= RUN_MIN && is_mixed(text))?;
    let form = if is_hex(text) { Form::Hex } else { Form::Base64 };
    // What stands right before a run (a path, a name) may belong to the alphabet as well.
    let marks = text.iter().take(BEFORE_MAX).enumerate().filter(|(_, byte)| !byte.is_ascii_alphanumeric());
    let mut skips = (0..form.group().0).chain(marks.map(|(at, _)| at.saturating_add(1)));
    let skip = skips.find(|&skip| is_worth_it(text, form, skip))?;
    Some(Run { range: range.clone(), form, wide: None, skip })
}

/// Whether a run, read from its character `skip` on, starts like text in one byte or UTF-16, or like a format
/// that is decoded further. Digests, which there are many of, are given up at their first bytes.
fn is_worth_it(text: &[u8], form: Form, skip: usize) -> bool {
    let (characters, group_bytes) = form.group();
    let format_min = if text.contains(&b'\n') { FORMAT_LINES_MIN } else { FORMAT_MIN };
    let may_hold_format = text.len() >= format_min;
    let mut sample = [0; SAMPLE];
    let sample = sample.get_mut(..RUN_MIN / characters * group_bytes).unwrap_or_default();
    let (mut is_text, mut following, mut is_wide) = (true, 0, [true; 2]);
    let mut digits = text.iter().filter_map(|&byte| digit(byte, form)).skip(skip);
    let mut at = 0_usize;
    for group in sample.chunks_exact_mut(group_bytes) {
        let mut value = 0_u32;
        for _ in 0..characters {
            let Some(digit) = digits.next() else { return false };
            value = (value << form.bits()) | u32::from(digit);
        }
        let bytes = value.to_be_bytes();
        for (into, &byte) in group.iter_mut().zip(bytes.iter().skip(bytes.len().saturating_sub(group_bytes)))
        {
            *into = byte;
            let is_character = (0x20..0x7f).contains(&byte) || matches!(byte, b'\t' | b'\n' | b'\r');
            is_text &= is_utf8(byte, is_character, &mut following);
            for (parity, is_wide) in is_wide.iter_mut().enumerate() {
                *is_wide &= if at % 2 == parity { is_character } else { byte == 0 };
            }
            at = at.saturating_add(1);
        }
        if !is_text && is_wide == [false; 2] && !may_hold_format {
            return false;
        }
    }
    // Keys in Base64 have rules of their own, which see the text.
    let holds_format = || recognise(sample).is_some_and(|decoder| decoder.name != super::keyfile::NAME);
    is_text || is_wide != [false; 2] || (may_hold_format && holds_format())
}

/// Whether a byte may come next in UTF-8, of which `following` bytes of a character are still to come.
fn is_utf8(byte: u8, is_character: bool, following: &mut u32) -> bool {
    let is_expected =
        if *following > 0 { byte & 0xc0 == 0x80 } else { is_character || (0xc2..0xf5).contains(&byte) };
    *following = if *following > 0 { *following - 1 } else { byte.leading_ones().saturating_sub(1) };
    is_expected
}

/// Whether a line may be Base64 or hexadecimal: as many characters of Base64 as a line has are of both cases,
/// which tells it from most paths and identifiers.
fn is_mixed(line: &[u8]) -> bool {
    let has = |is_in: fn(&u8) -> bool| line.iter().any(is_in);
    (has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase)) || is_hex(line)
}

/// Whether text is digits of hexadecimal numbers and white space, or one number.
fn is_hex(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"0x").unwrap_or(text);
    digits.iter().all(|byte| byte.is_ascii_hexdigit() || byte.is_ascii_whitespace())
}

/// The lines of the alphabets' characters around `at`, with line breaks and indentation between them.
fn lines_around(bytes: &[u8], at: usize) -> Range<usize> {
    let (mut start, mut end) = (start_of_line(bytes, at), end_of_line(bytes, at));
    // A short line is a run by no means, or the end of one whose other lines are met as well.
    if end.saturating_sub(start) < LINE_MIN || !is_mixed(bytes.get(start..end).unwrap_or_default()) {
        return start..end;
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::{BASE64, BASE64_MIME, BASE64URL_NOPAD, HEXLOWER};

    const TEXT: &[u8] = b"aws_access_key_id = 0123456789 and other words that go on for a while?>~~";

    #[test]
    fn runs_decode_to_what_was_encoded() {
        let mime = BASE64_MIME.encode(&TEXT.repeat(3)).replace("\r\n", "\n    ");
        for length in 40..TEXT.len() {
            let text = &TEXT[..length];
            let forms = [BASE64.encode(text), BASE64URL_NOPAD.encode(text), HEXLOWER.encode(text)];
            for coded in forms {
                let is_hex = coded.bytes().all(|byte| byte.is_ascii_hexdigit());
                for before in ["", "x: ", if is_hex { "0x" } else { "/path/" }] {
                    let bytes = format!("{before}{coded}\n").into_bytes();
                    let (range, run) = look(&bytes, before.len() + 4, 0);
                    let decoded = decode(&bytes, &run.unwrap());
                    assert!(decoded.bytes.ends_with(text), "{before}{coded}");
                    assert_eq!(decoded.source(decoded.bytes.len()), None);
                    assert_eq!(range.end, decoded.source(decoded.bytes.len() - 1).unwrap().end);
                }
            }
        }
        let (_, run) = look(mime.as_bytes(), 90, 0);
        assert_eq!(decode(mime.as_bytes(), &run.unwrap()).bytes, TEXT.repeat(3));
    }

    #[test]
    fn a_run_in_utf_16_is_that_of_the_same_text() {
        // The longest goes on behind what is looked at first.
        for (text, length) in [(TEXT, 40), (TEXT, 60), (TEXT.repeat(40).as_slice(), 2500)] {
            let text = &text[..length];
            for coded in [BASE64.encode(text), HEXLOWER.encode(text), BASE64_MIME.encode(text)] {
                for (before, after) in [("", ""), ("x: ", "\""), ("\u{442d}", "\u{442d}")] {
                    let all = format!("{before}{coded}{after}");
                    let narrow = look(all.as_bytes(), before.len() + 4, 0).1.unwrap();
                    for (is_big, odd) in [(false, 0), (true, 0), (false, 1), (true, 1)] {
                        let bytes = |unit: u16| if is_big { unit.to_be_bytes() } else { unit.to_le_bytes() };
                        let mut wide = vec![7; odd];
                        wide.extend(all.encode_utf16().flat_map(bytes));
                        let unit = |character: usize| odd + 2 * (before.chars().count() + character);
                        let (range, run) = look(&wide, unit(4), odd as u64);
                        let run = run.unwrap();
                        assert_eq!((range.start, &range), (unit(0), &run.range), "{all}");
                        let (one, other) = (decode(all.as_bytes(), &narrow), decode(&wide, &run));
                        assert_eq!(other.bytes, one.bytes, "{all}");
                        for at in [0, 20, length - 1] {
                            let source = one.source(at).unwrap();
                            let character = |place: usize| unit(place - before.len());
                            let expected = character(source.start)..character(source.end);
                            assert_eq!(other.source(at), Some(expected), "{all}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn names_paths_and_digests_are_no_runs() {
        for text in [
            "/usr/lib/x86_64-linux-gnu/perl-base/unicore/lib/CompEx/Y",
            "_ZNSt6vectorIN4llvm11StringRefESaIS1_EE17_M_realloc_insertIJS1_EEE",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "00000000000000000000000000000000000000000000000000000000000000000000",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert_eq!(look(text.as_bytes(), 20, 0).1, None, "{text}");
        }
    }
}
