//! A directory's content: its blocks one after the other, or what an inline directory keeps in its inode.

use super::Ext4;
use super::directory::{self, Format, Record};
use super::inode::{BLOCK_AREA_AT, Inode, flags};
use super::map::{BlockMap, Budget};
use super::xattr::{self, Value};
use crate::error::Error;
use crate::io::Fields;
use std::ops::ControlFlow;

/// Blocks that are read at once.
const BATCH: u64 = 64;

/// `i_block` of an inline directory starts with the parent's inode number instead of `.` and `..`.
const INLINE_PARENT: usize = 4;

/// What reading a directory came to.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// What could not be read.
    pub(super) errors: Vec<Error>,
    /// Blocks whose checksum is wrong.
    pub(super) wrong_checksums: u64,
}

/// A visitor of records and their home volume offsets.
pub(super) type Visit<'a> = &'a mut dyn FnMut(Record<'_>, u64) -> ControlFlow<()>;

/// Visits all records of a directory, `.`, `..` and removed ones included. `map` is its block map.
pub(super) fn visit(
    fs: &Ext4,
    inode: &Inode<'_>,
    map: &BlockMap,
    budget: &mut Budget,
    visit: Visit<'_>,
) -> Listed {
    let hashed = inode.has(flags::ENCRYPT) && inode.has(flags::CASEFOLD);
    let format = Format::new(&fs.superblock, hashed);
    if inode.has(flags::INLINE_DATA) {
        return inline(fs, inode, format, visit);
    }
    let mut listed = Listed::default();
    let seed = fs.superblock.has_checksums().then(|| inode.checksum_seed(&fs.superblock));
    let end = inode.size(&fs.superblock).div_ceil(fs.superblock.block_size());
    for run in map.runs.iter().filter(|run| !run.unwritten) {
        let count = run.count.min(end.saturating_sub(run.logical));
        let mut at = 0;
        while at < count {
            let batch = BATCH.min(count.saturating_sub(at));
            let first = run.physical.saturating_add(at);
            let bytes = budget.spend(batch).and_then(|()| fs.blocks.read_many(first, batch));
            let bytes = match bytes {
                Ok(bytes) => bytes,
                Err(error) => {
                    listed.errors.push(error.context("directory"));
                    at = at.saturating_add(batch);
                    continue;
                }
            };
            for (block, nth) in bytes.chunks_exact(fs.blocks.size()).zip(0_u64..) {
                let place = fs.blocks.to_bytes(first.saturating_add(nth));
                let fields = Fields::new("directory block", block, place);
                if seed.is_some_and(|seed| directory::checksum_ok(&fields, seed) == Some(false)) {
                    listed.wrong_checksums = listed.wrong_checksums.saturating_add(1);
                }
                if records(&fields, format, visit, &mut listed).is_break() {
                    return listed;
                }
            }
            at = at.saturating_add(batch);
        }
    }
    listed
}

fn records(block: &Fields<'_>, format: Format, visit: Visit<'_>, listed: &mut Listed) -> ControlFlow<()> {
    let found = directory::records(block, format, &mut |record| visit(record, block.offset(record.at)));
    found.unwrap_or_else(|error| {
        listed.errors.push(error);
        ControlFlow::Continue(())
    })
}

/// The two pieces of an inline directory: `i_block`, and the value of `system.data`.
fn inline(fs: &Ext4, inode: &Inode<'_>, format: Format, visit: Visit<'_>) -> Listed {
    let mut listed = Listed::default();
    let area = inode.block_area().get(INLINE_PARENT..).unwrap_or_default();
    let skipped = u64::try_from(BLOCK_AREA_AT.saturating_add(INLINE_PARENT)).unwrap_or(0);
    let first = Fields::new("inline directory", area, inode.place.saturating_add(skipped));
    if records(&first, format, visit, &mut listed).is_break() {
        return listed;
    }
    let attributes = xattr::read(fs, inode);
    listed.errors.extend(attributes.errors);
    for attribute in &attributes.all {
        if let (true, Value::Here { bytes, place }) = (attribute.is_inline_data(), &attribute.value) {
            let second = Fields::new("inline directory", bytes, *place);
            if records(&second, format, visit, &mut listed).is_break() {
                break;
            }
        }
    }
    listed
}

/// The pieces of an inline directory that is gone, as far as they stand in the record itself, and where.
pub(super) fn pieces(fs: &Ext4, inode: &Inode<'_>) -> Vec<(Vec<u8>, u64)> {
    if !inode.has(flags::INLINE_DATA) {
        return Vec::new();
    }
    let area = inode.block_area().get(INLINE_PARENT..).unwrap_or_default();
    let skipped = u64::try_from(BLOCK_AREA_AT.saturating_add(INLINE_PARENT)).unwrap_or(0);
    let mut pieces = vec![(area.to_vec(), inode.place.saturating_add(skipped))];
    for attribute in xattr::in_record(fs, inode).all {
        if attribute.is_inline_data()
            && let Value::Here { bytes, place } = attribute.value
        {
            pieces.push((bytes, place));
        }
    }
    pieces
}
