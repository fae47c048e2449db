//! The table of inodes, one after the other.

use super::NO_FRAGMENT;
use crate::error::{Error, Result};
use crate::io::Fields;

/// Length of what all inodes start with.
const HEADER: usize = 16;

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    /// Where its blocks start.
    pub(super) start: u64,
    /// Bytes of content.
    pub(super) size: u64,
    /// Lengths of its blocks as stored.
    pub(super) blocks: Vec<u32>,
    /// The fragment block that holds its end, and where in it.
    pub(super) fragment: u32,
    pub(super) fragment_offset: u32,
}

/// A directory: where its names stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Directory {
    /// Start of a block of the directory table, counted from the table's start.
    pub(super) block: u64,
    pub(super) offset: usize,
    /// Bytes of names.
    pub(super) size: usize,
}

/// An inode of a kind that is of interest, with its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Inode {
    File(u32, File),
    Directory(u32, Directory),
}

/// All inodes of a table up to the first that makes no sense, and what is wrong with that one.
pub(super) fn all(table: &[u8], block_size: u32) -> (Vec<Inode>, Result<()>) {
    let mut found = Vec::new();
    let mut at = 0_usize;
    while let Some(rest) = table.get(at..).filter(|rest| !rest.is_empty()) {
        match one(&Fields::new("squashfs inode", rest, 0), block_size) {
            Ok((inode, length)) => {
                found.extend(inode);
                at = at.saturating_add(length);
            }
            Err(error) => return (found, Err(error)),
        }
    }
    (found, Ok(()))
}

/// The inode at the start of `fields`, and its length.
fn one(fields: &Fields<'_>, block_size: u32) -> Result<(Option<Inode>, usize)> {
    let number = fields.le_u32(12)?;
    let word = |at: usize| fields.le_u32(at);
    let long = |at: usize| Ok::<_, Error>(usize::try_from(word(at)?).unwrap_or(usize::MAX));
    Ok(match fields.le_u16(0)? {
        1 => {
            let size = usize::from(fields.le_u16(24)?);
            let (block, offset) = (word(16)?.into(), usize::from(fields.le_u16(26)?));
            (Some(Inode::Directory(number, Directory { block, offset, size })), 32)
        }
        2 => {
            let (size, fragment) = (word(28)?.into(), word(20)?);
            let blocks = blocks(fields, 32, (size, fragment), block_size)?;
            let length = blocks.len().saturating_mul(4).saturating_add(32);
            let (start, fragment_offset) = (word(16)?.into(), word(24)?);
            (Some(Inode::File(number, File { start, size, blocks, fragment, fragment_offset })), length)
        }
        3 => (None, long(20)?.saturating_add(24)),
        4 | 5 => (None, HEADER.saturating_add(8)),
        6 | 7 => (None, HEADER.saturating_add(4)),
        8 => {
            let (block, offset) = (word(24)?.into(), usize::from(fields.le_u16(34)?));
            let mut length = 40_usize;
            for _ in 0..fields.le_u16(32)? {
                // A name's length is stored as one less.
                length = length.saturating_add(13).saturating_add(long(length.saturating_add(8))?);
            }
            (Some(Inode::Directory(number, Directory { block, offset, size: long(20)? })), length)
        }
        9 => {
            let (size, fragment) = (fields.le_u64(24)?, word(44)?);
            let blocks = blocks(fields, 56, (size, fragment), block_size)?;
            let length = blocks.len().saturating_mul(4).saturating_add(56);
            let (start, fragment_offset) = (fields.le_u64(16)?, word(48)?);
            (Some(Inode::File(number, File { start, size, blocks, fragment, fragment_offset })), length)
        }
        10 => (None, long(20)?.saturating_add(28)),
        11 | 12 => (None, HEADER.saturating_add(12)),
        13 | 14 => (None, HEADER.saturating_add(8)),
        other => return Err(Error::corrupt(0, "type of a squashfs inode", "1 to 14", other)),
    })
}

/// The lengths of a file's blocks, which stand at `at` of its inode: those of whole blocks where a fragment holds
/// the end.
fn blocks(fields: &Fields<'_>, at: usize, (size, fragment): (u64, u32), block_size: u32) -> Result<Vec<u32>> {
    let block_size = u64::from(block_size);
    let count = if fragment == NO_FRAGMENT { size.div_ceil(block_size) } else { size / block_size };
    let length = usize::try_from(count.saturating_mul(4)).unwrap_or(usize::MAX);
    let bytes = fields.bytes(at, length)?;
    Ok(bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect())
}
