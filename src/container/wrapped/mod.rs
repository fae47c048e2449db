//! Images wrapped for transport: compressed streams (`.gz`, `.zst`, `.xz`, `.bz2`), archives of one image
//! (`.tar`, `.ova`, `.tar.gz` …).
//!
//! A plain archive is read in place. A stream is decoded once into an unlinked sparse file. The member that
//! holds the disk is chosen by its content; nothing is ever written under a name from the archive.

mod archive;
mod spool;
mod stream;
mod tar;

use super::{Facts, Format, Image, OpenOptions, Residual, Snapshot, open_with};
use crate::error::{Error, Kind, Result};
use crate::io::{Backing, Extent, ReadAt};
use std::sync::Arc;
use stream::Compression;

pub(super) const GZIP: Format = Format {
    name: "gz",
    probe: |source, _| Compression::Gzip.probe(source),
    open: |source, options| stream::open(&source, Compression::Gzip, options),
};

pub(super) const ZSTD: Format = Format {
    name: "zst",
    probe: |source, _| Compression::Zstd.probe(source),
    open: |source, options| stream::open(&source, Compression::Zstd, options),
};

pub(super) const XZ: Format = Format {
    name: "xz",
    probe: |source, _| Compression::Xz.probe(source),
    open: |source, options| stream::open(&source, Compression::Xz, options),
};

pub(super) const BZIP2: Format = Format {
    name: "bz2",
    probe: |source, _| Compression::Bzip2.probe(source),
    open: |source, options| stream::open(&source, Compression::Bzip2, options),
};

pub(super) const TAR: Format =
    Format { name: "tar", probe: archive::probe, open: |source, options| archive::open(&source, options) };

/// How a file that starts with `head` is compressed, by the name of the format; `None` where it is not, or otherwise.
pub fn compression(head: &dyn ReadAt) -> Option<&'static str> {
    Compression::ALL.iter().find(|compression| compression.probe(head)).map(|compression| compression.name())
}

/// The first bytes that the stream in `source` holds, at most `length`; fewer where it ends or is damaged before, none
/// where `compression` is no name.
pub fn unpacked_head(source: &Arc<dyn ReadAt>, compression: &str, length: usize) -> Vec<u8> {
    Compression::named(compression)
        .map_or_else(Vec::new, |compression| stream::head(source, compression, length))
}

/// Unpacks the stream in `source` into a file without a name, within the limits of the options. Says why what came is
/// not all, where that is so.
///
/// # Errors
/// [`Kind::LimitExceeded`], at the decoded byte where the limit was met; [`Kind::Usage`] for an unknown name.
pub fn unpack(
    source: &Arc<dyn ReadAt>,
    compression: &str,
    options: &OpenOptions,
) -> Result<(Arc<dyn ReadAt>, Option<String>)> {
    let unknown = || Error::new(Kind::Usage, format!("no compression is called {compression}"));
    stream::to_file(source, Compression::named(compression).ok_or_else(unknown)?, options)
}

/// Wrappings around each other at most.
const DEPTH_MAX: usize = 8;

/// Opens what was found inside a wrapping.
fn open_inner(source: Arc<dyn ReadAt>, options: &OpenOptions) -> Result<Arc<dyn Image>> {
    if options.chain.depth >= DEPTH_MAX {
        let message = format!("more than {DEPTH_MAX} wrappings around each other");
        return Err(Error::new(Kind::LimitExceeded, message));
    }
    let mut inner = options.clone();
    inner.chain.depth = options.chain.depth.saturating_add(1);
    inner.format = None;
    // A name in there would be looked up beside the wrapping, which is not where the image comes from.
    inner.path = None;
    open_with(source, &inner)
}

/// An image with what its wrapping adds to the facts.
#[derive(Debug)]
struct Unwrapped {
    inner: Arc<dyn Image>,
    facts: Facts,
    /// Length of the file, where the image's bytes exist only decoded.
    decoded_from: Option<u64>,
    /// What lies in the archive beside the disk.
    beside: Option<Residual>,
}

impl Image for Unwrapped {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn residual(&self) -> Result<Vec<Residual>> {
        let mut all = self.inner.residual()?;
        let number = all.iter().map(|residual| residual.number.saturating_add(1)).max().unwrap_or(0);
        all.extend(self.beside.clone().map(|beside| Residual { number, ..beside }));
        Ok(all)
    }

    fn sources(&self) -> Vec<Arc<dyn ReadAt>> {
        self.inner.sources()
    }

    fn snapshots(&self) -> Vec<Result<Snapshot>> {
        self.inner.snapshots()
    }
}

impl ReadAt for Unwrapped {
    fn size(&self) -> u64 {
        self.inner.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.inner.read_at(offset, buffer)
    }

    /// Stored bytes of a decoded image have no place of their own in the file that the user gave.
    fn map(&self, offset: u64, max: u64) -> Result<Extent> {
        let extent = self.inner.map(offset, max)?;
        let host_length = match (self.decoded_from, &extent.backing) {
            (Some(length), Backing::Stored { .. } | Backing::Encoded { .. }) => length,
            _ => return Ok(extent),
        };
        Ok(Extent { backing: Backing::Encoded { host: 0, host_length }, ..extent })
    }

    fn slice(&self, offset: u64, max: u64) -> Option<&[u8]> {
        self.inner.slice(offset, max)
    }

    fn faulted(&self, offset: u64, length: u64) -> bool {
        self.inner.faulted(offset, length)
    }

    fn release(&self, offset: u64, length: u64) {
        self.inner.release(offset, length);
    }
}

/// Whether the start of a member looks like a disk: a container, or a boot record, table or file system.
fn looks_like_disk(start: &[u8]) -> bool {
    let sample = start.to_vec();
    let options = OpenOptions::default();
    let container = super::FORMATS.iter().filter(|format| format.name != "raw");
    let has = |at: usize, magic: &[u8]| start.get(at..).is_some_and(|rest| rest.starts_with(magic));
    has(510, &[0x55, 0xaa])
        || has(512, b"EFI PART")
        || has(1080, &[0x53, 0xef])
        || has(512, b"LABELONE")
        || has(0, b"XFSB")
        || has(0, b"LUKS\xba\xbe")
        || container.into_iter().any(|format| (format.probe)(&sample, &options))
}
