//! `Packages.db`: rpm's own database. A header, pages of slots that say where blobs are, blobs in blocks of 16
//! bytes. Little-endian.

use super::{BLOB_MAX, Blobs};
use crate::error::{Error, Result};
use crate::format::le32;
use crate::io::{ReadAt, read_vec};

const PAGE: usize = 4096;
const SLOT: usize = 16;
const BLOCK: u64 = 16;
/// Bytes of the header, in place of the first slots.
const HEADER: usize = 32;
/// Bytes in front of a blob's own: magic, index, time, length.
const HEAD: usize = 16;
/// Bytes behind it: checksum, length, magic.
const TAIL: usize = 12;
/// Pages of slots: room for 256 thousand packages.
const PAGES_MAX: u32 = 1024;

pub(super) fn read(content: &dyn ReadAt, visit: Blobs<'_>) -> Result<()> {
    let header = read_vec(content, 0, HEADER)?;
    if !header.starts_with(b"RpmP") {
        return Err(Error::corrupt(0, "rpm database", "RpmP", "something else"));
    }
    let version = le32(&header, 4).unwrap_or(0);
    if version != 0 {
        return Err(Error::unsupported(format!("version {version} of rpm's database")));
    }
    let pages = le32(&header, 12).unwrap_or(0);
    if pages > PAGES_MAX {
        return Err(Error::corrupt(12, "pages of slots", format!("at most {PAGES_MAX}"), pages));
    }
    for page in 0..pages {
        let at = u64::from(page).saturating_mul(u64::try_from(PAGE).unwrap_or(u64::MAX));
        let slots = read_vec(content, at, PAGE)?;
        let own = slots.chunks_exact(SLOT).skip(if page == 0 { HEADER / SLOT } else { 0 });
        for slot in own {
            if !slot.starts_with(b"Slot") {
                return Err(Error::corrupt(at, "slot", "Slot", "something else"));
            }
            let Some((index, block)) = le32(slot, 4).zip(le32(slot, 8).filter(|&block| block != 0)) else {
                continue;
            };
            if !visit(blob(content, index, u64::from(block).saturating_mul(BLOCK))) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The blob of a package at `at`.
fn blob(content: &dyn ReadAt, index: u32, at: u64) -> Result<Vec<u8>> {
    let wrong = |what: &str| Error::corrupt(at, "rpm package", what, "something else");
    let head = read_vec(content, at, HEAD)?;
    let length = le32(&head, 12).and_then(|length| usize::try_from(length).ok()).unwrap_or(usize::MAX);
    if !head.starts_with(b"BlbS") || le32(&head, 4) != Some(index) || length > BLOB_MAX {
        return Err(wrong(&format!("BlbS, number {index}, at most {BLOB_MAX} bytes")));
    }
    let start = at.saturating_add(u64::try_from(HEAD).unwrap_or(u64::MAX));
    let bytes = read_vec(content, start, length)?;
    // The tail ends with the last block.
    let used = HEAD.saturating_add(length).saturating_add(TAIL).next_multiple_of(SLOT);
    let tail = at.saturating_add(u64::try_from(used.saturating_sub(TAIL)).unwrap_or(u64::MAX));
    let tail = read_vec(content, tail, TAIL)?;
    if tail.get(8..) != Some(b"BlbE") || le32(&tail, 4) != le32(&head, 12) {
        return Err(wrong("BlbE behind its bytes"));
    }
    Ok(bytes)
}
