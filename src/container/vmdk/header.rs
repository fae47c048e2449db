//! The header of a sparse extent ("Hosted Sparse Extents", "Stream-Optimized Compressed Sparse Extents").

use crate::error::{Error, Result};
use crate::io::{Fields, ReadAt, read_vec};
use std::ops::Range;

/// First bytes of a sparse extent.
pub(super) const MAGIC: &[u8] = b"KDMV";

const SECTOR: u64 = 512;
/// `gdOffset` of an extent whose header is repeated at its end.
const AT_END: u64 = u64::MAX;
/// Largest grain that is read, in sectors. VMware's are 16 to 128.
const GRAIN_SECTORS_MAX: u64 = 4096;
/// Most entries of a grain table; the specification knows 512 only.
const TABLE_ENTRIES_MAX: u64 = 4096;

const FLAG_NEWLINES: u32 = 1 << 0;
const FLAG_ZERO_GRAINS: u32 = 1 << 2;
const FLAG_COMPRESSED: u32 = 1 << 16;
const FLAG_MARKERS: u32 = 1 << 17;

/// A header that was found consistent.
#[derive(Clone, Debug)]
pub(super) struct Header {
    flags: u32,
    capacity: u64,
    grain_sectors: u64,
    pub(super) table_entries: u64,
    directory: u64,
    redundant: u64,
    descriptor: Range<u64>,
    /// Where this header stands, and the first one where this is a footer.
    places: Vec<Range<u64>>,
    unclean: bool,
    /// Where the first grain may stand, in sectors.
    overhead: u64,
    /// Whether the footer that has the grain directory is not there.
    cut: bool,
}

impl Header {
    /// Reads the header, or the footer that replaces it.
    ///
    /// # Errors
    /// [`Kind::Corrupt`](crate::error::Kind::Corrupt) and [`Kind::Unsupported`](crate::error::Kind::Unsupported) by name.
    pub(super) fn read(file: &dyn ReadAt) -> Result<Self> {
        let first = Self::read_at(file, 0)?;
        if first.directory != AT_END {
            return first.check(file);
        }
        // The footer is the last sector but one; an end-of-stream marker follows it.
        let at = file.size().saturating_sub(2 * SECTOR);
        let footer = match Self::read_at(file, at) {
            Ok(footer) if footer.directory != AT_END => footer,
            // The stream breaks off; its grains say themselves where they belong.
            _ => return Self { cut: true, ..first }.check(file),
        };
        // A marker stands before the footer and one behind it.
        let footer_place = at.saturating_sub(SECTOR)..at.saturating_add(2 * SECTOR);
        let places = vec![0..SECTOR, footer_place];
        Self { descriptor: first.descriptor, places, ..footer }.check(file)
    }

    fn read_at(file: &dyn ReadAt, at: u64) -> Result<Self> {
        let bytes = read_vec(file, at, 512)?;
        let fields = Fields::new("VMDK header", &bytes, at);
        if fields.bytes(0, 4)? != MAGIC {
            return Err(Error::corrupt(at, "VMDK header", "KDMV", "other bytes"));
        }
        let version = fields.le_u32(4)?;
        if !(1..=3).contains(&version) {
            return Err(Error::unsupported(format!("VMDK version {version}; 1 to 3 are read")).at(at));
        }
        let flags = fields.le_u32(8)?;
        let newlines = fields.array::<4>(73)?;
        if flags & FLAG_NEWLINES != 0 && newlines != *b"\n \r\n" {
            let expected = "line ends as written (a text-mode transfer changes them)";
            return Err(Error::corrupt(at, "VMDK header", expected, format!("{newlines:02x?}")));
        }
        let (start, length) = (fields.le_u64(28)?, fields.le_u64(36)?);
        Ok(Self {
            flags,
            capacity: fields.le_u64(12)?,
            grain_sectors: fields.le_u64(20)?,
            table_entries: fields.le_u32(44)?.into(),
            directory: fields.le_u64(56)?,
            redundant: fields.le_u64(48)?,
            descriptor: start.saturating_mul(SECTOR)..start.saturating_add(length).saturating_mul(SECTOR),
            places: std::iter::once(at..at.saturating_add(SECTOR)).collect(),
            unclean: fields.u8(72)? != 0,
            overhead: fields.le_u64(64)?,
            cut: false,
        })
        .and_then(|header| header.check_method(fields.le_u16(77)?))
    }

    fn check_method(self, method: u16) -> Result<Self> {
        let flags = self.flags & (FLAG_COMPRESSED | FLAG_MARKERS);
        match (flags, method) {
            (0, _) => Ok(self),
            (flags, 1) if flags == FLAG_COMPRESSED | FLAG_MARKERS => Ok(self),
            (_, 0 | 1) => Err(Error::unsupported("VMDK compressed grains without markers")),
            (_, other) => Err(Error::unsupported(format!("VMDK compression method {other}"))),
        }
    }

    fn check(self, file: &dyn ReadAt) -> Result<Self> {
        if !self.grain_sectors.is_power_of_two() || self.grain_sectors > GRAIN_SECTORS_MAX {
            let expected = "a power of two up to 4096 sectors";
            return Err(Error::corrupt(20, "VMDK grain size", expected, self.grain_sectors));
        }
        if self.table_entries == 0 || self.table_entries > TABLE_ENTRIES_MAX {
            return Err(Error::corrupt(44, "VMDK grain table entries", "1 to 4096", self.table_entries));
        }
        if self.capacity.checked_mul(SECTOR).is_none() {
            return Err(Error::corrupt(12, "VMDK capacity", "below 2^55 sectors", self.capacity));
        }
        if self.cut && self.is_compressed() {
            return Ok(self);
        }
        let at = self.directory_at();
        if self.directory == 0 || self.directory == AT_END {
            return Err(Error::corrupt(56, "VMDK grain directory", "a sector", self.directory));
        }
        if at >= file.size() && self.capacity > 0 {
            return Err(Error::truncated("VMDK grain directory", at, self.directory_length(), file.size()));
        }
        Ok(self)
    }

    /// Size of the extent in bytes; [`check`](Self::check) makes the product safe.
    pub(super) fn capacity_bytes(&self) -> u64 {
        self.capacity.saturating_mul(SECTOR)
    }

    pub(super) fn grain_bytes(&self) -> u64 {
        self.grain_sectors.saturating_mul(SECTOR)
    }

    /// Whether the stream breaks off before its grain directory.
    pub(super) fn is_cut(&self) -> bool {
        self.cut
    }

    /// Byte offset behind the header and the descriptor.
    pub(super) fn overhead(&self) -> u64 {
        self.overhead.max(1).saturating_mul(SECTOR)
    }

    /// Byte offset of the grain directory.
    pub(super) fn directory_at(&self) -> u64 {
        self.directory.saturating_mul(SECTOR)
    }

    /// Length of the grain directory in bytes.
    pub(super) fn directory_length(&self) -> u64 {
        let grains = self.capacity.div_ceil(self.grain_sectors.max(1));
        grains.div_ceil(self.table_entries.max(1)).saturating_mul(4)
    }

    /// Byte offset of the second grain directory, where there is one.
    pub(super) fn redundant_at(&self) -> Option<u64> {
        let there = self.redundant != 0 && self.redundant != AT_END;
        there.then(|| self.redundant.saturating_mul(SECTOR))
    }

    /// Where headers and the descriptor stand.
    pub(super) fn places(&self) -> Vec<Range<u64>> {
        self.places.iter().cloned().chain(self.descriptor()).collect()
    }

    pub(super) fn has_zero_grains(&self) -> bool {
        self.flags & FLAG_ZERO_GRAINS != 0
    }

    pub(super) fn is_compressed(&self) -> bool {
        self.flags & FLAG_COMPRESSED != 0
    }

    /// Byte range of the descriptor inside the file.
    pub(super) fn descriptor(&self) -> Option<Range<u64>> {
        (self.descriptor.start > 0 && self.descriptor.end > self.descriptor.start)
            .then(|| self.descriptor.clone())
    }

    /// What a reader of the report should know.
    pub(super) fn notes(&self) -> Vec<String> {
        let unclean = self.unclean.then(|| "the image was not closed cleanly".to_owned());
        unclean.into_iter().collect()
    }
}
