//! X.509 certificates (RFC 5280), as far as a graph of keys needs them: whom they name, whose key, until when.

use super::public::{PublicKey, pem_bodies};
use super::shown;
use crate::detect::keys::Element;
use jiff::Timestamp;

/// Certificates of one file that are read.
const CERTIFICATES_MAX: usize = 20;
/// Names of one certificate that are kept.
const NAMES_MAX: usize = 64;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// The key that it is for.
    pub(crate) key: PublicKey,
    /// Common name and organisations of the subject: `CN=…, O=…`.
    pub(crate) subject: String,
    /// The same of the issuer.
    pub(crate) issuer: String,
    /// Names of hosts.
    pub(crate) hosts: Vec<String>,
    /// Last moment of its validity, RFC 3339 in UTC.
    pub(crate) valid_until: Option<String>,
}

/// The certificates in the PEM blocks of a file, or the one that it is in DER.
pub(crate) fn certificates(content: &[u8]) -> Vec<Certificate> {
    if content.first() == Some(&SEQUENCE) {
        return parse(content).into_iter().collect();
    }
    pem_bodies(content, b"CERTIFICATE-----").take(CERTIFICATES_MAX).filter_map(|body| parse(&body)).collect()
}

/// `Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature }`.
fn parse(der: &[u8]) -> Option<Certificate> {
    let outer = Element::expect(der, SEQUENCE)?;
    let body = Element::expect(outer.content, SEQUENCE)?;
    let mut parts = body.children().skip_while(|part| part.tag == VERSION);
    parts.next()?; // Serial number.
    parts.next()?; // Signature algorithm.
    let issuer = parts.next()?;
    let validity = parts.next()?;
    let subject = parts.next()?;
    let key = PublicKey::from_spki(&parts.next()?)?;
    let extensions = parts.find(|part| part.tag == EXTENSIONS);
    Some(Certificate {
        key,
        subject: name(&subject),
        issuer: name(&issuer),
        hosts: extensions.map(|extensions| hosts(&extensions)).unwrap_or_default(),
        valid_until: validity.children().nth(1).and_then(|time| moment(&time)),
    })
}

/// Common name and organisations of a `Name`.
fn name(name: &Element<'_>) -> String {
    const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
    const ORGANISATION: &[u8] = &[0x55, 0x04, 0x0a];
    let mut parts = Vec::new();
    for attribute in name.children().flat_map(|set| set.children().collect::<Vec<_>>()).take(NAMES_MAX) {
        let mut pair = attribute.children();
        let (Some(kind), Some(value)) = (pair.next(), pair.next()) else { continue };
        match kind.content {
            COMMON_NAME => parts.insert(0, format!("CN={}", shown(value.content))),
            ORGANISATION => parts.push(format!("O={}", shown(value.content))),
            _ => {}
        }
    }
    parts.join(", ")
}

/// DNS names and addresses of the extension `subjectAltName`.
fn hosts(extensions: &Element<'_>) -> Vec<String> {
    const ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];
    const DNS: u8 = 0x82;
    const ADDRESS: u8 = 0x87;
    let Some(list) = Element::read(extensions.content) else { return Vec::new() };
    let Some(names) = list.children().find_map(|extension| {
        let parts: Vec<Element<'_>> = extension.children().collect();
        let is_wanted = parts.first().is_some_and(|oid| oid.content == ALTERNATIVE_NAME);
        parts.last().copied().filter(|_| is_wanted)
    }) else {
        return Vec::new();
    };
    let Some(names) = Element::read(names.content) else { return Vec::new() };
    let host = |name: Element<'_>| match (name.tag, name.content) {
        (DNS, text) => Some(shown(text)),
        (ADDRESS, [a, b, c, d]) => Some(std::net::Ipv4Addr::new(*a, *b, *c, *d).to_string()),
        (ADDRESS, bytes) => {
            let bytes: [u8; 16] = bytes.try_into().ok()?;
            Some(std::net::Ipv6Addr::from(bytes).to_string())
        }
        _ => None,
    };
    names.children().filter_map(host).take(NAMES_MAX).collect()
}

/// `UTCTime` (years 1950 to 2049) and `GeneralizedTime`, both of which end in Z.
fn moment(time: &Element<'_>) -> Option<String> {
    const UTC: u8 = 0x17;
    let text = std::str::from_utf8(time.content).ok()?.strip_suffix('Z')?;
    let text = match time.tag {
        UTC => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
        _ => text.to_owned(),
    };
    let is_time = text.len() == 14 && text.bytes().all(|byte| byte.is_ascii_digit());
    let part = |from: usize, to: usize| text.get(from..to);
    let written = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        part(12, 14)?
    );
    let time: Timestamp = written.parse().ok()?;
    is_time.then(|| time.to_string())
}
