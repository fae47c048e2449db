//! Registry hives of Windows, read in place (Windows registry file format, `regf`).
//!
//! Cells are read when asked for, so that a large hive costs no memory. Every chain is bounded.

use super::{le16, le32};
use crate::error::{Error, Kind, Result};
use crate::io::{ReadAt, read_vec};
use std::cell::Cell;
use std::ops::Range;

/// Offset of the first hive bin, which all cell offsets count from.
pub(crate) const BINS: u64 = 4096;
/// Largest cell that is read.
const CELL_MAX: usize = 1 << 20;
/// Subkeys of one key, and values of one key.
const CHILDREN_MAX: usize = 100_000;
/// Bytes that are read of one hive for one question; damage can make lists refer to each other.
const READ_MAX: u64 = 256 << 20;
/// What a read costs beside its bytes.
const READ_COST: u64 = 64;
/// Offset that stands for nothing.
const NONE: u32 = u32::MAX;

/// A hive.
#[derive(Debug)]
pub(crate) struct Hive<'h> {
    content: &'h dyn ReadAt,
    root: u32,
    read: Cell<u64>,
    read_max: u64,
    /// Whether it was not closed cleanly, so that its logs may hold newer values.
    pub(crate) is_dirty: bool,
}

/// A key.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// Name.
    pub(crate) name: String,
    subkeys: u32,
    subkey_list: u32,
    values: u32,
    value_list: u32,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    /// Name; empty for the default value.
    pub(crate) name: String,
    /// Data type: 1 text, 4 number …
    pub(crate) kind: u32,
    /// Data.
    pub(crate) data: Vec<u8>,
    /// Where the data lies in the hive's file, part after part.
    pub(crate) parts: Vec<Range<u64>>,
}

impl Value {
    /// The data as text: strings as they are, numbers in decimal, others as their length.
    pub(crate) fn text(&self) -> String {
        match (self.kind, self.data.as_slice()) {
            (1 | 2 | 6 | 7, data) => wide(data).trim_end_matches('\0').replace('\0', " "),
            (4, &[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]).to_string(),
            (_, data) => format!("{} bytes", data.len()),
        }
    }
}

impl<'h> Hive<'h> {
    /// Opens a hive.
    ///
    /// # Errors
    /// When the content is none.
    pub(crate) fn open(content: &'h dyn ReadAt) -> Result<Self> {
        Self::open_for(content, READ_MAX)
    }

    /// Opens a hive of which up to `read_max` bytes are read, cells that are read again counted again.
    ///
    /// # Errors
    /// When the content is none.
    pub(crate) fn open_for(content: &'h dyn ReadAt, read_max: u64) -> Result<Self> {
        let head = read_vec(content, 0, 512)?;
        if !head.starts_with(b"regf") {
            return Err(Error::corrupt(0, "hive", "regf", "something else"));
        }
        let sequence = (le32(&head, 4), le32(&head, 8));
        let root = le32(&head, 0x24).unwrap_or(NONE);
        Ok(Self { content, root, read: Cell::new(0), read_max, is_dirty: sequence.0 != sequence.1 })
    }

    /// Fails when the hive may lack what was written last, so that nothing found in it proves nothing.
    ///
    /// # Errors
    /// [`Kind::Unsupported`] for a hive that was not closed cleanly and whose logs could not be replayed.
    pub(crate) fn settled(&self) -> Result<()> {
        if self.is_dirty {
            let what = "the hive was not closed cleanly and no log beside it could be replayed";
            return Err(Error::new(Kind::Unsupported, what));
        }
        Ok(())
    }

    /// The data of a cell in use.
    fn cell(&self, offset: u32) -> Result<Vec<u8>> {
        self.cell_front(offset, CELL_MAX)
    }

    /// The first `most` bytes of a cell in use.
    fn cell_front(&self, offset: u32, most: usize) -> Result<Vec<u8>> {
        let at = BINS.saturating_add(u64::from(offset));
        let size = read_vec(self.content, at, 4)?;
        let size = size.try_into().map(i32::from_le_bytes).unwrap_or(0);
        // Cells in use have a negative size.
        let length = usize::try_from(size.unsigned_abs()).unwrap_or(0);
        if size >= 0 || !(8..=CELL_MAX).contains(&length) {
            return Err(Error::corrupt(at, "cell size", "a negative number within bounds", size));
        }
        let wanted = (length - 4).min(most);
        let cost = u64::try_from(wanted).unwrap_or(u64::MAX).saturating_add(READ_COST);
        self.read.set(self.read.get().saturating_add(cost));
        if self.read.get() > self.read_max {
            let found = format!("hive: more than {} bytes read for one question", self.read_max);
            return Err(Error::new(Kind::LimitExceeded, found));
        }
        read_vec(self.content, at.saturating_add(4), wanted)
    }

    /// The root key.
    ///
    /// # Errors
    /// When it is damaged.
    pub(crate) fn root(&self) -> Result<Key> {
        self.key(self.root)
    }

    /// Offset of the root key.
    pub(crate) fn root_offset(&self) -> u32 {
        self.root
    }

    /// The key at an offset.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn key(&self, offset: u32) -> Result<Key> {
        let cell = self.cell(offset)?;
        if !cell.starts_with(b"nk") {
            return Err(Error::corrupt(BINS + u64::from(offset), "key", "nk", "something else"));
        }
        let field = |at| le32(&cell, at).unwrap_or(NONE);
        let length = le16(&cell, 0x48).map_or(0, usize::from);
        let name = cell.get(0x4c..0x4c + length).unwrap_or_default();
        let is_ascii = le16(&cell, 2).unwrap_or(0) & 0x20 != 0;
        Ok(Key {
            name: if is_ascii { latin(name) } else { wide(name) },
            subkeys: field(0x14),
            subkey_list: field(0x1c),
            values: field(0x24),
            value_list: field(0x28),
        })
    }

    /// The subkeys of a key.
    ///
    /// # Errors
    /// When a list or a key is damaged.
    pub(crate) fn subkeys(&self, key: &Key) -> Result<Vec<Key>> {
        self.subkey_offsets(key)?.into_iter().map(|offset| self.key(offset)).collect()
    }

    /// Offsets of the subkeys of a key.
    ///
    /// # Errors
    /// When a list is damaged.
    pub(crate) fn subkey_offsets(&self, key: &Key) -> Result<Vec<u32>> {
        let mut offsets = Vec::new();
        if key.subkeys > 0 && key.subkey_list != NONE {
            self.list(key.subkey_list, 0, &mut offsets)?;
        }
        Ok(offsets)
    }

    /// Offsets of keys from a list `lf`, `lh`, `li`, or a list of lists `ri`.
    fn list(&self, offset: u32, depth: u8, into: &mut Vec<u32>) -> Result<()> {
        let count = le16(&self.cell_front(offset, 4)?, 2).map_or(0, usize::from);
        let cell = self.cell_front(offset, 4 + count * 8)?;
        let step = match cell.get(..2) {
            Some(b"lf" | b"lh") => 8,
            Some(b"li" | b"ri") => 4,
            _ => {
                return Err(Error::corrupt(
                    BINS + u64::from(offset),
                    "key list",
                    "lf, lh, li or ri",
                    "something else",
                ));
            }
        };
        for index in 0..count {
            let Some(one) = le32(&cell, 4 + index * step) else { break };
            if into.len() >= CHILDREN_MAX {
                break;
            }
            if cell.starts_with(b"ri") && depth == 0 {
                self.list(one, 1, into)?;
            } else if !cell.starts_with(b"ri") {
                into.push(one);
            }
        }
        Ok(())
    }

    /// The values of a key.
    ///
    /// # Errors
    /// When the list or a value is damaged.
    pub(crate) fn values(&self, key: &Key) -> Result<Vec<Value>> {
        self.value_offsets(key)?.into_iter().map(|offset| self.value(offset)).collect()
    }

    /// Offsets of the values of a key.
    ///
    /// # Errors
    /// When the list is damaged.
    pub(crate) fn value_offsets(&self, key: &Key) -> Result<Vec<u32>> {
        if key.values == 0 || key.value_list == NONE {
            return Ok(Vec::new());
        }
        let list = self.cell(key.value_list)?;
        let count = usize::try_from(key.values).unwrap_or(usize::MAX).min(CHILDREN_MAX);
        Ok((0..count).map_while(|index| le32(&list, index * 4)).collect())
    }

    /// The value at an offset.
    ///
    /// # Errors
    /// When it is damaged.
    pub(crate) fn value(&self, offset: u32) -> Result<Value> {
        let cell = self.cell(offset)?;
        if !cell.starts_with(b"vk") {
            return Err(Error::corrupt(BINS + u64::from(offset), "value", "vk", "something else"));
        }
        let length = le16(&cell, 2).map_or(0, usize::from);
        let name = cell.get(0x14..0x14 + length).unwrap_or_default();
        let is_ascii = le16(&cell, 0x10).unwrap_or(0) & 1 != 0;
        let size = le32(&cell, 4).unwrap_or(0);
        // The highest bit says that the data stands in the offset field itself.
        let (data, parts) = if size & 0x8000_0000 != 0 {
            let own = usize::try_from(size & 0x7fff_ffff).unwrap_or(0).min(4);
            (cell.get(8..8 + own).unwrap_or_default().to_vec(), Vec::new())
        } else {
            self.data(le32(&cell, 8).unwrap_or(NONE), usize::try_from(size).unwrap_or(0))?
        };
        let kind = le32(&cell, 0xc).unwrap_or(0);
        Ok(Value { name: if is_ascii { latin(name) } else { wide(name) }, kind, data, parts })
    }

    /// Data in a cell of its own, or in segments (`db`) where it is longer than 16,344 bytes.
    fn data(&self, offset: u32, size: usize) -> Result<(Vec<u8>, Vec<Range<u64>>)> {
        let part = |offset: u32, length: usize| {
            let start = BINS.saturating_add(u64::from(offset)).saturating_add(4);
            start..start.saturating_add(u64::try_from(length).unwrap_or(0))
        };
        if size == 0 || offset == NONE {
            return Ok((Vec::new(), Vec::new()));
        }
        let mut cell = self.cell(offset)?;
        if size <= 16_344 || !cell.starts_with(b"db") {
            cell.truncate(size);
            let parts = vec![part(offset, cell.len())];
            return Ok((cell, parts));
        }
        let count = le16(&cell, 2).map_or(0, usize::from);
        let list = self.cell(le32(&cell, 4).unwrap_or(NONE))?;
        let (mut data, mut parts) = (Vec::new(), Vec::new());
        let size = size.min(CELL_MAX);
        for segment in (0..count).map_while(|index| le32(&list, index * 4)) {
            let own = self.cell(segment)?;
            let length = own.len().min(16_344).min(size.saturating_sub(data.len()));
            data.extend_from_slice(own.get(..length).unwrap_or_default());
            parts.push(part(segment, length));
            if data.len() >= size {
                break;
            }
        }
        Ok((data, parts))
    }

    /// The subkey of this name, in any case.
    pub(crate) fn subkey(&self, key: &Key, name: &str) -> Result<Option<Key>> {
        let lower = name.to_lowercase();
        Ok(self.subkeys(key)?.into_iter().find(|subkey| subkey.name.to_lowercase() == lower))
    }

    /// The value of this name, in any case.
    pub(crate) fn value_of(&self, key: &Key, name: &str) -> Result<Option<Value>> {
        let lower = name.to_lowercase();
        Ok(self.values(key)?.into_iter().find(|value| value.name.to_lowercase() == lower))
    }

    /// The key at a path with `/` between names.
    pub(crate) fn find(&self, path: &str) -> Result<Option<Key>> {
        let mut at = self.root()?;
        for name in path.split('/') {
            match self.subkey(&at, name)? {
                Some(next) => at = next,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// Name of the control set in use: `ControlSet001`.
    pub(crate) fn current_control_set(&self) -> Result<String> {
        let select = self.find("Select")?;
        let value = select.map(|key| self.value_of(&key, "Current")).transpose()?.flatten();
        let number = value.map_or_else(|| "1".to_owned(), |value| value.text());
        Ok(format!("ControlSet{number:0>3}"))
    }
}

fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// UTF-16, little-endian.
pub(crate) fn wide(bytes: &[u8]) -> String {
    let units: Vec<u16> =
        bytes.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(u16::from_le_bytes).collect();
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::fixture;
    use proptest::prelude::*;

    /// Reads everything that can be reached, as far as damage lets it.
    fn read_all(hive: &Hive<'_>, key: &Key, depth: u8, values: &mut Vec<(String, String)>) {
        for value in hive.values(key).unwrap_or_default() {
            values.push((value.name.clone(), value.text()));
        }
        for subkey in hive.subkeys(key).unwrap_or_default() {
            if depth < 12 && values.len() < 1000 {
                read_all(hive, &subkey, depth + 1, values);
            }
        }
    }

    #[test]
    fn keys_and_values_are_those_that_were_written() {
        let bytes = fixture("hives/software-dirty.zst");
        let hive = Hive::open(&bytes).unwrap();
        let key = hive.find("microsoft/windows nt/currentversion/WINLOGON").unwrap().unwrap();
        assert_eq!(hive.value_of(&key, "defaultpassword").unwrap().unwrap().text(), "hunter2x");
        assert!(hive.find("Microsoft/Nothing").unwrap().is_none());
        let system = fixture("hives/system-dirty.zst");
        assert_eq!(Hive::open(&system).unwrap().current_control_set().unwrap(), "ControlSet001");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn damage_ends_in_errors_not_in_panics(at in 4096_usize..8192, word in any::<u32>(), step in 1_usize..64) {
            let mut bytes = fixture("hives/software-dirty.zst");
            for place in (at..bytes.len().saturating_sub(4)).step_by(step * 97).take(8) {
                bytes[place..place + 4].copy_from_slice(&word.to_le_bytes());
            }
            if let Ok(hive) = Hive::open(&bytes)
                && let Ok(root) = hive.root()
            {
                read_all(&hive, &root, 0, &mut Vec::new());
            }
        }
    }
}
