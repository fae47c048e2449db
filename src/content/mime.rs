//! Parts of mails (RFC 2045, section 6): what a header says of their encoding, and where their body lies. Such a
//! header is looked for in all content, so that mail spools, folders of mails, web archives, and what is left of
//! them in free space need no reader of their own.

use std::ops::Range;

/// What the header of a part in quoted-printable says, in lower case.
pub const QUOTED: &[u8] = b"quoted-printable";
/// What the header of a part in Base64 says, in lower case.
pub const BASE64: &[u8] = b"transfer-encoding: base64";

/// What a header says of the part behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encoding {
    /// It is written as [`QUOTED`] says.
    Quoted,
    /// It is written as [`BASE64`] says.
    Base64,
}

impl Encoding {
    /// What a word out of a header says; nothing for other words.
    pub fn of(word: &[u8]) -> Option<Self> {
        match word {
            _ if word.eq_ignore_ascii_case(QUOTED) => Some(Self::Quoted),
            _ if word.eq_ignore_ascii_case(BASE64) => Some(Self::Base64),
            _ => None,
        }
    }
}

/// Bytes of headers behind this one. Mail programs add signatures of several kB.
pub const HEADERS_MAX: usize = 16 << 10;
/// Longest line (RFC 5322, section 2.1.1), with its break.
const LINE_MAX: usize = 1000;
/// Fewest characters of Base64 that are worth decoding: those of the shortest secrets.
const BODY_MIN: usize = 16;

/// Where the body of a part starts whose header ends at `at`: behind the next empty line.
pub fn body(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..at.saturating_add(HEADERS_MAX).min(bytes.len()))?;
    let blank = (0..rest.len()).find_map(|place| match rest.get(place..)? {
        [b'\n', b'\n', ..] => place.checked_add(2),
        [b'\n', b'\r', b'\n', ..] => place.checked_add(3),
        _ => None,
    });
    at.checked_add(blank?)
}

/// The lines of Base64 from `at` on, where there are any: up to the first that is none, as are the boundary
/// between two parts and the first line of the next mail.
pub fn base64_lines(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let mut range = at..at;
    let mut next = at;
    while let Some((length, whole)) = bytes.get(next..).and_then(base64_line) {
        range.end = next.saturating_add(length);
        next = next.saturating_add(whole);
    }
    (range.len() >= BODY_MIN).then_some(range)
}

/// Length of the line of Base64 that the bytes start with, without and with its break.
fn base64_line(bytes: &[u8]) -> Option<(usize, usize)> {
    let seen = bytes.get(..LINE_MAX.min(bytes.len()))?;
    let whole = match seen.iter().position(|&byte| byte == b'\n') {
        Some(place) => place.saturating_add(1),
        None if seen.len() < LINE_MAX => seen.len(),
        None => return None,
    };
    let line = seen.get(..whole)?.trim_ascii_end();
    let padding = line.iter().rev().take_while(|&&byte| byte == b'=').count();
    let digits = line.get(..line.len().saturating_sub(padding))?;
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    (!digits.is_empty() && padding <= 2 && digits.iter().all(is_digit)).then_some((line.len(), whole))
}

/// Whether a header before the run of Base64 at `at` announces it, so that it is met from there.
pub fn is_announced(bytes: &[u8], at: usize) -> bool {
    let before = bytes.get(at.saturating_sub(HEADERS_MAX)..at).unwrap_or_default();
    let Some(headers) = before.strip_suffix(b"\r\n").or_else(|| before.strip_suffix(b"\n")) else {
        return false;
    };
    if !headers.ends_with(b"\n") {
        return false;
    }
    // The header stands in the same block: an empty line would end it.
    let mut block = headers;
    loop {
        let Some(rest) = block.strip_suffix(b"\n") else { return false };
        let start = rest.iter().rposition(|&byte| byte == b'\n').map_or(0, |place| place.saturating_add(1));
        let line = rest.get(start..).unwrap_or_default();
        if line.trim_ascii().is_empty() {
            return false;
        }
        let has_header = |window: &[u8]| window.eq_ignore_ascii_case(BASE64);
        if line.windows(BASE64.len()).any(has_header) {
            return true;
        }
        block = rest.get(..start).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &str = "Content-Transfer-Encoding: base64\r\nX-Mailer: some\r\n\r\nQUtJQUFBQUFBQUFB\r\nQQ==\r\n\
                        --boundary--\r\n";

    #[test]
    fn the_body_of_a_part_is_its_lines() {
        let header = MAIL.to_ascii_lowercase().find("transfer").unwrap() + BASE64.len();
        let at = body(MAIL.as_bytes(), header).unwrap();
        let lines = base64_lines(MAIL.as_bytes(), at).unwrap();
        assert_eq!(&MAIL[lines], "QUtJQUFBQUFBQUFB\r\nQQ==");
        assert!(is_announced(MAIL.as_bytes(), at));
        assert!(!is_announced(MAIL.as_bytes(), at + 18));
    }

    #[test]
    fn prose_and_short_lines_are_no_body() {
        for text in ["of words\r\n", "QUtJQQ==\r\n", "--QUtJQUFBQUFBQUFBQUFBQUFBQUFB\r\n", "", "\n"] {
            assert_eq!(base64_lines(text.as_bytes(), 0), None, "{text}");
        }
        let long = "Q".repeat(LINE_MAX);
        assert_eq!(base64_lines(long.as_bytes(), 0), None);
        // The end of content ends a line as well.
        assert_eq!(base64_lines(&long.as_bytes()[1..], 0), Some(0..LINE_MAX - 1));
        assert_eq!(base64_lines(b"x", 7), None);
    }
}
