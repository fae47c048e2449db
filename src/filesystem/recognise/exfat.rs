//! exFAT (Microsoft, "exFAT file system specification", section 3.1).

use super::{bytes_at, serial};
use crate::filesystem::{Facts, Kind, Recognised};
use crate::io::{Fields, ReadAt};
use std::sync::Arc;

pub(in crate::filesystem) const KIND: Kind = Kind { name: "exfat", probe };

fn probe(volume: &Arc<dyn ReadAt>) -> Option<Recognised> {
    let sector: [u8; 512] = bytes_at(volume.as_ref(), 0)?;
    let fields = Fields::new("exFAT boot sector", &sector, 0);
    let (sector_shift, cluster_shift) = (fields.u8(108).ok()?, fields.u8(109).ok()?);
    if fields.array(3).ok()? != *b"EXFAT   " || !(9..=12).contains(&sector_shift) {
        return None;
    }
    let size = fields.le_u64(72).ok()?.saturating_mul(1 << sector_shift);
    let shift = u32::from(sector_shift).saturating_add(cluster_shift.into());
    Some(Recognised::Plain(Facts {
        kind: KIND.name,
        uuid: serial(fields.le_u32(100).ok()?),
        block_size: 1u64.checked_shl(shift)?,
        size,
        ..Facts::default()
    }))
}
