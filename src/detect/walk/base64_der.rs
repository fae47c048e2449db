//! Private keys and key stores in base64 without armour, as settings, properties and manifests hold them.

use super::base64_pem::body;
use super::{BODY_LEN_MAX, Found, Walker, armour, decode_base64};
use crate::detect::confirm::Span;
use crate::detect::validate::der::{Element, SEQUENCE};
use crate::detect::validate::private_key::{self, Parsed};
use crate::detect::validate::{Change, jks, pkcs12};
use crate::detect::{Reach, Window};

pub(super) const WALKER: Walker =
    Walker { name: "base64-der", reach: Reach { before: BEFORE, after: BODY_LEN_MAX }, refuses, walk };

/// Bytes in front that tell a block in armour from a bare one.
const BEFORE: usize = 64;
/// Characters from the start of a key or store to a keyword.
const LEAD_MAX: usize = 16;
/// Shortest key: Ed25519 in PKCS#8.
const ENCODED_LEN_MIN: usize = 60;

fn refuses(_before: &[u8], from: &[u8]) -> bool {
    from.iter().take(48).any(|&byte| byte == 0)
}

fn walk(window: &Window<'_>, _keyword_len: usize) -> Option<Found> {
    let low = window.hit.saturating_sub(LEAD_MAX);
    (low..=window.hit).find_map(|start| {
        // `0x30` and a length; the mark of a Java store.
        let rest = window.bytes.get(start..)?;
        [b"MI".as_slice(), b"MC", b"MH", b"/u", b"zs"]
            .iter()
            .any(|head| rest.starts_with(head))
            .then_some(())?;
        at(window, start)
    })
}

fn at(window: &Window<'_>, start: usize) -> Option<Found> {
    let before = window.bytes.get(start.saturating_sub(BEFORE)..start)?;
    // A block in armour has a rule of its own.
    if [b"KEY-----".as_slice(), b"KEY ----"].iter().any(|end| armour::find(before, end).is_some()) {
        return None;
    }
    let plain = armour::Plain::new(window.bytes.get(start..)?, false);
    let (encoded, end) = body(&plain);
    if encoded.len() < ENCODED_LEN_MIN {
        return None;
    }
    let mut encoded = encoded;
    if encoded.len() % 4 == 1 {
        encoded.pop();
    }
    let mut change = read(&decode_base64(&encoded)?)?;
    change.evidence.insert(0, "encoded in base64".to_owned());
    let matched = start..start + plain.raw_end(end);
    let is_cut = matched.end + 4 >= window.bytes.len() && !window.at_end;
    Some(Found { span: Span { secret: matched.clone(), matched }, change, is_cut })
}

/// What the decoded bytes are.
fn read(decoded: &[u8]) -> Option<Change> {
    if let Some(store) = jks::describe(decoded) {
        return Some(store.change);
    }
    let whole = Element::expect(decoded, SEQUENCE)?;
    let key = decoded.get(..decoded.len() - whole.rest.len())?;
    private_key::parse_der(key).map(Parsed::into_change).or_else(|| pkcs12::describe(key))
}
