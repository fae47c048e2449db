//! FAT12, FAT16 and FAT32 (Microsoft, "FAT: General Overview of On-Disk Format", version 1.03).

use super::{bytes_at, serial, text};
use crate::filesystem::{Facts, Kind, Recognised};
use crate::io::{Fields, ReadAt};
use std::sync::Arc;

pub(in crate::filesystem) const KIND: Kind = Kind { name: "fat", probe };

fn probe(volume: &Arc<dyn ReadAt>) -> Option<Recognised> {
    let sector: [u8; 512] = bytes_at(volume.as_ref(), 0)?;
    facts(&Fields::new("FAT boot sector", &sector, 0)).map(Recognised::Plain)
}

/// The facts of a boot sector whose parameter block is one of FAT.
fn facts(fields: &Fields<'_>) -> Option<Facts> {
    let jump = fields.array::<3>(0).ok()?;
    let sector = u64::from(fields.le_u16(11).ok()?);
    let cluster_sectors = u64::from(fields.u8(13).ok()?);
    let reserved = u64::from(fields.le_u16(14).ok()?);
    let tables = u64::from(fields.u8(16).ok()?);
    let media = fields.u8(21).ok()?;
    let plausible = matches!(jump, [0xeb, _, 0x90] | [0xe9, ..])
        && matches!(sector, 512 | 1024 | 2048 | 4096)
        && cluster_sectors.is_power_of_two()
        && reserved > 0
        && matches!(tables, 1 | 2)
        && (media == 0xf0 || media >= 0xf8);
    if !plausible {
        return None;
    }
    let either = |short: u16, long: u32| if short == 0 { u64::from(long) } else { u64::from(short) };
    let total = either(fields.le_u16(19).ok()?, fields.le_u32(32).ok()?);
    let table_sectors = either(fields.le_u16(22).ok()?, fields.le_u32(36).ok()?);
    let root_sectors = u64::from(fields.le_u16(17).ok()?).saturating_mul(32).div_ceil(sector);
    let system = tables.checked_mul(table_sectors)?.checked_add(reserved)?.checked_add(root_sectors)?;
    let clusters = total.checked_sub(system)?.checked_div(cluster_sectors)?;
    if table_sectors == 0 || clusters == 0 {
        return None;
    }
    // FAT32 has no 16-bit table length; between the others only the number of clusters decides.
    let is_32 = fields.le_u16(22).ok()? == 0;
    let kind = match clusters {
        _ if is_32 => "fat32",
        0..4085 => "fat12",
        _ => "fat16",
    };
    let extended = if is_32 { 66 } else { 38 };
    let has_label = fields.u8(extended).ok()? == 0x29;
    let label = fields.bytes(extended.saturating_add(5), 11).ok().filter(|_| has_label);
    Some(Facts {
        kind,
        label: label.and_then(text).filter(|label| label != "NO NAME"),
        uuid: fields.le_u32(extended.saturating_add(1)).ok().filter(|_| has_label).and_then(serial),
        block_size: sector.saturating_mul(cluster_sectors),
        size: total.saturating_mul(sector),
        ..Facts::default()
    })
}
