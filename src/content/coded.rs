//! Bytes written as text: Base64 (RFC 4648 and its URL-safe form, in lines or not) and hexadecimal digits.
//!
//! Looked for in all content, so it must cost next to nothing: one block of [`BLOCK`] bytes in each [`STRIDE`]
//! is tested. Text in ASCII or UTF-16 has bits in its Base64, and digits in its hexadecimal form, that are
//! always zero, so one block tells it from identifiers, paths and digests. What else may be encoded (a format
//! that a decoder knows) is looked for in long runs only.

use super::block::{ALL, BLOCK, Block};
use super::{mime, recognise};
use std::ops::Range;

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

    /// Bits of a character.
    fn bits(self) -> u32 {
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

/// Places in `bytes` where a run may be: where a block looks like encoded text, where a run has become long,
/// and the first and last block, over which one may come in or go out.
pub fn places(bytes: &[u8], found: &mut Vec<usize>) {
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let step = STRIDE / BLOCK;
    // Line breaks interrupt a run, so that a block which is none only takes one away.
    let (mut until, mut lasting) = (0, LONG - 1);
    for (index, block) in blocks.iter().enumerate().step_by(step) {
        if !is_plain(block) {
            lasting = if index == 0 { 0 } else { lasting.saturating_sub(1) };
            continue;
        }
        lasting = lasting.saturating_add(1).min(2 * LONG);
        let at = index.saturating_mul(BLOCK);
        if at >= until && (lasting == LONG || is_text(block)) {
            found.push(at);
            until = end_of_line(bytes, at);
        }
    }
    let tail = bytes.len().saturating_sub(BLOCK);
    if bytes.get(tail..).and_then(|rest| rest.first_chunk()).is_some_and(is_plain) && tail >= until {
        found.push(tail);
    }
}

/// What a character may be in the text that [`is_text`] looks for, as bits.
static ROLES: [u8; 256] = {
    let mut roles = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => {
                byte += 1;
                continue;
            }
        };
        roles[byte as usize] = IN_BASE64
            | if value & 0b10_0000 == 0 { FIRST } else { 0 }
            | if value & 0b00_1000 == 0 { SECOND } else { 0 }
            | if value & 0b00_0010 == 0 { THIRD } else { 0 }
            | if byte.is_ascii_hexdigit() { DIGIT } else { 0 }
            | if matches!(byte, b'0' | b'2'..=b'7') { HIGH_DIGIT } else { 0 };
        byte += 1;
    }
    roles
};
/// It belongs to Base64.
const IN_BASE64: u8 = 1;
/// It may be the first, second or third of a group of four.
const FIRST: u8 = 2;
const SECOND: u8 = 4;
const THIRD: u8 = 8;
/// It is a hexadecimal digit, and may be the first of two.
const DIGIT: u8 = 16;
const HIGH_DIGIT: u8 = 32;

/// Whether a block may be out of the middle of text in ASCII or UTF-16 that was encoded: the highest bit of each
/// byte is zero. In Base64 these are bits of the first three characters of four, in hexadecimal form the first
/// digits of two are 0 or 2 to 7.
fn is_text(block: &[u8; BLOCK]) -> bool {
    if !may_be_text(block) {
        return false;
    }
    // What all characters at the same place of a group may be; blocks hold whole groups, wherever those start.
    let mut roles = [u8::MAX; 4];
    let (groups, _) = block.as_chunks::<4>();
    for group in groups {
        for (all, &byte) in roles.iter_mut().zip(group) {
            *all &= ROLES.get(usize::from(byte)).copied().unwrap_or(0);
        }
    }
    let [a, b, c, d] = roles;
    let has = |all: u8, role: u8| all & role != 0;
    let starts =
        |[first, second, third]: [u8; 3]| has(first, FIRST) && has(second, SECOND) && has(third, THIRD);
    let is_base64 = has(a & b & c & d, IN_BASE64);
    let is_hex = has(a & b & c & d, DIGIT) && (has(a & c, HIGH_DIGIT) || has(b & d, HIGH_DIGIT));
    is_base64 && (is_hex || [[a, b, c], [b, c, d], [c, d, a], [d, a, b]].into_iter().any(starts))
}

/// Whether a block has what each kind of such text has: digits of hexadecimal numbers only, or one place in all
/// groups of four at which the first character of a group of Base64 may stand.
#[inline]
fn may_be_text(block: &[u8; BLOCK]) -> bool {
    let block = Block::new(block);
    let firsts = block.within(b'A'..=b'Z').or(block.within(b'a'..=b'f')).bits();
    let halves = firsts & firsts >> 8;
    let digits = block.within(b'0'..=b'9').or(block.lower().within(b'a'..=b'f'));
    halves & halves >> 4 & 0xf != 0 || digits.bits() == ALL
}

/// Whether all bytes are letters, digits or one of `+,-./_`: somewhat more than the alphabets have. Most blocks
/// hold something out of the range of all these.
#[inline]
fn is_plain(block: &[u8; BLOCK]) -> bool {
    let block = Block::new(block);
    block.within(b'+'..=b'z').bits() == ALL && {
        let letters = block.lower().within(b'a'..=b'z');
        letters.or(block.within(b'+'..=b'9')).or(block.is(b'_')).bits() == ALL
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
    Some(Run { range: mime::base64_lines(bytes, at)?, form: Form::Base64, skip: 0 })
}

/// The stretch around `at` that looks like a run, and the run, if it decodes to something that is worth a look.
pub fn look(bytes: &[u8], at: usize) -> (Range<usize>, Option<Run>) {
    let range = lines_around(bytes, at);
    let is_run = range.len() >= RUN_MIN && is_mixed(bytes.get(range.clone()).unwrap_or_default());
    let run = if is_run { run(bytes, &range) } else { None };
    (range, run)
}

fn run(bytes: &[u8], range: &Range<usize>) -> Option<Run> {
    let text = bytes.get(range.clone())?;
    let form = if is_hex(text) { Form::Hex } else { Form::Base64 };
    // What stands right before a run (a path, a name) may belong to the alphabet as well.
    let marks = text.iter().take(BEFORE_MAX).enumerate().filter(|(_, byte)| !byte.is_ascii_alphanumeric());
    let mut skips = (0..form.group().0).chain(marks.map(|(at, _)| at.saturating_add(1)));
    skips.find(|&skip| is_worth_it(text, form, skip)).map(|skip| Run { range: range.clone(), form, skip })
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

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::{BASE64, BASE64_MIME, BASE64URL_NOPAD, HEXLOWER};

    const TEXT: &[u8] = b"aws_access_key_id = 0123456789 and other words that go on for a while?>~~";

    #[test]
    fn a_run_is_seen_wherever_it_lies() {
        for (at, length) in (0..80).flat_map(|at| (RUN_MIN..RUN_MIN + 40).map(move |length| (at, length))) {
            let mut bytes = vec![b' '; 300];
            bytes[at..at + length].fill(b'Q');
            let mut found = Vec::new();
            places(&bytes, &mut found);
            assert!(found.iter().any(|place| (at..at + length).contains(place)), "{at} {length}");
        }
    }

    #[test]
    fn a_run_over_a_border_is_seen_on_one_side_of_it() {
        for before in 0..RUN_MIN {
            let (mut one, mut other) = (vec![b' '; 100], vec![b' '; 100]);
            one[100 - before..].fill(b'Q');
            other[..RUN_MIN - before].fill(b'Q');
            let mut found = Vec::new();
            places(&one, &mut found);
            places(&other, &mut found);
            assert!(!found.is_empty(), "{before}");
        }
    }

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
                    let (range, run) = look(&bytes, before.len() + 4);
                    let decoded = decode(&bytes, &run.unwrap());
                    assert!(decoded.bytes.ends_with(text), "{before}{coded}");
                    assert_eq!(decoded.source(decoded.bytes.len()), None);
                    assert!(range.contains(&decoded.source(decoded.bytes.len() - 1).unwrap()));
                }
            }
        }
        let (_, run) = look(mime.as_bytes(), 90);
        assert_eq!(decode(mime.as_bytes(), &run.unwrap()).bytes, TEXT.repeat(3));
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
            assert_eq!(look(text.as_bytes(), 20).1, None, "{text}");
        }
    }
}
