//! Files that are a private key, a key store or a keyring in binary form: recognised by their first bytes, and handed
//! on behind a line of text that rules can look for.
//!
//! Their own marks are bytes that fill every disk; a literal of such bytes would slow the search for all others.

use super::{Decoder, Form, Member, Piece, Visit, to_u64, to_usize};
use crate::error::Result;
use crate::io::{ReadAt, read_vec};
use std::io::Read as _;

pub(super) const DECODER: Decoder = Decoder { name: NAME, probe, form: Form::Partial(decode) };

/// Name of the format.
pub(super) const NAME: &str = "key file";

/// The line in front of the bytes.
pub const MARK: &[u8] = b"(key file without armour)\n";

/// Bytes that are handed on: more than any key or keyring, and stores with a few hundred certificates.
const LEN_MAX: u64 = 1 << 20;

fn probe(head: &[u8]) -> bool {
    match head {
        [0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 1 | 2, ..] | [0xce, 0xce, 0xce, 0xce, 0, 0, 0, 1 | 2, ..] => true,
        [0x30, ..] => is_der(head),
        [0x94 | 0x95 | 0x96 | 0xc5, ..] => is_openpgp(head),
        _ => false,
    }
}

/// A sequence that starts with the version of a key or key store and what follows it there, or with the algorithm
/// that encrypts a key (RFC 8017, RFC 5915, RFC 5958, RFC 7292).
fn is_der(head: &[u8]) -> bool {
    let body_at = match head.get(1) {
        Some(0x81) => 3,
        Some(0x82) => 4,
        Some(0x83) => 5,
        Some(0..=0x7f) => 2,
        _ => return false,
    };
    let body = head.get(body_at..).unwrap_or_default();
    matches!(
        body,
        [2, 1, 0, 2, 0x41..=0x82, ..]
            | [2, 1, 0 | 1, 0x30, _, 6, ..]
            | [2, 1, 1, 4, 0x14..=0x42, ..]
            | [2, 1, 3, 0x30, ..]
            | [0x30, _, 6, 9 | 10, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5 | 0x0c, ..]
    )
}

/// A secret-key packet of version 4 to 6 with an algorithm that is in use (RFC 9580, sections 4.2 and 5.5.3).
fn is_openpgp(head: &[u8]) -> bool {
    let body_at = match head {
        [0x94, ..] | [0xc5, 0..0xc0, ..] => 2,
        [0x95, ..] | [0xc5, 0xc0..0xe0, ..] => 3,
        [0x96, ..] => 5,
        [0xc5, 0xff, ..] => 6,
        _ => return false,
    };
    matches!(head.get(body_at..).unwrap_or_default(), [4..=6, _, _, _, _, 1..=3 | 16..=19 | 22 | 25..=28, ..])
}

fn decode(content: &dyn ReadAt, visit: Visit<'_>) -> Result<()> {
    let length = content.size().min(LEN_MAX);
    let bytes = read_vec(content, 0, to_usize(length))?;
    let piece = Piece { at: to_u64(MARK.len()), length, source: 0, width: 1 };
    let mut marked = MARK.chain(bytes.as_slice());
    visit(Member { name: b"key", stored: None, pieces: &[piece], content: &mut marked })
}
