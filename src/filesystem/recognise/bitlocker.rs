//! BitLocker, also on removable media (libbde, "BitLocker Drive Encryption (BDE) format specification").

use super::bytes_at;
use crate::error::{self, Error};
use crate::filesystem::{Facts, Kind, Recognised};
use crate::io::{Fields, ReadAt};
use std::sync::Arc;

pub(in crate::filesystem) const KIND: Kind = Kind { name: "bitlocker", probe };

/// 4967d63b-2e29-4ad8-8399-f6a339e3d001, as stored.
const IDENTIFIER: [u8; 16] =
    [0x3b, 0xd6, 0x67, 0x49, 0x29, 0x2e, 0xd8, 0x4a, 0x83, 0x99, 0xf6, 0xa3, 0x39, 0xe3, 0xd0, 0x01];

fn probe(volume: &Arc<dyn ReadAt>) -> Option<Recognised> {
    let sector: [u8; 512] = bytes_at(volume.as_ref(), 0)?;
    let fields = Fields::new("BitLocker header", &sector, 0);
    let name = match &fields.array::<8>(3).ok()? {
        b"-FVE-FS-" => "a BitLocker volume",
        b"MSWIN4.1" if fields.array(424).ok()? == IDENTIFIER => "a BitLocker To Go volume",
        _ => return None,
    };
    let block_size = u64::from(fields.le_u16(11).ok()?);
    let facts = Facts { kind: KIND.name, block_size, size: volume.size(), ..Facts::default() };
    Some(Recognised::Opaque { facts, error: Error::new(error::Kind::Encrypted, name) })
}
