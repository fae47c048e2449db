//! Public keys that let someone in: `authorized_keys` (sshd(8), AUTHORIZED_KEYS FILE FORMAT).

use super::private_key::{position, ssh_string};
use super::{Condition, Found, Kind, parameters, shown};
use crate::error::Result;
use crate::leftover::hit::Hit;
use crate::leftover::lines::lines;
use serde::Deserialize;

pub(super) const KIND: Kind = Kind {
    name: "authorized_keys",
    cases: &["root", "refused"],
    build: |table| Ok(Box::new(parameters::<AuthorizedKeys>(table)?)),
};

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthorizedKeys {}

/// A public key of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PublicKey<'a> {
    /// What stands in front: options.
    pub(super) options: &'a [u8],
    /// Algorithm.
    pub(super) algorithm: &'a str,
    /// Length in bits, for RSA and DSA.
    pub(super) bits: Option<usize>,
    /// What stands behind.
    pub(super) comment: &'a [u8],
}

impl Condition for AuthorizedKeys {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        if !hit.is_filled() {
            return Ok(());
        }
        let administrators = hit.name().eq_ignore_ascii_case(b"administrators_authorized_keys");
        let is_root = administrators || hit.home.is_some_and(|home| home.is_root);
        for line in lines(&hit.content()?.bytes) {
            let Some(key) = public_key(line.bytes) else { continue };
            // cloud-init keeps the key but answers with a sentence instead of a shell.
            let is_refused = position(key.options, b"Please login as").is_some();
            let case = match (is_refused, is_root) {
                (true, _) => Some("refused"),
                (false, true) => Some("root"),
                (false, false) => None,
            };
            let mut evidence = vec![format!("algorithm: {}", key.algorithm)];
            evidence.extend(key.bits.map(|bits| format!("bits: {bits}")));
            if !key.comment.is_empty() {
                evidence.push(format!("comment: {}", shown(key.comment)));
            }
            // A forced command or a variable may hold a secret, so that only the options' names are shown.
            let names = crate::keys::authorized(line.bytes).map(|fact| fact.limits).unwrap_or_default();
            if !names.is_empty() {
                evidence.push(format!("options: {}", names.join(", ")));
            }
            let detail = key.comment.to_vec();
            out.push(Found { case, detail, place: Some(line.place()), evidence, ..Found::default() });
        }
        Ok(())
    }
}

/// The key of a line: the first two fields that are an algorithm and a blob that begins with its name.
pub(super) fn public_key(line: &[u8]) -> Option<PublicKey<'_>> {
    let text = line.trim_ascii();
    if text.is_empty() || text.starts_with(b"#") {
        return None;
    }
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let word_length = word(rest);
        let name = std::str::from_utf8(rest.get(..word_length)?).ok();
        if let Some(algorithm) = name.filter(|name| is_algorithm(name)) {
            let tail = rest.get(word_length..)?.trim_ascii_start();
            let blob_length = tail.iter().position(u8::is_ascii_whitespace).unwrap_or(tail.len());
            let (blob, comment) = tail.split_at_checked(blob_length)?;
            let blob = data_encoding::BASE64.decode(blob).ok()?;
            let (own, fields) = ssh_string(&blob)?;
            if own != algorithm.as_bytes() {
                return None;
            }
            let options = text.get(..at)?.trim_ascii();
            return Some(PublicKey {
                options,
                algorithm,
                bits: bits(algorithm, fields),
                comment: comment.trim_ascii(),
            });
        }
        at += word_length;
        at += rest.get(word_length..)?.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    }
    None
}

/// Length of the first word; blanks inside of double quotes belong to it.
fn word(text: &[u8]) -> usize {
    let mut quoted = false;
    let mut escaped = false;
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            _ if byte.is_ascii_whitespace() && !quoted => return at,
            _ => {}
        }
    }
    text.len()
}

fn is_algorithm(name: &str) -> bool {
    name.starts_with("ssh-") || name.starts_with("ecdsa-sha2-") || name.starts_with("sk-")
}

/// Bits of the modulus: second integer of an RSA blob, first of a DSA blob.
fn bits(algorithm: &str, fields: &[u8]) -> Option<usize> {
    let integer = match algorithm {
        "ssh-rsa" => ssh_string(ssh_string(fields)?.1)?.0,
        "ssh-dss" => ssh_string(fields)?.0,
        _ => return None,
    };
    let zeros = integer.iter().take_while(|&&byte| byte == 0).count();
    let top = usize::try_from(integer.get(zeros)?.leading_zeros()).ok()?;
    (integer.len() - zeros).checked_mul(8)?.checked_sub(top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_key_only_with_a_blob_that_names_its_algorithm() {
        let blob = data_encoding::BASE64.encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x01k");
        let rsa = data_encoding::BASE64.encode(b"\0\0\0\x07ssh-rsa\0\0\0\x01\x03\0\0\0\x03\0\x80\x01");
        let plain = format!("ssh-ed25519 {blob} bob@laptop");
        let forced = format!("no-pty,command=\"echo 'Please login as \\\"u\\\" user'\" ssh-ed25519 {blob}");
        let rsa = format!("ssh-rsa {rsa} x y");
        let found = public_key(plain.as_bytes()).unwrap();
        assert_eq!(
            (found.algorithm, found.comment, found.options),
            ("ssh-ed25519", &b"bob@laptop"[..], &b""[..])
        );
        assert!(public_key(forced.as_bytes()).unwrap().options.starts_with(b"no-pty"));
        let found = public_key(rsa.as_bytes()).unwrap();
        assert_eq!((found.bits, found.comment), (Some(16), &b"x y"[..]));
        for wrong in ["", "# ssh-ed25519 x", "ssh-ed25519 !!!", "ssh-rsa AAAA", "just words"] {
            assert_eq!(public_key(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
