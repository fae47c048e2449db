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

/// Largest `s_log_cluster_size`: 1 GiB.
const LOG_CLUSTER_SIZE_MAX: u32 = 20;

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
    /// Inodes in which the file system keeps its own tables: quotas and orphans.
    pub(super) own_inodes: [u32; 4],
    /// `s_last_orphan`: where the list of inodes starts that are removed or truncated but not done with.
    pub(super) last_orphan: u32,
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
        let magic = sb.le_u16(0x38)?;
        check(sb.offset(0x38), magic == MAGIC, "superblock magic", ("0xef53", magic.into()))?;
        let features =
            Features { compat: sb.le_u32(0x5c)?, incompat: sb.le_u32(0x60)?, ro_compat: sb.le_u32(0x64)? };
        let (block_bits, cluster_bits) = block_sizes(&sb, features)?;
        let (blocks, first_data_block) = block_count(&sb, features)?;
        let (blocks_per_group, inodes_per_group) = group_sizes(&sb, block_bits, cluster_bits)?;
        let (inode_size, descriptor_size) = record_sizes(&sb, features, block_bits)?;
        let uuid = sb.array(0x68)?;
        let own_seed = features.has(features::CSUM_SEED);
        let label = sb.bytes(0x78, 16)?;
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
            inode_size,
            descriptor_size,
            first_inode: if is_original(&sb)? { 11 } else { sb.le_u32(0x54)? },
            uuid,
            label: label.split(|byte| *byte == 0).next().unwrap_or_default().to_vec(),
            reserved_descriptor_blocks: sb.le_u16(0xce)?.into(),
            first_meta_bg: sb.le_u32(0x104)?.into(),
            backup_groups: [sb.le_u32(0x24c)?, sb.le_u32(0x250)?],
            checksum_seed: if own_seed { sb.le_u32(0x270)? } else { crc32c(u32::MAX, &uuid) },
            journal_inode: sb.le_u32(0xe0)?,
            journal_device: sb.le_u32(0xe4)?,
            own_inodes: [sb.le_u32(0x240)?, sb.le_u32(0x244)?, sb.le_u32(0x26c)?, sb.le_u32(0x280)?],
            last_orphan: sb.le_u32(0xe8)?,
            journal_backup: journal_backup(&sb)?,
            group: sb.le_u16(0x5a)?,
            checksum_ok: !checked || crc32c(u32::MAX, sb.bytes(0, 0x3fc)?) == sb.le_u32(0x3fc)?,
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

/// Fails with what was expected and found unless `ok`.
fn check(at: u64, ok: bool, what: &str, (expected, found): (&str, u64)) -> Result<()> {
    if ok { Ok(()) } else { Err(Error::corrupt(at, what, expected, found)) }
}

/// Revision 0, whose inodes have 128 bytes and which reserves ten of them.
fn is_original(sb: &Fields<'_>) -> Result<bool> {
    Ok(sb.le_u32(0x4c)? == 0)
}

/// Base-two logarithms of the block size in bytes, and of the cluster size in blocks.
fn block_sizes(sb: &Fields<'_>, features: Features) -> Result<(u32, u32)> {
    let log = sb.le_u32(0x18)?;
    check(sb.offset(0x18), log <= LOG_BLOCK_SIZE_MAX, "block size (log)", ("0 to 6", log.into()))?;
    let bits = log.saturating_add(10);
    if !features.has(features::BIGALLOC) {
        return Ok((bits, 0));
    }
    let cluster = sb.le_u32(0x1c)?;
    let fits = (log..=LOG_CLUSTER_SIZE_MAX).contains(&cluster);
    check(sb.offset(0x1c), fits, "cluster size (log)", ("that of blocks to 20", cluster.into()))?;
    Ok((bits, cluster.saturating_sub(log)))
}

/// Number of blocks, and the first block of group 0.
fn block_count(sb: &Fields<'_>, features: Features) -> Result<(u64, u64)> {
    let high = if features.has(features::BIT64) { u64::from(sb.le_u32(0x150)?) << 32 } else { 0 };
    let blocks = high | u64::from(sb.le_u32(4)?);
    let first = u64::from(sb.le_u32(0x14)?);
    check(sb.offset(0x14), first <= 1, "first data block", ("0 or 1", first))?;
    // Their length in bytes has to fit into 64 bits for any block size.
    let fits = blocks > first && blocks < u64::MAX >> 17;
    check(sb.offset(4), fits, "block count", ("above the first block, below 2^47", blocks))?;
    Ok((blocks, first))
}

/// Blocks and inodes of a group: one block of bitmap has to do for either.
fn group_sizes(sb: &Fields<'_>, block_bits: u32, cluster_bits: u32) -> Result<(u64, u32)> {
    let bits = 8_u64 << block_bits;
    let blocks = u64::from(sb.le_u32(0x20)?);
    let fits =
        (GROUP_MIN..=bits << cluster_bits).contains(&blocks) && blocks.trailing_zeros() >= cluster_bits;
    check(sb.offset(0x20), fits, "blocks per group", ("256 to the bits of a bitmap block", blocks))?;
    let inodes = sb.le_u32(0x28)?;
    let fits = (1..=bits).contains(&inodes.into());
    check(sb.offset(0x28), fits, "inodes per group", ("1 to the bits of a bitmap block", inodes.into()))?;
    Ok((blocks, inodes))
}

/// Bytes of an inode and of a group descriptor.
fn record_sizes(sb: &Fields<'_>, features: Features, block_bits: u32) -> Result<(usize, usize)> {
    let inode = if is_original(sb)? { 128 } else { sb.le_u16(0x58)? };
    let fits = inode.is_power_of_two() && inode >= 128 && u64::from(inode) <= 1 << block_bits;
    check(sb.offset(0x58), fits, "inode size", ("a power of two, 128 to the block size", inode.into()))?;
    let descriptor = if features.has(features::BIT64) { sb.le_u16(0xfe)? } else { 32 };
    let fits = descriptor.is_power_of_two() && (32..=1024).contains(&descriptor);
    check(sb.offset(0xfe), fits, "descriptor size", ("a power of two, 32 to 1024", descriptor.into()))?;
    Ok((inode.into(), descriptor.into()))
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
