//! Secret keys of minisign and signify: the structure behind the base64, and whether a password protects it.

use super::private_key::ed25519_public;
use super::{Change, Ruling, Subject, Validator};
use crate::rules::Severity;

pub(super) const VALIDATOR: Validator = Validator { name: "signing-key", check };

/// What is known of a key.
struct Key<'a> {
    format: &'static str,
    is_locked: bool,
    /// Number that the public key shares; encrypted together with a locked key of minisign.
    id: &'a [u8],
    /// Seed and public key.
    pair: &'a [u8],
}

fn check(subject: &Subject<'_>) -> Ruling {
    let Ok(body) = data_encoding::BASE64.decode(subject.secret()) else { return Ruling::Reject };
    let Some(key) = minisign(&body).or_else(|| signify(&body)) else { return Ruling::Reject };
    let mut change = Change::proven().with(format!("format: {}", key.format)).with("type: Ed25519");
    if key.is_locked {
        change.severity = Some(Severity::Medium);
        return Ruling::Amend(change.with("encrypted: yes"));
    }
    let (seed, public) = key.pair.split_at(32);
    if ed25519_public(seed).as_deref() != Some(public) {
        return Ruling::Reject;
    }
    let id: String = key.id.iter().rev().map(|byte| format!("{byte:02X}")).collect();
    Ruling::Amend(change.with("encrypted: no").with(format!("public key: {id}")))
}

/// `Ed`, the key derivation, `B2`, salt, two limits; number, key and checksum (minisign's README, "Secret key format").
fn minisign(body: &[u8]) -> Option<Key<'_>> {
    if body.len() != 158 || !body.starts_with(b"Ed") || body.get(4..6)? != b"B2" {
        return None;
    }
    let is_locked = match body.get(2..4)? {
        b"Sc" => true,
        b"\0\0" => false,
        _ => return None,
    };
    Some(Key { format: "minisign", is_locked, id: body.get(54..62)?, pair: body.get(62..126)? })
}

/// `Ed`, `BK`, rounds, salt, checksum, number, key (OpenBSD, `usr.bin/signify/signify.c`, `struct enckey`).
fn signify(body: &[u8]) -> Option<Key<'_>> {
    if body.len() != 104 || !body.starts_with(b"EdBK") {
        return None;
    }
    let is_locked = body.get(4..8)? != [0; 4];
    Some(Key { format: "signify", is_locked, id: body.get(32..40)?, pair: body.get(40..104)? })
}
