//! OpenPGP secret-key packets (RFC 9580, sections 4.2 and 5.5.3).

use super::Change;
use super::private_key::printable;
use crate::rules::{Severity, Verdict};

const SECRET_KEY: u8 = 5;
const SECRET_SUBKEY: u8 = 7;

/// What a decoded block holds, or none when it does not start with a secret key.
pub(crate) fn describe(
    body: &[u8],
    checksum: Option<&[u8]>,
    is_whole: bool,
    comment: Option<&str>,
) -> Option<Change> {
    let (tag, packet) = packet(body)?;
    if tag != SECRET_KEY && tag != SECRET_SUBKEY {
        return None;
    }
    let version = *packet.first()?;
    if !(3..=6).contains(&version) {
        return None;
    }
    // Version 3 has two more bytes, the days of validity, before the algorithm.
    let algorithm = *packet.get(if version == 3 { 7 } else { 5 })?;
    let mut change = Change::proven().with("format: OpenPGP").with(format!("type: {}", name(algorithm)));
    let agrees = checksum.map(|sum| sum == crc24(body).to_be_bytes().get(1..).unwrap_or_default());
    if !is_whole || agrees == Some(false) {
        change.verdict = Some(Verdict::Likely);
        change.evidence.push(
            if is_whole { "the checksum does not agree" } else { "the key breaks off before its end" }
                .to_owned(),
        );
    }
    match usage(packet, version, algorithm) {
        Some(0) => change.evidence.push("encrypted: no".to_owned()),
        Some(_) => {
            change.severity = Some(Severity::Medium);
            change.evidence.push("encrypted: yes".to_owned());
        }
        None => {}
    }
    if let Some(comment) = comment {
        change.evidence.push(format!("comment: {}", printable(comment)));
    }
    Some(change)
}

/// Tag and body of the first packet; the body may be cut off.
fn packet(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (&head, rest) = bytes.split_first()?;
    if head & 0x80 == 0 {
        return None;
    }
    if head & 0x40 == 0 {
        let len_len = match head & 3 {
            0 => 1,
            1 => 2,
            2 => 4,
            _ => return None,
        };
        return Some((head >> 2 & 0x0f, rest.get(len_len..)?));
    }
    let len_len = match *rest.first()? {
        0..192 => 1,
        192..224 => 2,
        255 => 5,
        _ => 1,
    };
    Some((head & 0x3f, rest.get(len_len..)?))
}

/// The octet behind the public numbers that says how the secret ones are protected; 0 means not at all.
fn usage(packet: &[u8], version: u8, algorithm: u8) -> Option<u8> {
    // Where the public numbers end is known for algorithms made of counted integers, in version 4.
    if version != 4 {
        return None;
    }
    let mut rest = packet.get(6..)?;
    let integers = match algorithm {
        1..=3 => 2,
        16 => 3,
        17 => 4,
        18 | 19 | 22 => {
            let oid_len = usize::from(*rest.first()?);
            rest = rest.get(1 + oid_len..)?;
            1
        }
        25 | 27 => return rest.get(32).copied(),
        _ => return None,
    };
    for _ in 0..integers {
        let bits = u16::from_be_bytes([*rest.first()?, *rest.get(1)?]);
        rest = rest.get(2 + usize::from(bits.div_ceil(8))..)?;
    }
    if algorithm == 18 {
        let parameters = usize::from(*rest.first()?);
        rest = rest.get(1 + parameters..)?;
    }
    rest.first().copied()
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
