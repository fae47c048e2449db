//! LUKS (cryptsetup, "LUKS On-Disk Format Specification" 1.2.3 and "LUKS2 On-Disk Format" 1.1.4).

use super::{bytes_at, text};
use crate::error::{self, Error};
use crate::filesystem::{Facts, Kind, Recognised};
use crate::io::{Fields, ReadAt};
use std::sync::Arc;

pub(in crate::filesystem) const KIND: Kind = Kind { name: "luks", probe };

fn probe(volume: &Arc<dyn ReadAt>) -> Option<Recognised> {
    let header: [u8; 512] = bytes_at(volume.as_ref(), 0)?;
    let fields = Fields::new("LUKS header", &header, 0);
    if fields.array(0).ok()? != *b"LUKS\xba\xbe" {
        return None;
    }
    let (kind, name, label) = match fields.be_u16(6).ok()? {
        1 => ("luks1", "a LUKS1 volume", None),
        2 => ("luks2", "a LUKS2 volume", text(fields.bytes(24, 48).ok()?)),
        _ => ("luks", "a LUKS volume of an unknown version", None),
    };
    let uuid = text(fields.bytes(168, 40).ok()?);
    let facts = Facts { kind, label, uuid, block_size: 512, size: volume.size(), ..Facts::default() };
    Some(Recognised::Opaque { facts, error: Error::new(error::Kind::Encrypted, name) })
}
