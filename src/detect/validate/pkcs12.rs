//! PKCS#12 files (RFC 7292): which keys they hold, how those are protected, and whether no or a well-known password
//! opens them.

use super::Change;
use super::der::{Element, INTEGER, OCTET_STRING, OID, SEQUENCE};
use super::hmac::{BLOCK_LEN, hmac};
use super::jks::KNOWN_PASSWORDS;
use super::private_key::{self, printable};
use crate::rules::Severity;
use sha1::Sha1;
use sha2::{Digest, Sha256};

const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
const KEY_BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01, 0x01];
const SHROUDED_KEY_BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01, 0x02];
const FRIENDLY_NAME: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x14];
const SHA_1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];
const SHA_256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// Context-specific, constructed, number 0.
const EXPLICIT: u8 = 0xa0;
/// Rounds of the key derivation that are tried.
const ROUNDS_MAX: u32 = 20_000;
const KEYS_MAX: usize = 100;

/// What a file holds that starts at the first of `bytes`; none where it is none, or holds no key that shows.
pub(crate) fn describe(bytes: &[u8]) -> Option<Change> {
    let outer = Element::expect(bytes, SEQUENCE)?;
    let version = Element::expect(outer.content, INTEGER).filter(|version| version.content == [3])?;
    let auth_safe = Element::expect(version.rest, SEQUENCE)?;
    let content = data(auth_safe.content)?;
    let keys = keys(content)?;
    let mut change = Change::proven().with("format: PKCS#12").with(format!("keys: {}", keys.len()));
    let is_plain = keys.iter().any(|key| key.scheme.is_none());
    if let Some(parsed) = keys.iter().find_map(|key| key.parsed.clone()) {
        change
            .evidence
            .extend(parsed.into_change().evidence.into_iter().filter(|fact| !fact.starts_with("format")));
    }
    let schemes = keys.iter().find_map(|key| key.scheme.as_deref());
    if let Some(scheme) = schemes.filter(|_| !is_plain) {
        match password(auth_safe.rest, content) {
            Some("") => change.evidence.push("encrypted: with an empty password".to_owned()),
            Some(_) => change.evidence.push("encrypted: with a well-known password".to_owned()),
            None => {
                change.evidence.push(format!("encrypted: {scheme}"));
                change.severity = Some(Severity::Medium);
            }
        }
    }
    if let Some(name) = keys.iter().find_map(|key| key.name.as_deref()) {
        change.evidence.push(format!("comment: {}", printable(name)));
    }
    Some(change)
}

/// The content of a `ContentInfo` of type data, in the clear.
fn data(content_info: &[u8]) -> Option<&[u8]> {
    let kind = Element::expect(content_info, OID).filter(|kind| kind.content == DATA)?;
    let explicit = Element::expect(kind.rest, EXPLICIT)?;
    Some(Element::expect(explicit.content, OCTET_STRING)?.content)
}

/// A key bag.
#[derive(Debug)]
struct Key {
    /// How it is encrypted; none where it is not.
    scheme: Option<String>,
    parsed: Option<private_key::Parsed>,
    name: Option<String>,
}

/// The keys of an `AuthenticatedSafe`; none where there are none.
fn keys(auth_safe: &[u8]) -> Option<Vec<Key>> {
    let infos = Element::expect(auth_safe, SEQUENCE)?;
    let contents = infos.children().filter_map(|info| data(info.content));
    let bags =
        contents.filter_map(|content| Element::expect(content, SEQUENCE)).flat_map(|safe| safe.children());
    let keys: Vec<Key> = bags.filter_map(|bag| key(bag.content)).take(KEYS_MAX).collect();
    (!keys.is_empty()).then_some(keys)
}

fn key(bag: &[u8]) -> Option<Key> {
    let kind = Element::expect(bag, OID)?;
    let value = Element::expect(kind.rest, EXPLICIT)?;
    let parsed = private_key::parse_der(value.content)?;
    let is_shrouded = kind.content == SHROUDED_KEY_BAG;
    if !is_shrouded && kind.content != KEY_BAG {
        return None;
    }
    let attributes = Element::read(value.rest).into_iter().flat_map(|set| set.children());
    let name = attributes.into_iter().find_map(|attribute| friendly_name(attribute.content));
    let scheme = is_shrouded.then(|| parsed.cipher.clone().unwrap_or_else(|| "yes".to_owned()));
    Some(Key { scheme, parsed: (!is_shrouded).then_some(parsed), name })
}

/// The name in an attribute: one string of UTF-16 in a set.
fn friendly_name(attribute: &[u8]) -> Option<String> {
    let kind = Element::expect(attribute, OID).filter(|kind| kind.content == FRIENDLY_NAME)?;
    let text = Element::read(Element::read(kind.rest)?.content)?;
    let units = text.content.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    Some(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}

/// The empty or well-known password with which the `MacData` in `mac_data` agrees.
fn password(mac_data: &[u8], content: &[u8]) -> Option<&'static str> {
    let mac_data = Element::expect(mac_data, SEQUENCE)?;
    let info = Element::expect(mac_data.content, SEQUENCE)?;
    let algorithm = Element::expect(info.content, SEQUENCE)?;
    let hash = Element::expect(algorithm.content, OID)?.content;
    let digest = Element::expect(algorithm.rest, OCTET_STRING)?.content;
    let salt = Element::expect(info.rest, OCTET_STRING)?;
    let rounds = Element::expect(salt.rest, INTEGER).map_or(Some(1), |rounds| {
        let small = rounds.content.len() <= 4;
        small.then(|| rounds.content.iter().fold(0_u32, |sum, &byte| sum << 8 | u32::from(byte)))
    })?;
    if rounds == 0 || rounds > ROUNDS_MAX || salt.content.len() > 1024 {
        return None;
    }
    let agrees = |password: &[u8]| match hash {
        SHA_1 => mac::<Sha1>(password, salt.content, rounds, content) == digest,
        SHA_256 => mac::<Sha256>(password, salt.content, rounds, content) == digest,
        _ => false,
    };
    if agrees(&[]) {
        return Some("");
    }
    KNOWN_PASSWORDS.into_iter().find(|password| {
        // Two zero bytes end a password.
        let wide: Vec<u8> = password.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect();
        agrees(&wide)
    })
}

/// The integrity check (RFC 7292, appendix B.4) with a key of appendix B.2, of which one round fills a hash.
fn mac<D: Digest>(password: &[u8], salt: &[u8], rounds: u32, content: &[u8]) -> Vec<u8> {
    const FOR_INTEGRITY: u8 = 3;
    let fill = |part: &[u8]| -> Vec<u8> {
        let len = part.len().div_ceil(BLOCK_LEN) * BLOCK_LEN;
        part.iter().copied().cycle().take(len).collect()
    };
    let first =
        D::new_with_prefix([FOR_INTEGRITY; BLOCK_LEN]).chain_update(fill(salt)).chain_update(fill(password));
    let key = (1..rounds).fold(first.finalize(), |hash, _| D::digest(hash));
    hmac::<D>(&key, content)
}
