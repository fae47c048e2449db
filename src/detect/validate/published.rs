//! Credentials that their makers published: documented examples and test keys.

use sha2::{Digest as _, Sha256};
use std::borrow::Cow;

/// SHA-256 of the secret in hexadecimal, and what it is. Sorted.
const PUBLISHED: &[(&str, &str)] = &[
    (
        "0011cc25eb4320717494d2703e8cba85743e71b500283c21c8b88147992f9059",
        "the key of the Azure Storage emulator",
    ),
    (
        "1a5d44a2dca19669d72edf4c4f1c27c4c1ca4b4408fbb17f6ce4ad452d78ddb3",
        "the access key id in AWS documentation",
    ),
    (
        "1bbb9293c38acc5e510d904495845d532df64a9e5996b2ec7c86cc2e2ac33b5a",
        "the access key of the public MinIO server",
    ),
    (
        "2cafc0970149a84f3b9e62eaf169f36f59907a3b3e31f7b82e68c69cd27f7326",
        "the test key in Stripe documentation",
    ),
    (
        "3543c50b0cb9cea8e55eb1f529b79f043cb250d485fde7b66cabbb5183add7da",
        "the example token in GitHub documentation",
    ),
    (
        "374b54794dbadf23436d62759c658a54c2c2bca53ad83fe7f2080705c76a7e06",
        "the example API key in Datadog documentation",
    ),
    (
        "477bba133c182267fe5f086924abdc5db71f77bfc27f01f2843f2cdc69d89f05",
        "the test card of a payment service",
    ),
    (
        "490d7cf8937795a9539dc3cfc0f1b267e5389e49e98f30a9ef5e7ac407a3a66a",
        "the SecretId in Tencent Cloud documentation",
    ),
    (
        "78314b11be2e581549ac1c4f616563fad3fdf0c3b71678f6e2299182080e0598",
        "the secret access key in AWS documentation",
    ),
    ("7f75367e7881255134e1375e723d1dea8ad5f6a4fdb79d938df1f1754a830606", "the example token of jwt.io"),
    ("9bbef19476623ca56c17da75fd57734dbf82530686043a6e491c6d71befe8f6e", "the test number of card networks"),
    (
        "a0702bc91d699f600970f4dc4992b13ede1a29d49fa0942dd4bed2b5e4b1016e",
        "an example password in NuGet documentation",
    ),
    (
        "aa6547439583c3a275d4542a0df6c1ad6a863971be9f2a2220f027cc02aef615",
        "the key of the Azure Cosmos DB emulator",
    ),
    (
        "bc3ae723f57c6b9e3fd80b699fcc420f6074b0b1718039669d22631d508ac0a7",
        "the example token in GitHub documentation",
    ),
    (
        "c6ea27c534f993d31f0aef882e3d200e7b87470c379ae79c8f9b19d3bd363dc9",
        "the second access key id in AWS documentation",
    ),
    (
        "dba72c00f41f4e4c435e2491a5e1ce0140c7b5a6a498dc4847396b5e6368970c",
        "an example password in NuGet documentation",
    ),
    (
        "df452eef23e8cf2c74af54c0c7419c05a5ec70ef4d5c2eb04082b02af8c55598",
        "the secret key of the public MinIO server",
    ),
    (
        "e21b597ba6b9cafa59d9ebc4d65c0385f5eb3fa56abab2607fa76589ad849a33",
        "the second secret access key in AWS documentation",
    ),
    (
        "ea7510480ed45e14187e3ff62f396ee2325ee69079e8d58e440c817fb29dad80",
        "the SecretKey in Tencent Cloud documentation",
    ),
    (
        "f2d6ca16515033e5dce14eba840b979d27b5cbae24bb3e5bf484339667f86397",
        "the older test key in Stripe documentation",
    ),
];

/// Fingerprint of the public key, as OpenSSH prints it behind `SHA256:`, and what the key is. Logins are open to
/// everybody where their public halves are trusted.
const PUBLISHED_KEYS: &[(&str, &str)] = &[
    ("1M4RzhMyWuFS/86uPY/ce2prh/dVTHW7iD2RhpquOZA", "the insecure key of Vagrant's base boxes"),
    ("WkvqjnyPAeC0cbPErYiGP9vqHdgL1MqqvPdIe3lvHgI", "the insecure Ed25519 key of Vagrant's base boxes"),
];

/// What a published secret is.
pub(crate) fn lookup(secret: &[u8]) -> Option<&'static str> {
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(secret));
    let at = PUBLISHED.binary_search_by(|(known, _)| (*known).cmp(&digest)).ok()?;
    PUBLISHED.get(at).map(|(_, name)| *name)
}

/// Keys that projects publish with their tests and examples: a fingerprint and the project, a line each, sorted.
/// `published.py` writes them.
const TEST_KEYS: &str = include_str!("published-keys.txt");

/// What a published private key is, by its public half's fingerprint.
pub(crate) fn lookup_key(fingerprint: &str) -> Option<Cow<'static, str>> {
    if let Some((_, name)) = PUBLISHED_KEYS.iter().find(|(known, _)| *known == fingerprint) {
        return Some(Cow::Borrowed(*name));
    }
    let mut lines = TEST_KEYS.lines().filter_map(|line| line.split_once(' '));
    lines
        .find(|(known, _)| *known == fingerprint)
        .map(|(_, project)| format!("a test key of {project}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_knows_the_documented_example() {
        assert!(PUBLISHED.is_sorted());
        // Spelled in two parts, so that this file holds no key of its own.
        let id = format!("AKIA{}", "IOSFODNN7EXAMPLE");
        assert_eq!(lookup(id.as_bytes()), Some("the access key id in AWS documentation"));
        assert_eq!(lookup(b"anything else"), None);
    }

    #[test]
    fn test_keys_are_fingerprints_and_say_whose_they_are() {
        let lines: Vec<&str> = TEST_KEYS.lines().collect();
        assert!(lines.len() > 400 && lines.is_sorted());
        for line in lines {
            let (fingerprint, project) = line.split_once(' ').unwrap();
            let digest = data_encoding::BASE64_NOPAD.decode(fingerprint.as_bytes()).unwrap();
            assert!(digest.len() == 32 && !project.is_empty(), "{line}");
        }
        let python = TEST_KEYS.lines().find(|line| line.ends_with(" Python")).unwrap();
        assert_eq!(lookup_key(&python[..43]).as_deref(), Some("a test key of Python"));
        assert_eq!(lookup_key("").as_deref(), None);
    }
}
