//! OpenPGP secret-key packets (RFC 9580, sections 4.2 and 5.5.3).

use super::Change;
use super::private_key::printable;
use crate::rules::{Severity, Verdict};
use sha1::{Digest as _, Sha1};

pub(crate) const SECRET_KEY: u8 = 5;
const SECRET_SUBKEY: u8 = 7;
const USER_ID: u8 = 13;
/// Packets that follow a secret key: signatures, trust, user ids and attributes, subkeys.
const FOLLOWERS: [u8; 6] = [2, SECRET_SUBKEY, 12, USER_ID, 14, 17];
const PACKETS_MAX: usize = 1000;

/// A packet; its body may be cut off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<'a> {
    pub(crate) tag: u8,
    pub(crate) body: &'a [u8],
    pub(crate) rest: &'a [u8],
    /// Whether all of the body is there.
    pub(crate) is_whole: bool,
}

impl<'a> Packet<'a> {
    /// The packet at the start of `bytes`, with a stated length.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (&head, rest) = bytes.split_first()?;
        if head & 0x80 == 0 {
            return None;
        }
        let number = |count: usize| {
            let digits = rest.get(..count)?;
            Some(digits.iter().fold(0_usize, |sum, &digit| sum << 8 | usize::from(digit)))
        };
        let (tag, len, skip) = if head & 0x40 == 0 {
            let count = *[1, 2, 4].get(usize::from(head & 3))?;
            (head >> 2 & 0x0f, number(count)?, count)
        } else {
            let first = usize::from(*rest.first()?);
            let (len, skip) = match first {
                0..192 => (first, 1),
                192..224 => (((first - 192) << 8) + usize::from(*rest.get(1)?) + 192, 2),
                255 => (number(5)? & 0xffff_ffff, 5),
                _ => return None,
            };
            (head & 0x3f, len, skip)
        };
        let content = rest.get(skip..)?;
        let (body, rest) = content.split_at(len.min(content.len()));
        Some(Self { tag, body, rest, is_whole: body.len() == len })
    }
}

/// What a decoded block holds, or none when it does not start with a secret key.
pub(crate) fn describe(
    body: &[u8],
    checksum: Option<&[u8]>,
    is_whole: bool,
    comment: Option<&str>,
) -> Option<Change> {
    let first = Packet::read(body).filter(|first| matches!(first.tag, SECRET_KEY | SECRET_SUBKEY))?;
    let key = Key::read(first.body)?;
    let mut change = Change::proven().with("format: OpenPGP").with(format!("type: {}", key.kind));
    if let Some(bits) = key.bits {
        change.evidence.push(format!("bits: {bits}"));
    }
    let agrees = checksum.map(|sum| sum == crc24(body).to_be_bytes().get(1..).unwrap_or_default());
    if !is_whole || agrees == Some(false) {
        change.verdict = Some(Verdict::Likely);
        change.evidence.push(
            if is_whole { "the checksum does not agree" } else { "the key breaks off before its end" }
                .to_owned(),
        );
    }
    match key.usage {
        Some(0) => change.evidence.push("encrypted: no".to_owned()),
        Some(_) => {
            change.severity = Some(Severity::Medium);
            change.evidence.push("encrypted: yes".to_owned());
        }
        None => {}
    }
    if let Some(print) = key.fingerprint {
        change.evidence.push(format!("public key: {print}"));
    }
    let user = followers(body).find(|packet| packet.tag == USER_ID && packet.is_whole);
    if let Some(user) = user {
        change.evidence.push(format!("user: {}", printable(&String::from_utf8_lossy(user.body))));
    }
    if let Some(comment) = comment {
        change.evidence.push(format!("comment: {}", printable(comment)));
    }
    Some(change)
}

/// The packets behind the first one that belong to its key.
fn followers(body: &[u8]) -> impl Iterator<Item = Packet<'_>> {
    let mut rest = Packet::read(body).map_or(&[][..], |first| first.rest);
    let next = move || {
        let packet = Packet::read(rest).filter(|packet| FOLLOWERS.contains(&packet.tag))?;
        rest = packet.rest;
        Some(packet)
    };
    std::iter::from_fn(next).take(PACKETS_MAX)
}

/// Length of the key at the start of `body` with all that belongs to it, and whether its end is there.
pub(crate) fn extent(body: &[u8]) -> (usize, bool) {
    let first = Packet::read(body);
    let last = followers(body).last().or(first);
    last.map_or((0, false), |last| (body.len() - last.rest.len(), last.is_whole))
}

/// What a secret-key packet says of its key.
#[derive(Debug)]
struct Key {
    kind: &'static str,
    bits: Option<usize>,
    /// How the secret numbers are protected; 0 means not at all.
    usage: Option<u8>,
    fingerprint: Option<String>,
}

impl Key {
    /// Reads a packet's body of version 3 to 6.
    fn read(packet: &[u8]) -> Option<Self> {
        let version = *packet.first()?;
        if !(3..=6).contains(&version) {
            return None;
        }
        // Version 3 has two more bytes, the days of validity, before the algorithm.
        let algorithm = *packet.get(if version == 3 { 7 } else { 5 })?;
        // Where the public numbers end is known in version 4, for algorithms made of counted integers.
        let public = (version == 4).then(|| public_part(packet, algorithm)).flatten();
        let public_len = public.map(|public| public.len);
        let part = public_len.and_then(|len| packet.get(..len));
        let usage = public_len.and_then(|len| packet.get(len)).copied();
        let bits = public.and_then(|public| public.bits);
        Some(Self { kind: name(algorithm), bits, usage, fingerprint: part.and_then(fingerprint) })
    }
}

/// Length and strength of the public part of a packet.
#[derive(Clone, Copy, Debug)]
struct Public {
    len: usize,
    bits: Option<usize>,
}

fn public_part(packet: &[u8], algorithm: u8) -> Option<Public> {
    let mut at = 6_usize;
    let mut bits = None;
    let integers = match algorithm {
        1..=3 => 2,
        16 => 3,
        17 => 4,
        18 | 19 | 22 => {
            let len = usize::from(*packet.get(at)?);
            bits = curve_bits(packet.get(at + 1..at + 1 + len)?);
            at += 1 + len;
            1
        }
        25 | 27 => return Some(Public { len: at + 32, bits: Some(256) }),
        _ => return None,
    };
    for _ in 0..integers {
        let count = usize::from(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]));
        // The first number's length is the key's, where no curve says it.
        bits = bits.or(Some(count));
        at += 2 + count.div_ceil(8);
    }
    if algorithm == 18 {
        at += 1 + usize::from(*packet.get(at)?);
    }
    (at <= packet.len()).then_some(Public { len: at, bits })
}

/// Bits of a curve (RFC 9580, section 9.2).
fn curve_bits(oid: &[u8]) -> Option<usize> {
    Some(match oid {
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07] => 256,
        [0x2b, 0x81, 0x04, 0x00, 0x22] => 384,
        [0x2b, 0x81, 0x04, 0x00, 0x23] => 521,
        [0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01]
        | [0x2b, 0x06, 0x01, 0x04, 0x01, 0x97, 0x55, 0x01, 0x05, 0x01] => 256,
        _ => return None,
    })
}

/// Of a version 4 key, as other programs print it (RFC 9580, section 5.5.4.2).
fn fingerprint(public: &[u8]) -> Option<String> {
    let len = u16::try_from(public.len()).ok()?;
    let sum = Sha1::new_with_prefix([0x99]).chain_update(len.to_be_bytes()).chain_update(public).finalize();
    Some(data_encoding::HEXUPPER.encode(&sum))
}

fn name(algorithm: u8) -> &'static str {
    match algorithm {
        1..=3 => "RSA",
        16 | 20 => "Elgamal",
        17 => "DSA",
        18 => "ECDH",
        19 => "ECDSA",
        22 => "EdDSA",
        25 => "X25519",
        26 => "X448",
        27 => "Ed25519",
        28 => "Ed448",
        _ => "unknown",
    }
}

/// The armour's checksum (RFC 9580, section 6.1.1).
fn crc24(bytes: &[u8]) -> u32 {
    let mut crc: u32 = 0x00b7_04ce;
    for &byte in bytes {
        crc ^= u32::from(byte) << 16;
        for _ in 0..8 {
            crc <<= 1;
            if crc & 0x0100_0000 != 0 {
                crc ^= 0x0186_4cfb;
            }
        }
    }
    crc & 0x00ff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc24_gives_the_check_value_of_its_catalogue_entry() {
        assert_eq!(crc24(b"123456789"), 0x0021_cf02);
    }
}
