//! LVM2 physical volumes (LVM2, `lib/format_text/layout.h` and `lib/label/label.h`).

use super::{bytes_at, unsupported};
use crate::filesystem::{Facts, Kind, Recognised};
use crate::io::{Fields, ReadAt};
use crate::location::escape;
use std::sync::Arc;

pub(in crate::filesystem) const KIND: Kind = Kind { name: "lvm2", probe };

/// The label is in one of the first four sectors.
const LABEL_SECTORS: u64 = 4;

fn probe(volume: &Arc<dyn ReadAt>) -> Option<Recognised> {
    (0..LABEL_SECTORS).find_map(|sector| label(volume.as_ref(), sector)).map(unsupported)
}

fn label(volume: &dyn ReadAt, sector: u64) -> Option<Facts> {
    let bytes: [u8; 512] = bytes_at(volume, sector.saturating_mul(512))?;
    let fields = Fields::new("LVM label", &bytes, 0);
    if fields.array(0).ok()? != *b"LABELONE" || fields.array(24).ok()? != *b"LVM2 001" {
        return None;
    }
    let header = usize::try_from(fields.le_u32(20).ok()?).ok()?;
    let id = fields.bytes(header, 32).ok()?;
    let size = fields.le_u64(header.checked_add(32)?).ok()?;
    Some(Facts { kind: KIND.name, uuid: Some(dashed(id)), block_size: 512, size, ..Facts::default() })
}

/// An identifier as LVM prints it: 6-4-4-4-4-4-6 characters.
fn dashed(id: &[u8]) -> String {
    let mut out = String::new();
    for (index, byte) in id.iter().enumerate() {
        if matches!(index, 6 | 10 | 14 | 18 | 22 | 26) {
            out.push('-');
        }
        out.push_str(&escape(&[*byte]));
    }
    out
}
