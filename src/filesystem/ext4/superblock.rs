//! The superblock (ext4 on-disk format, "Super Block"): 1,024 bytes at byte 1,024 of the volume, with
//! backups at the start of some block groups.

use super::checksum::crc32c;
use super::features::{self, Features};
use crate::error::{Error, Result};
use crate::io::{Fields, ReadAt, read_vec};

/// Where the primary superblock lies, and how long each one is.
pub(super) const OFFSET: u64 = 1024;
pub(super) const LENGTH: usize = 1024;

/// `s_magic`.
const MAGIC: u16 = 0xef53;

/// Largest `s_log_block_size`: 64 KiB.
const LOG_BLOCK_SIZE_MAX: u32 = 6;

/// Smallest group that `mke2fs` makes.
const GROUP_MIN: u64 = 256;

/// Groups in which a backup is looked for where the primary is gone: the first ones that have it with
/// `sparse_super`, which are also among those that have it without.
const BACKUP_GROUPS: [u64; 8] = [1, 3, 5, 7, 9, 25, 27, 49];

/// A superblock whose numbers fit each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Superblock {
    pub(super) features: Features,
    /// `s_inodes_count`.
    pub(super) inodes: u32,
    /// `s_blocks_count`, both halves.
    pub(super) blocks: u64,
    /// `s_first_data_block`: the first block of group 0.
    pub(super) first_data_block: u64,
    /// Base-two logarithm of the block size in bytes, 10 to 16.
    pub(super) block_bits: u32,
    /// Base-two logarithm of blocks in a cluster; 0 without bigalloc.
    pub(super) cluster_bits: u32,
    pub(super) blocks_per_group: u64,
    pub(super) inodes_per_group: u32,
    /// Bytes of an inode record, 128 to the block size.
    pub(super) inode_size: usize,
    /// Bytes of a group descriptor, 32 to 1,024.
    pub(super) descriptor_size: usize,
    /// `s_first_ino`: the first inode that is not reserved.
    pub(super) first_inode: u32,
    pub(super) uuid: [u8; 16],
    pub(super) label: Vec<u8>,
    pub(super) reserved_descriptor_blocks: u64,
    pub(super) first_meta_bg: u64,
    /// `s_backup_bgs`: the groups with a backup under sparse_super2.
    pub(super) backup_groups: [u32; 2],
    /// Start of all CRC-32C chains.
    pub(super) checksum_seed: u32,
    pub(super) journal_inode: u32,
    pub(super) journal_device: u32,
    /// Head of the list of orphan inodes.
    pub(super) last_orphan: u32,
    /// Inodes in which the file system keeps its own tables: quotas and orphans.
    pub(super) own_inodes: [u32; 4],
    /// The journal inode's block map and size, kept here in case that inode is damaged (`s_jnl_blocks`).
    pub(super) journal_backup: Option<([u8; 60], u64)>,
    /// `s_block_group_nr`: the group that this copy says it lies in.
    pub(super) group: u16,
    /// Whether the superblock's own checksum is right; true where there is none.
    pub(super) checksum_ok: bool,
}

impl Superblock {
    /// Parses the superblock in `bytes`, found at volume offset `at`.
    ///
    /// # Errors
    /// [`Kind::Corrupt`](crate::error::Kind::Corrupt) where the magic or a number that others depend on is
    /// out of range.
    pub(super) fn parse(bytes: &[u8], at: u64) -> Result<Self> {
        let sb = Fields::new("superblock", bytes, at);
        let within = |what, ok: bool, field: usize, expected: &str, found: u64| {
            if ok { Ok(()) } else { Err(Error::corrupt(sb.offset(field), what, expected, found)) }
        };
        let magic = sb.le_u16(0x38)?;
        within("superblock magic", magic == MAGIC, 0x38, "0xef53", magic.into())?;
        let features =
            Features { compat: sb.le_u32(0x5c)?, incompat: sb.le_u32(0x60)?, ro_compat: sb.le_u32(0x64)? };
        let log_block_size = sb.le_u32(0x18)?;
        within(
            "block size (log)",
            log_block_size <= LOG_BLOCK_SIZE_MAX,
            0x18,
            "0 to 6",
            log_block_size.into(),
        )?;
        let block_bits = log_block_size.saturating_add(10);
        let block_size = 1_u64 << block_bits;
        let cluster_bits = if features.has(features::BIGALLOC) {
            let log = sb.le_u32(0x1c)?;
            within(
                "cluster size (log)",
                (log_block_size..=20).contains(&log),
                0x1c,
                "that of blocks to 20",
                log.into(),
            )?;
            log.saturating_sub(log_block_size)
        } else {
            0
        };
        let high_blocks = if features.has(features::BIT64) { u64::from(sb.le_u32(0x150)?) << 32 } else { 0 };
        let blocks = high_blocks | u64::from(sb.le_u32(4)?);
        let first_data_block = u64::from(sb.le_u32(0x14)?);
        within(
            "block count",
            blocks > first_data_block && blocks < u64::MAX >> 17,
            4,
            "above the first block",
            blocks,
        )?;
        within("first data block", first_data_block <= 1, 0x14, "0 or 1", first_data_block)?;
        let blocks_per_group = u64::from(sb.le_u32(0x20)?);
        let bits_max = block_size.saturating_mul(8);
        let group_max = bits_max.checked_shl(cluster_bits).unwrap_or(u64::MAX);
        within(
            "blocks per group",
            (GROUP_MIN..=group_max).contains(&blocks_per_group)
                && blocks_per_group.trailing_zeros() >= cluster_bits,
            0x20,
            "256 to the bits of a bitmap block",
            blocks_per_group,
        )?;
        let inodes_per_group = sb.le_u32(0x28)?;
        within(
            "inodes per group",
            (1..=bits_max).contains(&inodes_per_group.into()),
            0x28,
            "1 to the bits of a bitmap block",
            inodes_per_group.into(),
        )?;
        let original = sb.le_u32(0x4c)? == 0;
        let inode_size = if original { 128 } else { sb.le_u16(0x58)? };
        within(
            "inode size",
            inode_size.is_power_of_two() && inode_size >= 128 && u64::from(inode_size) <= block_size,
            0x58,
            "a power of two from 128 to the block size",
            inode_size.into(),
        )?;
        let descriptor_size = if features.has(features::BIT64) { sb.le_u16(0xfe)? } else { 32 };
        within(
            "descriptor size",
            descriptor_size.is_power_of_two() && (32..=1024).contains(&descriptor_size),
            0xfe,
            "a power of two from 32 to 1024",
            descriptor_size.into(),
        )?;
        let uuid = sb.array(0x68)?;
        let label = sb.bytes(0x78, 16)?;
        let stored = sb.le_u32(0x3fc)?;
        let checked = features.has(features::METADATA_CSUM);
        Ok(Self {
            features,
            inodes: sb.le_u32(0)?,
            blocks,
            first_data_block,
            block_bits,
            cluster_bits,
            blocks_per_group,
            inodes_per_group,
            inode_size: inode_size.into(),
            descriptor_size: descriptor_size.into(),
            first_inode: if original { 11 } else { sb.le_u32(0x54)? },
            uuid,
            label: label.split(|byte| *byte == 0).next().unwrap_or_default().to_vec(),
            reserved_descriptor_blocks: sb.le_u16(0xce)?.into(),
            first_meta_bg: sb.le_u32(0x104)?.into(),
            backup_groups: [sb.le_u32(0x24c)?, sb.le_u32(0x250)?],
            checksum_seed: if features.has(features::CSUM_SEED) {
                sb.le_u32(0x270)?
            } else {
                crc32c(u32::MAX, &uuid)
            },
            journal_inode: sb.le_u32(0xe0)?,
            journal_device: sb.le_u32(0xe4)?,
            last_orphan: sb.le_u32(0xe8)?,
            own_inodes: [sb.le_u32(0x240)?, sb.le_u32(0x244)?, sb.le_u32(0x26c)?, sb.le_u32(0x280)?],
            journal_backup: journal_backup(&sb)?,
            group: sb.le_u16(0x5a)?,
            checksum_ok: !checked || crc32c(u32::MAX, sb.bytes(0, 0x3fc)?) == stored,
        })
    }

    /// Block size in bytes.
    pub(super) fn block_size(&self) -> u64 {
        1 << self.block_bits
    }

    /// Length of the file system in bytes.
    pub(super) fn size(&self) -> u64 {
        self.blocks.saturating_mul(self.block_size())
    }

    /// Number of block groups.
    pub(super) fn groups(&self) -> u64 {
        self.blocks.saturating_sub(self.first_data_block).div_ceil(self.blocks_per_group)
    }

    /// The first block of a group.
    pub(super) fn group_start(&self, group: u64) -> u64 {
        group.saturating_mul(self.blocks_per_group).saturating_add(self.first_data_block)
    }

    /// The block behind the last one of a group.
    pub(super) fn group_end(&self, group: u64) -> u64 {
        self.group_start(group).saturating_add(self.blocks_per_group).min(self.blocks)
    }

    /// Whether a group starts with a copy of the superblock.
    pub(super) fn has_superblock(&self, group: u64) -> bool {
        if self.features.has(features::SPARSE_SUPER2) {
            return group == 0
                || self.backup_groups.iter().any(|&backup| backup != 0 && u64::from(backup) == group);
        }
        if group <= 1 || !self.features.has(features::SPARSE_SUPER) {
            return true;
        }
        [3_u64, 5, 7].into_iter().any(|base| {
            let mut power = base;
            while power < group {
                power = power.saturating_mul(base);
            }
            power == group
        })
    }

    /// What the file system uses metadata checksums for: all of it, or nothing.
    pub(super) fn has_checksums(&self) -> bool {
        self.features.has(features::METADATA_CSUM)
    }

    /// The UUID as `blkid` prints it.
    pub(super) fn uuid_text(&self) -> String {
        uuid_text(&self.uuid)
    }
}

/// A UUID as text.
pub(super) fn uuid_text(uuid: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (position, byte) in uuid.iter().enumerate() {
        if matches!(position, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// `s_jnl_blocks`: 15 words of block map, then the high and low half of the size.
fn journal_backup(sb: &Fields<'_>) -> Result<Option<([u8; 60], u64)>> {
    if sb.u8(0xfd)? != 1 {
        return Ok(None);
    }
    let size = u64::from(sb.le_u32(0x10c + 60)?) << 32 | u64::from(sb.le_u32(0x10c + 64)?);
    Ok(Some((sb.array(0x10c)?, size)))
}

/// Reads the primary superblock.
///
/// # Errors
/// When it cannot be read or is no superblock.
pub(super) fn primary(volume: &dyn ReadAt) -> Result<Superblock> {
    Superblock::parse(&read_vec(volume, OFFSET, LENGTH)?, OFFSET)
}

/// Looks for a backup at the places that each block size leads to; the first that names its own group and
/// whose checksum is right.
pub(super) fn backup(volume: &dyn ReadAt) -> Option<Superblock> {
    for bits in 10..=10 + LOG_BLOCK_SIZE_MAX {
        let first = u64::from(bits == 10);
        for group in BACKUP_GROUPS {
            let per_group = 8_u64 << bits;
            let at = group.saturating_mul(per_group).saturating_add(first) << bits;
            let Ok(bytes) = read_vec(volume, at, LENGTH) else { break };
            let Ok(found) = Superblock::parse(&bytes, at) else { continue };
            let fits = found.block_bits == bits && found.blocks_per_group == per_group;
            if fits && u64::from(found.group) == group && found.checksum_ok {
                return Some(found);
            }
        }
    }
    None
}
