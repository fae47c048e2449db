//! Secrets that are base64 of something.

use super::{Ruling, Subject, Validator};
use crate::detect::walk::decode_base64;

pub(super) const VALIDATOR: Validator = Validator { name: "base64", check };

/// The body decodes, in either alphabet; padding, where there is any, fills the last group.
fn check(subject: &Subject<'_>) -> Ruling {
    let secret = subject.secret();
    let is_padded = secret.ends_with(b"=");
    let is_whole = !is_padded || secret.len().is_multiple_of(4);
    match decode_base64(secret) {
        Some(decoded) if is_whole && !decoded.is_empty() => Ruling::Accept,
        _ => Ruling::Reject,
    }
}
