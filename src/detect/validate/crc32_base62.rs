//! Tokens that end in the CRC-32 of their body in base62: GitHub's and npm's.

use super::{Change, Ruling, Subject, Validator};

pub(super) const GITHUB: Validator = Validator { name: "crc32-github", check };
pub(super) const NPM: Validator = Validator { name: "crc32-npm", check };

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Characters of the checksum at the end.
const CHECKSUM_LEN: usize = 6;

/// A checksum that agrees proves the token; one that does not may be a form that has none.
fn check(subject: &Subject<'_>) -> Ruling {
    let secret = subject.secret();
    // The body starts behind the last `_` of the prefix; fine-grained tokens have one in the middle too.
    let bodies = secret.iter().enumerate().filter(|(_, byte)| **byte == b'_').map(|(at, _)| at + 1);
    let agrees = bodies.chain([0]).filter_map(|start| secret.get(start..)).any(is_checked);
    // Where the text goes on, only the checksum says that the token ends here.
    let after = subject.window.bytes.get(subject.secret.end);
    let goes_on = after.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    if agrees {
        Ruling::Amend(Change::proven().with("checksum: agrees"))
    } else if goes_on {
        Ruling::Reject
    } else {
        Ruling::Amend(Change::default().with("checksum: does not agree"))
    }
}

fn is_checked(body: &[u8]) -> bool {
    body.len()
        .checked_sub(CHECKSUM_LEN)
        .filter(|len| *len >= 20)
        .and_then(|len| body.split_at_checked(len))
        .is_some_and(|(body, sum)| sum == base62(crc32fast::hash(body)))
}

/// Six digits, zeros in front.
fn base62(mut number: u32) -> [u8; CHECKSUM_LEN] {
    let mut out = [b'0'; CHECKSUM_LEN];
    for place in out.iter_mut().rev() {
        *place = DIGITS[usize::try_from(number % 62).unwrap_or(0)];
        number /= 62;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base62_is_padded_and_counts_digits_before_letters() {
        assert_eq!(&base62(0), b"000000");
        assert_eq!(&base62(61), b"00000z");
        assert_eq!(&base62(62 * 36 + 10), b"0000aA");
    }
}
