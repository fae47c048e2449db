//! External journals of ext3 and ext4 (`mke2fs -O journal_dev`): a superblock of ext that says what the device is, and
//! the journal's own one in the block behind it (ext4 on-disk format, "External Journal"; `struct
//! journal_superblock_s` of `linux/jbd2.h`).

use super::{bytes_at, text, uuid};
use crate::filesystem::{Facts, Kind, Recognised};
use crate::io::{Fields, ReadAt};
use std::sync::Arc;

pub(in crate::filesystem) const KIND: Kind = Kind { name: "ext4 journal", probe };

/// `s_magic`, and `INCOMPAT_JOURNAL_DEV` of `s_feature_incompat`.
const MAGIC: u16 = 0xef53;
const JOURNAL_DEV: u32 = 0x8;
/// Largest `s_log_block_size`: 64 KiB.
const LOG_BLOCK_SIZE_MAX: u32 = 6;
/// `JBD2_MAGIC_NUMBER`, and the types of block that superblocks are.
const JOURNAL_MAGIC: u32 = 0xc03b_3998;
const SUPERBLOCKS: [u32; 2] = [3, 4];
/// File systems that a journal may serve: `JBD2_USERS_MAX`.
const USERS_MAX: u32 = 48;

fn probe(volume: &Arc<dyn ReadAt>) -> Option<Recognised> {
    let superblock: [u8; 0x88] = bytes_at(volume.as_ref(), 1024)?;
    let fields = Fields::new("superblock of an external journal", &superblock, 1024);
    let log = fields.le_u32(0x18).ok()?;
    let is_journal = fields.le_u16(0x38).ok()? == MAGIC && fields.le_u32(0x60).ok()? & JOURNAL_DEV != 0;
    if !is_journal || log > LOG_BLOCK_SIZE_MAX {
        return None;
    }
    let block_size = 1024_u64 << log;
    Some(Recognised::Plain(Facts {
        kind: KIND.name,
        label: text(fields.bytes(0x78, 16).ok()?),
        uuid: uuid(fields.bytes(0x68, 16).ok()?),
        block_size,
        size: u64::from(fields.le_u32(4).ok()?).saturating_mul(block_size),
        notes: notes(volume.as_ref(), block_size)
            .unwrap_or_else(|| vec!["no superblock of a journal".to_owned()]),
        ..Facts::default()
    }))
}

/// Whose journal it is; `None` where none is there.
fn notes(volume: &dyn ReadAt, block_size: u64) -> Option<Vec<String>> {
    // In the block behind that of the superblock of ext.
    let at = block_size.max(2048);
    let superblock: [u8; 1024] = bytes_at(volume, at)?;
    let fields = Fields::new("journal superblock", &superblock, at);
    if fields.be_u32(0).ok()? != JOURNAL_MAGIC || !SUPERBLOCKS.contains(&fields.be_u32(4).ok()?) {
        return None;
    }
    let users = usize::try_from(fields.be_u32(0x40).ok()?.min(USERS_MAX)).ok()?;
    let users = (0..users).filter_map(|user| {
        let at = user.checked_mul(16)?.checked_add(0x100)?;
        uuid(fields.bytes(at, 16).ok()?)
    });
    Some(users.map(|user| format!("the journal of file system {user}")).collect())
}
