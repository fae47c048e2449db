//! `openssh-key-v1`: the body of `BEGIN OPENSSH PRIVATE KEY` (OpenSSH's PROTOCOL.key).

use super::private_key::{Parsed, wire_bits};

const MAGIC: &[u8] = b"openssh-key-v1\0";

/// Reads strings behind 32-bit lengths.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    /// A big-endian number.
    pub(crate) fn number(&mut self) -> Option<u32> {
        let (head, tail) = self.0.split_first_chunk::<4>()?;
        self.0 = tail;
        Some(u32::from_be_bytes(*head))
    }

    /// A string behind its length.
    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.number()?).ok()?;
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }
}

/// Parses a body that starts with the magic; the private part may be cut off.
pub(crate) fn parse(body: &[u8]) -> Option<Parsed> {
    let mut fields = Fields(body.strip_prefix(MAGIC)?);
    let cipher = String::from_utf8(fields.string()?.to_vec()).ok()?;
    fields.string()?; // Key derivation function.
    fields.string()?; // Its options.
    if fields.number()? != 1 {
        return None;
    }
    let public = fields.string()?;
    let (kind, bits) = describe(public)?;
    let mut parsed = Parsed {
        format: "OpenSSH",
        kind,
        bits,
        public: Some(public.to_vec()),
        cipher: (cipher != "none").then_some(cipher),
        ..Parsed::default()
    };
    match fields.string() {
        None => parsed.is_cut = true,
        Some(private) if parsed.cipher.is_none() => parsed.comment = Some(comment(private)?),
        Some(_) => {}
    }
    Some(parsed)
}

/// Type and length of a public key in SSH's wire format.
pub(crate) fn describe(public: &[u8]) -> Option<(String, Option<usize>)> {
    let mut fields = Fields(public);
    let name = std::str::from_utf8(fields.string()?).ok()?;
    Some(match name {
        "ssh-rsa" => {
            fields.string()?;
            ("RSA".to_owned(), Some(wire_bits(fields.string()?)))
        }
        "ssh-dss" => ("DSA".to_owned(), Some(wire_bits(fields.string()?))),
        "ssh-ed25519" => ("Ed25519".to_owned(), Some(256)),
        "ssh-ed448" => ("Ed448".to_owned(), Some(448)),
        "sk-ssh-ed25519@openssh.com" => ("Ed25519 on a security key".to_owned(), Some(256)),
        "sk-ecdsa-sha2-nistp256@openssh.com" => ("EC P-256 on a security key".to_owned(), Some(256)),
        _ => {
            let curve = name.strip_prefix("ecdsa-sha2-nistp")?;
            (format!("EC P-{curve}"), curve.parse().ok())
        }
    })
}

/// The comment at the end of a plain private part: two equal check numbers, the key's fields, the comment,
/// padding 1, 2, 3 …
fn comment(private: &[u8]) -> Option<String> {
    let mut fields = Fields(private);
    if fields.number()? != fields.number()? {
        return None;
    }
    let mut last: &[u8] = &[];
    // No key type has more than ten fields.
    for _ in 0..12 {
        let is_padding = fields.0.iter().zip(1_u8..).all(|(&byte, expected)| byte == expected);
        if is_padding && fields.0.len() < 256 {
            return Some(String::from_utf8_lossy(last).into_owned());
        }
        // Security keys hold one byte of flags among their strings.
        match fields.string() {
            Some(field) => last = field,
            None => return Some(String::new()),
        }
    }
    Some(String::new())
}
