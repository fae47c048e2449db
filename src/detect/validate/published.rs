//! Credentials that their makers published: documented examples and test keys.

use sha2::{Digest as _, Sha256};

/// SHA-256 of the secret in hexadecimal, and what it is. Sorted.
const PUBLISHED: &[(&str, &str)] = &[];

/// What a published secret is.
pub(crate) fn lookup(secret: &[u8]) -> Option<&'static str> {
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(secret));
    let at = PUBLISHED.binary_search_by(|(known, _)| (*known).cmp(&digest)).ok()?;
    PUBLISHED.get(at).map(|(_, name)| *name)
}
