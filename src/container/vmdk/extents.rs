//! Extents in disk order, and grain directories and tables ("Grain Directory", "Grain Table").

use super::header::Header;
use super::stream::Stream;
use crate::container::codec::Codec;
use crate::container::residual::Used;
use crate::container::sparse::{Layout, Piece, Place, peek};
use crate::error::{Error, Kind, Result};
use crate::io::ReadAt;
use std::ops::Range;
use std::sync::Arc;

/// Length of a grain marker: the grain's first sector and the length of its compressed data.
const MARKER_LENGTH: u64 = 12;

/// A part of the disk.
#[derive(Debug)]
pub(super) enum Extent {
    /// In grains of a file.
    Sparse(SparseExtent),
    /// As it is, from byte `at` of file number `file` on.
    Flat { file: usize, at: u64 },
    /// Zeros.
    Zero,
    /// Not opened.
    Missing { kind: Kind, reason: Arc<str> },
}

impl Extent {
    /// An extent that cannot be had because of `error`.
    pub(super) fn missing(error: &Error) -> Self {
        Self::Missing { kind: error.kind(), reason: error.to_string().into() }
    }
}

/// The disk as its extents make it up.
#[derive(Debug)]
pub(super) struct Extents {
    list: Vec<(Range<u64>, Extent)>,
    /// Where grains lie that no table places.
    unallocated: Place,
}

impl Extents {
    /// Extents with the disk ranges that they cover, in disk order without gaps.
    pub(super) fn new(list: Vec<(Range<u64>, Extent)>, unallocated: Place) -> Self {
        Self { list, unallocated }
    }
}

impl Layout for Extents {
    fn size(&self) -> u64 {
        self.list.last().map_or(0, |(range, _)| range.end)
    }

    fn locate(&self, offset: u64) -> Piece {
        let number = self.list.partition_point(|(range, _)| range.end <= offset);
        let Some((range, extent)) = self.list.get(number) else {
            return Piece::missing(1, &Error::truncated("VMDK", offset, 1, self.size()));
        };
        let (inside, left) = (offset.saturating_sub(range.start), range.end.saturating_sub(offset));
        let mut piece = match extent {
            Extent::Flat { file, at } => {
                Piece { length: left, place: Place::Stored { file: *file, at: at.saturating_add(inside) } }
            }
            Extent::Zero => Piece { length: left, place: Place::Hole },
            Extent::Missing { kind, reason } => {
                Piece { length: left, place: Place::Missing { kind: *kind, reason: Arc::clone(reason) } }
            }
            Extent::Sparse(sparse) => sparse.locate(range.start, inside, left, &self.unallocated),
        };
        piece.length = piece.length.min(left);
        piece
    }

    fn add_metadata(&self, used: &mut Used) -> Result<bool> {
        let mut sparse = false;
        for (range, extent) in &self.list {
            match extent {
                // Without its tables nobody can say what they do not refer to.
                Extent::Sparse(extent) if extent.stream.is_some() => return Ok(false),
                Extent::Sparse(extent) => {
                    sparse = true;
                    extent.add_metadata(used)?;
                }
                // A file may hold more than the disk takes from it.
                Extent::Flat { file, at } => {
                    used.add(*file, *at, range.end.saturating_sub(range.start))?;
                }
                Extent::Zero | Extent::Missing { .. } => {}
            }
        }
        Ok(sparse)
    }

    fn rewrite(&self) -> &'static str {
        "qemu-img convert -O vmdk OLD NEW, or a fresh export by the hypervisor"
    }
}

/// A sparse extent's directory and tables.
#[derive(Debug)]
pub(super) struct SparseExtent {
    source: Arc<dyn ReadAt>,
    file: usize,
    capacity: u64,
    grain: u64,
    table_entries: u64,
    directory_at: u64,
    zero_grains: bool,
    compressed: bool,
    /// Headers, descriptor and directories.
    fixed: Vec<Range<u64>>,
    redundant_at: Option<u64>,
    directory_length: u64,
    /// What there is instead of tables, where the file breaks off before them.
    stream: Option<Stream>,
    /// What is said of grain tables behind the end of the file; a damaged directory may have millions.
    behind: Arc<str>,
}

impl SparseExtent {
    /// The extent that `header` describes, in `source`, which has number `file`.
    pub(super) fn new(header: &Header, file: usize, source: Arc<dyn ReadAt>) -> Result<Self> {
        let stream = match header.is_cut() {
            true => Some(Stream::read(source.as_ref(), header)?),
            false => None,
        };
        let extent = Self {
            stream,
            behind: format!("a grain table lies behind the end of the file at byte {}", source.size()).into(),
            source,
            file,
            capacity: header.capacity_bytes(),
            grain: header.grain_bytes(),
            table_entries: header.table_entries,
            directory_at: header.directory_at(),
            zero_grains: header.has_zero_grains(),
            compressed: header.is_compressed(),
            fixed: header.places(),
            redundant_at: header.redundant_at(),
            directory_length: header.directory_length(),
        };
        if extent.stream.is_none() {
            extent.check_room()?;
        }
        Ok(extent)
    }

    /// Bounds what a walk over all tables costs by the file's own length: entries that share a table are damage
    /// at best, and each further one would cost the walk over that table again.
    fn check_room(&self) -> Result<()> {
        let size = self.source.size();
        let table = self.table_entries.saturating_mul(4).next_multiple_of(512);
        let mut held = 0u64;
        for index in 0..self.directory_length.min(size.saturating_sub(self.directory_at)) / 4 {
            let at = self.directory_at.saturating_add(index.saturating_mul(4));
            let place = self.read_u32("grain directory entry", at).unwrap_or(0).saturating_mul(512);
            let is_there = place != 0 && place < size;
            held = held.saturating_add(if is_there { table } else { 0 });
        }
        if held > size {
            let expected = format!("at most {} grain tables", size / table.max(1));
            return Err(Error::corrupt(self.directory_at, "grain directory", expected, held / table.max(1)));
        }
        Ok(())
    }

    /// Headers, the descriptor, both directories and their tables.
    fn add_metadata(&self, used: &mut Used) -> Result<()> {
        used.add_all(self.file, &self.fixed)?;
        let held = self.source.size();
        for directory in [Some(self.directory_at), self.redundant_at].into_iter().flatten() {
            let length = self.directory_length.min(held.saturating_sub(directory));
            used.add(self.file, directory, length.next_multiple_of(512))?;
            for index in 0..length / 4 {
                let at = directory.saturating_add(index.saturating_mul(4));
                let table = self.read_u32("grain directory entry", at).unwrap_or(0).saturating_mul(512);
                if table != 0 {
                    used.add(self.file, table, self.table_entries.saturating_mul(4).next_multiple_of(512))?;
                }
            }
        }
        Ok(())
    }

    fn read_u32(&self, what: &str, at: u64) -> Result<u64> {
        let mut bytes = [0; 4];
        peek(self.source.as_ref(), at, &mut bytes).map_err(|error| error.context(what))?;
        Ok(u32::from_le_bytes(bytes).into())
    }

    /// The place of byte `offset` of the extent, which starts at `base` of the disk and has `left` bytes
    /// from here on.
    fn locate(&self, base: u64, offset: u64, left: u64, unallocated: &Place) -> Piece {
        if offset >= self.capacity {
            let what = "extent shorter than its descriptor says";
            return Piece::missing(left, &Error::truncated(what, offset, left, self.capacity));
        }
        let (grain, inside) = (offset / self.grain, offset % self.grain);
        let (table, index) = (grain / self.table_entries, grain % self.table_entries);
        if let Some(stream) = &self.stream {
            return self.in_stream(stream, base, offset, left, unallocated);
        }
        let grains_left = self.table_entries.saturating_sub(index);
        let table_rest = grains_left.saturating_mul(self.grain).saturating_sub(inside);
        let entry = self.directory_at.saturating_add(table.saturating_mul(4));
        let table = match self.read_u32("grain directory entry", entry) {
            Ok(0) => return Piece { length: table_rest, place: unallocated.clone() },
            Ok(table) if table.saturating_mul(512) >= self.source.size() => {
                let reason = Arc::clone(&self.behind);
                return Piece { length: table_rest, place: Place::Missing { kind: Kind::Truncated, reason } };
            }
            Ok(table) => table,
            // Where the file ends before the entry, it ends before all others, too.
            Err(error) if entry >= self.source.size() => return Piece::missing(left, &error),
            Err(error) => return Piece::missing(table_rest, &error),
        };
        let rest = self.grain.saturating_sub(inside);
        let entry = table.saturating_mul(512).saturating_add(index.saturating_mul(4));
        let place = match self.read_u32("grain table entry", entry) {
            Ok(0) => Ok(unallocated.clone()),
            Ok(1) if self.zero_grains => Ok(Place::Hole),
            Ok(sector) if self.compressed => self.compressed(base, grain, sector.saturating_mul(512)),
            Ok(sector) => {
                Ok(Place::Stored { file: self.file, at: sector.saturating_mul(512).saturating_add(inside) })
            }
            Err(error) => Err(error),
        };
        match place {
            Ok(place) => Piece { length: rest, place },
            Err(error) => Piece::missing(rest, &error),
        }
    }

    /// As [`locate`](Self::locate), without tables.
    fn in_stream(&self, stream: &Stream, base: u64, offset: u64, left: u64, unallocated: &Place) -> Piece {
        let (number, inside) = (offset / self.grain, offset % self.grain);
        if let Some(marker) = stream.grain(number) {
            let length = self.grain.saturating_sub(inside);
            return match self.compressed(base, number, marker) {
                Ok(place) => Piece { length, place },
                Err(error) => Piece::missing(length, &error),
            };
        }
        let table = number / self.table_entries;
        let next = stream.next_grain(number).unwrap_or(u64::MAX);
        let (place, table_end) = match stream.has_table(table) {
            true => (unallocated.clone(), table.saturating_add(1)),
            false => {
                let reason = Arc::clone(&stream.reason);
                let end = stream.next_table(table).unwrap_or(u64::MAX);
                (Place::Missing { kind: Kind::Truncated, reason }, end)
            }
        };
        let end = next.min(table_end.saturating_mul(self.table_entries)).saturating_mul(self.grain);
        Piece { length: end.saturating_sub(offset).clamp(1, left), place }
    }

    /// Why the extent is not whole, where it breaks off.
    pub(super) fn cut(&self) -> Option<String> {
        self.stream.as_ref().map(|stream| stream.reason.to_string())
    }

    /// The compressed grain whose marker is at byte `at`.
    fn compressed(&self, base: u64, grain: u64, at: u64) -> Result<Place> {
        let mut marker = [0; 12];
        self.source.read_at(at, &mut marker).map_err(|error| error.context("grain marker"))?;
        let [a, b, c, d, e, f, g, h, length @ ..] = marker;
        let sector = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        let length = u64::from(u32::from_le_bytes(length));
        let start = grain.saturating_mul(self.grain);
        if sector != start / 512 {
            return Err(Error::corrupt(at, "sector in the grain marker", start / 512, sector));
        }
        // Deflate adds at most some bytes to what it cannot compress.
        let length_max = self.grain.saturating_mul(2).saturating_add(1024);
        if length == 0 || length > length_max {
            return Err(Error::corrupt(at, "length of a grain", format!("1 to {length_max}"), length));
        }
        let end = start.saturating_add(self.grain).min(self.capacity);
        Ok(Place::Encoded {
            file: self.file,
            at: at.saturating_add(MARKER_LENGTH),
            length,
            unit: base.saturating_add(start)..base.saturating_add(end),
            codec: Codec::Zlib,
        })
    }
}
