//! The content of streams: resident bytes, and runs that may be incomplete.

use crate::error::{Error, Kind, Result};
use crate::filesystem::{Place, RunReader, Stream};
use crate::io::{Backing, Extent, ReadAt, check_range};
use std::ops::Range;
use std::sync::Arc;

/// A stream inside its record.
#[derive(Debug)]
pub(super) struct Resident {
    volume: Arc<dyn ReadAt>,
    bytes: Vec<u8>,
    place: Option<u64>,
}

impl Resident {
    pub(super) fn new(volume: Arc<dyn ReadAt>, bytes: Vec<u8>, place: Option<u64>) -> Self {
        Self { volume, bytes, place }
    }
}

impl ReadAt for Resident {
    fn size(&self) -> u64 {
        self.bytes.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.bytes.read_at(offset, buffer)
    }

    /// Stored in another form: fixups replace two bytes of every 512 on the volume.
    fn map(&self, offset: u64, max: u64) -> Result<Extent> {
        check_range(self.size(), offset, 1)?;
        let length = max.min(self.size().saturating_sub(offset)).max(1);
        let stored = self.place.and_then(|place| self.volume.map(place.checked_add(offset)?, length).ok());
        let host = match stored.map(|extent| extent.backing) {
            Some(Backing::Stored { host } | Backing::Encoded { host, .. }) => host,
            _ => 0,
        };
        Ok(Extent { length, backing: Backing::Encoded { host, host_length: length } })
    }

    fn slice(&self, offset: u64, max: u64) -> Option<&[u8]> {
        self.bytes.slice(offset, max)
    }
}

/// A stream in clusters, some of whose runs may not be known: those bytes are errors, not zeros.
#[derive(Debug)]
pub(super) struct Clusters {
    reader: RunReader,
    missing: Vec<Range<u64>>,
}

impl Clusters {
    pub(super) fn new(volume: Arc<dyn ReadAt>, stream: &Stream) -> Self {
        Self { missing: missing(stream), reader: RunReader::new(volume, stream) }
    }

    /// The first missing range that ends behind `offset`.
    fn next_missing(&self, offset: u64) -> Option<&Range<u64>> {
        self.missing.get(self.missing.partition_point(|range| range.end <= offset))
    }
}

/// The written ranges of a stream for which no run is known.
pub(super) fn missing(stream: &Stream) -> Vec<Range<u64>> {
    let written = stream.size.min(stream.initialised);
    let mut out = Vec::new();
    let mut end = 0_u64;
    for run in stream.runs() {
        if run.logical > end && end < written {
            out.push(end..run.logical.min(written));
        }
        // Superseded runs are no content.
        if !matches!(run.place, Place::Superseded(_)) {
            end = end.max(run.logical.saturating_add(run.length));
        }
    }
    if end < written {
        out.push(end..written);
    }
    out
}

impl ReadAt for Clusters {
    fn size(&self) -> u64 {
        self.reader.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let length = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        check_range(self.size(), offset, length)?;
        match self.next_missing(offset) {
            Some(range) if range.start < offset.saturating_add(length) => {
                let message =
                    format!("no run is known for bytes {} to {} of the stream", range.start, range.end);
                Err(Error::new(Kind::Corrupt, message).at(range.start.max(offset)))
            }
            _ => self.reader.read_at(offset, buffer),
        }
    }

    fn map(&self, offset: u64, max: u64) -> Result<Extent> {
        check_range(self.size(), offset, 1)?;
        let Some(range) = self.next_missing(offset) else { return self.reader.map(offset, max) };
        if range.start > offset {
            return self.reader.map(offset, max.min(range.start.saturating_sub(offset)));
        }
        let length = range.end.saturating_sub(offset).min(max);
        Ok(Extent {
            length,
            backing: Backing::Missing { reason: Arc::from("no run is known for this part") },
        })
    }

    fn slice(&self, offset: u64, max: u64) -> Option<&[u8]> {
        match self.next_missing(offset) {
            Some(range) if range.start <= offset => None,
            Some(range) => self.reader.slice(offset, max.min(range.start.saturating_sub(offset))),
            None => self.reader.slice(offset, max),
        }
    }
}
