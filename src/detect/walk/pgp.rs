//! OpenPGP private keys in ASCII armour (RFC 9580, section 6.2).

use super::armour::{self, Line, Plain, find};
use super::{BODY_LEN_MAX, Found, Walker, pem};
use crate::detect::confirm::Span;
use crate::detect::validate::pgp;
use crate::detect::{Reach, Window};

pub(super) const WALKER: Walker =
    Walker { name: "pgp", reach: Reach { before: 128, after: BODY_LEN_MAX }, refuses, walk };

fn refuses(before: &[u8], from: &[u8]) -> bool {
    let near = before.get(before.len().saturating_sub(24)..).unwrap_or_default();
    (before.len() >= 24 && find(near, b"BEGIN").is_none()) || from.iter().take(36).any(|&byte| byte == 0)
}

fn walk(window: &Window<'_>, _keyword_len: usize) -> Option<Found> {
    let begin = pem::begin(window)?;
    let plus_is_space = window.bytes.get(begin..window.hit)?.contains(&b'+');
    let plain = Plain::new(window.bytes.get(window.hit..)?, plus_is_space);
    let start = plain.find(b"-----", 0)? + 5;
    let end = plain.find(b"-----END", start);
    let text = plain.text.get(start..end.unwrap_or(plain.text.len()))?;
    let mut body = Vec::with_capacity(text.len());
    let mut checksum = None;
    let mut comment = None;
    for line in armour::lines(text, pem::prefix(window, begin)) {
        match line {
            Line::Blank => {}
            Line::Header(name, value) => {
                if name == "Comment" {
                    comment = Some(value.to_owned());
                }
            }
            // The checksum is a line of its own: `=` and four characters.
            Line::Body([b'=', sum @ ..]) if sum.len() == 4 => checksum = armour::decode_base64(sum),
            Line::Body(part) => body.extend_from_slice(part),
            Line::Other => break,
        }
    }
    while body.len() % 4 == 1 {
        body.pop();
    }
    let body = armour::decode_base64(&body)?;
    let last = end.map_or(plain.text.len(), |end| pem::end_of_footer(&plain, end));
    let matched = begin..window.hit + plain.raw_end(last);
    let change = pgp::describe(&body, checksum.as_deref(), end.is_some(), comment.as_deref())?;
    Some(Found {
        is_cut: end.is_none() && !window.at_end && matched.end + 8 >= window.bytes.len(),
        span: Span { secret: matched.clone(), matched },
        change,
    })
}
