//! Java's own key stores, JKS and JCEKS: what they hold, and whether a well-known password opens them.
//!
//! A header, then entries of an alias, a time and a key with its certificates, or a certificate alone; a SHA-1 over
//! the password and all of it at the end (OpenJDK, `sun.security.provider.JavaKeyStore`).

use super::Change;
use super::der::{Element, SEQUENCE};
use super::private_key::printable;
use crate::rules::{Severity, Verdict};
use sha1::{Digest as _, Sha1};

/// The marks of both formats, and their names.
pub(crate) const MAGICS: [(u32, &str); 2] = [(0xfeed_feed, "JKS"), (0xcece_cece, "JCEKS")];

/// Passwords that documentation and installers set.
pub(crate) const KNOWN_PASSWORDS: [&str; 6] = ["changeit", "changeme", "password", "secret", "123456", ""];

const KEY: u32 = 1;
const CERTIFICATE: u32 = 2;
const SECRET_KEY: u32 = 3;
const ENTRIES_MAX: u32 = 10_000;
const DIGEST_LEN: usize = 20;

/// A store that holds a key.
#[derive(Debug)]
pub(crate) struct Store {
    /// Bytes that it takes, as far as they are there.
    pub(crate) len: usize,
    /// Whether its end is missing.
    pub(crate) is_cut: bool,
    pub(crate) change: Change,
}

/// Reads the store at the start of `bytes`. None where there is none, or none that holds a key.
pub(crate) fn describe(bytes: &[u8]) -> Option<Store> {
    let mut reader = Reader { bytes, at: 0 };
    let magic = reader.number()?;
    let (_, format) = MAGICS.iter().find(|(known, _)| *known == magic)?;
    let version = reader.number()?;
    let count = reader.number()?;
    if !(1..=2).contains(&version) || count == 0 || count > ENTRIES_MAX {
        return None;
    }
    let mut found = Entries::default();
    let end = (0..count).try_for_each(|_| found.read(&mut reader, version)).ok().map(|()| reader.at);
    if found.keys + found.secret_keys == 0 || found.is_wrong {
        return None;
    }
    let mut change = Change::proven().with(format!("format: {format}, version {version}"));
    change.evidence.push(format!(
        "keys: {}, certificates: {}",
        found.keys + found.secret_keys,
        found.certificates
    ));
    let password = end.and_then(|end| password(bytes, end));
    match password {
        Some(_) => change.evidence.push("encrypted: with a well-known password".to_owned()),
        None => {
            change.evidence.push("encrypted: yes".to_owned());
            change.severity = Some(Severity::Medium);
        }
    }
    change.evidence.push(format!("comment: {}", printable(&found.aliases.join(", "))));
    // Behind a secret key, whose end only Java's own serialisation tells, nothing is read.
    let is_cut = end.is_none() && found.secret_keys == 0;
    if is_cut {
        change.verdict = Some(Verdict::Likely);
        change.evidence.push("the store breaks off before its end".to_owned());
    }
    let len = end.map_or(reader.at, |end| end + DIGEST_LEN).min(bytes.len());
    Some(Store { len, is_cut, change })
}

/// The well-known password whose digest stands at `end`.
fn password(bytes: &[u8], end: usize) -> Option<&'static str> {
    let (body, digest) = (bytes.get(..end)?, bytes.get(end..end + DIGEST_LEN)?);
    KNOWN_PASSWORDS.into_iter().find(|password| {
        let wide: Vec<u8> = password.encode_utf16().flat_map(u16::to_be_bytes).collect();
        // The salt is a joke of the format's authors.
        let sum = Sha1::new_with_prefix(wide).chain_update(b"Mighty Aphrodite").chain_update(body).finalize();
        sum.as_slice() == digest
    })
}

/// What the entries hold.
#[derive(Debug, Default)]
struct Entries {
    keys: usize,
    secret_keys: usize,
    certificates: usize,
    aliases: Vec<String>,
    /// A key that is no encrypted PKCS#8: the bytes are something else.
    is_wrong: bool,
}

/// Why reading stopped: the bytes end, or what follows has no stated length.
struct Stop;

impl Entries {
    fn read(&mut self, reader: &mut Reader<'_>, version: u32) -> Result<(), Stop> {
        let tag = reader.number().ok_or(Stop)?;
        let alias = reader.text().ok_or(Stop)?;
        reader.take(8).ok_or(Stop)?; // When it was made, in milliseconds.
        if self.aliases.len() < 8 && tag != CERTIFICATE {
            self.aliases.push(String::from_utf8_lossy(alias).into_owned());
        }
        match tag {
            KEY => {
                let key = reader.block().ok_or(Stop)?;
                self.is_wrong |= Element::expect(key, SEQUENCE).is_none();
                self.keys += 1;
                let chain = reader.number().filter(|count| *count <= 100).ok_or(Stop)?;
                (0..chain).try_for_each(|_| self.certificate(reader, version))
            }
            CERTIFICATE => self.certificate(reader, version),
            SECRET_KEY => {
                // A serialised object (Java Object Serialization, STREAM_MAGIC).
                self.is_wrong |= reader.take(2).ok_or(Stop)? != [0xac, 0xed];
                self.secret_keys += 1;
                Err(Stop)
            }
            _ => {
                self.is_wrong = true;
                Err(Stop)
            }
        }
    }

    fn certificate(&mut self, reader: &mut Reader<'_>, version: u32) -> Result<(), Stop> {
        if version == 2 {
            reader.text().ok_or(Stop)?; // The certificate's type.
        }
        reader.block().ok_or(Stop)?;
        self.certificates += 1;
        Ok(())
    }
}

/// Reads big-endian numbers and what they count.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(len)?;
        let part = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(part)
    }

    fn number(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// Bytes behind a length of 16 bits.
    fn text(&mut self) -> Option<&'a [u8]> {
        let len: [u8; 2] = self.take(2)?.try_into().ok()?;
        self.take(usize::from(u16::from_be_bytes(len)))
    }

    /// Bytes behind a length of 32 bits.
    fn block(&mut self) -> Option<&'a [u8]> {
        let len = self.number()?;
        self.take(usize::try_from(len).ok()?)
    }
}
