//! Lines of `authorized_keys` and `known_hosts` (sshd(8)), and OpenSSH's certificates (PROTOCOL.certkeys).

use super::public::PublicKey;
use super::{KeyFact, Role, shown};
use crate::detect::keys::{Fields, wire};
use jiff::Timestamp;

/// Names of a line or a certificate that are kept.
const NAMES_MAX: usize = 64;

/// A certificate of OpenSSH.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Certificate {
    key: PublicKey,
    authority: PublicKey,
    is_host: bool,
    id: Vec<u8>,
    principals: Vec<Vec<u8>>,
    valid_before: u64,
}

/// A line of `authorized_keys`, or of a `.pub` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuthorizedKey<'a> {
    /// What stands in front of the key, without the blanks: options.
    pub(crate) options: &'a [u8],
    /// The key, or a certificate as it stands.
    pub(crate) key: PublicKey,
    /// What stands behind the key.
    pub(crate) comment: &'a [u8],
}

impl<'a> AuthorizedKey<'a> {
    /// Reads a line; `None` for an empty line, a comment, and what is no key.
    pub(crate) fn of(line: &'a [u8]) -> Option<Self> {
        let text = line.trim_ascii();
        if text.is_empty() || text.starts_with(b"#") {
            return None;
        }
        let mut at = 0;
        // Options are one word; the algorithm is the first or the second.
        for _ in 0..2 {
            let rest = text.get(at..)?;
            let length = word(rest);
            let tail = rest.get(length..)?.trim_ascii_start();
            if let Some((key, blob_length)) = key(rest.get(..length)?, tail) {
                let options = text.get(..at)?.trim_ascii();
                let comment = tail.get(blob_length..)?.trim_ascii();
                return Some(Self { options, key, comment });
            }
            at = text.len().checked_sub(tail.len())?;
        }
        None
    }

    /// What the line says: the key or certificate with the names of its options.
    pub(crate) fn fact(&self) -> KeyFact {
        with_options(fact(&self.key), self.options, self.comment)
    }
}

/// What a line of `authorized_keys`, or of a `.pub` file, says: a key or a certificate, its options and comment.
pub(crate) fn authorized(line: &[u8]) -> Option<KeyFact> {
    AuthorizedKey::of(line).map(|key| key.fact())
}

/// What a line of `known_hosts` says.
pub(crate) fn known_host(line: &[u8]) -> Option<KeyFact> {
    let text = line.trim_ascii();
    if text.is_empty() || text.starts_with(b"#") {
        return None;
    }
    let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let mut names = words.next()?;
    let mut role = Role::KnownHost;
    if names.starts_with(b"@") {
        if names == b"@cert-authority" {
            role = Role::Authority;
        } else {
            // A revoked key opens nothing and is nobody's.
            return None;
        }
        names = words.next()?;
    }
    let (algorithm, blob) = (words.next()?, words.next()?);
    let (key, _) = key(algorithm, blob)?;
    let hosts = if names.starts_with(b"|") {
        vec!["hashed".to_owned()]
    } else {
        names.split(|&byte| byte == b',').take(NAMES_MAX).map(shown).collect()
    };
    Some(KeyFact { role, hosts, ..fact(&key) })
}

/// A key or certificate: its algorithm, and a blob at the start of `tail` that names the same; with the
/// length of the blob.
fn key(algorithm: &[u8], tail: &[u8]) -> Option<(PublicKey, usize)> {
    let length = tail.iter().position(u8::is_ascii_whitespace).unwrap_or(tail.len());
    let blob = data_encoding::BASE64.decode(tail.get(..length)?).ok()?;
    let key = PublicKey::from_wire(&blob)?;
    (key.algorithm().as_bytes() == algorithm).then_some((key, length))
}

/// What a blob is: a certificate, or a plain key.
fn fact(key: &PublicKey) -> KeyFact {
    match certificate(key) {
        Some(certificate) => certificate.fact(),
        None => KeyFact::of(Role::Public, key),
    }
}

fn with_options(mut fact: KeyFact, options: &[u8], comment: &[u8]) -> KeyFact {
    if !comment.is_empty() {
        fact.comment = Some(shown(comment));
    }
    for option in split_options(options) {
        let (name, value) = match option.iter().position(|&byte| byte == b'=') {
            Some(at) => (option.get(..at).unwrap_or_default(), option.get(at + 1..).unwrap_or_default()),
            None => (option, &[][..]),
        };
        if name.eq_ignore_ascii_case(b"cert-authority") {
            fact.role = Role::Authority;
            continue;
        }
        if name.eq_ignore_ascii_case(b"principals") {
            let names = value.trim_ascii().strip_prefix(b"\"").unwrap_or(value);
            let names = names.strip_suffix(b"\"").unwrap_or(names);
            fact.principals = names.split(|&byte| byte == b',').take(NAMES_MAX).map(shown).collect();
            continue;
        }
        // cloud-init keeps the key but answers with a sentence instead of a shell.
        let is_refusal = super::public::find(value, b"Please login as").is_some();
        fact.limits.push(if is_refusal { "refused with a sentence".to_owned() } else { shown(name) });
    }
    fact.limits.truncate(NAMES_MAX);
    fact
}

/// Options are separated by commas outside of double quotes.
fn split_options(options: &[u8]) -> Vec<&[u8]> {
    let (mut out, mut from, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, &byte) in options.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                out.push(options.get(from..at).unwrap_or_default());
                from = at + 1;
            }
            _ => {}
        }
    }
    out.push(options.get(from..).unwrap_or_default());
    out.retain(|option| !option.is_empty());
    out
}

/// Length of the first word; blanks inside of double quotes belong to it.
fn word(text: &[u8]) -> usize {
    let (mut quoted, mut escaped) = (false, false);
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

/// Reads a certificate; `None` for a plain key.
fn certificate(blob: &PublicKey) -> Option<Certificate> {
    let plain = blob.algorithm().strip_suffix("-cert-v01@openssh.com")?;
    let mut fields = Fields(blob.wire());
    fields.string()?;
    fields.string()?; // Nonce.
    // Fields of the key itself, as many as its plain form has behind the name.
    let count = match plain {
        "ssh-rsa" | "sk-ssh-ed25519" => 2,
        "ssh-dss" => 4,
        "ssh-ed25519" => 1,
        "sk-ecdsa-sha2-nistp256" => 3,
        _ if plain.starts_with("ecdsa-sha2-") => 2,
        _ => return None,
    };
    let name = if plain.starts_with("sk-") { format!("{plain}@openssh.com") } else { plain.to_owned() };
    let mut parts = vec![name.as_bytes()];
    for _ in 0..count {
        parts.push(fields.string()?);
    }
    let key = PublicKey::from_wire(&wire(&parts))?;
    number64(&mut fields)?; // Serial number.
    let kind = fields.number()?;
    let id = fields.string()?.to_vec();
    let mut names = Fields(fields.string()?);
    let mut principals = Vec::new();
    while let (false, Some(name)) = (principals.len() >= NAMES_MAX, names.string()) {
        principals.push(name.to_vec());
    }
    number64(&mut fields)?; // Valid after.
    let valid_before = number64(&mut fields)?;
    fields.string()?; // Critical options.
    fields.string()?; // Extensions.
    fields.string()?; // Reserved.
    let authority = PublicKey::from_wire(fields.string()?)?;
    Some(Certificate { key, authority, is_host: kind == 2, id, principals, valid_before })
}

fn number64(fields: &mut Fields<'_>) -> Option<u64> {
    Some(u64::from(fields.number()?) << 32 | u64::from(fields.number()?))
}

impl Certificate {
    fn fact(&self) -> KeyFact {
        let principals: Vec<String> = self.principals.iter().map(|name| shown(name)).collect();
        let until = i64::try_from(self.valid_before).ok().and_then(|at| Timestamp::from_second(at).ok());
        let (hosts, principals) =
            if self.is_host { (principals, Vec::new()) } else { (Vec::new(), principals) };
        KeyFact {
            authority: Some(self.authority.fingerprint()),
            subject: Some(shown(&self.id)),
            valid_until: until.map(|until| until.to_string()),
            hosts,
            principals,
            ..KeyFact::of(Role::Certificate, &self.key)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(tail: &[u8]) -> String {
        data_encoding::BASE64.encode(&[b"\0\0\0\x0bssh-ed25519\0\0\0\x20".as_slice(), tail].concat())
    }

    #[test]
    fn a_line_is_a_key_only_with_a_blob_that_names_its_algorithm() {
        let blob = data_encoding::BASE64.encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x01k");
        let rsa = data_encoding::BASE64.encode(b"\0\0\0\x07ssh-rsa\0\0\0\x01\x03\0\0\0\x03\0\x80\x01");
        let plain = format!("ssh-ed25519 {blob} bob@laptop");
        let forced = format!("no-pty,command=\"echo 'Please login as \\\"u\\\" user'\" ssh-ed25519 {blob}");
        let rsa = format!("ssh-rsa {rsa} x y");
        let found = AuthorizedKey::of(plain.as_bytes()).unwrap();
        assert_eq!(
            (found.key.algorithm(), found.comment, found.options),
            ("ssh-ed25519", &b"bob@laptop"[..], &b""[..])
        );
        assert!(AuthorizedKey::of(forced.as_bytes()).unwrap().options.starts_with(b"no-pty"));
        let found = AuthorizedKey::of(rsa.as_bytes()).unwrap();
        assert_eq!((found.key.bits(), found.comment), (Some(16), &b"x y"[..]));
        for wrong in ["", "# ssh-ed25519 x", "ssh-ed25519 !!!", "ssh-rsa AAAA", "just words"] {
            assert_eq!(AuthorizedKey::of(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn a_line_names_a_key_its_options_and_its_comment_but_no_value() {
        let blob = blob(&[7; 32]);
        let plain = authorized(format!("ssh-ed25519 {blob} deploy@build 7\n").as_bytes()).unwrap();
        assert_eq!((plain.role, plain.comment.as_deref()), (Role::Public, Some("deploy@build 7")));
        assert!(plain.fingerprint.starts_with("SHA256:") && plain.fingerprint.len() == 50);
        let line = format!("no-pty,command=\"curl -u a:b, \\\"x\\\"\",from=\"10.*\" ssh-ed25519 {blob}");
        let limited = authorized(line.as_bytes()).unwrap();
        assert_eq!(limited.limits, ["no-pty", "command", "from"]);
        let line = format!("cert-authority,principals=\"a,b\" ssh-ed25519 {blob} ca");
        let authority = authorized(line.as_bytes()).unwrap();
        assert_eq!((authority.role, authority.principals.len()), (Role::Authority, 2));
        assert_eq!(authority.fingerprint, plain.fingerprint);
        for wrong in ["", "# x", "ssh-ed25519 !!!", "ssh-rsa AAAA", "words only here", "ssh-rsa"] {
            assert_eq!(authorized(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(authorized(format!("ssh-rsa {blob}").as_bytes()), None);
    }

    #[test]
    fn known_hosts_are_named_or_hashed_and_revoked_keys_are_nobodys() {
        let blob = blob(&[9; 32]);
        let plain = known_host(format!("web,10.0.0.1 ssh-ed25519 {blob}").as_bytes()).unwrap();
        assert_eq!(plain.hosts, ["web", "10.0.0.1"]);
        let hashed = known_host(format!("|1|aa=|bb= ssh-ed25519 {blob}").as_bytes()).unwrap();
        assert_eq!(hashed.hosts, ["hashed"]);
        let authority = known_host(format!("@cert-authority *.x ssh-ed25519 {blob}").as_bytes()).unwrap();
        assert_eq!(authority.role, Role::Authority);
        assert_eq!(known_host(format!("@revoked * ssh-ed25519 {blob}").as_bytes()), None);
    }
}
