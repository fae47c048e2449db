//! Private keys: PEM (RFC 7468, RFC 1421 headers), OpenSSH (PROTOCOL.key), PuTTY, SSH 1 and Dropbear.

use super::{Condition, Found, Kind, parameters};
use crate::error::Result;
use crate::leftover::hit::Hit;
use crate::leftover::lines::place_of;
use serde::Deserialize;

pub(super) const KIND: Kind = Kind {
    name: "private_key",
    cases: &["encrypted", "generated"],
    build: |table| Ok(Box::new(parameters::<PrivateKey>(table)?)),
};

/// Parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PrivateKey {
    /// Names of keys that packages generate for a test or default set-up.
    generated: Vec<String>,
    /// Only keys outside of their place, which is `.ssh` of a home.
    stray: bool,
}

/// Larger files are no key files.
const KEY_FILE_MAX: u64 = 1 << 20;
/// Keys of one file that are told apart.
const KEYS_MAX: usize = 100;

/// A private key in a text or binary file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// Offset of its first byte.
    pub(super) at: usize,
    /// Offset behind its last byte.
    pub(super) end: usize,
    /// Format, as its own documentation calls it.
    pub(super) format: &'static str,
    /// Algorithm, where it stands outside of the encrypted part.
    pub(super) algorithm: Option<String>,
    /// Whether a passphrase protects it.
    pub(super) encrypted: bool,
}

impl Condition for PrivateKey {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        if !hit.is_filled() || hit.entry.size() > KEY_FILE_MAX || (self.stray && is_in_place(hit)) {
            return Ok(());
        }
        let content = &hit.content()?.bytes;
        for key in keys(content) {
            let is_generated = self.generated.iter().any(|name| name.as_bytes() == hit.name());
            let case = match (key.encrypted, is_generated) {
                (_, true) => Some("generated"),
                (true, false) => Some("encrypted"),
                (false, false) => None,
            };
            let protection = if key.encrypted { "passphrase" } else { "none" };
            let mut evidence = vec![format!("format: {}", key.format), format!("protection: {protection}")];
            evidence.extend(key.algorithm.as_ref().map(|name| format!("algorithm: {name}")));
            out.push(Found {
                case,
                detail: Vec::new(),
                place: Some(place_of(content, key.at)),
                evidence,
                secret: content.get(key.at..key.end).map(<[u8]>::to_vec),
                ..Found::default()
            });
        }
        Ok(())
    }
}

/// Whether the file stands in `.ssh` of a home.
fn is_in_place(hit: &Hit<'_>) -> bool {
    hit.system.homes.iter().any(|home| {
        let front = hit.seen.get(..home.path.len()).filter(|front| front.eq_ignore_ascii_case(&home.path));
        let rest = front.and_then(|_| hit.seen.get(home.path.len()..)).unwrap_or_default();
        rest.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"/.ssh/"))
    })
}

/// All private keys in the content of a file.
pub(super) fn keys(content: &[u8]) -> Vec<Key> {
    let whole =
        |format, algorithm, encrypted| Key { at: 0, end: content.len(), format, algorithm, encrypted };
    if content.starts_with(b"SSH PRIVATE KEY FILE FORMAT 1.1\n\0") {
        // The byte behind the magic is the cipher type, 0 for none.
        return vec![whole("SSH 1", None, content.get(33).is_some_and(|&cipher| cipher != 0))];
    }
    if let Some(key) = putty(content) {
        return vec![key];
    }
    if let Some(name) = ssh_string(content).map(|(name, _)| name)
        && (name.starts_with(b"ssh-") || name.starts_with(b"ecdsa-sha2-"))
    {
        return vec![whole("Dropbear", Some(String::from_utf8_lossy(name).into_owned()), false)];
    }
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(key) = pem(content, from) {
        from = key.end.max(from + 1);
        if key.format != NOT_A_KEY {
            found.push(key);
        }
        if found.len() >= KEYS_MAX {
            break;
        }
    }
    found
}

/// Mark of a PEM block that is read over.
const NOT_A_KEY: &str = "";
const BEGIN: &[u8] = b"-----BEGIN ";
/// Labels of PEM blocks, names of the formats, and whether the label says that it is encrypted.
const LABELS: &[(&[u8], &str, bool)] = &[
    (b"OPENSSH PRIVATE KEY-----", "OpenSSH", false),
    (b"RSA PRIVATE KEY-----", "PKCS#1", false),
    (b"DSA PRIVATE KEY-----", "DSA", false),
    (b"EC PRIVATE KEY-----", "SEC 1", false),
    (b"PRIVATE KEY-----", "PKCS#8", false),
    (b"ENCRYPTED PRIVATE KEY-----", "PKCS#8", true),
    (b"PGP PRIVATE KEY BLOCK-----", "OpenPGP", false),
];

/// The next PEM block from `from` on.
fn pem(content: &[u8], from: usize) -> Option<Key> {
    let at = from + position(content.get(from..)?, BEGIN)?;
    let label_at = at + BEGIN.len();
    let rest = content.get(label_at..)?;
    let other = Key { at, end: label_at, format: NOT_A_KEY, algorithm: None, encrypted: false };
    let Some((label, format, says_encrypted)) = LABELS.iter().find(|(label, ..)| rest.starts_with(label))
    else {
        return Some(other);
    };
    let body_at = label_at + label.len();
    let Some(length) = position(content.get(body_at..)?, b"-----END ") else { return Some(other) };
    let end_line = body_at + length;
    let body = content.get(body_at..end_line)?;
    let tail = content.get(end_line..)?;
    let end = end_line + tail.iter().position(|&byte| byte == b'\n').unwrap_or(tail.len());
    let decoded = decode(body);
    let (valid, algorithm, encrypted) = match *format {
        "OpenSSH" => openssh(&decoded),
        "OpenPGP" => (decoded.len() >= 32, None, false),
        _ => {
            let headers = position(body, b"ENCRYPTED").is_some();
            (decoded.len() >= 32 && (headers || decoded.first() == Some(&0x30)), None, headers)
        }
    };
    if !valid {
        return Some(Key { end: body_at, ..other });
    }
    Some(Key { at, end, format, algorithm, encrypted: encrypted || *says_encrypted })
}

/// Base64 lines of a PEM body; header lines and line ends left out, empty when it does not decode.
fn decode(body: &[u8]) -> Vec<u8> {
    // Keys inside JSON or shell strings carry `\n` as two characters.
    let text = String::from_utf8_lossy(body).replace("\\n", "\n").replace("\\r", "");
    let mut base64 = String::new();
    for line in text.lines().map(str::trim) {
        // Headers hold a colon; the OpenPGP checksum line starts with `=`.
        if line.contains(':') || line.starts_with('=') {
            continue;
        }
        base64.push_str(line);
    }
    data_encoding::BASE64.decode(base64.as_bytes()).unwrap_or_default()
}

/// Whether `decoded` is an `openssh-key-v1` blob, its algorithm, and whether it is encrypted.
fn openssh(decoded: &[u8]) -> (bool, Option<String>, bool) {
    let Some(rest) = decoded.strip_prefix(b"openssh-key-v1\0") else { return (false, None, false) };
    let Some((cipher, rest)) = ssh_string(rest) else { return (false, None, false) };
    let algorithm = ssh_string(rest)
        .and_then(|(_kdf, rest)| ssh_string(rest))
        .and_then(|(_options, rest)| ssh_string(rest.get(4..)?))
        .and_then(|(public, _)| ssh_string(public))
        .map(|(name, _)| crate::location::escape(name));
    (true, algorithm, cipher != b"none")
}

/// A length-prefixed string of RFC 4251 section 5, and what follows.
pub(super) fn ssh_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    rest.split_at_checked(length)
}

/// A PuTTY key file, version 2 or 3.
fn putty(content: &[u8]) -> Option<Key> {
    let text = content.strip_prefix(b"PuTTY-User-Key-File-")?;
    let header = String::from_utf8_lossy(text.get(..text.len().min(400))?);
    let algorithm =
        header.lines().next()?.split(": ").nth(1).map(|name| crate::location::escape(name.as_bytes()));
    let encryption = header.lines().find_map(|line| line.strip_prefix("Encryption: "))?;
    position(content, b"Private-Lines: ")?;
    Some(Key {
        at: 0,
        end: content.len(),
        format: "PuTTY",
        algorithm,
        encrypted: encryption.trim() != "none",
    })
}

/// Offset of the first `needle` in `hay`.
pub(super) fn position(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len().max(1)).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem_of(label: &str, body: &[u8]) -> String {
        let base64 = data_encoding::BASE64.encode(body);
        format!("# x\n-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")
    }

    #[test]
    fn keys_are_told_from_public_parts_and_broken_bodies() {
        let mut der = vec![0x30, 0x82];
        der.extend([7; 60]);
        let mut ssh = b"openssh-key-v1\0\0\0\0\x04none\0\0\0\x04none\0\0\0\0\0\0\0\x01\0\0\0\x0f".to_vec();
        ssh.extend(b"\0\0\0\x0bssh-ed25519");
        let locked = [&ssh[..19], b"aes!" as &[u8], &ssh[23..]].concat();
        let cases = [
            (pem_of("RSA PRIVATE KEY", &der), Some(("PKCS#1", false))),
            (pem_of("PRIVATE KEY", &der), Some(("PKCS#8", false))),
            (pem_of("ENCRYPTED PRIVATE KEY", &der), Some(("PKCS#8", true))),
            (pem_of("OPENSSH PRIVATE KEY", &ssh), Some(("OpenSSH", false))),
            (pem_of("OPENSSH PRIVATE KEY", &locked), Some(("OpenSSH", true))),
            (pem_of("CERTIFICATE", &der), None),
            (pem_of("RSA PUBLIC KEY", &der), None),
            ("-----BEGIN RSA PRIVATE KEY-----\n".to_owned(), None),
            ("-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----\n".to_owned(), None),
            (
                "PuTTY-User-Key-File-2: ssh-rsa\r\nEncryption: none\r\nPrivate-Lines: 1\r\n".to_owned(),
                Some(("PuTTY", false)),
            ),
        ];
        for (text, expected) in cases {
            let found = keys(text.as_bytes());
            assert_eq!(found.first().map(|key| (key.format, key.encrypted)), expected, "{text}");
        }
        assert_eq!(
            keys(pem_of("OPENSSH PRIVATE KEY", &ssh).as_bytes())[0].algorithm.as_deref(),
            Some("ssh-ed25519")
        );
    }
}
