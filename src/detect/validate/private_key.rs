//! What sort of private key a body of bytes is: PKCS#1 (RFC 8017), SEC 1 (RFC 5915), PKCS#8 and its
//! encrypted form (RFC 5958), traditional DSA, and `openssh-key-v1` (OpenSSH's PROTOCOL.key).

use super::Change;
use super::der::{self, Element, INTEGER, OCTET_STRING, OID, SEQUENCE, bit_len, magnitude};
use super::openssh;
use super::published;
use crate::rules::{Severity, Verdict};
use curve25519_dalek::EdwardsPoint;
use sha2::{Digest as _, Sha256, Sha512};

/// What is known of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parsed {
    /// The format of the body.
    pub(crate) format: &'static str,
    /// `RSA`, `ECDSA`, `Ed25519` …; empty where encryption hides it.
    pub(crate) kind: String,
    /// Length of the key in bits.
    pub(crate) bits: Option<usize>,
    /// The cipher that protects it.
    pub(crate) cipher: Option<String>,
    /// The public key in SSH's wire format, where the body holds it.
    pub(crate) public: Option<Vec<u8>>,
    /// The comment.
    pub(crate) comment: Option<String>,
    /// Whether the end is missing.
    pub(crate) is_cut: bool,
}

impl Parsed {
    /// What a report gets of it. A key behind a passphrase is worth less than a plain one; one that breaks
    /// off is likely, not proven.
    pub(crate) fn into_change(self) -> Change {
        let mut change = Change::proven();
        if self.is_cut {
            change.verdict = Some(Verdict::Likely);
            change.evidence.push("the key breaks off before its end".to_owned());
        }
        change.evidence.push(format!("format: {}", self.format));
        if !self.kind.is_empty() {
            change.evidence.push(format!("type: {}", self.kind));
        }
        if let Some(bits) = self.bits {
            change.evidence.push(format!("bits: {bits}"));
        }
        change.evidence.push(match &self.cipher {
            Some(cipher) => format!("encrypted: {}", printable(cipher)),
            None => "encrypted: no".to_owned(),
        });
        if self.cipher.is_some() {
            change.severity = Some(Severity::Medium);
        }
        if let Some(public) = &self.public {
            let digest = Sha256::digest(public);
            let shown = data_encoding::BASE64_NOPAD.encode(&digest);
            change.known_good = published::lookup_key(&shown).map(std::borrow::Cow::into_owned);
            change.evidence.push(format!("public key: SHA256:{shown}"));
        }
        if let Some(comment) = self.comment.as_deref().filter(|comment| !comment.is_empty()) {
            change.evidence.push(format!("comment: {}", printable(comment)));
        }
        change
    }
}

/// At most 80 characters of a text from the evidence, control characters as dots.
pub(crate) fn printable(text: &str) -> String {
    text.chars().take(80).map(|c| if c.is_control() { '.' } else { c }).collect()
}

/// Parses a decoded body. `cipher` is what the armour's headers say; `is_whole`: the armour has its end.
pub(crate) fn parse(body: &[u8], cipher: Option<&str>, is_whole: bool) -> Option<Parsed> {
    if let Some(parsed) = openssh::parse(body) {
        return Some(parsed);
    }
    if let Some(cipher) = cipher {
        // The cipher text of RFC 1421 says nothing of itself, but it is made of whole blocks.
        let is_plausible = is_whole && body.len().is_multiple_of(8) && body.len() >= 32;
        return is_plausible.then(|| Parsed {
            format: "traditional PEM",
            cipher: Some(cipher.to_owned()),
            ..Parsed::default()
        });
    }
    parse_der(body)
}

/// Parses DER that starts with a key; what follows it does not matter.
pub(crate) fn parse_der(body: &[u8]) -> Option<Parsed> {
    let outer = Element::read(body).filter(|outer| outer.tag == SEQUENCE)?;
    if !outer.is_whole() {
        return parse_cut(&outer);
    }
    let parts: Vec<Element<'_>> = outer.children().collect();
    let tags: Vec<u8> = parts.iter().map(|part| part.tag).collect();
    match tags[..] {
        [INTEGER, SEQUENCE, OCTET_STRING, ..] => pkcs8(&parts),
        [SEQUENCE, OCTET_STRING] => encrypted_pkcs8(&parts),
        [INTEGER, OCTET_STRING, ..] => sec1(&parts, None),
        [INTEGER, INTEGER, INTEGER, INTEGER, INTEGER, INTEGER, INTEGER, INTEGER, INTEGER, ..] => {
            pkcs1(&parts)
        }
        [INTEGER, INTEGER, INTEGER, INTEGER, INTEGER, INTEGER] => traditional_dsa(&parts),
        _ => None,
    }
}

/// A key that breaks off: its first elements must still be those of a key.
fn parse_cut(outer: &Element<'_>) -> Option<Parsed> {
    if outer.promised > 1 << 16 || outer.content.len() < 48 {
        return None;
    }
    let version = Element::expect(outer.content, INTEGER)?;
    if version.content.len() != 1 || *version.content.first()? > 1 {
        return None;
    }
    let second = Element::read(version.rest)?;
    let (format, kind) = match second.tag {
        INTEGER if second.promised >= 64 => ("PKCS#1", "RSA"),
        SEQUENCE => ("PKCS#8", algorithm(second.content)?.0),
        _ => return None,
    };
    Some(Parsed { format, kind: kind.to_owned(), is_cut: true, ..Parsed::default() })
}

fn pkcs1(parts: &[Element<'_>]) -> Option<Parsed> {
    let number = |index: usize| parts.get(index).map(|part| magnitude(part.content));
    let [modulus, exponent, first, second] = [number(1)?, number(2)?, number(4)?, number(5)?];
    // Two primes whose product ends otherwise than the modulus are not this key's; a body of random bytes
    // gets no further.
    let is_two_prime = parts.first()?.content == [0];
    if is_two_prime && low_word(modulus) != low_word(first).wrapping_mul(low_word(second)) {
        return None;
    }
    Some(Parsed {
        format: "PKCS#1",
        kind: "RSA".to_owned(),
        bits: Some(bit_len(modulus)),
        public: Some(wire(&[b"ssh-rsa", &mpint(exponent), &mpint(modulus)])),
        ..Parsed::default()
    })
}

/// The last 64 bits of a number.
fn low_word(number: &[u8]) -> u64 {
    let tail = number.get(number.len().saturating_sub(8)..).unwrap_or(number);
    tail.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte))
}

fn traditional_dsa(parts: &[Element<'_>]) -> Option<Parsed> {
    let number = |index: usize| parts.get(index).map(|part| mpint(magnitude(part.content)));
    let bits = bit_len(parts.get(1)?.content);
    if parts.first()?.content != [0] || bits < 512 {
        return None;
    }
    Some(Parsed {
        format: "traditional",
        kind: "DSA".to_owned(),
        bits: Some(bits),
        public: Some(wire(&[b"ssh-dss", &number(1)?, &number(2)?, &number(3)?, &number(4)?])),
        ..Parsed::default()
    })
}

/// SEC 1: version 1, the private number, then parameters \[0\] and the public point \[1\], both optional.
fn sec1(parts: &[Element<'_>], outer_curve: Option<&[u8]>) -> Option<Parsed> {
    if parts.first()?.content != [1] {
        return None;
    }
    let secret = parts.get(1)?.content;
    let tagged = |tag: u8| parts.iter().find(|part| part.tag == tag).map(|part| part.content);
    let named = tagged(0xa0).and_then(|content| Element::expect(content, OID)).map(|oid| oid.content);
    let curve = named.or(outer_curve).and_then(curve);
    if curve.is_none() && !(20..=66).contains(&secret.len()) {
        return None;
    }
    let point = tagged(0xa1).and_then(Element::read).and_then(|bits| bits.content.get(1..));
    let public = curve
        .and_then(|curve| curve.ssh_name)
        .zip(point)
        .map(|(name, point)| wire(&[format!("ecdsa-sha2-{name}").as_bytes(), name.as_bytes(), point]));
    Some(Parsed {
        format: "SEC 1",
        kind: curve.map_or_else(|| "EC".to_owned(), |curve| format!("EC {}", curve.name)),
        bits: Some(curve.map_or(secret.len() * 8, |curve| curve.bits)),
        public,
        ..Parsed::default()
    })
}

fn pkcs8(parts: &[Element<'_>]) -> Option<Parsed> {
    let (name, oid, parameters) = algorithm(parts.get(1)?.content)?;
    let inner = parts.get(2)?.content;
    let parsed = match name {
        "RSA" => parse_der(inner).filter(|inner| inner.format == "PKCS#1"),
        "EC" => {
            let curve = Element::expect(parameters, OID).map(|curve| curve.content);
            let outer = Element::expect(inner, SEQUENCE)?;
            sec1(&outer.children().collect::<Vec<_>>(), curve)
        }
        "Ed25519" | "X25519" | "Ed448" | "X448" => {
            let secret = Element::expect(inner, OCTET_STRING)?.content;
            let bits = match secret.len() {
                32 => 256,
                56 | 57 => 448,
                _ => return None,
            };
            // Version 2 carries the public key in [1].
            let point = parts.iter().find(|part| part.tag == 0x81).and_then(|part| part.content.get(1..));
            let derived = || ed25519_public(secret);
            let point = point.map(<[u8]>::to_vec).or_else(derived).filter(|_| name == "Ed25519");
            let public = point.map(|point| wire(&[b"ssh-ed25519", &point]));
            Some(Parsed { kind: name.to_owned(), bits: Some(bits), public, ..Parsed::default() })
        }
        _ => {
            Element::expect(inner, INTEGER)?;
            let prime = Element::expect(parameters, SEQUENCE)?.children().next()?.content;
            Some(Parsed { kind: name.to_owned(), bits: Some(bit_len(prime)), ..Parsed::default() })
        }
    };
    let _ = oid;
    parsed.map(|parsed| Parsed { format: "PKCS#8", ..parsed })
}

/// The public key of an Ed25519 seed (RFC 8032, section 5.1.5).
pub(crate) fn ed25519_public(seed: &[u8]) -> Option<Vec<u8>> {
    if seed.len() != 32 {
        return None;
    }
    let digest = Sha512::digest(seed);
    let scalar: [u8; 32] = digest.get(..32)?.try_into().ok()?;
    Some(EdwardsPoint::mul_base_clamped(scalar).compress().to_bytes().to_vec())
}

fn encrypted_pkcs8(parts: &[Element<'_>]) -> Option<Parsed> {
    /// pkcs-5 and pkcs-12 password-based encryption.
    const SCHEMES: [(&[u8], &str); 3] = [
        (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d], "PBES2"),
        (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05], "PBES1"),
        (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01], "PKCS#12 PBE"),
    ];
    let oid = Element::expect(parts.first()?.content, OID)?.content;
    let (_, scheme) = SCHEMES.iter().find(|(prefix, _)| oid.starts_with(prefix))?;
    Some(Parsed { format: "encrypted PKCS#8", cipher: Some((*scheme).to_owned()), ..Parsed::default() })
}

/// Name, object identifier and parameters of an `AlgorithmIdentifier`'s content.
fn algorithm(content: &[u8]) -> Option<(&'static str, &[u8], &[u8])> {
    const ALGORITHMS: [(&[u8], &str); 9] = [
        (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01], "RSA"),
        (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a], "RSA"),
        (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01], "EC"),
        (&[0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01], "DSA"),
        (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x03, 0x01], "DH"),
        (&[0x2b, 0x65, 0x6e], "X25519"),
        (&[0x2b, 0x65, 0x6f], "X448"),
        (&[0x2b, 0x65, 0x70], "Ed25519"),
        (&[0x2b, 0x65, 0x71], "Ed448"),
    ];
    let oid = Element::expect(content, OID)?;
    let (_, name) = ALGORITHMS.iter().find(|(known, _)| *known == oid.content)?;
    Some((name, oid.content, oid.rest))
}

/// A named elliptic curve.
#[derive(Clone, Copy)]
struct Curve {
    name: &'static str,
    bits: usize,
    /// The name in `ecdsa-sha2-…`, where SSH has one.
    ssh_name: Option<&'static str>,
}

fn curve(oid: &[u8]) -> Option<Curve> {
    const fn of(name: &'static str, bits: usize, ssh_name: Option<&'static str>) -> Curve {
        Curve { name, bits, ssh_name }
    }
    Some(match oid {
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07] => of("P-256", 256, Some("nistp256")),
        [0x2b, 0x81, 0x04, 0x00, 0x22] => of("P-384", 384, Some("nistp384")),
        [0x2b, 0x81, 0x04, 0x00, 0x23] => of("P-521", 521, Some("nistp521")),
        [0x2b, 0x81, 0x04, 0x00, 0x0a] => of("secp256k1", 256, None),
        [0x2b, 0x81, 0x04, 0x00, 0x21] => of("P-224", 224, None),
        [0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d] => of("SM2", 256, None),
        [0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, ..] => of("brainpool", 256, None),
        _ => return None,
    })
}

/// SSH's `mpint` (RFC 4251, section 5) without its length.
pub(crate) fn mpint(number: &[u8]) -> Vec<u8> {
    let needs_zero = number.first().is_some_and(|&first| first >= 0x80);
    let mut out = Vec::with_capacity(number.len() + 1);
    if needs_zero {
        out.push(0);
    }
    out.extend_from_slice(number);
    out
}

/// SSH's wire format: each part behind its length.
pub(crate) fn wire(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(0).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

/// The bits of a number in SSH's wire format, for reports.
pub(crate) fn wire_bits(number: &[u8]) -> usize {
    der::bit_len(number)
}
