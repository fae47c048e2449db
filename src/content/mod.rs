//! Decoders: content inside content, found by its first bytes, never by its name.
//!
//! One file a format, one line in [`DECODERS`]. A decoder hands each member on as a reader; what it hands on
//! is looked at again, to a fixed depth, within a budget of bytes and time. What is cut is reported as such.

mod ar;
mod bzip2;
mod cpio;
mod gzip;
mod lz4;
mod nest;
mod peek;
mod tape;
mod tar;
mod xz;
mod zip;
mod zstd;

pub use nest::decode;

use crate::error::{Error, Kind, Result};
use crate::io::ReadAt;
use std::fmt;
use std::io::Read;
use std::time::Duration;

/// Bytes that every probe gets to see, fewer only at the end of the content.
pub const HEAD: usize = 512;

/// A member's content as a decoder hands it on.
pub type Visit<'a> = &'a mut dyn FnMut(Member<'_>) -> Result<()>;

/// One member of decoded content.
pub struct Member<'a> {
    /// Its name inside the container, as stored; empty where the format holds one unnamed content.
    pub name: &'a [u8],
    /// Offset in the container from which on its bytes lie there as they are, where they do.
    pub stored: Option<u64>,
    /// Its decoded bytes.
    pub content: &'a mut dyn Read,
}

impl fmt::Debug for Member<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").field("name", &crate::location::escape(self.name)).finish_non_exhaustive()
    }
}

/// How a format is read.
#[derive(Clone, Copy)]
pub enum Form {
    /// From the first byte to the last.
    Stream(fn(&mut dyn Read, Visit<'_>) -> Result<()>),
    /// At any place.
    Random(fn(&dyn ReadAt, Visit<'_>) -> Result<()>),
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stream(_) => "Stream",
            Self::Random(_) => "Random",
        })
    }
}

/// A format that is decoded.
#[derive(Clone, Copy)]
pub struct Decoder {
    /// Name for reports.
    pub name: &'static str,
    /// Whether content that starts with these bytes (at most [`HEAD`]) is of this format. Cheap: it is asked
    /// for every file.
    pub probe: fn(&[u8]) -> bool,
    /// The decoder itself.
    pub form: Form,
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("name", &self.name).finish_non_exhaustive()
    }
}

/// All decoders, in the order in which they are probed.
pub const DECODERS: &[Decoder] = &[
    gzip::DECODER,
    bzip2::DECODER,
    xz::DECODER,
    zstd::DECODER,
    lz4::DECODER,
    zip::DECODER,
    ar::DECODER,
    cpio::DECODER,
    tar::DECODER,
];

/// The decoder for content that starts with `head`.
pub fn recognise(head: &[u8]) -> Option<&'static Decoder> {
    DECODERS.iter().find(|decoder| (decoder.probe)(head))
}

/// Bounds on the work for one piece of content of the disk.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Containers within containers.
    pub depth_max: usize,
    /// Decoded bytes, over all members and depths.
    pub bytes_max: u64,
    /// Decoded bytes for each byte on the disk, on top of [`bytes_free`](Self::bytes_free).
    pub ratio_max: u64,
    /// Decoded bytes that are always granted.
    pub bytes_free: u64,
    /// Members.
    pub members_max: u64,
    /// Bytes of a nested member that is held in memory because its format needs access at any place.
    pub held_max: u64,
    /// Time.
    pub time_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth_max: 5,
            bytes_max: 8 << 30,
            ratio_max: 200,
            bytes_free: 64 << 20,
            members_max: 1_000_000,
            held_max: 64 << 20,
            time_max: Duration::from_secs(120),
        }
    }
}

/// Where decoded content goes: each innermost member as a reader.
pub type Sink<'a> = &'a mut dyn FnMut(&Inner<'_>, &mut dyn Read) -> Result<()>;

/// An innermost member: what is not decoded any further.
#[derive(Clone, Copy, Debug)]
pub struct Inner<'a> {
    /// Path inside the content, as in findings. No two members of one content share it: a name that comes
    /// again gets `#2`, `#3` … behind it.
    pub path: &'a str,
    /// Offset in the content of the disk from which on its bytes lie there as they are, where they do.
    pub stored: Option<u64>,
}

/// Something in decoded content that was not read, with its path inside.
#[derive(Debug)]
pub struct Cut {
    /// Path inside the content, as in findings.
    pub member: String,
    /// Why.
    pub error: Error,
}

/// An error of a decoder's reader, or of what it read from.
pub(crate) fn decode_error(error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::UnexpectedEof => Kind::Truncated,
        std::io::ErrorKind::OutOfMemory => Kind::LimitExceeded,
        _ => Kind::Corrupt,
    };
    match error.downcast::<Error>() {
        Ok(own) => own,
        Err(other) => Error::new(kind, other.to_string()),
    }
}
