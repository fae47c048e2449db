//! Public keys and what they open: the files that name them, and the graph that joins them over images.
//!
//! Formats: `authorized_keys` (sshd(8)), `known_hosts` (sshd(8)), certificates of OpenSSH (PROTOCOL.certkeys),
//! X.509 certificates (RFC 5280), kubeconfig files. Parsers take bytes from the evidence; none of them trusts
//! a length.

mod certificate;
mod graph;
mod kubeconfig;
mod public;
pub mod show;
mod ssh;

pub use graph::{Graph, KeyNode, Opening};

pub(crate) use certificate::{Certificate, certificates};
pub(crate) use kubeconfig::logins;
pub(crate) use public::PublicKey;
pub(crate) use ssh::{AuthorizedKey, authorized, known_host};

use crate::location::State;
use serde::{Deserialize, Serialize};

/// What a place has to do with a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It holds the private key.
    #[default]
    Private,
    /// It holds the public key alone.
    Public,
    /// It lets the key into accounts.
    Authorized,
    /// It lets in every key that this one has certified.
    Authority,
    /// It is the identity of the host.
    Host,
    /// It names the key as that of another host.
    KnownHost,
    /// It holds a certificate for the key.
    Certificate,
    /// It lets the key into a cluster.
    Kubeconfig,
}

/// What one place says of one key. Text from the evidence is escaped; absent means "not applicable".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyFact {
    /// What the place has to do with the key.
    pub role: Role,
    /// SHA-256 of the public key in SSH's wire format, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// Algorithm by its name in SSH.
    pub algorithm: String,
    /// File name of the image.
    pub image: String,
    /// Volume.
    pub volume: String,
    /// Full name in the file system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Inode or MFT record number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inode: Option<u64>,
    /// What owns the bytes, for private keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Offset on the disk, for private keys that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_offset: Option<u64>,
    /// Identifier of the finding, for private keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    /// Whether a passphrase protects the private key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<bool>,
    /// Accounts that the key is let into, or whose file the place is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// Names of hosts or addresses of servers; `hashed` where the file hides them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Names that a certificate is for, or that an authority is limited to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub principals: Vec<String>,
    /// Whom a certificate names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Who issued a certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Fingerprint of the key that signed a certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// Last moment of a certificate, RFC 3339 in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
    /// What limits the use: names of options, an account without a shell. Values are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
    /// Comment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl KeyFact {
    /// The fact that a place has this role for a key.
    pub(crate) fn of(role: Role, key: &PublicKey) -> Self {
        Self {
            role,
            fingerprint: key.fingerprint(),
            algorithm: key.algorithm().to_owned(),
            ..Self::default()
        }
    }
}

/// At most this many characters of a text from the evidence are kept.
const TEXT_MAX: usize = 200;

/// Bytes of the evidence as text, escaped and not overlong.
fn shown(bytes: &[u8]) -> String {
    let text = crate::location::escape(bytes.get(..TEXT_MAX * 4).unwrap_or(bytes));
    if text.chars().count() <= TEXT_MAX {
        return text;
    }
    text.chars().take(TEXT_MAX - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES: [&[u8]; 3] = [
        include_bytes!("../../testdata/reports/keys/tls.crt"),
        include_bytes!("../../testdata/reports/keys/deploy-cert.pub"),
        include_bytes!("../../testdata/reports/keys/kubeconfig"),
    ];

    /// All parsers over one text; how many facts they give.
    fn parse(text: &[u8]) -> usize {
        let kubernetes = logins(text).iter().filter(|login| login.fact(Some(text)).is_some()).count();
        let lines = text.split(|&byte| byte == b'\n');
        let lines = lines.filter(|line| authorized(line).is_some() || known_host(line).is_some()).count();
        certificates(text).len() + kubernetes + lines
    }

    #[test]
    fn damaged_files_give_less_and_never_a_panic() {
        for sample in SAMPLES {
            assert_eq!(parse(sample), 1);
            for end in 0..sample.len() {
                assert!(parse(sample.get(..end).unwrap()) <= 1);
            }
            let mut damaged = sample.to_vec();
            for at in 0..sample.len() {
                for change in [1, 0x20, 0x80, 0xff] {
                    damaged[at] ^= change;
                    parse(&damaged);
                    damaged[at] = sample[at];
                }
            }
        }
        // The same for what lies behind the base64.
        let text = std::str::from_utf8(SAMPLES[0]).unwrap();
        let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        let der = data_encoding::BASE64.decode(body.as_bytes()).unwrap();
        assert_eq!(certificates(&der).len(), 1);
        let mut damaged = der.clone();
        for at in 0..der.len() {
            for change in [1, 0x80, 0xff] {
                damaged[at] ^= change;
                certificates(&damaged);
                damaged[at] = der[at];
            }
        }
    }
}
