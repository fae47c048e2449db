//! Boot sectors: where tables, directories and clusters lie (Microsoft, "FAT: General Overview of On-Disk
//! Format", version 1.03; "exFAT file system specification", section 3.1).

use crate::filesystem::recognise::{serial, text};
use crate::io::{Fields, ReadAt, read_vec};

/// Which of the family it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variant {
    Fat12,
    Fat16,
    Fat32,
    ExFat,
}

impl Variant {
    /// Name for reports.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fat12 => "fat12",
            Self::Fat16 => "fat16",
            Self::Fat32 => "fat32",
            Self::ExFat => "exfat",
        }
    }
}

/// Where the root directory lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// In a place of its own before the clusters: offset and length in bytes.
    Fixed(u64, u64),
    /// In the chain that starts at this cluster.
    Chain(u32),
}

/// The layout of a volume, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) variant: Variant,
    /// Bytes of a cluster.
    pub(super) cluster: u64,
    /// Number of clusters; they are numbered from 2.
    pub(super) clusters: u32,
    /// Offset of cluster 2.
    pub(super) heap: u64,
    /// Offset of the table that is in use, and its length.
    pub(super) table: (u64, u64),
    /// Offset of the other table, where there is one.
    pub(super) mirror: Option<u64>,
    pub(super) root: Root,
    pub(super) size: u64,
    pub(super) label: Option<String>,
    pub(super) serial: Option<String>,
}

/// The first number of a cluster.
pub(super) const FIRST: u32 = 2;

impl Geometry {
    /// The layout that the first sector describes, where it is a boot sector of the family.
    pub(super) fn read(volume: &dyn ReadAt) -> Option<Self> {
        let sector = read_vec(volume, 0, 512).ok()?;
        let fields = Fields::new("FAT boot sector", &sector, 0);
        if fields.array(3).ok()? == *b"EXFAT   " { exfat(&fields) } else { fat(&fields) }
    }

    /// The offset of a cluster; `None` for a number that no cluster has.
    pub(super) fn offset(&self, cluster: u32) -> Option<u64> {
        let index = cluster.checked_sub(FIRST).filter(|&index| index < self.clusters)?;
        self.heap.checked_add(u64::from(index).checked_mul(self.cluster)?)
    }

    /// The offset from which directory slots are counted.
    pub(super) fn slots(&self) -> u64 {
        match self.root {
            Root::Fixed(start, _) => start,
            Root::Chain(_) => self.heap,
        }
    }
}

fn exfat(fields: &Fields<'_>) -> Option<Geometry> {
    let (sector_shift, cluster_shift) = (fields.u8(108).ok()?, fields.u8(109).ok()?);
    let shift = u32::from(sector_shift).checked_add(cluster_shift.into())?;
    if !(9..=12).contains(&sector_shift) || shift > 25 {
        return None;
    }
    let sectors = |count: u64| count.checked_mul(1 << sector_shift);
    let (start, length) = (u64::from(fields.le_u32(80).ok()?), u64::from(fields.le_u32(84).ok()?));
    let second = fields.le_u16(106).ok()? & 1 == 1 && fields.u8(110).ok()? == 2;
    let active = if second { start.checked_add(length)? } else { start };
    let heap = sectors(fields.le_u32(88).ok()?.into())?;
    let clusters = fields.le_u32(92).ok()?;
    if clusters == 0 || clusters > 0xffff_fff5 || length == 0 || heap == 0 {
        return None;
    }
    Some(Geometry {
        variant: Variant::ExFat,
        cluster: 1 << shift,
        clusters,
        heap,
        table: (sectors(active)?, sectors(length)?),
        mirror: None,
        root: Root::Chain(fields.le_u32(96).ok()?),
        size: sectors(fields.le_u64(72).ok()?)?,
        label: None,
        serial: serial(fields.le_u32(100).ok()?),
    })
}

fn fat(fields: &Fields<'_>) -> Option<Geometry> {
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
    let root_start = tables.checked_mul(table_sectors)?.checked_add(reserved)?;
    let system = root_start.checked_add(root_sectors)?;
    let clusters = u32::try_from(total.checked_sub(system)?.checked_div(cluster_sectors)?).ok()?;
    if table_sectors == 0 || clusters == 0 || clusters > 0x0fff_fff5 {
        return None;
    }
    // FAT32 has no 16-bit table length; between the others only the number of clusters decides.
    let variant = match (fields.le_u16(22).ok()?, clusters) {
        (0, _) => Variant::Fat32,
        (_, 0..4085) => Variant::Fat12,
        _ => Variant::Fat16,
    };
    let is_32 = variant == Variant::Fat32;
    // FAT32 can name the one table that is kept up to date; the others mirror the first.
    let flags = if is_32 { fields.le_u16(40).ok()? } else { 0 };
    let active = if flags & 0x80 == 0 { 0 } else { u64::from(flags & 0xf).min(tables.saturating_sub(1)) };
    let table = |number: u64| number.checked_mul(table_sectors)?.checked_add(reserved)?.checked_mul(sector);
    let extended = if is_32 { 66 } else { 38 };
    let has_label = fields.u8(extended).ok()? == 0x29;
    let label = fields.bytes(extended.saturating_add(5), 11).ok().filter(|_| has_label);
    Some(Geometry {
        variant,
        cluster: sector.checked_mul(cluster_sectors)?,
        clusters,
        heap: system.checked_mul(sector)?,
        table: (table(active)?, table_sectors.checked_mul(sector)?),
        mirror: if tables == 2 && flags & 0x80 == 0 { Some(table(1)?) } else { None },
        root: if is_32 {
            Root::Chain(fields.le_u32(44).ok()?)
        } else {
            Root::Fixed(root_start.checked_mul(sector)?, root_sectors.checked_mul(sector)?)
        },
        size: total.saturating_mul(sector),
        label: label.and_then(text).filter(|label| label != "NO NAME"),
        serial: fields.le_u32(extended.saturating_add(1)).ok().filter(|_| has_label).and_then(serial),
    })
}
