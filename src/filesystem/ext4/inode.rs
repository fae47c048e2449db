//! Inode records (ext4 on-disk format, "Index Nodes").

use super::checksum::crc32c;
use super::features;
use super::superblock::Superblock;
use crate::filesystem::{EntryKind, Owner, Times};
use jiff::Timestamp;

/// Bytes of the original inode, which every record has.
pub(super) const ORIGINAL: usize = 128;

/// Bytes of `i_block`.
pub(super) const BLOCK_AREA: usize = 60;

/// Offset of `i_block`.
pub(super) const BLOCK_AREA_AT: usize = 0x28;

/// `i_flags`.
pub(super) mod flags {
    pub(in super::super) const ENCRYPT: u32 = 0x800;
    pub(in super::super) const EXTENTS: u32 = 0x8_0000;
    pub(in super::super) const VERITY: u32 = 0x10_0000;
    pub(in super::super) const EA_INODE: u32 = 0x20_0000;
    pub(in super::super) const INLINE_DATA: u32 = 0x1000_0000;
    pub(in super::super) const CASEFOLD: u32 = 0x4000_0000;
}

/// An inode's record. Fields behind its end, or behind what `i_extra_isize` says is in use, read as zero.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inode<'a> {
    pub(super) number: u32,
    /// The record, at least [`ORIGINAL`] bytes long.
    pub(super) bytes: &'a [u8],
    /// Home volume offset of the record.
    pub(super) place: u64,
}

impl<'a> Inode<'a> {
    fn u16(&self, at: usize) -> u16 {
        self.bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u16::from_le_bytes(*bytes))
    }

    fn u32(&self, at: usize) -> u32 {
        self.bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    /// A 32-bit field of the extra part, if the record has it.
    fn extra(&self, at: usize) -> Option<u32> {
        (at.saturating_add(4) <= self.used()).then(|| self.u32(at))
    }

    /// Bytes of the record that hold fields: the original ones and `i_extra_isize`.
    pub(super) fn used(&self) -> usize {
        if self.bytes.len() <= ORIGINAL {
            return ORIGINAL;
        }
        let used = usize::from(self.u16(0x80)).saturating_add(ORIGINAL);
        if used % 4 == 0 && used <= self.bytes.len() { used } else { ORIGINAL }
    }

    /// Whether all of the record is zero.
    pub(super) fn is_blank(&self) -> bool {
        self.bytes.iter().all(|byte| *byte == 0)
    }

    /// `i_mode`.
    pub(super) fn mode(&self) -> u16 {
        self.u16(0)
    }

    /// What the mode's type bits say.
    pub(super) fn kind(&self) -> EntryKind {
        match self.mode() >> 12 {
            0x8 => EntryKind::File,
            0x4 => EntryKind::Directory,
            0xa => EntryKind::Symlink,
            0x1 | 0x2 | 0x6 | 0xc => EntryKind::Special,
            _ => EntryKind::Unknown,
        }
    }

    /// `i_links_count`.
    pub(super) fn links(&self) -> u16 {
        self.u16(0x1a)
    }

    /// `i_flags`.
    pub(super) fn has(&self, flag: u32) -> bool {
        self.u32(0x20) & flag != 0
    }

    /// `i_generation`.
    pub(super) fn generation(&self) -> u32 {
        self.u32(0x64)
    }

    /// `i_dtime`, which is the next orphan's number while the inode is on the orphan list.
    pub(super) fn deletion(&self) -> u32 {
        self.u32(0x14)
    }

    /// Length of the content in bytes. The upper half counts for regular files, and for directories under
    /// `large_dir`; elsewhere it was `i_dir_acl` once.
    pub(super) fn size(&self, sb: &Superblock) -> u64 {
        let wide = match self.kind() {
            EntryKind::File => true,
            EntryKind::Directory => sb.features.has(features::LARGE_DIR),
            _ => false,
        };
        u64::from(self.u32(4)) | if wide { u64::from(self.u32(0x6c)) << 32 } else { 0 }
    }

    /// Length of a symbolic link's target: the lower half of the size is all that counts there.
    pub(super) fn link_size(&self) -> u64 {
        self.u32(4).into()
    }

    /// `i_blocks`, in whatever unit, both halves.
    pub(super) fn blocks(&self) -> u64 {
        u64::from(self.u32(0x1c)) | u64::from(self.u16(0x74)) << 32
    }

    /// `i_file_acl`: the block of extended attributes, 0 for none.
    pub(super) fn attribute_block(&self) -> u64 {
        u64::from(self.u32(0x68)) | u64::from(self.u16(0x76)) << 32
    }

    /// `i_block`.
    pub(super) fn block_area(&self) -> &'a [u8] {
        self.bytes.get(BLOCK_AREA_AT..BLOCK_AREA_AT + BLOCK_AREA).unwrap_or_default()
    }

    /// Who owns it.
    pub(super) fn owner(&self) -> Owner {
        let both = |low: usize, high: usize| u32::from(self.u16(low)) | u32::from(self.u16(high)) << 16;
        Owner { uid: Some(both(2, 0x78)), gid: Some(both(0x18, 0x7a)), mode: Some(self.mode() & 0o7777) }
    }

    /// The times; the deletion time is left to callers, who know whether the inode is an orphan.
    pub(super) fn times(&self) -> Times {
        Times {
            modified: timestamp(self.u32(0x10), self.extra(0x88)),
            accessed: timestamp(self.u32(8), self.extra(0x8c)),
            changed: timestamp(self.u32(0xc), self.extra(0x84)),
            created: self.extra(0x90).and_then(|seconds| timestamp(seconds, self.extra(0x94))),
            deleted: None,
        }
    }

    /// `i_dtime` as a time, where it is set. It has no second word: it is taken as unsigned, which holds
    /// until 2106.
    pub(super) fn deletion_time(&self) -> Option<Timestamp> {
        match self.deletion() {
            0 => None,
            seconds => Timestamp::from_second(i64::from(seconds)).ok(),
        }
    }

    /// Start of the CRC-32C chains over the inode's own metadata.
    pub(super) fn checksum_seed(&self, sb: &Superblock) -> u32 {
        crc32c(crc32c(sb.checksum_seed, &self.number.to_le_bytes()), &self.generation().to_le_bytes())
    }

    /// Whether `i_checksum` is right; true where there are no checksums.
    pub(super) fn checksum_ok(&self, sb: &Superblock) -> bool {
        if !sb.has_checksums() {
            return true;
        }
        let part = |range: std::ops::Range<usize>| self.bytes.get(range).unwrap_or_default();
        let wide = self.used() >= 0x84;
        let rest = if wide {
            [part(0x80..0x82), &[0, 0], part(0x84..self.bytes.len())]
        } else {
            [part(0x80..self.bytes.len()), &[], &[]]
        };
        let chain = [part(0..0x7c), &[0, 0], part(0x7e..0x80)].into_iter().chain(rest);
        let found = chain.fold(self.checksum_seed(sb), crc32c);
        let low = u32::from(self.u16(0x7c));
        if wide { found == low | u32::from(self.u16(0x82)) << 16 } else { found & 0xffff == low }
    }
}

/// Seconds since 1970, signed, with the extra word: two bits that extend the seconds, thirty of nanoseconds.
/// Nanoseconds out of range are taken as zero.
fn timestamp(seconds: u32, extra: Option<u32>) -> Option<Timestamp> {
    let extra = extra.unwrap_or(0);
    let epoch = i64::from(extra & 3) << 32;
    let seconds = i64::from(i32::from_le_bytes(seconds.to_le_bytes())).saturating_add(epoch);
    let nanoseconds = i32::try_from(extra >> 2).ok().filter(|nanoseconds| *nanoseconds < 1_000_000_000);
    Timestamp::new(seconds, nanoseconds.unwrap_or(0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_and_after_2038_are_right() {
        // The values are those of the table "Inode Timestamps" of the kernel's ext4 documentation.
        let cases = [
            (0xffff_ffff, None, "1969-12-31T23:59:59Z"),
            (0x8000_0000, Some(0), "1901-12-13T20:45:52Z"),
            (0x8000_0000, Some(1), "2038-01-19T03:14:08Z"),
            (0x7fff_ffff, Some(1), "2174-02-25T09:42:23Z"),
            (0x0000_0000, Some(2), "2242-03-16T12:56:32Z"),
            (0x7fff_ffff, Some(3), "2446-05-10T22:38:55Z"),
            (1, Some(999_999_999 << 2), "1970-01-01T00:00:01.999999999Z"),
            (1, Some(0x3fff_ffff << 2), "1970-01-01T00:00:01Z"),
        ];
        for (seconds, extra, expected) in cases {
            let expected: Timestamp = expected.parse().unwrap();
            assert_eq!(timestamp(seconds, extra), Some(expected), "{seconds:#x} {extra:?}");
        }
    }
}
