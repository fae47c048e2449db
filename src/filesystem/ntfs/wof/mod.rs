//! Files that Windows compresses without NTFS knowing (`compact /exe`, "CompactOS"): the overlay filter keeps their
//! content in the stream `WofCompressedData` (`wofapi.h`, `FILE_PROVIDER_COMPRESSION_*`), in the form of a resource
//! of a WIM file: a table of where the chunks start, and the chunks, each for itself.

mod bits;
mod lzx;
mod xpress;

use crate::error::{Error, Kind, Result};
use crate::io::{Backing, Extent, ReadAt, check_range, read_vec};
use std::sync::{Arc, Mutex, PoisonError};

/// The stream that holds the content.
pub(super) const STREAM: &[u8] = b"WofCompressedData";
/// From this size on, offsets in the table have eight bytes.
const WIDE: u64 = 1 << 32;
/// Chunks that are kept.
const CACHED: usize = 8;

/// How chunks are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Xpress { chunk: usize },
    Lzx,
}

impl Format {
    /// The format of this number (`FILE_PROVIDER_EXTERNAL_INFO.Algorithm`).
    pub(super) fn new(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Xpress { chunk: 4 << 10 },
            1 => Self::Lzx,
            2 => Self::Xpress { chunk: 8 << 10 },
            3 => Self::Xpress { chunk: 16 << 10 },
            _ => return None,
        })
    }

    fn chunk(self) -> usize {
        match self {
            Self::Xpress { chunk } => chunk,
            Self::Lzx => lzx::CHUNK,
        }
    }

    fn decode(self, packed: &[u8], size: usize, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Xpress { .. } => xpress::decode(packed, size, out),
            Self::Lzx => lzx::decode(packed, size, out),
        }
    }
}

/// The content of a file.
#[derive(Debug)]
pub(super) struct Overlaid {
    stored: Arc<dyn ReadAt>,
    format: Format,
    size: u64,
    cache: Mutex<Vec<(u64, Arc<Chunk>)>>,
}

/// A decoded chunk: as much of it as could be had, and why there is no more.
#[derive(Debug)]
struct Chunk {
    bytes: Vec<u8>,
    error: Option<String>,
}

impl Overlaid {
    /// The content of `size` bytes that is kept in `stored`.
    ///
    /// # Errors
    /// Corrupt where the table of chunks is longer than the stream.
    pub(super) fn new(stored: Arc<dyn ReadAt>, format: Format, size: u64) -> Result<Self> {
        let overlaid = Self { stored, format, size, cache: Mutex::new(Vec::new()) };
        let (table, length) = (overlaid.table(), overlaid.stored.size());
        if table > length {
            return Err(Error::corrupt(0, "table of chunks", format!("up to {length} bytes"), table));
        }
        Ok(overlaid)
    }

    fn unit(&self) -> u64 {
        u64::try_from(self.format.chunk()).unwrap_or(u64::MAX)
    }

    fn width(&self) -> u64 {
        if self.size < WIDE { 4 } else { 8 }
    }

    /// Length of the table, in which the first chunk is not.
    fn table(&self) -> u64 {
        self.size.div_ceil(self.unit()).saturating_sub(1).saturating_mul(self.width())
    }

    /// Where the chunk of this number starts in the stream.
    fn start(&self, number: u64) -> Result<u64> {
        let table = self.table();
        let Some(entry) = number.checked_sub(1) else { return Ok(table) };
        let at = entry.saturating_mul(self.width());
        if at >= table {
            return Ok(self.stored.size());
        }
        let mut bytes = [0; 8];
        let width = usize::try_from(self.width()).unwrap_or(8);
        self.stored.read_at(at, bytes.get_mut(..width).unwrap_or_default())?;
        Ok(table.saturating_add(u64::from_le_bytes(bytes)))
    }

    /// Where the chunk of this number lies in the stream: offset and length.
    fn place(&self, number: u64) -> Result<(u64, u64)> {
        let (start, end) = (self.start(number)?, self.start(number.saturating_add(1))?);
        let length = end
            .checked_sub(start)
            .filter(|&length| length > 0 && length <= self.length(number) && end <= self.stored.size());
        let expected = || format!("1 to {} bytes within the stream", self.length(number));
        let error = || Error::corrupt(start, "compressed chunk", expected(), format!("{start} to {end}"));
        Ok((start, length.ok_or_else(error)?))
    }

    /// Bytes that the chunk of this number decodes to.
    fn length(&self, number: u64) -> u64 {
        self.size.saturating_sub(number.saturating_mul(self.unit())).min(self.unit())
    }

    fn chunk(&self, number: u64) -> Result<Arc<Chunk>> {
        {
            let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(at) = cache.iter().position(|(of, _)| *of == number) {
                let hit = cache.remove(at);
                let chunk = Arc::clone(&hit.1);
                cache.push(hit);
                return Ok(chunk);
            }
        }
        let (start, length) = self.place(number)?;
        let packed = read_vec(self.stored.as_ref(), start, usize::try_from(length).unwrap_or(0))?;
        let size = usize::try_from(self.length(number)).unwrap_or(0);
        let mut chunk = Chunk { bytes: Vec::with_capacity(size), error: None };
        if packed.len() == size {
            // What does not become shorter is stored as it is.
            chunk.bytes = packed;
        } else if let Err(error) = self.format.decode(&packed, size, &mut chunk.bytes) {
            chunk.error = Some(error.to_string());
        }
        let chunk = Arc::new(chunk);
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHED {
            cache.remove(0);
        }
        cache.push((number, Arc::clone(&chunk)));
        Ok(chunk)
    }
}

impl ReadAt for Overlaid {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        check_range(self.size, offset, u64::try_from(buffer.len()).unwrap_or(u64::MAX))?;
        let (mut at, mut rest) = (offset, buffer);
        while !rest.is_empty() {
            let (number, inside) = (at / self.unit(), at % self.unit());
            let left = usize::try_from(self.length(number).saturating_sub(inside)).unwrap_or(usize::MAX);
            let (part, later) = rest.split_at_mut(left.min(rest.len()));
            let chunk = self.chunk(number)?;
            let from = usize::try_from(inside).unwrap_or(usize::MAX);
            let bytes = chunk.bytes.get(from..from.saturating_add(part.len())).ok_or_else(|| {
                let why = chunk.error.as_deref().unwrap_or("it is too short");
                Error::new(Kind::Corrupt, format!("compressed chunk {number}: {why}")).at(at)
            })?;
            part.copy_from_slice(bytes);
            at = at.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
            rest = later;
        }
        Ok(())
    }

    fn map(&self, offset: u64, max: u64) -> Result<Extent> {
        check_range(self.size, offset, 1)?;
        let number = offset / self.unit();
        let left = self.length(number).saturating_sub(offset % self.unit()).max(1);
        let (start, host_length) = self.place(number).unwrap_or((0, 0));
        let host = match self.stored.map(start, 1).map(|extent| extent.backing) {
            Ok(Backing::Stored { host } | Backing::Encoded { host, .. }) => host,
            _ => 0,
        };
        Ok(Extent { length: left.min(max.max(1)), backing: Backing::Encoded { host, host_length } })
    }
}
