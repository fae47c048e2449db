//! Answer files of Windows Setup with a real password in them.

use super::{Condition, Found, Kind, parameters, shown};
use crate::error::Result;
use crate::leftover::hit::Hit;
use crate::leftover::text::decode;
use serde::Deserialize;

pub(super) const KIND: Kind =
    Kind { name: "unattend", cases: &[], build: |table| Ok(Box::new(parameters::<Unattend>(table)?)) };

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unattend {}

/// Elements of answer files whose `Value` (or text) is a password.
const ELEMENTS: [&str; 6] = [
    "AdministratorPassword",
    "Password",
    "DomainPassword",
    "OfflineAdministratorPassword",
    "UnsecureJoinPassword",
    "MachinePassword",
];
/// Keys of the older `sysprep.inf`.
const KEYS: [&str; 3] = ["AdminPassword", "DomainAdminPassword", "AutoLogonPassword"];
/// What Setup writes over a password after use.
const DELETED: &str = "*SENSITIVE*DATA*DELETED*";

impl Condition for Unattend {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        if !hit.is_filled() {
            return Ok(());
        }
        let text = decode(&hit.content()?.bytes).into_owned();
        let before = out.len();
        for element in ELEMENTS {
            elements(&text, element, out);
        }
        if out.len() == before {
            keys(&text, out);
        }
        out.sort_by_key(|found| found.place);
        Ok(())
    }
}

/// All `<element>…</element>`, with or without a `<Value>` inside.
fn elements(text: &str, element: &str, out: &mut Vec<Found>) {
    let close = format!("</{element}>");
    let mut from = 0;
    while let Some(at) =
        text.get(from..).and_then(|rest| rest.find(&format!("<{element}"))).map(|at| from + at)
    {
        from = at + element.len() + 1;
        let Some(rest) = text.get(from..) else { return };
        let Some(body) = rest
            .strip_prefix('>')
            .or_else(|| rest.starts_with(' ').then(|| rest.split_once('>').map(|(_, body)| body)).flatten())
        else {
            continue;
        };
        let Some(body) = body.find(&close).and_then(|end| body.get(..end)) else { continue };
        let inner = tag(body, "Value").unwrap_or(body).trim();
        let is_plain =
            !tag(body, "PlainText").is_some_and(|plain| plain.trim().eq_ignore_ascii_case("false"));
        let password = if is_plain { inner.to_owned() } else { obscured(inner, element) };
        if is_real(&password) {
            let form = if is_plain { "plain text" } else { "base64, not encrypted" };
            let line = text.get(..at).unwrap_or_default().matches('\n').count();
            out.push(Found {
                detail: element.as_bytes().to_vec(),
                place: Some((
                    u64::try_from(at).unwrap_or(0),
                    u64::try_from(line).unwrap_or(0).saturating_add(1),
                )),
                evidence: vec![format!("element: {element}"), format!("form: {form}")],
                secret: Some(password.into_bytes()),
                ..Found::default()
            });
        }
    }
}

/// Content of the first `<name>` in `body`.
fn tag<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let start = body.find(&format!("<{name}>"))? + name.len() + 2;
    let rest = body.get(start..)?;
    rest.get(..rest.find(&format!("</{name}>"))?)
}

/// A value that Setup stores as base64 of UTF-16 with the element's name behind the password.
fn obscured(value: &str, element: &str) -> String {
    let Ok(bytes) = data_encoding::BASE64.decode(value.as_bytes()) else { return value.to_owned() };
    let units: Vec<u16> =
        bytes.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(u16::from_le_bytes).collect();
    let text = String::from_utf16_lossy(&units);
    text.strip_suffix(element).map(str::to_owned).unwrap_or(text)
}

fn is_real(password: &str) -> bool {
    let password = password.trim();
    let is_reference = password.starts_with('%') && password.ends_with('%') && password.len() > 1;
    !password.is_empty() && password != "*" && password != DELETED && !password.contains('<') && !is_reference
}

fn keys(text: &str, out: &mut Vec<Found>) {
    let mut offset = 0;
    for (line, number) in text.split_inclusive('\n').zip(1..) {
        if let Some((key, value)) = line.split_once('=') {
            let value = value.trim().trim_matches('"');
            if KEYS.iter().any(|known| key.trim().eq_ignore_ascii_case(known)) && is_real(value) {
                out.push(Found {
                    detail: key.trim().as_bytes().to_vec(),
                    place: Some((offset, number)),
                    evidence: vec![format!("key: {}", shown(key.trim().as_bytes()))],
                    secret: Some(value.as_bytes().to_vec()),
                    ..Found::default()
                });
            }
        }
        offset += u64::try_from(line.len()).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_passwords_that_are_still_there_count() {
        let hidden: Vec<u8> =
            "S3cretAdministratorPassword".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let hidden = data_encoding::BASE64.encode(&hidden);
        let cases = [
            ("<AdministratorPassword><Value>S3cret</Value><PlainText>true</PlainText></AdministratorPassword>".to_owned(), Some("S3cret")),
            (format!("<AdministratorPassword><Value>{hidden}</Value><PlainText>false</PlainText></AdministratorPassword>"), Some("S3cret")),
            ("<AutoLogon><Password><Value>pw1</Value></Password></AutoLogon>".to_owned(), Some("pw1")),
            ("<Credentials><Password>pw2</Password></Credentials>".to_owned(), Some("pw2")),
            ("<AdministratorPassword>*SENSITIVE*DATA*DELETED*</AdministratorPassword>".to_owned(), None),
            ("<Password><Value></Value></Password>".to_owned(), None),
            ("<PasswordExpires>x</PasswordExpires>".to_owned(), None),
            ("[GuiUnattended]\r\nAdminPassword=*\r\n".to_owned(), None),
            ("[GuiUnattended]\r\nAdminPassword=\"pw3\"\r\n".to_owned(), Some("pw3")),
        ];
        for (text, expected) in cases {
            let mut out = Vec::new();
            for element in ELEMENTS {
                elements(&text, element, &mut out);
            }
            keys(&text, &mut out);
            let found = out.first().and_then(|found| found.secret.clone());
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{text}");
        }
    }
}
