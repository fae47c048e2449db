//! JSON web tokens (RFC 7519): header and payload parse, and say what the token is for.

use super::private_key::printable;
use super::{Change, Ruling, Subject, Validator};
use crate::rules::Severity;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value};

pub(super) const VALIDATOR: Validator = Validator { name: "jwt", check };

/// Longest header or payload that is parsed.
const PART_LEN_MAX: usize = 16 << 10;

fn check(subject: &Subject<'_>) -> Ruling {
    let mut parts = subject.secret().split(|&byte| byte == b'.');
    let (Some(header), Some(payload)) = (parts.next().and_then(object), parts.next()) else {
        return Ruling::Reject;
    };
    let Some(algorithm) = header.get("alg").and_then(Value::as_str) else { return Ruling::Reject };
    let mut change = Change::default().with(format!("algorithm: {}", printable(algorithm)));
    if header.contains_key("enc") {
        return Ruling::Amend(change.with("encrypted payload"));
    }
    let Some(payload) = object(payload) else { return Ruling::Reject };
    change.verdict = Change::proven().verdict;
    for (claim, name) in [("iss", "issuer"), ("aud", "audience")] {
        if let Some(text) = payload.get(claim).and_then(Value::as_str) {
            change.evidence.push(format!("{name}: {}", printable(text)));
        }
    }
    match payload.get("exp").and_then(seconds) {
        Some(time) => {
            change.evidence.push(format!("valid until {time}"));
        }
        None => change.evidence.push("valid without end".to_owned()),
    }
    // A token that nobody signed proves nothing to anybody.
    if algorithm.eq_ignore_ascii_case("none") {
        change.severity = Some(Severity::Low);
    }
    Ruling::Amend(change)
}

/// Whether header and payload are JSON objects, the header with an algorithm.
pub(super) fn is_token(value: &[u8]) -> bool {
    let mut parts = value.split(|&byte| byte == b'.');
    let header = parts.next().and_then(object);
    header.is_some_and(|header| header.contains_key("alg")) && parts.next().and_then(object).is_some()
}

/// A part that is a JSON object in base64url.
fn object(part: &[u8]) -> Option<Map<String, Value>> {
    let bare = part.strip_suffix(b"=").unwrap_or(part);
    let bare = bare.strip_suffix(b"=").unwrap_or(bare);
    if bare.len() > PART_LEN_MAX {
        return None;
    }
    let decoded = BASE64URL_NOPAD.decode(bare).ok().or_else(|| super::super::walk::decode_base64(bare))?;
    serde_json::from_slice(&decoded).ok()
}

/// A time in seconds since 1970 as RFC 3339.
fn seconds(value: &Value) -> Option<jiff::Timestamp> {
    // Some issuers write the time as a decimal fraction.
    let whole = value.as_i64().or_else(|| format!("{:.0}", value.as_f64()?).parse().ok());
    jiff::Timestamp::from_second(whole?).ok()
}
