//! Private keys in PEM armour that were encoded in base64 once more, as orchestration secrets and
//! environment variables hold them.

use super::armour::{Plain, decode_base64};
use super::{BODY_LEN_MAX, Found, Walker, armour, pem, pgp};
use crate::detect::confirm::Span;
use crate::detect::{Reach, Window};

pub(super) const WALKER: Walker =
    Walker { name: "base64-pem", reach: Reach { before: 64, after: BODY_LEN_MAX }, refuses, walk };

/// `-----BEGIN ` and a label in base64, then at least forty characters of a key.
const ENCODED_LEN_MIN: usize = 96;

fn refuses(_before: &[u8], from: &[u8]) -> bool {
    from.iter().take(64).any(|&byte| byte == 0)
}

fn walk(window: &Window<'_>, _keyword_len: usize) -> Option<Found> {
    let plain = Plain::new(window.bytes.get(window.hit..)?, false);
    let (encoded, end) = body(&plain);
    if encoded.len() < ENCODED_LEN_MIN {
        return None;
    }
    // The keyword `LS0tLS1CRUdJTi` starts at a group of four, `0tLS0tQkVHSU4g` two characters into one and
    // `tLS0tLUJFR0lOI` three: what is missing of the group decodes to dashes or is dropped.
    let lead = match encoded.first()? {
        b'L' => "",
        b'0' => "LS",
        _ => "LS0",
    };
    let mut text = [lead.as_bytes(), &encoded].concat();
    if text.len() % 4 == 1 {
        text.pop();
    }
    let decoded = decode_base64(&text)?;
    let hit = armour::find(&decoded, b"PRIVATE KEY")?;
    let no_path = || None;
    let inner = Window { bytes: &decoded, hit, at_start: true, at_end: true, path: &no_path };
    let found = (pem::WALKER.walk)(&inner, 11).or_else(|| (pgp::WALKER.walk)(&inner, 11))?;
    let matched = window.hit..window.hit + plain.raw_end(end);
    let mut change = found.change;
    change.evidence.insert(0, "encoded in base64".to_owned());
    Some(Found {
        is_cut: matched.end + 4 >= window.bytes.len() && !window.at_end,
        span: Span { secret: matched.clone(), matched },
        change,
    })
}

/// The base64 characters from the start of the text on, line breaks and indentation left out, and where
/// they end.
pub(super) fn body(plain: &Plain) -> (Vec<u8>, usize) {
    let mut encoded = Vec::new();
    let mut end = 0;
    let mut breaks = 0;
    for (at, &byte) in plain.text.iter().enumerate() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' | b'-' | b'_' => {
                // A break in the middle of a short run of characters is the end of the value.
                if breaks > 0 && at - end > 40 {
                    break;
                }
                encoded.push(byte);
                end = at + 1;
                breaks = 0;
            }
            b'=' => {
                end = at + 1;
                if plain.text.get(at + 1) != Some(&b'=') {
                    break;
                }
            }
            b'\n' | b'\r' => breaks += 1,
            b' ' | b'\t' | b'"' | b'\'' | b'\\' if breaks > 0 => {}
            b'"' | b'\'' if matches!(plain.text.get(at + 1), Some(b'\n' | b'\r' | b' ')) => {}
            _ => break,
        }
        if breaks > 3 {
            break;
        }
    }
    (encoded, end)
}
