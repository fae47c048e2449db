//! `Packages`: a hash of Berkeley DB, in either order of bytes. Buckets are pages of keys and values; what is
//! long lies in chains of overflow pages.

use super::{BLOB_MAX, Blobs};
use crate::error::{Error, Result};
use crate::io::{ReadAt, read_vec};

/// Bytes of a page's header.
const HEADER: usize = 26;
/// Types of pages: unsorted and sorted hash, overflow.
const UNSORTED: u8 = 2;
const SORTED: u8 = 13;
const OVERFLOW: u8 = 7;
/// Types of items: the bytes themselves, or where they are.
const ON_PAGE: u8 = 1;
const OFF_PAGE: u8 = 3;

/// A database.
struct Hash<'d> {
    content: &'d dyn ReadAt,
    page_size: usize,
    last: u32,
    is_big: bool,
}

/// Whether these first bytes are those of a Berkeley DB hash or B-tree.
pub(super) fn is_any(head: &[u8]) -> bool {
    let magic = head.get(12..16).unwrap_or_default();
    [0x0006_1561_u32, 0x0005_3162]
        .iter()
        .any(|known| magic == known.to_le_bytes() || magic == known.to_be_bytes())
}

pub(super) fn read(content: &dyn ReadAt, visit: Blobs<'_>) -> Result<()> {
    let hash = Hash::open(content)?;
    for number in 1..=hash.last {
        let page = hash.page(number)?;
        if !matches!(page.get(25), Some(&(UNSORTED | SORTED))) {
            continue;
        }
        let count = usize::from(hash.half(&page, 20));
        let offset =
            |index: usize| usize::from(hash.half(&page, HEADER.saturating_add(index.saturating_mul(2))));
        // Keys are even, values odd; each item ends where the one before it begins.
        for value in (1..count.min(hash.page_size / 2)).step_by(2) {
            let (key, from) = (value.saturating_sub(1), offset(value));
            let end_of_key = if key == 0 { hash.page_size } else { offset(key.saturating_sub(1)) };
            let key = page.get(offset(key)..end_of_key).unwrap_or_default();
            let item = page.get(from..offset(value.saturating_sub(1))).unwrap_or_default();
            // Number 0 holds the last number that was given.
            if key.get(1..).is_none_or(|key| key.iter().all(|&byte| byte == 0)) {
                continue;
            }
            if !visit(hash.value(item)) {
                return Ok(());
            }
        }
    }
    Ok(())
}

impl<'d> Hash<'d> {
    fn open(content: &'d dyn ReadAt) -> Result<Self> {
        let head = read_vec(content, 0, 72)?;
        let magic = head.get(12..16).unwrap_or_default();
        let is_big = match magic {
            [0x61, 0x15, 0x06, 0x00] => false,
            [0x00, 0x06, 0x15, 0x61] => true,
            _ => {
                return Err(Error::corrupt(
                    12,
                    "magic of Berkeley DB",
                    "that of a hash",
                    format!("{magic:02x?}"),
                ));
            }
        };
        let mut hash = Self { content, page_size: 0, last: 0, is_big };
        let (version, page_size) = (hash.word(&head, 16), hash.word(&head, 20));
        if !(8..=10).contains(&version) {
            return Err(Error::unsupported(format!("version {version} of Berkeley DB's hash")));
        }
        if !(512..=65_536).contains(&page_size) || !page_size.is_power_of_two() {
            return Err(Error::corrupt(20, "page size", "a power of two from 512 to 65,536", page_size));
        }
        // Byte 24 names a cipher, bit 0 of byte 26 makes the pages' headers longer by a checksum.
        if head.get(24) != Some(&0) || head.get(26).is_some_and(|flags| flags & 1 != 0) {
            return Err(Error::unsupported("a Berkeley DB with encryption or checksums"));
        }
        hash.page_size = usize::try_from(page_size).unwrap_or(usize::MAX);
        let held = content.size().div_ceil(u64::from(page_size)).saturating_sub(1);
        hash.last = hash.word(&head, 32).min(u32::try_from(held).unwrap_or(u32::MAX));
        Ok(hash)
    }

    fn word(&self, bytes: &[u8], at: usize) -> u32 {
        let four = bytes.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
        if self.is_big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
    }

    fn half(&self, bytes: &[u8], at: usize) -> u16 {
        let two = bytes.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
        if self.is_big { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) }
    }

    fn place(&self, number: u32) -> u64 {
        u64::from(number).saturating_mul(u64::try_from(self.page_size).unwrap_or(u64::MAX))
    }

    fn page(&self, number: u32) -> Result<Vec<u8>> {
        let page = read_vec(self.content, self.place(number), self.page_size)?;
        // Pages that were never used are zeros.
        let own = self.word(&page, 8);
        if own != number && page.get(25) != Some(&0) {
            return Err(Error::corrupt(self.place(number), "number of a page", number, own));
        }
        Ok(page)
    }

    fn value(&self, item: &[u8]) -> Result<Vec<u8>> {
        match item.split_first() {
            Some((&ON_PAGE, bytes)) => Ok(bytes.to_vec()),
            Some((&OFF_PAGE, _)) if item.len() == 12 => self.chain(self.word(item, 4), self.word(item, 8)),
            other => {
                let found = format!("{:?} of {} bytes", other.map(|(kind, _)| kind), item.len());
                Err(Error::corrupt(0, "value", "one on its page, or off it", found))
            }
        }
    }

    /// The bytes of a chain of overflow pages. Each page adds some, so that a cycle ends at the length.
    fn chain(&self, first: u32, length: u32) -> Result<Vec<u8>> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let wrong = |at: u32, found: String| {
            Error::corrupt(
                self.place(at),
                "overflow page",
                format!("one of a chain of {length} bytes"),
                found,
            )
        };
        if length > BLOB_MAX {
            return Err(wrong(first, format!("more than {BLOB_MAX}")));
        }
        let (mut bytes, mut next) = (Vec::new(), first);
        while bytes.len() < length {
            if next == 0 || next > self.last {
                return Err(wrong(next, format!("page {next}")));
            }
            let page = self.page(next)?;
            let used = usize::from(self.half(&page, 22));
            let part = page.get(HEADER..HEADER.saturating_add(used)).unwrap_or_default();
            if page.get(25) != Some(&OVERFLOW)
                || part.is_empty()
                || part.len() > length.saturating_sub(bytes.len())
            {
                return Err(wrong(next, format!("type {:?}, {used} bytes", page.get(25))));
            }
            bytes.extend_from_slice(part);
            next = self.word(&page, 16);
        }
        Ok(bytes)
    }
}
