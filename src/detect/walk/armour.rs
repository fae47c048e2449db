//! The text of an armoured block, whatever it is wrapped in.
//!
//! Keys stand in source code, JSON, YAML, shell variables, mails and logs: on one line with `\n`, indented,
//! quoted line by line, behind comment marks, percent- or quoted-printable-encoded. [`Plain`] undoes the
//! escapes and remembers where each character came from; [`lines`] takes the wrapping off each line.

use super::BODY_LEN_MAX;

/// Text with its escapes undone.
#[derive(Debug, Default)]
pub(super) struct Plain {
    /// The characters; ASCII only.
    pub(super) text: Vec<u8>,
    /// For each character where it ends in the raw bytes.
    ends: Vec<usize>,
}

impl Plain {
    /// Undoes the escapes of `raw` up to the first byte that no text of this sort holds.
    ///
    /// `plus_is_space`: the text is a form value, where `+` stands for a space.
    pub(super) fn new(raw: &[u8], plus_is_space: bool) -> Self {
        let raw = raw.get(..BODY_LEN_MAX).unwrap_or(raw);
        let mut plain = Self::default();
        let mut at = 0;
        while let Some(rest) = raw.get(at..)
            && let Some(&first) = rest.first()
        {
            let (byte, len) = match first {
                b'+' if plus_is_space => (b' ', 1),
                b'\\' | b'%' | b'&' | b'<' | b'=' => escape(rest).unwrap_or((first, 1)),
                b'\t' | b'\n' | b'\r' | b' '..=b'~' => (first, 1),
                // A byte-order mark or a no-break space between pieces; anything else ends the text.
                0xc2 if rest.get(1) == Some(&0xa0) => (b' ', 2),
                _ => break,
            };
            at += len;
            plain.text.push(byte);
            plain.ends.push(at);
        }
        plain
    }

    /// Where the first `len` characters end in the raw bytes.
    pub(super) fn raw_end(&self, len: usize) -> usize {
        len.checked_sub(1).and_then(|last| self.ends.get(last)).copied().unwrap_or(0)
    }

    /// Where `needle` starts at or after `from`.
    pub(super) fn find(&self, needle: &[u8], from: usize) -> Option<usize> {
        find(self.text.get(from..)?, needle).map(|at| at + from)
    }
}

/// Where `needle` starts in `text`.
pub(super) fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len()).position(|part| part == needle)
}

/// The character that an escape at the start of `rest` stands for, and the escape's length.
fn escape(rest: &[u8]) -> Option<(u8, usize)> {
    match rest.first()? {
        b'\\' => backslash(rest),
        b'%' => percent(rest),
        b'&' => entity(rest),
        b'<' => [b"<br>".as_slice(), b"<br/>", b"<br />"]
            .iter()
            .find(|tag| rest.len() >= tag.len() && rest[..tag.len()].eq_ignore_ascii_case(tag))
            .map(|tag| (b'\n', tag.len())),
        b'=' => (rest.get(1..3)? == b"3D").then_some((b'=', 3)),
        _ => None,
    }
}

/// `\n`, `\/`, `\u002B`, `\x0a` and the like, behind any number of backslashes up to eight.
fn backslash(rest: &[u8]) -> Option<(u8, usize)> {
    let slashes = rest.iter().take(8).take_while(|&&byte| byte == b'\\').count();
    let after = rest.get(slashes..)?;
    let (byte, len) = match after.first()? {
        b'n' | b'\n' => (b'\n', 1),
        b'r' | b'\r' => (b'\r', 1),
        b't' => (b'\t', 1),
        same @ (b'/' | b'"' | b'\'') => (*same, 1),
        b'u' => (hex(after.get(1..5)?)?, 5),
        b'x' => (hex(after.get(1..3)?)?, 3),
        _ => return None,
    };
    Some((byte, slashes + len))
}

/// `%0A` and the like; `%250A` was encoded twice.
fn percent(rest: &[u8]) -> Option<(u8, usize)> {
    let twice = rest.get(1..3) == Some(b"25");
    let start = if twice { 3 } else { 1 };
    Some((hex(rest.get(start..start + 2)?)?, start + 2))
}

/// `&#10;`, `&#xA;` and the named entities that matter.
fn entity(rest: &[u8]) -> Option<(u8, usize)> {
    let end = rest.iter().take(9).position(|&byte| byte == b';')?;
    let body = std::str::from_utf8(rest.get(1..end)?).ok()?;
    let byte = match body {
        "quot" => b'"',
        "apos" => b'\'',
        "amp" => b'&',
        "nbsp" => b' ',
        "NewLine" => b'\n',
        _ => {
            let number = body.strip_prefix('#')?;
            match number.strip_prefix(['x', 'X']) {
                Some(digits) => u8::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            }
        }
    };
    byte.is_ascii().then_some((byte, end + 1))
}

/// An ASCII character's value in hexadecimal digits.
fn hex(digits: &[u8]) -> Option<u8> {
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let value = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    u8::try_from(value).ok().filter(u8::is_ascii)
}

/// A line of an armoured block.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Nothing, or nothing but wrapping.
    Blank,
    /// `Name: value`.
    Header(&'a str, &'a str),
    /// Characters of the body.
    Body(&'a [u8]),
    /// Something that belongs to no block.
    Other,
}

/// The lines of `text`, each without what it is wrapped in. `prefix` stood before the block's first line.
pub(super) fn lines<'a>(text: &'a [u8], prefix: &'a [u8]) -> impl Iterator<Item = Line<'a>> {
    text.split(|&byte| byte == b'\n' || byte == b'\r').map(move |line| classify(line, prefix))
}

fn classify<'a>(line: &'a [u8], prefix: &'a [u8]) -> Line<'a> {
    let bare = unwrap(line.strip_prefix(prefix).unwrap_or(line));
    // What joins strings, or starts a comment, is no line of a body.
    if bare.iter().all(|byte| matches!(byte, b'+' | b'/')) {
        return Line::Blank;
    }
    if bare.iter().all(|&byte| is_body(byte)) {
        return Line::Body(bare);
    }
    if let Some((name, value)) = std::str::from_utf8(bare).ok().and_then(|text| text.split_once(':'))
        && !name.is_empty()
        && name.len() <= 32
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && (value.is_empty() || value.starts_with(' '))
    {
        return Line::Header(name, value.trim());
    }
    // A line number or a file name in front, as search tools print it.
    let longest = bare.split(|&byte| !is_body(byte)).max_by_key(|part| part.len()).unwrap_or_default();
    if longest.len() >= 16 && longest.len() * 2 > bare.len() { Line::Body(longest) } else { Line::Other }
}

fn is_body(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// Takes quotes, comment marks, operators and continuation characters off both ends of a line.
fn unwrap(line: &[u8]) -> &[u8] {
    let mut line = line.trim_ascii();
    for quote in [b'"', b'\'', b'`'] {
        let mut places = line.iter().enumerate().filter(|(_, byte)| **byte == quote).map(|(at, _)| at);
        let (first, last) = (places.next(), places.next_back());
        line = match (first, last) {
            (Some(first), Some(last)) => line.get(first + 1..last).unwrap_or_default(),
            // One quote: the block starts or ends on this line, the longer side belongs to it.
            (Some(first), None) => {
                let (left, right) = line.split_at(first);
                if left.len() >= right.len() { left } else { right.get(1..).unwrap_or_default() }
            }
            _ => line,
        };
    }
    line = line.trim_ascii();
    // Marks that are characters of base64 count only when a space sets them off.
    if let Some(space) = line.iter().position(u8::is_ascii_whitespace)
        && line.iter().take(space).all(|byte| byte.is_ascii_punctuation())
    {
        line = line.get(space..).unwrap_or_default().trim_ascii_start();
    }
    let is_mark = |byte: &u8| byte.is_ascii_punctuation() && !is_body(*byte);
    let start = line.iter().position(|byte| !is_mark(byte)).unwrap_or(line.len());
    let end = line.iter().rposition(|byte| !(is_mark(byte) || byte.is_ascii_whitespace()));
    line.get(start..end.map_or(start, |end| end + 1)).unwrap_or_default()
}

/// Decodes base64, in either alphabet, with or without padding, whatever its last bits are. None when a
/// character does not belong, or one is left over.
pub(in crate::detect) fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut bits, mut count) = (0_u32, 0_u32);
    for &byte in text {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => continue,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 0xff).unwrap_or_default());
        }
    }
    (count < 6).then_some(out)
}
