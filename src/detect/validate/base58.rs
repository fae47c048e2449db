//! Base58Check: text in Bitcoin's alphabet whose last four bytes are a checksum of the others.

use super::{Change, Ruling, Subject, Validator};
use sha2::{Digest as _, Sha256};

pub(super) const VALIDATOR: Validator = Validator { name: "base58check", check };

const DIGITS: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/// The work grows with the square of the length; extended keys have 111 characters.
const LEN_MAX: usize = 128;

/// The checksum proves it; without it the text is something else.
fn check(subject: &Subject<'_>) -> Ruling {
    let decoded = decode(subject.secret());
    let is_checked = decoded.as_deref().is_some_and(|bytes| {
        let Some(at) = bytes.len().checked_sub(4) else { return false };
        let (body, sum) = bytes.split_at(at);
        !body.is_empty() && Sha256::digest(Sha256::digest(body)).starts_with(sum)
    });
    if is_checked { Ruling::Amend(Change::proven().with("checksum: agrees")) } else { Ruling::Reject }
}

/// The bytes of a number to the base 58, a zero byte for each leading `1`.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() > LEN_MAX {
        return None;
    }
    // Least significant byte first.
    let mut number: Vec<u8> = Vec::new();
    for byte in text {
        let mut carry = u32::try_from(DIGITS.iter().position(|digit| digit == byte)?).ok()?;
        for place in &mut number {
            carry += u32::from(*place) * 58;
            *place = u8::try_from(carry & 0xff).ok()?;
            carry >>= 8;
        }
        if carry > 0 {
            number.push(u8::try_from(carry).ok()?);
        }
    }
    let zeros = text.iter().take_while(|byte| **byte == b'1').count();
    Some(std::iter::repeat_n(0, zeros).chain(number.into_iter().rev()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_texts_decode() {
        // The address of the genesis block, and the example of draft-msporny-base58, section 5.
        assert_eq!(decode(b"2NEpo7TZRRrLZSi2U").as_deref(), Some(b"Hello World!".as_slice()));
        assert_eq!(decode(b"11"), Some(vec![0, 0]));
        assert_eq!(decode(b"0OIl"), None);
    }
}
