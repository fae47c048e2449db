//! Text that stands for other bytes, opened by the name and the place that findings give it: `base64`, `hex`, the
//! forms of [`escaped`], and `base64@455`, where the text starts at 455 and holds a format that is decoded further.

use super::{coded, escaped, mime, to_usize};
use std::ops::Range;

/// Text of one form, as a part of a member's path names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    form: Form,
    /// Where the text starts, where the path says so.
    pub start: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Coded(coded::Form),
    Escaped(escaped::Form),
}

/// What text stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Which of them were asked for.
    pub range: Range<usize>,
}

impl Written {
    /// The form that a part of a path names.
    pub fn named(part: &str) -> Option<Self> {
        let (name, start) = match part.split_once('@') {
            Some((name, start)) => (name, Some(start.parse().ok()?)),
            None => (part, None),
        };
        let coded = [coded::Form::Base64, coded::Form::Hex].into_iter().find(|form| form.name() == name);
        let form = match coded {
            Some(form) => Form::Coded(form),
            None => Form::Escaped(escaped::Form::named(name)?),
        };
        Some(Self { form, start })
    }

    /// What the text around the start of `asked` stands for, if there is any of this form.
    pub fn open(self, bytes: &[u8], asked: Range<usize>) -> Option<Opened> {
        match self.form {
            Form::Coded(form) => {
                let run = run_around(bytes, asked.start).filter(|run| run.form == form)?;
                let decoded = coded::decode(bytes, &run);
                let range = decoded.position(asked.start)..decoded.end(asked.end);
                Some(Opened { bytes: decoded.bytes, range })
            }
            Form::Escaped(form) => {
                let stretch = escaped::stretch(bytes, asked.start, form);
                let text = escaped::decode(bytes, stretch, form)?;
                let range = text.position(asked.start)..text.position(asked.end);
                Some(Opened { bytes: text.bytes, range })
            }
        }
    }
}

/// The run that `at` lies in: of a mail's part where a header says so, else what looks like one.
fn run_around(bytes: &[u8], at: usize) -> Option<coded::Run> {
    let before = bytes.get(..at)?;
    let header = before.windows(mime::BASE64.len()).rposition(|word| word.eq_ignore_ascii_case(mime::BASE64));
    let body = header.and_then(|header| mime::body(bytes, header.saturating_add(mime::BASE64.len())));
    let announced = body.and_then(|body| coded::announced(bytes, body)).filter(|run| run.range.contains(&at));
    announced.or_else(|| coded::look(bytes, at, 0).1.filter(|run| run.range.contains(&at)))
}

/// The parts of a member's path: what leads to the text, its forms from the outermost to the innermost, and what is
/// inside of it. Nothing where no part names a form.
pub fn split(path: &str) -> Option<(String, Vec<Written>, String)> {
    let parts: Vec<&str> = path.split("!/").collect();
    let first = parts.iter().position(|part| Written::named(part).is_some())?;
    let (outer, rest) = parts.split_at_checked(first)?;
    let forms: Vec<Written> = rest.iter().map_while(|part| Written::named(part)).collect();
    let inside = rest.get(forms.len()..)?;
    Some((outer.join("!/"), forms, inside.join("!/")))
}

/// Opens text within text, from the outermost form to the innermost. `asked` is a range of `bytes`, which start at an
/// even offset of their content; its end may lie behind theirs.
pub fn open(bytes: &[u8], asked: Range<u64>, forms: &[Written]) -> Option<Opened> {
    let mut opened = Opened { bytes: bytes.to_vec(), range: to_usize(asked.start)..to_usize(asked.end) };
    for form in forms {
        opened = form.open(&opened.bytes, opened.range)?;
    }
    Some(opened)
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::{BASE64, HEXLOWER};

    const TEXT: &str = "aws_access_key_id = 0123456789 and other words that go on";

    #[test]
    fn paths_are_split_where_a_form_is_named() {
        let base64 = Written::named("base64").unwrap();
        let at = Written::named("base64@455").unwrap();
        assert_eq!(at.start, Some(455));
        assert_eq!(split("gzip!/base64"), Some(("gzip".to_owned(), vec![base64], String::new())));
        assert_eq!(split("base64@455!/a!/b"), Some((String::new(), vec![at], "a!/b".to_owned())));
        let twice = split("base64!/json-escaped").unwrap();
        assert_eq!(twice.1.len(), 2);
        for path in ["a!/b", "base64@x", "base64x", ""] {
            assert_eq!(split(path), None, "{path}");
        }
    }

    #[test]
    fn text_is_opened_at_the_place_that_is_asked_for() {
        let json = TEXT.replace(' ', "\\u0020");
        let cases = [
            ("base64", format!("x: {}\n", BASE64.encode(TEXT.as_bytes())), 3 + 41, 13),
            ("hex", format!("x: {}\n", HEXLOWER.encode(TEXT.as_bytes())), 3 + 62, 18),
            ("json-escaped", format!("x: {json}\n"), 3 + 46, 14),
        ];
        for (name, text, at, length) in cases {
            for (length, expected) in [(u64::MAX, "and other words that go on"), (length, "and other")] {
                let asked = at..u64::saturating_add(at, length);
                let opened = open(text.as_bytes(), asked, &[Written::named(name).unwrap()]).unwrap();
                let found = std::str::from_utf8(&opened.bytes[opened.range]).unwrap();
                assert_eq!(found, expected, "{name} {length}");
            }
        }
        let base64 = Written::named("base64").unwrap();
        assert_eq!(open(b"nothing of the kind", 3..9, &[base64]), None);
        assert_eq!(open(b"short", 30..40, &[base64]), None);
    }

    #[test]
    fn parts_of_mails_are_opened_whatever_they_hold() {
        let text = "\u{60a8}\u{597d} 0123456789 0123456789 0123456789 0123456789";
        let mail = format!("Content-Transfer-Encoding: BASE64\n\n{}\n", BASE64.encode(text.as_bytes()));
        let opened = open(mail.as_bytes(), 43..51, &[Written::named("base64").unwrap()]).unwrap();
        assert_eq!((opened.bytes.as_slice(), opened.range), (text.as_bytes(), 6..12));
    }
}
