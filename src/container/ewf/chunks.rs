//! The volume section, and tables of chunks.

use super::section::Section;
use super::zeros::Zeros;

use crate::container::codec::Codec;
use crate::container::sparse::{Layout, Piece, Place, peek};
use crate::error::{Error, Kind, Result};
use crate::io::{Fields, ReadAt, read_vec};
use libdeflater::adler32;
use std::sync::Arc;

/// Length of the header of a table.
const TABLE_HEADER: u64 = 24;
/// Largest chunk that is read; the usual one has 32 KiB.
const CHUNK_MAX: u64 = 16 << 20;
/// Bit of an entry whose chunk is compressed; the others are the offset.
const COMPRESSED: u32 = 1 << 31;
/// Longest table whose checksum is compared when the image is opened.
const TABLE_BYTES_MAX: u64 = 64 << 20;
/// Chunks, spread over the disk, among which one of zeros is looked for.
const SAMPLES: u64 = 4096;

/// What the volume section says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Volume {
    /// Size of the disk in bytes.
    size: u64,
    /// Size of a chunk in bytes.
    chunk: u64,
}

impl Volume {
    /// Reads the section's data: 94 bytes in SMART images, 1052 in the others.
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self> {
        let at = fields.offset(0);
        let (per_chunk, sector) = (u64::from(fields.le_u32(8)?), u64::from(fields.le_u32(12)?));
        let sectors =
            if fields.all().len() < 1052 { fields.le_u32(16)?.into() } else { fields.le_u64(16)? };
        let chunk = per_chunk.saturating_mul(sector);
        if chunk == 0 || chunk > CHUNK_MAX {
            return Err(Error::corrupt(at, "EWF chunk size", format!("1 to {CHUNK_MAX}"), chunk));
        }
        let size = sectors.checked_mul(sector);
        let size =
            size.ok_or_else(|| Error::corrupt(at, "EWF sectors", "a disk below 2^64 bytes", sectors))?;
        Ok(Self { size, chunk })
    }
}

/// A table of chunks: entry `i` is where chunk `first + i` lies.
#[derive(Clone, Debug)]
pub(super) struct Table {
    first: u64,
    count: u64,
    file: usize,
    entries_at: u64,
    base: u64,
    /// Where the last chunk's data ends.
    stored_end: u64,
    intact: bool,
}

impl Table {
    /// Reads the header of a table and compares its entries' checksum.
    ///
    /// # Errors
    /// Where the header is damaged or the entries pass the end of the file.
    pub(super) fn read(
        file: &dyn ReadAt,
        number: usize,
        section: &Section,
        first: u64,
        stored_end: u64,
    ) -> Result<Self> {
        let at = section.data.start;
        let bytes = read_vec(file, at, 24)?;
        let fields = Fields::new("EWF table", &bytes, at);
        let (expected, found) = (fields.le_u32(20)?, adler32(fields.bytes(0, 20)?));
        if expected != found {
            let (expected, found) = (format!("{expected:#010x}"), format!("{found:#010x}"));
            return Err(Error::corrupt(at, "checksum of the table's header", expected, found));
        }
        let count = u64::from(fields.le_u32(0)?);
        let entries_at = at.saturating_add(TABLE_HEADER);
        let length = count.saturating_mul(4);
        if entries_at.saturating_add(length) > file.size() {
            return Err(Error::truncated("EWF table", entries_at, length, file.size()));
        }
        let base = fields.le_u64(8)?;
        let intact = checksum_is_right(file, entries_at, length).unwrap_or(false);
        Ok(Self { first, count, file: number, entries_at, base, stored_end, intact })
    }

    /// Number of the chunk behind the last one.
    pub(super) fn end(&self) -> u64 {
        self.first.saturating_add(self.count)
    }

    pub(super) fn is_intact(&self) -> bool {
        self.intact
    }

    /// Reads the mirror in `section` instead, where that one is right.
    pub(super) fn replace(&mut self, file: &dyn ReadAt, section: &Section, notes: &mut Vec<String>) {
        let mirror = Self::read(file, self.file, section, self.first, self.stored_end);
        if let Ok(mirror) = mirror
            && mirror.intact
            && mirror.count == self.count
        {
            notes.push(format!(
                "the table of chunks at {:#x} is damaged; its mirror is used",
                self.entries_at
            ));
            *self = mirror;
        }
    }

    /// Whether its first chunk is compressed, which stands for the rest in a report.
    pub(super) fn has_compressed(&self, files: &[Arc<dyn ReadAt>]) -> bool {
        let entry = files.get(self.file).map(|file| self.entry(file.as_ref(), 0));
        matches!(entry, Some(Ok((_, true))))
    }

    /// Offset in the file of entry `index`, and whether its chunk is compressed.
    fn entry(&self, file: &dyn ReadAt, index: u64) -> Result<(u64, bool)> {
        let mut bytes = [0; 4];
        let at = self.entries_at.saturating_add(index.saturating_mul(4));
        peek(file, at, &mut bytes).map_err(|error| error.context("EWF table entry"))?;
        let entry = u32::from_le_bytes(bytes);
        Ok((self.base.saturating_add((entry & !COMPRESSED).into()), entry & COMPRESSED != 0))
    }
}

fn checksum_is_right(file: &dyn ReadAt, at: u64, length: u64) -> Result<bool> {
    if length > TABLE_BYTES_MAX {
        return Err(Error::new(Kind::LimitExceeded, "table of chunks"));
    }
    let bytes = read_vec(file, at, usize::try_from(length.saturating_add(4)).unwrap_or(usize::MAX))?;
    let (entries, checksum) = bytes.split_last_chunk::<4>().unwrap_or((&[], &[0; 4]));
    Ok(adler32(entries) == u32::from_le_bytes(*checksum))
}

/// The disk in chunks.
#[derive(Debug)]
pub(super) struct Chunks {
    volume: Volume,
    tables: Vec<Table>,
    files: Vec<Arc<dyn ReadAt>>,
    zeros: Option<Zeros>,
}

impl Chunks {
    /// Tables are in the order of their chunks.
    pub(super) fn new(volume: &Volume, tables: Vec<Table>, files: Vec<Arc<dyn ReadAt>>) -> Self {
        let mut chunks = Self { volume: *volume, tables, files, zeros: None };
        chunks.zeros = Zeros::find(volume.chunk, chunks.samples());
        chunks
    }

    /// Stored forms of whole chunks that are short enough for zeros.
    fn samples(&self) -> impl Iterator<Item = Vec<u8>> {
        let count = self.tables.last().map_or(0, Table::end).min(self.volume.size / self.volume.chunk);
        let stored = move |chunk| {
            let Ok(Place::Encoded { file, at, length, codec: Codec::Zlib, .. }) = self.place(chunk) else {
                return None;
            };
            let wanted =
                usize::try_from(length).ok().filter(|_| Zeros::are_possible(length, self.volume.chunk))?;
            let mut bytes = vec![0; wanted];
            self.files.get(file)?.read_at(at, &mut bytes).ok().map(|()| bytes)
        };
        let step = usize::try_from(count.div_ceil(SAMPLES)).unwrap_or(usize::MAX).max(1);
        (0..count).step_by(step).filter_map(stored)
    }

    fn place(&self, chunk: u64) -> Result<Place> {
        let number = self.tables.partition_point(|table| table.end() <= chunk);
        let table = self.tables.get(number).ok_or_else(|| {
            Error::new(Kind::Truncated, format!("no table of the image describes chunk {chunk}"))
        })?;
        let file = self.files.get(table.file).ok_or_else(|| Error::new(Kind::Corrupt, "EWF segment"))?;
        let index = chunk.saturating_sub(table.first);
        let (at, compressed) = table.entry(file.as_ref(), index)?;
        let start = chunk.saturating_mul(self.volume.chunk);
        let unit = start..start.saturating_add(self.volume.chunk).min(self.volume.size);
        if !compressed {
            let length = unit.end.saturating_sub(unit.start).saturating_add(4);
            return Ok(Place::Encoded { file: table.file, at, length, unit, codec: Codec::Adler });
        }
        let next = index.saturating_add(1);
        let end = if next < table.count { table.entry(file.as_ref(), next)?.0 } else { table.stored_end };
        let length_max = self.volume.chunk.saturating_mul(2).saturating_add(1024);
        let length = end.checked_sub(at).filter(|length| (1..=length_max).contains(length));
        let whole = unit.end.saturating_sub(unit.start) == self.volume.chunk;
        if let Some(zeros) = self.zeros.as_ref().filter(|_| whole)
            && length.is_some_and(|length| zeros.are_at(file.as_ref(), at, length))
        {
            return Ok(Place::Hole);
        }
        let length = length.ok_or_else(|| {
            Error::corrupt(
                table.entries_at,
                "end of an EWF chunk",
                format!("up to {length_max} bytes on"),
                end,
            )
        })?;
        Ok(Place::Encoded { file: table.file, at, length, unit, codec: Codec::Zlib })
    }
}

impl Layout for Chunks {
    fn size(&self) -> u64 {
        self.volume.size
    }

    fn unit_max(&self) -> usize {
        usize::try_from(self.volume.chunk).unwrap_or(usize::MAX)
    }

    fn locate(&self, offset: u64) -> Piece {
        let (chunk, inside) = (offset / self.volume.chunk, offset % self.volume.chunk);
        let length = self.volume.chunk.saturating_sub(inside);
        if self.tables.last().is_none_or(|table| table.end() <= chunk) {
            // Nothing behind this one is described either.
            let message = format!("no table of the image describes chunk {chunk} and those behind it");
            let left = self.volume.size.saturating_sub(offset);
            return Piece::missing(left, &Error::new(Kind::Truncated, message));
        }
        match self.place(chunk) {
            Ok(place) => Piece { length, place },
            Err(error) => Piece::missing(length, &error),
        }
    }
}
