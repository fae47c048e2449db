//! Keys of WireGuard: 32 bytes, of which a private key gives the public one.

use super::{Change, Ruling, Subject, Validator};
use crate::detect::judge::contains_ignoring_case;
use curve25519_dalek::MontgomeryPoint;

pub(super) const VALIDATOR: Validator = Validator { name: "wireguard", check };

fn check(subject: &Subject<'_>) -> Ruling {
    let decoded = data_encoding::BASE64.decode(subject.secret()).ok();
    let Some(key) = decoded.and_then(|key| <[u8; 32]>::try_from(key).ok()) else { return Ruling::Reject };
    if contains_ignoring_case(subject.matched(), b"preshared") {
        return Ruling::Amend(Change::default().with("type: preshared key"));
    }
    // The tools set and clear these bits when they make a key (RFC 7748, section 5); other bits may be drawn by hand.
    let is_clamped = key[0] & 7 == 0 && key[31] & 0xc0 == 0x40;
    let public = data_encoding::BASE64.encode(MontgomeryPoint::mul_base_clamped(key).as_bytes());
    let change = if is_clamped { Change::proven() } else { Change::default() };
    Ruling::Amend(change.with("type: X25519").with("encrypted: no").with(format!("public key: {public}")))
}
