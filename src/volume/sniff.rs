//! Does a file system start here? A look at signatures only, to tell a boot sector from a partition table.
//!
//! The last two bytes of an NTFS or FAT boot sector are the same as those of a master boot record, and the
//! boot code where a record has its entries can look like any entries.

use crate::io::ReadAt;

/// Signatures by offset, each at a place that a master boot record uses for its code.
const SIGNATURES: &[(u64, &[u8])] = &[
    (3, b"NTFS    "),
    (3, b"EXFAT   "),
    (3, b"-FVE-FS-"),
    (3, b"ReFS\0\0\0\0"),
    (0, b"XFSB"),
    (0, b"LUKS\xba\xbe"),
    (0, b"hsqs"),
    (32, b"NXSB"),
];

/// Signatures beyond the first sector, which stay behind when a disk is partitioned anew.
const LATE_SIGNATURES: &[(u64, &[u8])] = &[
    (1080, &[0x53, 0xef]),
    (512, b"LABELONE"),
    (1024, b"H+\0\x04"),
    (1024, b"HX\0\x05"),
    (1024, &[0x10, 0x20, 0xf5, 0xf2]),
    (32_769, b"CD001"),
    (65_600, b"_BHRfS_M"),
];

/// Whether the sector at `offset` is itself the start of a file system or an encrypted volume.
pub(super) fn boot_sector(disk: &dyn ReadAt, offset: u64) -> bool {
    SIGNATURES.iter().any(|&(at, magic)| has(disk, offset, at, magic)) || fat(disk, offset)
}

/// Whether anything known starts at `offset`.
pub(super) fn volume(disk: &dyn ReadAt, offset: u64) -> bool {
    boot_sector(disk, offset) || LATE_SIGNATURES.iter().any(|&(at, magic)| has(disk, offset, at, magic))
}

/// Whether a file system, or what is encrypted, starts with the volume. What LVM2 itself leaves there is none.
pub(super) fn file_system(volume: &dyn ReadAt) -> bool {
    let late = LATE_SIGNATURES.iter().filter(|(_, magic)| *magic != b"LABELONE");
    boot_sector(volume, 0) || late.into_iter().any(|&(at, magic)| has(volume, 0, at, magic))
}

fn has(disk: &dyn ReadAt, offset: u64, at: u64, magic: &[u8]) -> bool {
    let mut found = [0; 8];
    let Some(found) = found.get_mut(..magic.len()) else { return false };
    offset.checked_add(at).is_some_and(|at| disk.read_at(at, found).is_ok()) && found == magic
}

/// A BIOS parameter block with values that FAT allows (Microsoft FAT specification, "Boot Sector and BPB").
fn fat(disk: &dyn ReadAt, offset: u64) -> bool {
    let mut sector = [0; 64];
    if disk.read_at(offset, &mut sector).is_err() {
        return false;
    }
    let byte = |at: usize| sector.get(at).copied().unwrap_or(0);
    let word = |at: usize| u16::from_le_bytes([byte(at), byte(at.saturating_add(1))]);
    let jump = (byte(0) == 0xeb && byte(2) == 0x90) || byte(0) == 0xe9;
    let total = u32::from(word(19)) | u32::from(word(32)) | u32::from(word(34));
    jump && matches!(word(11), 512 | 1024 | 2048 | 4096)
        && byte(13).is_power_of_two()
        && word(14) > 0
        && matches!(byte(16), 1 | 2)
        && (byte(21) == 0xf0 || byte(21) >= 0xf8)
        && total > 0
}
