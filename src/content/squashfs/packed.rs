//! Blocks as they are packed: of data, and of metadata in chains.

use super::super::{xz, zstd};
use super::{STORED, decode_error, to_u64, to_usize, unknown};
use crate::error::{Error, Result};
use crate::io::{Fields, ReadAt, read_vec};
use flate2::bufread::ZlibDecoder;
use std::io::Read;

/// Bytes of a block of metadata, unpacked.
pub(super) const METADATA: usize = 8192;
/// In the length of a block of metadata: it is stored as it is.
const METADATA_STORED: u16 = 1 << 15;

/// How blocks are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Zlib,
    Xz,
    Lz4,
    Zstd,
}

impl Compression {
    /// The form of packing with this number in the superblock.
    ///
    /// # Errors
    /// Unsupported: LZMA of old kernels, LZO.
    pub(super) fn new(number: u16) -> Result<Self> {
        Ok(match number {
            1 => Self::Zlib,
            4 => Self::Xz,
            5 => Self::Lz4,
            6 => Self::Zstd,
            other => return Err(unknown(other)),
        })
    }

    /// Unpacks a block of at most `most` bytes.
    fn unpack(self, packed: &[u8], most: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let limit = to_u64(most);
        let read = match self {
            Self::Zlib => ZlibDecoder::new(packed).take(limit).read_to_end(&mut bytes),
            Self::Xz => xz::reader(packed).take(limit).read_to_end(&mut bytes),
            Self::Zstd => zstd::reader(packed).map_err(decode_error)?.take(limit).read_to_end(&mut bytes),
            Self::Lz4 => {
                bytes.resize(most, 0);
                let length = lz4_flex::block::decompress_into(packed, &mut bytes)
                    .map_err(|error| Error::corrupt(0, "block", "an LZ4 block", error))?;
                bytes.truncate(length);
                Ok(length)
            }
        };
        read.map_err(decode_error)?;
        Ok(bytes)
    }
}

/// Name of a form of packing, by its number.
pub(super) fn name(number: u16) -> String {
    match number {
        2 => "LZMA".to_owned(),
        3 => "LZO".to_owned(),
        other => format!("compression {other}"),
    }
}

/// The image, and how its blocks are packed.
pub(super) struct Packed<'a> {
    pub(super) content: &'a dyn ReadAt,
    pub(super) compression: Compression,
}

/// A table of metadata, unpacked.
pub(super) struct Table {
    pub(super) bytes: Vec<u8>,
    /// Where each of its blocks starts: stored, counted from the table's start, and unpacked.
    pub(super) starts: Vec<(u64, usize)>,
    /// Why it ends early.
    pub(super) trouble: Option<Error>,
}

impl Table {
    /// The unpacked bytes from `offset` of the block on that is stored at `start` of the table.
    pub(super) fn from(&self, start: u64, offset: usize) -> &[u8] {
        let found = self.starts.binary_search_by_key(&start, |(start, _)| *start).ok();
        let at = found.and_then(|found| self.starts.get(found)).and_then(|(_, at)| at.checked_add(offset));
        at.and_then(|at| self.bytes.get(at..)).unwrap_or_default()
    }
}

impl Packed<'_> {
    /// A block of data that is stored at `start` with a length as files and fragments give it, and has at most
    /// `most` bytes.
    pub(super) fn block(&self, start: u64, length: u32, most: usize) -> Result<Vec<u8>> {
        let stored = to_usize((length & !STORED).into());
        // What is packed is never longer than what it stands for.
        if stored > most.next_power_of_two().max(METADATA) {
            return Err(Error::corrupt(start, "length of a block", format!("at most {most}"), stored));
        }
        let bytes = read_vec(self.content, start, stored)?;
        if length & STORED != 0 { Ok(bytes) } else { self.compression.unpack(&bytes, most) }
    }

    /// The block of metadata at `start`, and where the next one starts.
    pub(super) fn metadata(&self, start: u64) -> Result<(Vec<u8>, u64)> {
        let header = read_vec(self.content, start, 2)?;
        let header = Fields::new("metadata block", &header, start).le_u16(0)?;
        let length = usize::from(header & !METADATA_STORED);
        if length == 0 || length > METADATA {
            return Err(Error::corrupt(
                start,
                "length of a metadata block",
                format!("1 to {METADATA}"),
                length,
            ));
        }
        let at = start.saturating_add(2);
        let bytes = read_vec(self.content, at, length)?;
        let next = at.saturating_add(to_u64(length));
        let stored = header & METADATA_STORED != 0;
        Ok((if stored { bytes } else { self.compression.unpack(&bytes, METADATA)? }, next))
    }

    /// The blocks of metadata from `start` up to `end`, or to the first that makes no sense. Other tables may
    /// follow a directory table directly: what is read of them is not asked for.
    pub(super) fn table(&self, start: u64, end: u64, most: usize) -> Result<Table> {
        let mut table = Table { bytes: Vec::new(), starts: Vec::new(), trouble: None };
        let mut at = start;
        while at < end {
            if table.bytes.len() >= most {
                let what = format!("table of squashfs: more than {most} bytes");
                table.trouble = Some(Error::new(crate::error::Kind::LimitExceeded, what));
                break;
            }
            match self.metadata(at) {
                Ok((bytes, next)) => {
                    table.starts.push((at.saturating_sub(start), table.bytes.len()));
                    table.bytes.extend(bytes);
                    at = next;
                }
                Err(error) if table.starts.is_empty() => return Err(error),
                Err(error) => {
                    table.trouble = Some(error);
                    break;
                }
            }
        }
        Ok(table)
    }
}
