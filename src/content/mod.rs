//! Decoders: content inside content, found by its first bytes, never by its name.
//!
//! One file a format, one line in [`DECODERS`]. A decoder hands each member on as a reader; what it hands on
//! is looked at again, to a fixed depth, within a budget of bytes and time. What is cut is reported as such.

mod ar;
mod ascii;
mod block;
mod bzip2;
pub mod carved;
mod claim;
pub mod coded;
mod cpio;
pub mod escaped;
mod evtx;
mod fused;
mod gather;
mod git;
mod gzip;
mod hive;
mod inflate;
mod journal;
mod keyfile;
mod lz4;
mod lz4_legacy;
mod lzma;
mod lzw;
pub mod mime;
mod named;
mod nest;
mod part;
mod pdf;
mod peek;
mod ppmd;
mod predictor;
mod rpm;
mod sevenz;
mod sqlite;
mod squashfs;
mod tape;
mod tar;
mod wide;
pub mod written;
mod xz;
mod zip;
mod zlib;
mod zstd;

pub use keyfile::MARK as KEY_FILE_MARK;
pub use nest::decode;

use crate::error::{Error, Kind, Result};
use crate::io::ReadAt;
use std::fmt;
use std::io::Read;
use std::time::Duration;

/// Bytes that every probe gets to see, fewer only at the end of the content.
pub const HEAD: usize = 512;

/// Bytes to ask a decoder's reader for at a time: what it decodes before damage is lost with the call that meets it.
pub const STEP: usize = 16 << 10;

/// A member's content as a decoder hands it on.
pub type Visit<'a> = &'a mut dyn FnMut(Member<'_>) -> Result<()>;

/// A part of a member that lies in the member's container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Offset in the member.
    pub at: u64,
    /// Bytes in the member.
    pub length: u64,
    /// Offset in the container.
    pub source: u64,
    /// Bytes that each byte of the member takes in the container: 1, or 2 where it lies there as UTF-16.
    pub width: u64,
}

/// One member of decoded content.
pub struct Member<'a> {
    /// Its name inside the container, as stored; empty where the format holds one unnamed content.
    pub name: &'a [u8],
    /// Offset in the container from which on its bytes lie there as they are, where they do.
    pub stored: Option<u64>,
    /// Where parts of it lie in the container, in order; none where it lies there as a whole, or not at all.
    pub pieces: &'a [Piece],
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
    /// At any place; only what the bytes themselves do not show is handed on (records in several parts, names
    /// beside their values), so that they are matched as they are as well.
    Partial(fn(&dyn ReadAt, Visit<'_>) -> Result<()>),
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stream(_) => "Stream",
            Self::Random(_) => "Random",
            Self::Partial(_) => "Partial",
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
    lz4_legacy::DECODER,
    zip::DECODER,
    ar::DECODER,
    cpio::DECODER,
    rpm::DECODER,
    sevenz::DECODER,
    git::DECODER,
    git::BUNDLE,
    pdf::DECODER,
    sqlite::DECODER,
    sqlite::WAL,
    evtx::DECODER,
    hive::DECODER,
    journal::DECODER,
    keyfile::DECODER,
    squashfs::DECODER,
    tar::DECODER,
    lzma::DECODER,
    zlib::DECODER,
    named::RAR,
    named::CAB,
    named::WIM,
    named::LZIP,
    named::LZOP,
    named::COMPRESS,
    zip::BEHIND,
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
    /// What its places count in: the path of the member that it was taken from, where that one went to the
    /// sink itself; empty for the content of the disk.
    pub within: &'a str,
    /// Offset from which on its bytes lie there as they are, where they do.
    pub stored: Option<u64>,
    /// Parts of it that lie there, in order.
    pub pieces: &'a [Piece],
}

impl Inner<'_> {
    /// The offset in [`within`](Self::within) of the byte at `logical`, where it lies there.
    pub fn source(&self, logical: u64) -> Option<u64> {
        if let Some(stored) = self.stored {
            return stored.checked_add(logical);
        }
        let next = self.pieces.partition_point(|piece| piece.at <= logical);
        let piece = self.pieces.get(next.checked_sub(1)?)?;
        let within = logical.checked_sub(piece.at).filter(|&within| within < piece.length)?;
        piece.source.checked_add(within.checked_mul(piece.width)?)
    }
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

fn to_u64(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

fn to_usize(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
