//! What a PuTTY private key file says of its key (PuTTY's documentation, appendix C).

use super::Change;
use super::hmac::hmac;
use super::openssh;
use super::private_key::{Parsed, wire};
use crate::rules::Verdict;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

/// Most lines of one body.
const BODY_LINES_MAX: usize = 256;

/// The fields of a file.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    /// `2` or `3`.
    pub(crate) version: String,
    algorithm: String,
    encryption: String,
    comment: String,
    public: Vec<u8>,
    private: Option<Vec<u8>>,
    /// The keyed hash over all fields, in hexadecimal digits.
    mac: Option<String>,
}

impl Fields {
    /// Takes a line `name: value`; how many lines of base64 follow it. None for a line that does not belong.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Option<usize> {
        match name {
            "Encryption" => value.clone_into(&mut self.encryption),
            "Comment" => value.clone_into(&mut self.comment),
            "Public-Lines" => return lines(value),
            "Private-Lines" => {
                self.private = Some(Vec::new());
                return lines(value);
            }
            "Private-MAC" | "Private-Hash" => {
                let digits = value.bytes().take_while(u8::is_ascii_hexdigit).count();
                self.mac = value.get(..digits).filter(|mac| matches!(mac.len(), 40 | 64)).map(str::to_owned);
                return self.mac.as_ref().map(|_| 0);
            }
            "Key-Derivation" | "Argon2-Memory" | "Argon2-Passes" | "Argon2-Parallelism" | "Argon2-Salt" => {}
            _ => {
                let version = name.strip_prefix("PuTTY-User-Key-File-")?;
                version.clone_into(&mut self.version);
                value.clone_into(&mut self.algorithm);
            }
        }
        Some(0)
    }

    /// The body that is being read.
    pub(crate) fn body(&mut self) -> &mut Vec<u8> {
        match &mut self.private {
            Some(private) => private,
            None => &mut self.public,
        }
    }

    /// Whether the last field was read.
    pub(crate) fn is_complete(&self) -> bool {
        self.mac.is_some()
    }

    /// Whether the keyed hash agrees; none where a passphrase, or nothing, made its key.
    fn is_authentic(&self) -> Option<bool> {
        let mac = self.mac.as_ref().filter(|_| self.encryption == "none")?;
        let texts = [&self.algorithm, &self.encryption, &self.comment].map(|text| text.as_bytes());
        let message = wire(&[texts[0], texts[1], texts[2], &self.public, self.private.as_deref()?]);
        let expected = match self.version.as_str() {
            "2" => hmac::<Sha1>(&Sha1::digest(b"putty-private-key-file-mac-key"), &message),
            _ => hmac::<Sha256>(b"", &message),
        };
        Some(mac.eq_ignore_ascii_case(&data_encoding::HEXLOWER.encode(&expected)))
    }
}

fn lines(value: &str) -> Option<usize> {
    value.trim().parse().ok().filter(|count| *count <= BODY_LINES_MAX)
}

/// What the report gets, or none when there is no private part.
pub(crate) fn describe(fields: &Fields) -> Option<Change> {
    fields.private.as_ref().filter(|private| private.len() >= 16)?;
    let (kind, bits) = openssh::describe(&fields.public)?;
    let parsed = Parsed {
        format: if fields.version == "3" { "PuTTY 3" } else { "PuTTY 2" },
        kind,
        bits,
        cipher: (fields.encryption != "none").then(|| fields.encryption.clone()),
        public: Some(fields.public.clone()),
        comment: Some(fields.comment.clone()),
        is_cut: !fields.is_complete(),
    };
    // The public part names the same algorithm as the first line.
    let agrees = openssh::Fields(&fields.public).string() == Some(fields.algorithm.as_bytes());
    let mut change = parsed.into_change();
    let is_authentic = fields.is_authentic();
    if let Some(is_authentic) = is_authentic {
        change.evidence.push(format!("MAC: {}", if is_authentic { "agrees" } else { "does not agree" }));
    }
    if !agrees || is_authentic == Some(false) {
        change.verdict = Some(Verdict::Likely);
    }
    Some(change)
}
