//! AWS access key ids: the account that they belong to stands in them.

use super::{Change, Ruling, Subject, Validator};

pub(super) const VALIDATOR: Validator = Validator { name: "aws-account", check };

/// Four letters of prefix, then base32 without padding.
fn check(subject: &Subject<'_>) -> Ruling {
    match account(subject.secret()) {
        Some(account) => Ruling::Amend(Change::default().with(format!("account: {account:012}"))),
        None => Ruling::Accept,
    }
}

/// The account of a key id: bits 1 to 40 of what the body decodes to. Ids from before this form have an `I`
/// or `J` behind the prefix and hold none.
fn account(key: &[u8]) -> Option<u64> {
    let body = key.get(4..20)?;
    if matches!(body.first(), Some(b'I' | b'J')) {
        return None;
    }
    let decoded = data_encoding::BASE32_NOPAD.decode(body).ok()?;
    let head = decoded.first_chunk::<6>()?;
    let number = head.iter().fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte));
    Some((number & 0x7fff_ffff_ff80) >> 7).filter(|account| *account < 1_000_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_documented_key_gives_its_account() {
        assert_eq!(account(b"ASIAQNZGKIQY56JQ7WML"), Some(29_608_264_753));
        assert_eq!(account(b"AKIAIOSFODNN7EXAMPLE"), None);
    }
}
