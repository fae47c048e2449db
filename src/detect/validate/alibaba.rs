//! Alibaba Cloud AccessKey ids and secrets: the shape of generated ones.

use super::{Ruling, Subject, Validator};

pub(super) const VALIDATOR: Validator = Validator { name: "alibaba-shape", check };

/// A generated body mixes upper case, lower case and digits; words and constants do not.
fn check(subject: &Subject<'_>) -> Ruling {
    let secret = subject.secret();
    let body = secret.strip_prefix(b"LTAI").or(secret.strip_prefix(b"STS.")).unwrap_or(secret);
    let kinds: [fn(&u8) -> bool; 3] = [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit];
    if kinds.iter().all(|kind| body.iter().any(kind)) { Ruling::Accept } else { Ruling::Reject }
}
