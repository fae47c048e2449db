//! A public key in SSH's wire format (RFC 4253, section 6.6), made from the forms that files hold it in.

use crate::detect::keys::{Element, Fields, parse_private, wire};
use sha2::{Digest as _, Sha256};

/// The longest blob that is taken for a key; an RSA key of 16,384 bits has 2,071 bytes.
const WIRE_MAX: usize = 16 << 10;
/// Private keys of one file that are derived.
const PRIVATE_MAX: usize = 100;

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicKey {
    wire: Vec<u8>,
    algorithm: String,
}

impl PublicKey {
    /// Takes a blob that begins with the name of an algorithm.
    pub(crate) fn from_wire(wire: &[u8]) -> Option<Self> {
        let name = Fields(wire).string()?;
        let algorithm = std::str::from_utf8(name).ok()?;
        let is_known = ["ssh-", "ecdsa-sha2-", "sk-"].iter().any(|start| algorithm.starts_with(start));
        let is_name = algorithm.len() <= 64 && algorithm.bytes().all(|byte| byte.is_ascii_graphic());
        (is_known && is_name && wire.len() <= WIRE_MAX && wire.len() > name.len().saturating_add(8))
            .then(|| Self { wire: wire.to_vec(), algorithm: algorithm.to_owned() })
    }

    /// Reads a `SubjectPublicKeyInfo` (RFC 5280, section 4.1): RSA, the NIST curves, Ed25519.
    pub(crate) fn from_spki(info: &Element<'_>) -> Option<Self> {
        const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
        const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
        const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
        let mut parts = info.children();
        let (algorithm, bits) = (parts.next()?, parts.next()?);
        let mut algorithm = algorithm.children();
        let oid = algorithm.next()?.content;
        let key = bits.content.get(1..)?;
        let wire = match oid {
            RSA => {
                let numbers = Element::read(key)?;
                let mut numbers = numbers.children();
                let (modulus, exponent) = (numbers.next()?.content, numbers.next()?.content);
                wire(&[b"ssh-rsa", exponent, modulus])
            }
            EC => {
                let curve = match algorithm.next()?.content {
                    [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07] => "nistp256",
                    [0x2b, 0x81, 0x04, 0x00, 0x22] => "nistp384",
                    [0x2b, 0x81, 0x04, 0x00, 0x23] => "nistp521",
                    _ => return None,
                };
                wire(&[format!("ecdsa-sha2-{curve}").as_bytes(), curve.as_bytes(), key])
            }
            ED25519 => wire(&[b"ssh-ed25519", key]),
            _ => return None,
        };
        Self::from_wire(&wire)
    }

    /// Name of the algorithm in SSH.
    pub(crate) fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// The blob.
    pub(crate) fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// Length in bits of the modulus of an RSA key or the prime of a DSA key; `None` for the others, whose
    /// algorithm tells it.
    pub(crate) fn bits(&self) -> Option<usize> {
        let mut fields = Fields(&self.wire);
        fields.string()?;
        let number = match self.algorithm.as_str() {
            "ssh-rsa" => fields.string().and_then(|_exponent| fields.string())?,
            "ssh-dss" => fields.string()?,
            _ => return None,
        };
        let zeros = number.iter().take_while(|&&byte| byte == 0).count();
        let top = usize::try_from(number.get(zeros)?.leading_zeros()).ok()?;
        (number.len() - zeros).checked_mul(8)?.checked_sub(top)
    }

    /// `SHA256:` and the digest in base64 without padding, as OpenSSH prints it.
    pub(crate) fn fingerprint(&self) -> String {
        format!("SHA256:{}", data_encoding::BASE64_NOPAD.encode(&Sha256::digest(&self.wire)))
    }
}

/// Public keys of the private keys in the PEM blocks of a text, where they can be derived without a passphrase.
pub(crate) fn private_keys(text: &[u8]) -> Vec<PublicKey> {
    pem_bodies(text, b"PRIVATE KEY-----")
        .filter_map(|body| PublicKey::from_wire(&parse_private(&body)?))
        .take(PRIVATE_MAX)
        .collect()
}

/// Decoded bodies of the PEM blocks whose label ends in `label`.
pub(super) fn pem_bodies<'a>(text: &'a [u8], label: &'a [u8]) -> impl Iterator<Item = Vec<u8>> + 'a {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let at = find(rest, BEGIN)?;
            let after = rest.get(at.checked_add(BEGIN.len())?..)?;
            let end_of_label = find(after, b"-----")?.checked_add(5)?;
            let (head, body) = after.split_at_checked(end_of_label)?;
            rest = body;
            if !head.ends_with(label) || head.len() > 64 {
                continue;
            }
            let Some(end) = find(body, b"-----END ") else { continue };
            rest = body.get(end..)?;
            if let Some(decoded) = base64(body.get(..end)?) {
                return Some(decoded);
            }
        }
    })
}

/// Base64 without its line ends; `None` for headers and other text.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    data_encoding::BASE64.decode(&digits).ok()
}

/// Offset of the first `needle` in `hay`.
pub(super) fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len().max(1)).position(|window| window == needle)
}
