//! Block group descriptors (ext4 on-disk format, "Block Group Descriptors").

use super::blocks::Blocks;
use super::checksum::{crc16, crc32c};
use super::features;
use super::superblock::Superblock;
use crate::error::{Error, Result};
use crate::io::Fields;

/// `EXT4_BG_INODE_UNINIT`: the group's inode bitmap has never been written.
const INODE_UNINIT: u16 = 1;
/// `EXT4_BG_BLOCK_UNINIT`: the group's block bitmap has never been written.
const BLOCK_UNINIT: u16 = 2;

/// A group's descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) block_bitmap: u64,
    pub(super) inode_bitmap: u64,
    pub(super) inode_table: u64,
    pub(super) flags: u16,
    /// CRC-32C of the two bitmaps, as far as the descriptor's size has room for it.
    pub(super) block_bitmap_checksum: u32,
    pub(super) inode_bitmap_checksum: u32,
    pub(super) checksum_ok: bool,
}

impl Group {
    /// Whether no inode of the group has ever been used.
    pub(super) fn inodes_unused(&self) -> bool {
        self.flags & INODE_UNINIT != 0
    }

    /// Whether the block bitmap has to be derived instead of read.
    pub(super) fn blocks_unused(&self) -> bool {
        self.flags & BLOCK_UNINIT != 0
    }

    fn parse(bytes: &[u8], at: u64, group: u64, sb: &Superblock) -> Result<Self> {
        let fields = Fields::new("group descriptor", bytes, at);
        let wide = sb.descriptor_size >= 64;
        let both = |low: usize, high: usize| -> Result<u64> {
            let upper = if wide { u64::from(fields.le_u32(high)?) << 32 } else { 0 };
            Ok(upper | u64::from(fields.le_u32(low)?))
        };
        let checksum = |low: usize, high: usize| -> Result<u32> {
            let upper = if wide { u32::from(fields.le_u16(high)?) << 16 } else { 0 };
            Ok(upper | u32::from(fields.le_u16(low)?))
        };
        let uninit = sb.has_checksums() || sb.features.has(features::GDT_CSUM);
        Ok(Self {
            block_bitmap: both(0, 0x20)?,
            inode_bitmap: both(4, 0x24)?,
            inode_table: both(8, 0x28)?,
            // Without checksums of groups the flags mean nothing.
            flags: if uninit { fields.le_u16(0x12)? } else { 0 },
            block_bitmap_checksum: checksum(0x18, 0x38)?,
            inode_bitmap_checksum: checksum(0x1a, 0x3a)?,
            checksum_ok: checksum_matches(&fields, group, sb)?,
        })
    }

    /// Whether the places that the descriptor names lie inside of the file system.
    fn fits(&self, sb: &Superblock) -> bool {
        let range = sb.first_data_block..sb.blocks;
        let table_end = self.inode_table.saturating_add(table_blocks(sb));
        range.contains(&self.block_bitmap)
            && range.contains(&self.inode_bitmap)
            && range.contains(&self.inode_table)
            && table_end <= sb.blocks
    }
}

/// `bg_checksum`: CRC-32C under `metadata_csum`, CRC-16 under `uninit_bg`, absent otherwise.
fn checksum_matches(fields: &Fields<'_>, group: u64, sb: &Superblock) -> Result<bool> {
    let stored = fields.le_u16(0x1e)?;
    let number = u32::try_from(group).unwrap_or(u32::MAX).to_le_bytes();
    let head = fields.bytes(0, 0x1e)?;
    let tail = fields.all().get(0x20..).unwrap_or_default();
    if sb.has_checksums() {
        let crc = [&number[..], head, &[0, 0], tail].into_iter().fold(sb.checksum_seed, crc32c);
        return Ok(crc & 0xffff == u32::from(stored));
    }
    if sb.features.has(features::GDT_CSUM) {
        return Ok([&sb.uuid[..], &number, head, tail].into_iter().fold(u16::MAX, crc16) == stored);
    }
    Ok(true)
}

/// Blocks of one group's inode table.
pub(super) fn table_blocks(sb: &Superblock) -> u64 {
    let size = u64::try_from(sb.inode_size).unwrap_or(u64::MAX);
    u64::from(sb.inodes_per_group).saturating_mul(size).div_ceil(sb.block_size())
}

/// All groups' descriptors; `None` for those that could not be read.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) all: Vec<Option<Group>>,
    pub(super) notes: Vec<String>,
}

impl Groups {
    /// Descriptor of `group`.
    ///
    /// # Errors
    /// [`Kind::NotFound`](crate::error::Kind::NotFound) outside of the table,
    /// [`Kind::Corrupt`](crate::error::Kind::Corrupt) where the descriptor could not be read.
    pub(super) fn get(&self, group: u64) -> Result<&Group> {
        let slot = usize::try_from(group).ok().and_then(|index| self.all.get(index));
        match slot {
            Some(Some(found)) => Ok(found),
            Some(None) => Err(Error::corrupt(
                0,
                "group descriptor",
                "a readable one",
                format!("none for group {group}"),
            )),
            None => Err(Error::new(crate::error::Kind::NotFound, format!("no block group {group}"))),
        }
    }

    /// Reads the descriptor table, block by block; where a descriptor is damaged, its backup is taken.
    pub(super) fn read(blocks: &Blocks, sb: &Superblock) -> Self {
        let size = u64::try_from(sb.descriptor_size).unwrap_or(64);
        let per_block = sb.block_size().checked_div(size).unwrap_or(1).max(1);
        let mut groups = Self::default();
        let (mut restored, mut damaged, mut wrong) = (0_u64, 0_u64, 0_u64);
        let backups = backup_groups(sb);
        let limit = groups_max(blocks, sb);
        damaged = damaged.saturating_add(sb.groups().saturating_sub(limit));
        for index in 0..limit.div_ceil(per_block) {
            let sources = sources(sb, index, per_block, &backups);
            let copies: Vec<_> = sources.iter().map(|&block| (block, blocks.read(block))).collect();
            if copies.iter().all(|(_, copy)| copy.is_err()) {
                damaged = damaged.saturating_add(limit.saturating_sub(index.saturating_mul(per_block)));
                // The table lies in one piece at the front: behind the end of a cut image nothing follows.
                break;
            }
            let first = index.saturating_mul(per_block);
            for group in first..first.saturating_add(per_block).min(limit) {
                let slot =
                    usize::try_from(group.saturating_sub(first).saturating_mul(size)).unwrap_or(usize::MAX);
                let parsed = copies.iter().map(|(block, copy)| {
                    let bytes = copy.as_ref().ok()?.get(slot..slot.checked_add(sb.descriptor_size)?)?;
                    let parsed = Group::parse(bytes, blocks.to_bytes(*block), group, sb).ok()?;
                    parsed.fits(sb).then_some(parsed)
                });
                let candidates: Vec<_> = parsed.collect();
                let sound = candidates.iter().position(|found| found.is_some_and(|found| found.checksum_ok));
                let chosen = sound.or_else(|| candidates.iter().position(Option::is_some));
                let found = chosen.and_then(|chosen| candidates.get(chosen).copied().flatten());
                restored = restored.saturating_add(u64::from(chosen.is_some_and(|chosen| chosen > 0)));
                wrong = wrong.saturating_add(u64::from(found.is_some_and(|found| !found.checksum_ok)));
                damaged = damaged.saturating_add(u64::from(found.is_none()));
                groups.all.push(found);
            }
        }
        for (count, text) in [
            (restored, "taken from a backup"),
            (wrong, "with a wrong checksum"),
            (damaged, "damaged, without a usable backup"),
        ] {
            if count > 0 {
                groups.notes.push(format!("{count} group descriptors {text}"));
            }
        }
        groups
    }
}

/// Groups whose descriptors are worth reading: those that start inside of the volume, and some more for a cut
/// volume, since flex_bg puts the tables of later groups in front.
fn groups_max(blocks: &Blocks, sb: &Superblock) -> u64 {
    let held = (blocks.volume_size() >> blocks.bits()).div_ceil(sb.blocks_per_group);
    sb.groups().min(held.saturating_mul(FLEX_GROUPS))
}

/// Groups of a flex group, as `mke2fs` makes them.
const FLEX_GROUPS: u64 = 16;

/// The first two groups, apart from group 0, that hold a copy of the descriptor table.
fn backup_groups(sb: &Superblock) -> Vec<u64> {
    let candidates =
        [1, 3, 5, 7, 9].into_iter().chain(sb.backup_groups.iter().map(|&group| u64::from(group)));
    candidates.filter(|&group| group > 0 && group < sb.groups() && sb.has_superblock(group)).take(2).collect()
}

/// The blocks that hold block `index` of the descriptor table, the primary one first.
fn sources(sb: &Superblock, index: u64, per_block: u64, backups: &[u64]) -> Vec<u64> {
    if sb.features.has(features::META_BG) && index >= sb.first_meta_bg {
        // The first, second and last group of a meta group hold its descriptors, behind the superblock.
        let first = index.saturating_mul(per_block);
        let last = first.saturating_add(per_block).saturating_sub(1);
        let members = [first, first.saturating_add(1), last].into_iter().filter(|&group| group < sb.groups());
        return members
            .map(|group| {
                // With blocks of 1 KiB and no block 0 of its own, group 0 still starts with the boot block.
                let boot = group == 0 && sb.block_bits == 10 && sb.first_data_block == 0;
                let before = u64::from(sb.has_superblock(group)).saturating_add(u64::from(boot));
                sb.group_start(group).saturating_add(before)
            })
            .collect();
    }
    let primary = u64::from(sb.block_bits == 10).saturating_add(1).saturating_add(index);
    let copies = backups.iter().map(|&group| sb.group_start(group).saturating_add(1).saturating_add(index));
    std::iter::once(primary).chain(copies).collect()
}

/// Blocks at the start of `group` that hold the superblock and group descriptors, reserved ones included.
pub(super) fn base_blocks(sb: &Superblock, group: u64) -> u64 {
    let size = u64::try_from(sb.descriptor_size).unwrap_or(64);
    let per_block = sb.block_size().checked_div(size).unwrap_or(1).max(1);
    let superblock = u64::from(sb.has_superblock(group));
    let index = group.checked_div(per_block).unwrap_or(0);
    if sb.features.has(features::META_BG) && index >= sb.first_meta_bg {
        let inside = group.checked_rem(per_block).unwrap_or(0);
        let holds = inside <= 1 || inside == per_block.saturating_sub(1);
        return superblock.saturating_add(u64::from(holds));
    }
    if superblock == 0 {
        return 0;
    }
    let table = if sb.features.has(features::META_BG) {
        sb.first_meta_bg
    } else {
        sb.groups().div_ceil(per_block).saturating_add(sb.reserved_descriptor_blocks)
    };
    table.saturating_add(1)
}
