//! Headers and entry arrays (UEFI specification, sections 5.3.2 and 5.3.3).

use super::Entry;
use crate::error::{Error, Kind, Result};
use crate::io::{Fields, ReadAt, read_vec};
use std::ops::Range;

const SIGNATURE: &[u8] = b"EFI PART";
/// Length of the fields that the specification names.
const HEADER_LENGTH: usize = 92;
/// Largest entry array that is read; the usual one has 16 KiB.
const TABLE_BYTES_MAX: u64 = 4 << 20;

/// A header whose checksum is right.
#[derive(Clone, Debug)]
pub(super) struct Header {
    /// Byte offset on the disk.
    pub(super) at: u64,
    sector: u64,
    own: u64,
    other: u64,
    table_first: u64,
    count: u64,
    width: u64,
    table_crc: u32,
}

/// Whether the signature of a header stands at byte `at`.
pub(super) fn has_signature(disk: &dyn ReadAt, at: u64) -> bool {
    let mut found = [0; 8];
    disk.read_at(at, &mut found).is_ok() && found == *SIGNATURE
}

/// Whether what stands at byte `at` is no header, or one with entries of the usual width and number.
pub(super) fn is_usual(disk: &dyn ReadAt, at: u64) -> bool {
    if !has_signature(disk, at) {
        return true;
    }
    let Ok(bytes) = read_vec(disk, at, HEADER_LENGTH) else { return false };
    let fields = Fields::new("GPT header", &bytes, at);
    let count = fields.le_u32(80).map_or(u64::MAX, u64::from);
    fields.le_u32(84).is_ok_and(|width| width == 128) && count.saturating_mul(128) <= TABLE_BYTES_MAX
}

impl Header {
    /// Reads the header at byte `at` of a disk with sectors of `sector` bytes.
    ///
    /// # Errors
    /// [`Kind::NotFound`] without a signature, [`Kind::Corrupt`] for a wrong checksum or impossible sizes.
    pub(super) fn read(disk: &dyn ReadAt, at: u64, sector: u64) -> Result<Self> {
        let mut bytes = read_vec(disk, at, usize::try_from(sector).unwrap_or(HEADER_LENGTH))?;
        if !bytes.starts_with(SIGNATURE) {
            return Err(Error::new(Kind::NotFound, "no GPT header").at(at));
        }
        check_crc(&mut bytes, at)?;
        let fields = Fields::new("GPT header", &bytes, at);
        let header = Self {
            at,
            sector,
            own: fields.le_u64(24)?,
            other: fields.le_u64(32)?,
            table_first: fields.le_u64(72)?,
            count: fields.le_u32(80)?.into(),
            width: fields.le_u32(84)?.into(),
            table_crc: fields.le_u32(88)?,
        };
        if header.own.checked_mul(sector) != Some(at) {
            return Err(Error::corrupt(at, "sector of the GPT header", at / sector, header.own));
        }
        if header.width < 128 || !header.width.is_multiple_of(8) {
            return Err(Error::corrupt(at, "width of a GPT entry", "128 or more", header.width));
        }
        if header.table_length() > TABLE_BYTES_MAX {
            let limit = format!("at most {TABLE_BYTES_MAX} bytes");
            return Err(Error::corrupt(at, "GPT entries", limit, header.table_length()));
        }
        Ok(header)
    }

    /// The sector of the backup header: the last one of the disk that the table was made for.
    pub(super) fn last_sector(&self) -> u64 {
        self.own.max(self.other)
    }

    /// Size of a sector in bytes.
    pub(super) fn sector_size(&self) -> u64 {
        self.sector
    }

    /// Length of the entry array in bytes.
    pub(super) fn table_length(&self) -> u64 {
        self.count.saturating_mul(self.width)
    }

    /// The disk ranges of the header and of its entries.
    pub(super) fn places(&self) -> [Range<u64>; 2] {
        let start = self.table_first.saturating_mul(self.sector);
        let length = self.table_length().div_ceil(self.sector).saturating_mul(self.sector);
        [self.at..self.at.saturating_add(self.sector), start..start.saturating_add(length)]
    }

    /// Reads the entry array.
    ///
    /// # Errors
    /// When it passes the end of the disk or cannot be read.
    pub(super) fn table(&self, disk: &dyn ReadAt) -> Result<EntryArray> {
        let at = self.table_first.saturating_mul(self.sector);
        let bytes = read_vec(disk, at, usize::try_from(self.table_length()).unwrap_or(usize::MAX))?;
        Ok(EntryArray { width: self.width, expected: self.table_crc, bytes })
    }
}

/// Compares the checksum over the header's own length, with the checksum field as zeros.
fn check_crc(bytes: &mut [u8], at: u64) -> Result<()> {
    let fields = Fields::new("GPT header", bytes, at);
    let (length, expected) = (fields.le_u32(12)?, fields.le_u32(16)?);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length < HEADER_LENGTH || length > bytes.len() {
        return Err(Error::corrupt(at, "length of the GPT header", "92 to one sector", length));
    }
    if let Some(field) = bytes.get_mut(16..20) {
        field.fill(0);
    }
    let found = crc32fast::hash(bytes.get(..length).unwrap_or_default());
    if found != expected {
        let (expected, found) = (format!("{expected:#010x}"), format!("{found:#010x}"));
        return Err(Error::corrupt(at, "checksum of the GPT header", expected, found));
    }
    Ok(())
}

/// The entries' bytes.
#[derive(Debug)]
pub(super) struct EntryArray {
    width: u64,
    expected: u32,
    bytes: Vec<u8>,
}

impl EntryArray {
    /// Whether the checksum in the header is the entries'.
    pub(super) fn is_intact(&self) -> bool {
        crc32fast::hash(&self.bytes) == self.expected
    }

    /// What is wrong with an array that is not intact.
    pub(super) fn mismatch(&self) -> String {
        let found = crc32fast::hash(&self.bytes);
        format!("checksum of the entries: expected {:#010x}, found {found:#010x}", self.expected)
    }

    /// The used entries.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let width = usize::try_from(self.width).unwrap_or(usize::MAX);
        let numbered = (1..).zip(self.bytes.chunks_exact(width));
        numbered.filter_map(|(number, bytes)| entry(number, bytes).ok().flatten()).collect()
    }
}

/// One entry; `None` where it is not in use (its type is zero).
fn entry(number: usize, bytes: &[u8]) -> Result<Option<Entry>> {
    let fields = Fields::new("GPT entry", bytes, 0);
    let kind: [u8; 16] = fields.array(0)?;
    if kind == [0; 16] {
        return Ok(None);
    }
    let units = fields.bytes(56, 72)?.chunks_exact(2).map(|unit| match *unit {
        [low, high] => u16::from_le_bytes([low, high]),
        _ => 0,
    });
    let units: Vec<u16> = units.take_while(|&unit| unit != 0).collect();
    Ok(Some(Entry {
        number,
        kind: guid(kind),
        first: fields.le_u64(32)?,
        last: fields.le_u64(40)?,
        label: String::from_utf16_lossy(&units),
    }))
}

/// A GUID as text: the first three fields are little-endian (UEFI specification, appendix A).
fn guid(bytes: [u8; 16]) -> String {
    let [a0, a1, a2, a3, b0, b1, c0, c1, rest @ ..] = bytes;
    let [d0, d1, e0, e1, e2, e3, e4, e5] = rest;
    format!(
        "{:08X}-{:04X}-{:04X}-{d0:02X}{d1:02X}-{e0:02X}{e1:02X}{e2:02X}{e3:02X}{e4:02X}{e5:02X}",
        u32::from_le_bytes([a0, a1, a2, a3]),
        u16::from_le_bytes([b0, b1]),
        u16::from_le_bytes([c0, c1]),
    )
}
