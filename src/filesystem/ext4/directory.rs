//! Directory blocks (ext4 on-disk format, "Directory Entries"): live names, and what is left of removed
//! ones in the space behind them.

use super::checksum::crc32c;
use super::features;
use super::superblock::Superblock;
use crate::error::{Error, Result};
use crate::filesystem::EntryKind;
use crate::io::Fields;
use std::ops::ControlFlow;

/// Bytes in front of a name.
pub(super) const HEADER: usize = 8;

/// `det_reserved_ft` of the record at a block's end that holds its checksum.
const CHECKSUM_TYPE: u8 = 0xde;

/// Length of that record.
const CHECKSUM_TAIL: usize = 12;

/// A name in a directory block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) inode: u32,
    pub(super) name: &'a [u8],
    pub(super) kind: EntryKind,
    /// Offset of the record in the block.
    pub(super) at: usize,
    /// Whether it is a removed name found in the space behind another.
    pub(super) removed: bool,
}

/// What has to be known to read a directory's blocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    /// Whether the upper byte of the name's length is a file type.
    file_type: bool,
    /// Bytes behind each name: a hash, in directories that are both encrypted and casefolded.
    hash: usize,
    /// Highest inode number.
    inodes: u32,
}

impl Format {
    /// The format of the directories of a file system.
    pub(super) fn new(sb: &Superblock, hashed: bool) -> Self {
        let hash = if hashed { 8 } else { 0 };
        Self { file_type: sb.features.has(features::FILETYPE), hash, inodes: sb.inodes }
    }

    /// Length of the name of the record that starts `block`.
    pub(super) fn name_length(&self, block: &Fields<'_>) -> Result<usize> {
        let short = usize::from(block.u8(6)?);
        Ok(if self.file_type { short } else { short | usize::from(block.u8(7)?) << 8 })
    }

    /// The record at `at`, and its length.
    pub(super) fn record<'a>(&self, block: &Fields<'a>, at: usize) -> Result<(Record<'a>, usize)> {
        let inode = block.le_u32(at)?;
        let raw = usize::from(block.le_u16(at.saturating_add(4))?);
        // Blocks of 64 KiB: their length does not fit, and is stored as 65535 or 0.
        let whole = block.all().len();
        let length = if whole >= 0x1_0000 && (raw == 0xffff || raw == 0) { 0x1_0000 } else { raw };
        let length = if whole > 0x1_0000 { (length & 0xfffc) | (length & 3) << 16 } else { length };
        let short = usize::from(block.u8(at.saturating_add(6))?);
        let kind = block.u8(at.saturating_add(7))?;
        let name_length = if self.file_type { short } else { short | usize::from(kind) << 8 };
        let name = block.bytes(at.saturating_add(HEADER), name_length)?;
        let kind = if self.file_type { entry_kind(kind) } else { EntryKind::Unknown };
        Ok((Record { inode, name, kind, at, removed: false }, length))
    }

    /// Bytes that a record needs for a name of `length` bytes.
    fn needs(&self, length: usize) -> usize {
        let hash = if length == 0 { 0 } else { self.hash };
        length.saturating_add(HEADER).saturating_add(hash).next_multiple_of(4)
    }

    /// Whether the bytes at `at` look like a removed name.
    fn removed<'a>(&self, block: &Fields<'a>, at: usize) -> Option<Record<'a>> {
        let (record, length) = self.record(block, at).ok()?;
        let type_known = !self.file_type || record.kind != EntryKind::Unknown;
        // Some writers leave the name and wipe its inode: then only text is taken for a name.
        let is_text =
            || record.name.iter().all(|byte| byte.is_ascii_graphic() || !byte.is_ascii() || *byte == b' ');
        let sound = (record.inode != 0 || is_text())
            && record.inode <= self.inodes
            && (1..=255).contains(&record.name.len())
            && length % 4 == 0
            && length >= self.needs(record.name.len())
            && at.saturating_add(length) <= block.all().len()
            && type_known
            && !record.name.iter().any(|byte| matches!(byte, 0 | b'/'))
            && !matches!(record.name, b"." | b"..");
        sound.then_some(Record { removed: true, ..record })
    }
}

/// `file_type` of a directory entry.
fn entry_kind(code: u8) -> EntryKind {
    match code {
        1 => EntryKind::File,
        2 => EntryKind::Directory,
        3..=6 => EntryKind::Special,
        7 => EntryKind::Symlink,
        _ => EntryKind::Unknown,
    }
}

/// Number of zeros that `bytes` start with.
fn leading_zeros(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    let blank = words.iter().take_while(|word| **word == [0; 8]).count();
    let rest = words.get(blank).map_or(rest, |word| word.as_slice());
    blank.saturating_mul(8).saturating_add(rest.iter().take_while(|byte| **byte == 0).count())
}

/// Visits the records of a block in order, without unused ones; removed names behind the live one in whose
/// space they lie. A removed name may have lost its inode, which is 0 then.
///
/// # Errors
/// Where a record does not fit; those before it have been visited.
pub(super) fn records<'a>(
    block: &Fields<'a>,
    format: Format,
    visit: &mut dyn FnMut(Record<'a>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>> {
    let end = block.all().len();
    let mut at = 0;
    while at < end {
        let (record, length) = format.record(block, at)?;
        let needs = format.needs(if record.inode == 0 { 0 } else { record.name.len() });
        let next = at.saturating_add(length);
        if length % 4 != 0 || length < needs || next > end {
            let expected = format!("a multiple of 4 from {needs} to {}", end.saturating_sub(at));
            return Err(Error::corrupt(block.offset(at), "length of a directory record", expected, length));
        }
        let record = if record.inode == 0 { format.removed(block, at) } else { Some(record) };
        if record.is_some_and(|record| visit(record).is_break()) {
            return Ok(ControlFlow::Break(()));
        }
        let mut inside = at.saturating_add(needs);
        while inside.saturating_add(HEADER) < next {
            // A name has a length: most of the space holds zeros, which are passed over at once.
            let zeros = leading_zeros(block.all().get(inside..next).unwrap_or_default());
            if zeros > HEADER {
                inside = inside.saturating_add(zeros.saturating_sub(HEADER - 1).next_multiple_of(4));
                continue;
            }
            let step = match format.removed(block, inside) {
                Some(found) if inside.saturating_add(format.needs(found.name.len())) <= next => {
                    if visit(found).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                    format.needs(found.name.len())
                }
                _ => 4,
            };
            inside = inside.saturating_add(step);
        }
        at = next;
    }
    Ok(ControlFlow::Continue(()))
}

/// Whether a block's checksum is right; `None` where it has none.
///
/// Blocks with names end in a record of type 0xde; blocks of a hash tree have the checksum behind the
/// room for their hashes, and it covers the hashes in use.
pub(super) fn checksum_ok(block: &Fields<'_>, seed: u32) -> Option<bool> {
    let tail = block.all().len().checked_sub(CHECKSUM_TAIL)?;
    let is_tail = block.le_u32(tail).ok()? == 0
        && block.le_u16(tail.checked_add(4)?).ok()? == 12
        && block.u8(tail.checked_add(7)?).ok()? == CHECKSUM_TYPE;
    if is_tail {
        let stored = block.le_u32(tail.checked_add(8)?).ok()?;
        return Some(crc32c(seed, block.bytes(0, tail).ok()?) == stored);
    }
    let first = usize::from(block.le_u16(4).ok()?);
    let count_at = if first == block.all().len() || (first == 0 || first == 0xffff) {
        8
    } else if first == 12 && block.u8(18).ok()? == 2 && block.u8(29).ok()? == 8 {
        // The root: `.`, `..`, then a header of 8 bytes whose sixth one is its own length.
        32
    } else {
        return None;
    };
    let limit = usize::from(block.le_u16(count_at).ok()?);
    let count = usize::from(block.le_u16(count_at.checked_add(2)?).ok()?);
    let tail = count_at.checked_add(limit.checked_mul(8)?)?;
    let used = count_at.checked_add(count.checked_mul(8)?)?;
    let stored = block.le_u32(tail.checked_add(4)?).ok()?;
    let parts = [block.bytes(0, used).ok()?, block.bytes(tail, 4).ok()?, &[0; 4]];
    Some(parts.into_iter().fold(seed, crc32c) == stored)
}

/// A name as it is shown. Ciphertext names of encrypted directories may hold any byte: `/`, NUL and `%` are
/// written as `%XX` there, so that they cannot be taken for a path.
pub(super) fn shown(name: &[u8], encrypted: bool) -> Vec<u8> {
    if !encrypted || matches!(name, b"." | b"..") {
        return name.to_vec();
    }
    let mut out = Vec::with_capacity(name.len());
    for byte in name {
        match byte {
            0 => out.extend(b"%00"),
            b'/' => out.extend(b"%2F"),
            b'%' => out.extend(b"%25"),
            other => out.push(*other),
        }
    }
    out
}
