//! UUIDs (RFC 9562): what has their form, and is not the nil or max one.

use super::{Ruling, Subject, Validator};

pub(super) const VALIDATOR: Validator = Validator { name: "uuid", check };

fn check(subject: &Subject<'_>) -> Ruling {
    let secret = subject.secret();
    let first = secret.first();
    let is_constant = secret.iter().all(|byte| Some(byte) == first || *byte == b'-');
    if is_uuid(secret) && !is_constant { Ruling::Accept } else { Ruling::Reject }
}

/// Whether `text` is 8-4-4-4-12 hexadecimal digits.
pub(crate) fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
