//! Data that the Windows Data Protection API encrypted: credentials of Credential Manager and vaults.

use super::{Condition, Found, Kind, parameters, shown};
use crate::error::Result;
use crate::leftover::hit::Hit;
use serde::Deserialize;

pub(super) const KIND: Kind =
    Kind { name: "dpapi", cases: &[], build: |table| Ok(Box::new(parameters::<Dpapi>(table)?)) };

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dpapi {}

/// Provider GUID df9d8cd0-1501-11d1-8c7a-00c04fc297eb as stored.
const PROVIDER: [u8; 16] =
    [0xd0, 0x8c, 0x9d, 0xdf, 0x01, 0x15, 0xd1, 0x11, 0x8c, 0x7a, 0x00, 0xc0, 0x4f, 0xc2, 0x97, 0xeb];
/// Bytes looked at: the header and the description.
const HEAD_MAX: u64 = 4096;

impl Condition for Dpapi {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        if !hit.is_filled() {
            return Ok(());
        }
        let head = hit.head(HEAD_MAX)?;
        if let Some(evidence) = describe(&head) {
            out.push(Found { evidence, ..Found::default() });
        }
        Ok(())
    }
}

/// Facts of a blob; `None` when the bytes are none.
fn describe(head: &[u8]) -> Option<Vec<String>> {
    // A credential file has 12 bytes in front of the blob (version, size, flags).
    let at = [0, 12].into_iter().find(|at| head.get(at + 4..at + 20) == Some(PROVIDER.as_slice()))?;
    // Version, provider, master key version, master key GUID, flags, length of the description.
    let key = head.get(at + 24..at + 40)?;
    let length = head.get(at + 44..at + 48)?.try_into().map(u32::from_le_bytes).ok()?;
    let mut evidence = vec![format!("master key: {}", guid(key))];
    let length = usize::try_from(length).ok()?;
    if let Some(text) = head.get(at + 48..at.checked_add(48)?.checked_add(length)?) {
        let units: Vec<u16> =
            text.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(u16::from_le_bytes).collect();
        let text = String::from_utf16_lossy(&units);
        let text = text.trim_end_matches('\0').trim();
        if !text.is_empty() {
            evidence.push(format!("description: {}", shown(text.as_bytes())));
        }
    }
    Some(evidence)
}

/// A GUID as Windows prints it.
fn guid(bytes: &[u8]) -> String {
    let hex = |range: &[usize]| -> String {
        range.iter().map(|&at| format!("{:02x}", bytes.get(at).copied().unwrap_or(0))).collect()
    };
    let parts = [&[3, 2, 1, 0][..], &[5, 4], &[7, 6], &[8, 9], &[10, 11, 12, 13, 14, 15]];
    parts.map(hex).join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_file_shows_its_master_key_and_description() {
        let mut file = vec![1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];
        file.extend(PROVIDER);
        file.extend([1, 0, 0, 0]);
        file.extend(0..16);
        file.extend([0, 0, 0, 0, 6, 0, 0, 0]);
        file.extend(b"H\0i\0\0\0");
        let found = describe(&file).unwrap();
        assert_eq!(found, ["master key: 03020100-0504-0706-0809-0a0b0c0d0e0f", "description: Hi"]);
        assert_eq!(describe(b"[.ShellClassInfo]\r\nLocalizedResourceName=x"), None);
    }
}
