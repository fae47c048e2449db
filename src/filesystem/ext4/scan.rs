//! The inode tables, read in on-disk order.

use super::Ext4;
use super::bitmap::InodeUse;
use super::groups::table_blocks;
use super::inode::Inode;
use crate::error::{Error, Kind, Result};
use std::ops::ControlFlow;

/// Bytes of a table that are read at once.
const CHUNK: u64 = 256 * 1024;

/// What the scan comes across.
#[derive(Debug)]
pub(super) enum Scanned<'a> {
    /// A record that is in use, or is not blank; and whether the bitmap says it is in use, where it can.
    Inode(Inode<'a>, Option<bool>),
    /// Records that could not be read.
    Problem(Error),
}

/// Visits the records of all inode tables. Groups that have never been used are looked at too: their
/// tables may hold what was there before.
pub(super) fn tables(fs: &Ext4, visit: &mut dyn FnMut(Scanned<'_>) -> ControlFlow<()>) -> ControlFlow<()> {
    let known = u64::try_from(fs.groups.all.len()).unwrap_or(u64::MAX);
    for number in 0..known.min(fs.superblock.groups()) {
        let group = match fs.groups.get(number) {
            Ok(group) => group,
            Err(error) => {
                visit(Scanned::Problem(error))?;
                continue;
            }
        };
        let mut used = InodeUse::read(fs, group);
        if let InodeUse::Unknown(error) = &mut used {
            let error = std::mem::replace(error, Error::new(Kind::Corrupt, "reported"));
            visit(Scanned::Problem(error))?;
        }
        let per_chunk = (CHUNK >> fs.blocks.bits()).max(1);
        let blocks = table_blocks(&fs.superblock);
        let mut at = 0;
        while at < blocks {
            let count = per_chunk.min(blocks.saturating_sub(at));
            chunk(fs, Chunk { group: number, table: group.inode_table, at, count, used: &used }, visit)?;
            at = at.saturating_add(count);
        }
    }
    ControlFlow::Continue(())
}

/// A part of a group's inode table.
#[derive(Clone, Copy)]
struct Chunk<'a> {
    group: u64,
    /// First block of the group's table.
    table: u64,
    /// Block in the table.
    at: u64,
    /// Number of blocks.
    count: u64,
    used: &'a InodeUse,
}

/// Reads a chunk; where that fails, block by block, so that one bad block costs no more than its inodes.
fn chunk(
    fs: &Ext4,
    chunk: Chunk<'_>,
    visit: &mut dyn FnMut(Scanned<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let first = chunk.table.saturating_add(chunk.at);
    if matches!(chunk.used, InodeUse::None) && fs.blocks.is_hole(first, chunk.count) {
        return ControlFlow::Continue(());
    }
    match fs.blocks.read_many(first, chunk.count) {
        Ok(bytes) => records(fs, chunk, &bytes, visit),
        Err(_) if chunk.count > 1 => {
            for at in chunk.at..chunk.at.saturating_add(chunk.count) {
                self::chunk(fs, Chunk { at, count: 1, ..chunk }, visit)?;
            }
            ControlFlow::Continue(())
        }
        Err(error) => {
            visit(Scanned::Problem(error.context(format_args!("inode table of group {}", chunk.group))))
        }
    }
}

/// Visits the records in the bytes of a chunk.
fn records(
    fs: &Ext4,
    chunk: Chunk<'_>,
    bytes: &[u8],
    visit: &mut dyn FnMut(Scanned<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let size = fs.superblock.inode_size;
    let record_size = u64::try_from(size).unwrap_or(u64::MAX);
    let first = fs.blocks.to_bytes(chunk.at).checked_div(record_size).unwrap_or(0);
    let place = fs.blocks.to_bytes(chunk.table.saturating_add(chunk.at));
    let per_group = u64::from(fs.superblock.inodes_per_group);
    for ((slot, record), nth) in (first..per_group).zip(bytes.chunks_exact(size)).zip(0_u64..) {
        let number = chunk.group.saturating_mul(per_group).saturating_add(slot).saturating_add(1);
        let Some(number) = u32::try_from(number).ok().filter(|number| *number <= fs.superblock.inodes) else {
            break;
        };
        let place = place.saturating_add(nth.saturating_mul(record_size));
        let inode = Inode { number, bytes: record, place };
        let allocated = chunk.used.allocated(slot);
        if allocated != Some(true) && inode.is_blank() {
            continue;
        }
        visit(Scanned::Inode(inode, allocated))?;
    }
    ControlFlow::Continue(())
}

/// A record on its own: its bytes, its home volume offset, and whether the bitmap says it is in use.
pub(super) struct Record {
    number: u32,
    bytes: Vec<u8>,
    place: u64,
    pub(super) allocated: Option<bool>,
}

impl Record {
    /// The record's fields.
    pub(super) fn inode(&self) -> Inode<'_> {
        Inode { number: self.number, bytes: &self.bytes, place: self.place }
    }
}

/// Reads one record.
///
/// # Errors
/// [`Kind::NotFound`] for a number outside of the tables, and what reading reports.
pub(super) fn record(fs: &Ext4, number: u64) -> Result<Record> {
    let place = record_place(fs, number)?;
    let bytes = fs.blocks.look_up_bytes(place, fs.superblock.inode_size)?;
    let per_group = u64::from(fs.superblock.inodes_per_group).max(1);
    let index = number.saturating_sub(1);
    let group = fs.groups.get(index.checked_div(per_group).unwrap_or(0))?;
    let used = InodeUse::read(fs, group);
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Record { number, bytes, place, allocated: used.allocated(index.checked_rem(per_group).unwrap_or(0)) })
}

/// Home volume offset of an inode's record.
///
/// # Errors
/// As [`record`].
pub(super) fn record_place(fs: &Ext4, number: u64) -> Result<u64> {
    let sb = &fs.superblock;
    let index = number.checked_sub(1).filter(|_| number <= sb.inodes.into());
    let index = index
        .ok_or_else(|| Error::new(Kind::NotFound, format!("no inode {number}, there are {}", sb.inodes)))?;
    let per_group = u64::from(sb.inodes_per_group).max(1);
    let group = fs.groups.get(index.checked_div(per_group).unwrap_or(0))?;
    let inside = index.checked_rem(per_group).unwrap_or(0);
    let offset = inside.saturating_mul(u64::try_from(sb.inode_size).unwrap_or(u64::MAX));
    Ok(fs.blocks.offset(group.inode_table, table_blocks(sb))?.saturating_add(offset))
}
