//! File systems with a signature at a fixed place that are not read.

use super::{bytes_at, text, unsupported, uuid};
use crate::error::Result;
use crate::filesystem::{Facts, Kind, Recognised};
use crate::io::{Fields, ReadAt};
use std::sync::Arc;

/// XFS ("XFS Algorithms & Data Structures", Superblocks).
pub(in crate::filesystem) const XFS: Kind =
    Kind { name: "xfs", probe: |volume| look(volume, 0, b"XFSB", 0, xfs) };

/// btrfs (btrfs documentation, "On-disk format", Superblock).
pub(in crate::filesystem) const BTRFS: Kind =
    Kind { name: "btrfs", probe: |volume| look(volume, 0x1_0000, b"_BHRfS_M", 0x40, btrfs) };

/// ISO 9660 (ECMA-119, section 8.4, Primary Volume Descriptor).
pub(in crate::filesystem) const ISO9660: Kind =
    Kind { name: "iso9660", probe: |volume| look(volume, 0x8000, b"CD001", 1, iso9660) };

/// Squashfs 4 (kernel documentation, "Squashfs 4.0 Filesystem").
pub(in crate::filesystem) const SQUASHFS: Kind =
    Kind { name: "squashfs", probe: |volume| look(volume, 0, b"hsqs", 0, squashfs) };

/// `ReFS` (libfsrefs, "Resilient File System (ReFS)", Volume header).
pub(in crate::filesystem) const REFS: Kind =
    Kind { name: "refs", probe: |volume| look(volume, 0, b"ReFS\0\0\0\0", 3, refs) };

/// APFS ("Apple File System Reference", Container).
pub(in crate::filesystem) const APFS: Kind =
    Kind { name: "apfs", probe: |volume| look(volume, 0, b"NXSB", 32, apfs) };

/// HFS+ (Apple Technical Note TN1150, Volume Header).
pub(in crate::filesystem) const HFS_PLUS: Kind =
    Kind { name: "hfsplus", probe: |volume| look(volume, 1024, b"H+\0\x04", 0, hfs_plus) };

/// HFSX (Apple Technical Note TN1150, HFSX).
pub(in crate::filesystem) const HFSX: Kind =
    Kind { name: "hfsx", probe: |volume| look(volume, 1024, b"HX\0\x05", 0, hfs_plus) };

/// F2FS (`linux/f2fs_fs.h`, `struct f2fs_super_block`).
pub(in crate::filesystem) const F2FS: Kind =
    Kind { name: "f2fs", probe: |volume| look(volume, 1024, &[0x10, 0x20, 0xf5, 0xf2], 0, f2fs) };

type ReadFacts = fn(&Fields<'_>) -> Result<Facts>;

/// Reads the superblock at `at` where `magic` stands at `magic_at` of it.
fn look(
    volume: &Arc<dyn ReadAt>,
    at: u64,
    magic: &[u8],
    magic_at: usize,
    facts: ReadFacts,
) -> Option<Recognised> {
    let bytes: [u8; 1024] = bytes_at(volume.as_ref(), at)?;
    let fields = Fields::new("superblock", &bytes, at);
    if fields.bytes(magic_at, magic.len()).ok()? != magic {
        return None;
    }
    facts(&fields).ok().map(unsupported)
}

fn xfs(fields: &Fields<'_>) -> Result<Facts> {
    let block_size = u64::from(fields.be_u32(4)?);
    Ok(Facts {
        kind: XFS.name,
        label: text(fields.bytes(108, 12)?),
        uuid: uuid(fields.bytes(32, 16)?),
        block_size,
        size: fields.be_u64(8)?.saturating_mul(block_size),
        ..Facts::default()
    })
}

fn btrfs(fields: &Fields<'_>) -> Result<Facts> {
    let devices = fields.le_u64(0x88)?;
    let notes = if devices > 1 { vec![format!("one of {devices} devices")] } else { Vec::new() };
    Ok(Facts {
        kind: BTRFS.name,
        label: text(fields.bytes(0x12b, 256)?),
        uuid: uuid(fields.bytes(0x20, 16)?),
        block_size: fields.le_u32(0x90)?.into(),
        size: fields.le_u64(0x70)?,
        notes,
        ..Facts::default()
    })
}

fn iso9660(fields: &Fields<'_>) -> Result<Facts> {
    let block_size = u64::from(fields.le_u16(128)?);
    Ok(Facts {
        kind: ISO9660.name,
        label: text(fields.bytes(40, 32)?),
        block_size,
        size: u64::from(fields.le_u32(80)?).saturating_mul(block_size),
        ..Facts::default()
    })
}

fn squashfs(fields: &Fields<'_>) -> Result<Facts> {
    Ok(Facts {
        kind: SQUASHFS.name,
        block_size: fields.le_u32(12)?.into(),
        size: fields.le_u64(40)?,
        ..Facts::default()
    })
}

fn refs(fields: &Fields<'_>) -> Result<Facts> {
    let sector = u64::from(fields.le_u32(32)?);
    Ok(Facts {
        kind: REFS.name,
        uuid: Some(format!("{:016X}", fields.le_u64(56)?)),
        block_size: u64::from(fields.le_u32(36)?).saturating_mul(sector),
        size: fields.le_u64(24)?.saturating_mul(sector),
        ..Facts::default()
    })
}

fn apfs(fields: &Fields<'_>) -> Result<Facts> {
    let block_size = u64::from(fields.le_u32(36)?);
    Ok(Facts {
        kind: APFS.name,
        uuid: uuid(fields.bytes(72, 16)?),
        block_size,
        size: fields.le_u64(40)?.saturating_mul(block_size),
        ..Facts::default()
    })
}

fn hfs_plus(fields: &Fields<'_>) -> Result<Facts> {
    let block_size = u64::from(fields.be_u32(40)?);
    let kind = if fields.be_u16(2)? == 5 { HFSX.name } else { HFS_PLUS.name };
    let size = u64::from(fields.be_u32(44)?).saturating_mul(block_size);
    Ok(Facts { kind, block_size, size, ..Facts::default() })
}

fn f2fs(fields: &Fields<'_>) -> Result<Facts> {
    let block_size = 1u64.checked_shl(fields.le_u32(16)?).unwrap_or(0);
    Ok(Facts {
        kind: F2FS.name,
        uuid: uuid(fields.bytes(108, 16)?),
        block_size,
        size: fields.le_u64(36)?.saturating_mul(block_size),
        ..Facts::default()
    })
}
