//! The header of images that grow, and what it says of a parent ("Dynamic Disk Header Format").

use super::{checksum, identifier, mismatch};
use crate::error::{Error, Result};
use crate::io::{Fields, ReadAt, read_vec};
use std::ops::Range;

const COOKIE: &[u8] = b"cxsparse";
/// Longest name in a parent locator that is read.
const NAME_MAX: usize = 4096;
/// Parent locators of one header.
const LOCATORS: usize = 8;

/// A dynamic header.
#[derive(Debug)]
pub(super) struct DynamicHeader {
    /// Where the block allocation table is.
    pub(super) table_at: u64,
    pub(super) entries: u64,
    pub(super) block: u64,
    pub(super) parent_identifier: String,
    parent_unicode: Vec<u8>,
    /// Platform code, length and place of each locator.
    locators: Vec<([u8; 4], usize, u64)>,
}

impl DynamicHeader {
    /// Reads the header at byte `at`. A wrong checksum is noted.
    ///
    /// # Errors
    /// Where it is not there.
    pub(super) fn read(source: &dyn ReadAt, at: u64, notes: &mut Vec<String>) -> Result<Self> {
        let bytes = read_vec(source, at, 1024)?;
        let fields = Fields::new("VHD dynamic header", &bytes, at);
        if fields.bytes(0, 8)? != COOKIE {
            return Err(Error::corrupt(at, "VHD dynamic header", "cxsparse", "other bytes"));
        }
        let (expected, found) = (fields.be_u32(36)?, checksum(&bytes, 36));
        if expected != found {
            notes.push(mismatch("VHD dynamic header", at, expected, found).to_string());
        }
        let mut locators = Vec::new();
        for entry in (576usize..).step_by(24).take(LOCATORS) {
            let length = usize::try_from(fields.be_u32(entry.saturating_add(8))?).unwrap_or(usize::MAX);
            let place = fields.be_u64(entry.saturating_add(16))?;
            locators.push((fields.array(entry)?, length, place));
        }
        Ok(Self {
            table_at: fields.be_u64(16)?,
            entries: fields.be_u32(28)?.into(),
            block: fields.be_u32(32)?.into(),
            parent_identifier: identifier(fields.array(40)?),
            parent_unicode: fields.bytes(64, 512)?.to_vec(),
            locators,
        })
    }

    /// Where the parent locators' data lie, in whole sectors.
    pub(super) fn locator_places(&self) -> Vec<Range<u64>> {
        let used = self.locators.iter().filter(|&&(_, length, at)| length > 0 && at > 0);
        let place = |&(_, length, at): &([u8; 4], usize, u64)| {
            let length = u64::try_from(length).unwrap_or(0).min(1 << 16).next_multiple_of(512);
            at..at.saturating_add(length)
        };
        used.map(place).collect()
    }

    /// The parent's name: that of the relative locator, without the "in this folder" in front of it, or else
    /// the one in the header itself.
    pub(super) fn parent_name(&self, source: &dyn ReadAt) -> Vec<u8> {
        let relative = self.locators.iter().find(|(code, ..)| code == b"W2ru");
        let relative = relative
            .filter(|&&(_, length, _)| length <= NAME_MAX)
            .and_then(|&(_, length, at)| read_vec(source, at, length).ok())
            .map(|bytes| utf16(&bytes, u16::from_le_bytes));
        let name = relative.filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| utf16(&self.parent_unicode, u16::from_be_bytes));
        let bare = name.strip_prefix(".\\").or_else(|| name.strip_prefix("./")).unwrap_or(&name);
        bare.as_bytes().to_vec()
    }
}

/// UTF-16 up to the first NUL.
fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.chunks_exact(2).filter_map(|pair| pair.first_chunk().copied()).map(unit);
    String::from_utf16_lossy(&units.take_while(|&unit| unit != 0).collect::<Vec<_>>())
}
