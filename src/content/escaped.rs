//! Text in which some characters are written as escapes: quoted-printable (RFC 2045, section 6.7), percent-encoding
//! (RFC 3986, section 2.1), the strings of JSON (RFC 8259, section 7) and JavaScript, character references of HTML
//! and XML.
//!
//! Most of such text reads as it is. What hides is a word with a special character in it (`password%3D`), one right
//! behind an escape (`%22ghp_…`), and one that an escape or a soft line break cuts. So text is read without its
//! escapes where a word stands beside one, and where a word stands in one of its other [`spellings`].

use super::block::{BLOCK, Block};
use super::mime;
use std::ops::Range;

/// How characters are escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// `=3D`, and `=` at the end of a line that goes on.
    QuotedPrintable,
    /// `%3D`.
    Percent,
    /// `\u003d`, `\x3d`, `\/`.
    Json,
    /// `&#61;`, `&#x3D;`, `&quot;`.
    References,
}

impl Form {
    /// Name for reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::QuotedPrintable => "quoted-printable",
            Self::Percent => "percent-encoded",
            Self::Json => "json-escaped",
            Self::References => "html-escaped",
        }
    }

    /// The form of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.name() == name)
    }

    const ALL: [Self; 4] = [Self::QuotedPrintable, Self::Percent, Self::Json, Self::References];
}

/// Bytes behind a word in which an escape is looked for: more than a line of quoted-printable.
pub const AHEAD: usize = 80;
/// Bytes before a word in which one may end: `\u003d`, `&quot;`.
pub const BEHIND: usize = 6;
/// Longest line of quoted-printable, with room for what programs make of 76.
const LINE_MAX: usize = 80;
/// Shortest line that a program breaks softly.
const LINE_MIN: usize = 60;
/// Shortest name that is spelled otherwise.
const NAME_MIN: usize = 3;
/// Character references with names that are common, and what they stand for.
const REFERENCES: &[(&[u8], &[u8])] =
    &[(b"quot", b"\""), (b"amp", b"&"), (b"lt", b"<"), (b"gt", b">"), (b"apos", b"'"), (b"nbsp", b" ")];
/// Longest character reference: `&#x10FFFF;`.
const REFERENCE_MAX: usize = 10;

/// The other spellings in which a word may stand that ends in special characters, as names before a value and
/// schemes of addresses do; none for other words.
pub fn spellings(word: &[u8], ignore_case: bool) -> Vec<Vec<u8>> {
    let length =
        word.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"_-.+".contains(byte)).count();
    let is_name = matches!(word.get(length..), Some(b"://" | b"=" | b":" | b"\"" | b"'"));
    if length < NAME_MIN || !is_name {
        return Vec::new();
    }
    let upper = |byte: u8| format!("{byte:02X}");
    let percent = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => None,
        byte => (!byte.is_ascii_alphanumeric()).then(|| format!("%{}", upper(byte))),
    };
    let quoted = |byte: u8| (byte == b'=').then(|| "=3D".to_owned());
    let slashed = |byte: u8| matches!(byte, b'/' | b'"').then(|| format!("\\{}", char::from(byte)));
    let unicode = |byte: u8| match byte {
        b'"' => Some("\\\"".to_owned()),
        b'=' | b'\'' => Some(format!("\\u00{}", upper(byte))),
        _ => None,
    };
    let named = |byte: u8| match byte {
        b'"' => Some("&quot;".to_owned()),
        b'&' => Some("&amp;".to_owned()),
        b'\'' => Some("&#39;".to_owned()),
        b'/' | b'=' => Some(format!("&#x{};", upper(byte))),
        _ => None,
    };
    let is_special = |byte: u8| !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b' '));
    let decimal = |byte: u8| is_special(byte).then(|| format!("&#{byte};"));
    let forms: [&dyn Fn(u8) -> Option<String>; 6] = [&percent, &quoted, &slashed, &unicode, &named, &decimal];
    let mut out = Vec::new();
    for form in forms {
        let mut lower = Vec::new();
        let mut upper = Vec::new();
        for &byte in word {
            match form(byte) {
                Some(escape) => {
                    lower.extend(escape.to_ascii_lowercase().bytes());
                    upper.extend(escape.bytes());
                }
                None => {
                    lower.push(byte);
                    upper.push(byte);
                }
            }
        }
        // A word whose case does not matter is given in lower case.
        let both = if ignore_case { vec![lower] } else { vec![upper, lower] };
        out.extend(both.into_iter().filter(|spelling| spelling != word));
    }
    out.sort();
    out.dedup();
    out
}

/// The form of one of the [`spellings`], and of the [header](mime::QUOTED) of a part.
pub fn form_of(spelling: &[u8]) -> Option<Form> {
    let found = spelling.iter().enumerate().find_map(|(at, &byte)| match byte {
        b'%' => Some(Form::Percent),
        b'\\' => Some(Form::Json),
        b'&' => Some(Form::References),
        b'=' if escape(spelling, at, Form::QuotedPrintable).is_some() => Some(Form::QuotedPrintable),
        _ => None,
    });
    found.or((spelling == mime::QUOTED).then_some(Form::QuotedPrintable))
}

/// How the text beside a word is escaped, if it is: right before the word, or behind it on its line.
pub fn beside(bytes: &[u8], word: Range<usize>) -> Option<Form> {
    let closed = closed(bytes.get(word.start.saturating_sub(BEHIND)..word.start).unwrap_or_default());
    if closed.is_some() {
        return closed;
    }
    let end = word.end.saturating_add(AHEAD).min(bytes.len());
    let ahead = bytes.get(word.end..end).unwrap_or_default();
    let mut next = 0_usize;
    while let Some((place, form)) = mark(ahead, next) {
        next = place.saturating_add(1);
        let form = form?;
        let at = word.end.saturating_add(place);
        match escape(bytes, at, form) {
            // A value may be empty, and begin with two digits: what is quoted is a special character or breaks
            // a line that is long enough.
            Some(found) if form == Form::QuotedPrintable && !is_quoted(bytes, at, &found) => {}
            Some(_) => return Some(form),
            None => {}
        }
    }
    None
}

/// What starts with a byte: nothing of interest, the end of what is looked at, or an escape of a form.
static MARKS: [Option<Option<Form>>; 256] = {
    let mut marks = [None; 256];
    marks[b'%' as usize] = Some(Some(Form::Percent));
    marks[b'\\' as usize] = Some(Some(Form::Json));
    marks[b'&' as usize] = Some(Some(Form::References));
    marks[b'=' as usize] = Some(Some(Form::QuotedPrintable));
    marks[0] = Some(None);
    marks[b'\n' as usize] = Some(None);
    marks[b'\r' as usize] = Some(None);
    marks
};

/// The first byte from `from` on with which something of interest may start, and what.
///
/// All hits ask this, most of them far from any escape, so a block is tested at a time.
fn mark(bytes: &[u8], from: usize) -> Option<(usize, Option<Form>)> {
    let found = |at: usize| Some((at, MARKS.get(usize::from(*bytes.get(at)?)).copied().flatten()?));
    let (blocks, rest) = bytes.get(from..)?.as_chunks::<BLOCK>();
    let mut at = from;
    for block in blocks {
        let block = Block::new(block);
        let ends = block.is(0).or(block.is(b'\n')).or(block.is(b'\r'));
        let escapes = block.within(b'%'..=b'&').or(block.is(b'=')).or(block.is(b'\\'));
        let bits = ends.or(escapes).bits();
        if bits != 0 {
            return found(at.saturating_add(usize::try_from(bits.trailing_zeros()).unwrap_or(0)));
        }
        at = at.saturating_add(BLOCK);
    }
    (at..at.saturating_add(rest.len())).find_map(found)
}

/// The form of the escape that ends with the last of the bytes.
fn closed(before: &[u8]) -> Option<Form> {
    let digits = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_hexdigit);
    match before {
        [.., b'\\', b'n' | b'r' | b't' | b'"' | b'\'' | b'/' | b'\\'] => Some(Form::Json),
        [.., b'%', a, b] if digits(&[*a, *b]) => Some(Form::Percent),
        [.., b'=', a, b] if digits(&[*a, *b]) => Some(Form::QuotedPrintable),
        [.., b'\\', b'x', a, b] if digits(&[*a, *b]) => Some(Form::Json),
        [b'\\', b'u', rest @ ..] if rest.len() == 4 && digits(rest) => Some(Form::Json),
        [.., b';'] => {
            let at = before.iter().rposition(|&byte| byte == b'&')?;
            let found = escape(before, at, Form::References)?;
            (found.end == before.len()).then_some(Form::References)
        }
        _ => None,
    }
}

fn is_quoted(bytes: &[u8], at: usize, found: &Escape) -> bool {
    let line = bytes.get(at.saturating_sub(LINE_MAX)..at).unwrap_or_default();
    match found.character {
        Some(character) => matches!(character, '=' | '"' | '&' | '/' | ':' | '@' | '\n' | '\r' | ' '),
        None => line.iter().rev().take_while(|&&byte| byte != b'\n').count() >= LINE_MIN,
    }
}

/// One escape.
struct Escape {
    /// Offset behind it.
    end: usize,
    /// What it stands for; nothing for a soft line break.
    character: Option<char>,
}

/// The escape that starts at `at`.
fn escape(bytes: &[u8], at: usize, form: Form) -> Option<Escape> {
    let rest = bytes.get(at..)?;
    let (length, character) = match (form, rest) {
        (Form::Percent, [b'%', high, low, ..]) => (3, Some(char::from(pair(*high, *low)?))),
        (Form::QuotedPrintable, [b'=', after @ ..]) => match after {
            [high, low, ..] if pair(*high, *low).is_some() => (3, Some(char::from(pair(*high, *low)?))),
            _ => (soft_break(after)?.saturating_add(1), None),
        },
        (Form::Json, [b'\\', letter, after @ ..]) => match (letter, after) {
            (b'u', [a, b, c, d, ..]) => {
                let code = u32::from(pair(*a, *b)?) << 8 | u32::from(pair(*c, *d)?);
                (6, Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)))
            }
            (b'x', [a, b, ..]) => (4, Some(char::from(pair(*a, *b)?))),
            (b'n', _) => (2, Some('\n')),
            (b'r', _) => (2, Some('\r')),
            (b't', _) => (2, Some('\t')),
            (b'"' | b'\'' | b'/' | b'\\', _) => (2, Some(char::from(*letter))),
            _ => return None,
        },
        (Form::References, [b'&', ..]) => reference(rest)?,
        _ => return None,
    };
    Some(Escape { end: at.saturating_add(length), character })
}

/// Length of blanks and the line break that follow a `=`.
fn soft_break(after: &[u8]) -> Option<usize> {
    let blanks = after.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    match after.get(blanks..)? {
        [b'\r', b'\n', ..] => Some(blanks.saturating_add(2)),
        [b'\n', ..] => Some(blanks.saturating_add(1)),
        _ => None,
    }
}

fn reference(rest: &[u8]) -> Option<(usize, Option<char>)> {
    let end = rest.iter().take(REFERENCE_MAX).position(|&byte| byte == b';')?;
    let name = rest.get(1..end)?;
    let character = match name {
        [b'#', b'x' | b'X', digits @ ..] => number(digits, 16)?,
        [b'#', digits @ ..] => number(digits, 10)?,
        _ => {
            let (_, text) = REFERENCES.iter().find(|(known, _)| *known == name)?;
            char::from(*text.first()?)
        }
    };
    Some((end.saturating_add(1), Some(character)))
}

fn number(digits: &[u8], radix: u32) -> Option<char> {
    let code = u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()?;
    char::from_u32(code)
}

/// The byte of two hexadecimal digits.
fn pair(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

/// The text around `at` that one form of escapes applies to: a word for percent-encoding, a line for strings and
/// references, all lines that may be of a part in quoted-printable.
pub fn stretch(bytes: &[u8], at: usize, form: Form) -> Range<usize> {
    let grown = |is_in: fn(u8) -> bool| {
        let (before, after) = bytes.split_at_checked(at).unwrap_or((bytes, &[]));
        let start = before.iter().rposition(|&byte| !is_in(byte)).map_or(0, |place| place.saturating_add(1));
        let length = after.iter().position(|&byte| !is_in(byte)).unwrap_or(after.len());
        start..at.saturating_add(length).max(start)
    };
    match form {
        Form::Percent => {
            grown(|byte| (0x21..0x7f).contains(&byte) && !matches!(byte, b'"' | b'\'' | b'<' | b'>'))
        }
        Form::Json | Form::References => grown(|byte| byte >= 0x20 && byte != 0x7f || byte == b'\t'),
        Form::QuotedPrintable => quoted_lines(bytes, at),
    }
}

fn quoted_lines(bytes: &[u8], at: usize) -> Range<usize> {
    let start_of = |at: usize| {
        let before = bytes.get(at.saturating_sub(LINE_MAX)..at).unwrap_or_default();
        let start = before.iter().rposition(|&byte| byte == b'\n');
        start.map_or(at.saturating_sub(before.len()), |place| {
            at.saturating_sub(before.len()).saturating_add(place).saturating_add(1)
        })
    };
    let first = start_of(at);
    let mut range = first..first;
    while let Some(end) = quoted_line(bytes, range.end) {
        range.end = end;
    }
    if range.is_empty() {
        return at..at;
    }
    while let Some(before) = range.start.checked_sub(1) {
        let line = start_of(before);
        if quoted_line(bytes, line) != Some(range.start) {
            break;
        }
        range.start = line;
    }
    range
}

/// The end of the line at `at`, its break included, if it may be one of quoted-printable.
fn quoted_line(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?.get(..LINE_MAX.min(bytes.len().saturating_sub(at)))?;
    let length = match rest.iter().position(|&byte| byte == b'\n') {
        Some(place) => place.saturating_add(1),
        None if rest.len() < LINE_MAX => rest.len(),
        None => return None,
    };
    let line = rest.get(..length)?;
    let is_fine = line.iter().enumerate().all(|(place, &byte)| match byte {
        b'=' => {
            // At the end of what is seen nothing can be said.
            escape(line, place, Form::QuotedPrintable).is_some() || place.saturating_add(3) > line.len()
        }
        byte => (0x20..0x7f).contains(&byte) || matches!(byte, b'\t' | b'\r' | b'\n'),
    });
    (is_fine && !line.is_empty()).then(|| at.saturating_add(length))
}

/// Text without its escapes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unescaped {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Stretches of text and escapes, in order.
    pieces: Vec<Piece>,
}

/// A stretch of text, or an escape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    /// Where it starts without escapes, and where in the text.
    here: usize,
    there: usize,
    /// Length of the escape; 0 where it is none.
    escape: usize,
}

impl Unescaped {
    /// Where the byte at `at` stands, or its escape.
    pub fn source(&self, at: usize) -> Option<Range<usize>> {
        let next = self.pieces.partition_point(|piece| piece.here <= at);
        let piece = self.pieces.get(next.checked_sub(1)?).filter(|_| at < self.bytes.len())?;
        let (start, length) = match piece.escape {
            0 => (piece.there.saturating_add(at.saturating_sub(piece.here)), 1),
            length => (piece.there, length),
        };
        Some(start..start.saturating_add(length))
    }

    /// Where the first byte is that stands at `source` or behind it.
    pub fn position(&self, source: usize) -> usize {
        let next = self.pieces.partition_point(|piece| piece.there <= source);
        let end = self.pieces.get(next).map_or(self.bytes.len(), |piece| piece.here);
        match next.checked_sub(1).and_then(|index| self.pieces.get(index)) {
            None => 0,
            Some(piece) if piece.escape > 0 && source > piece.there => end,
            Some(piece) => piece.here.saturating_add(source.saturating_sub(piece.there)).min(end),
        }
    }
}

/// `range` of `bytes` without its escapes; `None` where it has none.
pub fn decode(bytes: &[u8], range: Range<usize>, form: Form) -> Option<Unescaped> {
    let text = bytes.get(..range.end)?;
    let start = Piece { here: 0, there: range.start, escape: 0 };
    let mut out = Unescaped { bytes: Vec::with_capacity(range.len()), pieces: vec![start] };
    let mark = match form {
        Form::QuotedPrintable => b'=',
        Form::Percent => b'%',
        Form::Json => b'\\',
        Form::References => b'&',
    };
    let mut at = range.start;
    while let Some(&byte) = text.get(at) {
        let Some(found) = (if byte == mark { escape(text, at, form) } else { None }) else {
            out.bytes.push(byte);
            at = at.saturating_add(1);
            continue;
        };
        let escape = found.end.saturating_sub(at);
        out.pieces.push(Piece { here: out.bytes.len(), there: at, escape });
        match (found.character, form) {
            (None, _) => {}
            // These two write bytes, the others characters.
            (Some(character), Form::QuotedPrintable | Form::Percent) => {
                out.bytes.push(u8::try_from(u32::from(character)).unwrap_or(b'?'));
            }
            (Some(character), _) => {
                out.bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        at = found.end;
        out.pieces.push(Piece { here: out.bytes.len(), there: at, escape: 0 });
    }
    // A soft line break puts what follows it where its own bytes were.
    out.pieces.dedup_by(|later, earlier| {
        let is_same = later.here == earlier.here;
        if is_same {
            *earlier = *later;
        }
        is_same
    });
    let is_cut = out.pieces.first().is_some_and(|piece| piece.there != range.start || piece.escape > 0);
    (out.pieces.len() > 1 || is_cut).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8], form: Form) -> String {
        let all = decode(bytes, 0..bytes.len(), form).map(|decoded| decoded.bytes);
        String::from_utf8(all.unwrap_or_default()).unwrap()
    }

    #[test]
    fn escapes_become_what_they_stand_for() {
        for (form, written, expected) in [
            (Form::Percent, "a%3Db%2f%zz%4", "a=b/%zz%4"),
            (Form::QuotedPrintable, "a=3Db=\r\nc= \nd=e =C3=A9", "a=bcd=e \u{e9}"),
            (Form::Json, r#"\u003d\/\"\x26\n\u00e9\q"#, "=/\"&\n\u{e9}\\q"),
            (Form::References, "&#61;&#x3D;&quot;&amp;&unknown;&#xZZ;&", "==\"&&unknown;&#xZZ;&"),
            (Form::Percent, "nothing", ""),
        ] {
            assert_eq!(text(written.as_bytes(), form), expected, "{written}");
        }
    }

    #[test]
    fn every_byte_knows_where_it_stood() {
        let written = b"ab%3Dcd%26%26e";
        let decoded = decode(written, 1..written.len(), Form::Percent).unwrap();
        let sources: Vec<_> = (0..=decoded.bytes.len()).map(|at| decoded.source(at)).collect();
        let expected = [1..2, 2..5, 5..6, 6..7, 7..10, 10..13, 13..14].map(Some);
        assert_eq!((decoded.bytes.as_slice(), &sources[..7]), (&b"b=cd&&e"[..], &expected[..]));
        assert_eq!(sources[7], None);
        for at in 0..decoded.bytes.len() {
            let source = decoded.source(at).unwrap();
            assert_eq!(decoded.position(source.start)..decoded.position(source.end), at..at + 1);
        }
        let soft = decode(b"ab=\ncd", 0..6, Form::QuotedPrintable).unwrap();
        assert_eq!((0..4).map(|at| soft.source(at).unwrap()).collect::<Vec<_>>(), [0..1, 1..2, 4..5, 5..6]);
        assert_eq!(soft.position(2), 2);
    }

    #[test]
    fn words_with_special_characters_have_other_spellings_of_a_known_form() {
        let all = spellings(b"password=", true);
        for spelling in ["password%3d", "password=3d", "password\\u003d", "password&#61;", "password&#x3d;"] {
            assert!(all.contains(&spelling.as_bytes().to_vec()), "{spelling}: {all:?}");
        }
        assert!(all.iter().all(|spelling| form_of(spelling).is_some()), "{all:?}");
        let url = spellings(b"stan://", false);
        for spelling in ["stan%3A%2F%2F", "stan%3a%2f%2f", "stan:\\/\\/", "stan:&#x2F;&#x2F;"] {
            assert!(url.contains(&spelling.as_bytes().to_vec()), "{spelling}: {url:?}");
        }
        assert!(spellings(b"AKIA_x.y-z", false).is_empty());
        assert_eq!(form_of(mime::QUOTED), Some(Form::QuotedPrintable));
    }

    #[test]
    fn escapes_beside_a_word_are_seen_and_values_are_none() {
        let long = "x".repeat(70);
        for (before, after, expected) in [
            ("%22", "", Some(Form::Percent)),
            ("\\n", "", Some(Form::Json)),
            ("\\u0022", "", Some(Form::Json)),
            ("&quot;", "", Some(Form::References)),
            ("", "%3Dabc", Some(Form::Percent)),
            ("", "=3Dabc", Some(Form::QuotedPrintable)),
            ("", "abcdef\\\"", Some(Form::Json)),
            ("", " abc\nx%3D", None),
            ("", "=\nNEXT=", None),
            ("", "=ab12cd", None),
            ("", "= 100% & more", None),
            (&long, "abc=\ndef", Some(Form::QuotedPrintable)),
        ] {
            let bytes = format!("{before}word{after}").into_bytes();
            let word = before.len()..before.len() + 4;
            assert_eq!(beside(&bytes, word), expected, "{before}word{after}");
        }
    }

    #[test]
    fn a_stretch_of_quoted_printable_ends_where_lines_are_none() {
        let head =
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n";
        let part = "token=3D12 =\r\n34\r\n\r\nend\r\n";
        let all = format!("{head}{part}{}\r\nx=3D", "y".repeat(200));
        let at = mime::body(all.as_bytes(), head.len() - 4).unwrap();
        assert_eq!(at, head.len());
        let range = stretch(all.as_bytes(), at + 8, Form::QuotedPrintable);
        assert!(all[range.clone()].ends_with(part) && !all[range].contains("utf-8"));
    }
}
