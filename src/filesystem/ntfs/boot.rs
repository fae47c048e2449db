//! The boot sector (`$Boot`, first sector of the volume) and its copy in the volume's last sector.
//!
//! Field offsets as in the NTFS documentation of the Linux-NTFS project, "Boot sector" (`NTFS_BOOT_SECTOR`).

use crate::error::{Error, Result};
use crate::io::{Fields, ReadAt, read_vec};

/// Bytes of the boot sector that hold fields.
const BOOT_LENGTH: usize = 512;
/// The OEM name at byte 3.
const OEM: &[u8] = b"NTFS    ";
/// Largest cluster that Windows formats.
const CLUSTER_SIZE_MAX: u64 = 2 << 20;
/// Largest file or index record accepted; 1 KiB and 4 KiB are the usual ones.
const RECORD_SIZE_MAX: usize = 64 << 10;
/// The usual length of an index record.
const INDEX_SIZE: usize = 4096;
/// Fixups protect 512-byte strides, so that nothing smaller is a record.
const RECORD_SIZE_MIN: usize = 512;

/// The layout of a volume as its boot sector gives it. All offsets and lengths are bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    /// 512 to 4096.
    pub(super) sector_size: u64,
    /// A power of two, up to 2 MiB.
    pub(super) cluster_size: u64,
    /// Whole clusters of the volume.
    pub(super) clusters: u64,
    /// Length of the file system, the backup boot sector included.
    pub(super) size: u64,
    /// Length of a file record.
    pub(super) record_size: usize,
    /// Length of an index record.
    pub(super) index_size: usize,
    /// Start of `$MFT`.
    pub(super) mft: u64,
    /// Start of `$MFTMirr`.
    pub(super) mirror: u64,
    /// Volume serial number.
    pub(super) serial: u64,
}

/// A boot sector that was found, and what had to be done to get it.
#[derive(Debug)]
pub(super) struct Found {
    /// The layout.
    pub(super) geometry: Geometry,
    /// What was wrong with the first sector, where the backup was used.
    pub(super) note: Option<String>,
}

/// Looks for a boot sector at the start, then for the backup in the last sector. `None` when the volume is
/// something else; an error when it is NTFS beyond doubt and neither copy makes sense.
pub(super) fn find(volume: &dyn ReadAt) -> Option<Result<Found>> {
    let first = match read_vec(volume, 0, BOOT_LENGTH) {
        Ok(first) => first,
        // A first sector that cannot be read may still have its backup.
        Err(_) if volume.size() > 4096 => Vec::new(),
        Err(_) => return None,
    };
    let is_ntfs = first.get(3..11) == Some(OEM);
    if !is_ntfs && belongs_to_another(volume, &first) {
        return None;
    }
    let problem = match parse(&first, 0) {
        Ok(geometry) => return Some(Ok(Found { geometry, note: None })),
        Err(problem) => problem,
    };
    match backup(volume) {
        Some(geometry) => {
            let note = format!("boot sector unusable ({problem}), its backup in the last sector is used");
            Some(Ok(Found { geometry, note: Some(note) }))
        }
        None => is_ntfs.then_some(Err(problem)),
    }
}

/// Whether the start of the volume carries the mark of another file system: a backup in the last sector is
/// then a relic of an earlier one.
fn belongs_to_another(volume: &dyn ReadAt, first: &[u8]) -> bool {
    // The superblock magic of ext2, ext3 and ext4, and the signature of any other boot sector.
    let ext = read_vec(volume, 1080, 2).is_ok_and(|magic| magic == [0x53, 0xef]);
    ext || first.get(510..512) == Some(&[0x55, 0xaa])
}

/// The backup boot sector: the last sector of the volume, whatever its size.
fn backup(volume: &dyn ReadAt) -> Option<Geometry> {
    [512_u64, 1024, 2048, 4096].into_iter().find_map(|sector_size| {
        let at = volume.size().checked_sub(sector_size).filter(|&at| at > 0)?;
        let bytes = read_vec(volume, at, BOOT_LENGTH).ok()?;
        let geometry = parse(&bytes, at).ok()?;
        (geometry.sector_size == sector_size && geometry.size == volume.size()).then_some(geometry)
    })
}

fn parse(bytes: &[u8], at: u64) -> Result<Geometry> {
    let fields = Fields::new("NTFS boot sector", bytes, at);
    if fields.bytes(3, 8)? != OEM {
        let found = crate::location::escape(fields.bytes(3, 8)?);
        return Err(Error::corrupt(fields.offset(3), "OEM name", "\"NTFS    \"", found));
    }
    let sector_size = u64::from(fields.le_u16(0x0b)?);
    if !matches!(sector_size, 512 | 1024 | 2048 | 4096) {
        return Err(Error::corrupt(fields.offset(0x0b), "sector size", "512 to 4096", sector_size));
    }
    let cluster_size = cluster_size(&fields, sector_size)?;
    let sectors = fields.le_u64(0x28)?;
    // The count leaves out the backup boot sector behind the last one.
    let size = sectors
        .checked_add(1)
        .and_then(|all| all.checked_mul(sector_size))
        .filter(|&size| sectors > 0 && i64::try_from(size).is_ok())
        .ok_or_else(|| Error::corrupt(fields.offset(0x28), "total sectors", "1 to 2^63 bytes", sectors))?;
    let clusters = size.saturating_sub(sector_size) / cluster_size;
    let start = |field: usize| {
        let cluster = fields.le_u64(field)?;
        cluster.checked_mul(cluster_size).filter(|_| cluster < clusters).ok_or_else(|| {
            Error::corrupt(fields.offset(field), "table's cluster", format!("below {clusters}"), cluster)
        })
    };
    Ok(Geometry {
        sector_size,
        cluster_size,
        clusters,
        size,
        record_size: record_size(&fields, 0x40, cluster_size)?,
        // Directories alone depend on it.
        index_size: record_size(&fields, 0x44, cluster_size).unwrap_or(INDEX_SIZE),
        mft: start(0x30)?,
        mirror: start(0x38)?,
        serial: fields.le_u64(0x48)?,
    })
}

/// Sectors per cluster: a power of two up to 128, or above 0xF3 the negative binary exponent.
fn cluster_size(fields: &Fields<'_>, sector_size: u64) -> Result<u64> {
    let code = fields.u8(0x0d)?;
    let sectors = match code {
        1 | 2 | 4 | 8 | 16 | 32 | 64 | 128 => Some(u64::from(code)),
        0xf4..=0xff => 1_u64.checked_shl(256_u32.saturating_sub(u32::from(code))),
        _ => None,
    };
    sectors
        .and_then(|sectors| sectors.checked_mul(sector_size))
        .filter(|&size| size <= CLUSTER_SIZE_MAX)
        .ok_or_else(|| {
            Error::corrupt(fields.offset(0x0d), "sectors per cluster", "clusters of up to 2 MiB", code)
        })
}

/// Clusters per record where positive, negative binary exponent of its bytes otherwise.
fn record_size(fields: &Fields<'_>, at: usize, cluster_size: u64) -> Result<usize> {
    let code = i8::from_le_bytes(fields.array(at)?);
    let size = match u64::try_from(code) {
        Ok(clusters) => clusters.checked_mul(cluster_size),
        Err(_) => 1_u64.checked_shl(u32::from(code.unsigned_abs())),
    };
    size.and_then(|size| usize::try_from(size).ok())
        .filter(|size| size.is_power_of_two() && (RECORD_SIZE_MIN..=RECORD_SIZE_MAX).contains(size))
        .ok_or_else(|| Error::corrupt(fields.offset(at), "record size", "512 bytes to 64 KiB", code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sector(sector_size: u16, per_cluster: u8, record: i8) -> Vec<u8> {
        let mut bytes = vec![0; 512];
        bytes[3..11].copy_from_slice(OEM);
        bytes[0x0b..0x0d].copy_from_slice(&sector_size.to_le_bytes());
        bytes[0x0d] = per_cluster;
        bytes[0x28..0x30].copy_from_slice(&1_000_000_u64.to_le_bytes());
        bytes[0x30] = 4;
        bytes[0x38] = 2;
        bytes[0x40] = record.to_le_bytes()[0];
        bytes[0x44] = 1;
        bytes
    }

    #[test]
    fn sizes_are_decoded_from_both_encodings() {
        for (sector_size, per_cluster, record, cluster, record_size) in [
            (512, 8, -10, 4096, 1024),
            (512, 1, 2, 512, 1024),
            (4096, 1, 1, 4096, 4096),
            (512, 0xf4, -10, 512 * 4096, 1024),
            (512, 0xf8, -12, 512 * 256, 4096),
        ] {
            let geometry = parse(&sector(sector_size, per_cluster, record), 0).unwrap();
            assert_eq!((geometry.cluster_size, geometry.record_size), (cluster, record_size));
        }
    }

    #[test]
    fn impossible_sizes_are_refused_with_the_value_found() {
        for (sector_size, per_cluster, record, message) in [
            (513, 8, -10, "sector size: expected 512 to 4096, found 513"),
            (512, 3, -10, "sectors per cluster: expected clusters of up to 2 MiB, found 3"),
            (4096, 0xf4, -10, "sectors per cluster: expected clusters of up to 2 MiB, found 244"),
            (512, 8, -63, "record size: expected 512 bytes to 64 KiB, found -63"),
            (512, 8, 0, "record size: expected 512 bytes to 64 KiB, found 0"),
            (512, 8, -128, "record size: expected 512 bytes to 64 KiB, found -128"),
        ] {
            let error = parse(&sector(sector_size, per_cluster, record), 0).unwrap_err();
            assert!(error.to_string().ends_with(message), "{error}");
        }
    }
}
