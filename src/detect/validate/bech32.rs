//! Bech32 strings (BIP-173): what age writes its identities in. Six characters at the end are a checksum.

use super::{Change, Ruling, Subject, Validator};

pub(super) const VALIDATOR: Validator = Validator { name: "bech32", check };

const DIGITS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// A checksum that agrees proves the string; one that does not may stand in a text that was altered.
fn check(subject: &Subject<'_>) -> Ruling {
    match agrees(subject.secret()) {
        Some(true) => Ruling::Amend(Change::proven().with("checksum: agrees")),
        Some(false) => Ruling::Amend(Change::default().with("checksum: does not agree")),
        None => Ruling::Reject,
    }
}

/// Whether the checksum agrees; none where a character does not belong.
fn agrees(text: &[u8]) -> Option<bool> {
    let lower = text.to_ascii_lowercase();
    // The last `1` ends the part that people read; none stands among the digits.
    let mark = lower.iter().rposition(|byte| *byte == b'1')?;
    let (name, data) = (lower.get(..mark)?, lower.get(mark + 1..)?);
    let high = name.iter().map(|byte| u32::from(byte >> 5));
    let low = name.iter().map(|byte| u32::from(byte & 31));
    let digits: Vec<u32> = data
        .iter()
        .map(|byte| DIGITS.iter().position(|digit| digit == byte).and_then(|at| u32::try_from(at).ok()))
        .collect::<Option<_>>()?;
    let sum = high.chain([0]).chain(low).chain(digits).fold(1, step);
    Some(sum == 1)
}

/// One step of the checksum: multiplication by x in GF(32)\[x\] modulo the generator, plus a digit.
fn step(sum: u32, digit: u32) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let top = sum >> 25;
    let shifted = (sum & 0x01ff_ffff) << 5 ^ digit;
    (0_u32..)
        .zip(GENERATOR)
        .fold(shifted, |sum, (bit, term)| if top >> bit & 1 == 1 { sum ^ term } else { sum })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_vectors_of_bip_173_agree() {
        for text in [
            "A12UEL5L",
            "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
        ] {
            assert_eq!(agrees(text.as_bytes()), Some(true), "{text}");
        }
        assert_eq!(agrees(b"A12UEL5M"), Some(false));
        assert_eq!(agrees(b"A1bUEL5L"), None);
    }
}
