//! Disk images in compressed files: unpacked into a file without a name, within limits for all of a disk's together.

use super::{Decoded, Found, LEAST, Opened, RATIO_MAX, Shifted};
use crate::container::{self, Image, OpenOptions, Spool};
use crate::error::{Error, Kind, Result};
use crate::filesystem::Recognised;
use crate::io::{Access, ReadAt};
use crate::location::State;
use crate::scan::Options;
use crate::scan::disk::OpenVolume;
use crate::scan::outside::{container_name, holes, remaining};
use crate::volume::{Area, Volume, VolumeKind};
use std::sync::Arc;

/// Length of an unpacked image for each byte of its file, zeros included, and what is granted to any file.
const LENGTH_RATIO_MAX: u64 = 2048;
const LENGTH_LEAST: u64 = 4 << 30;
/// Length of all unpacked images together for each byte of the outermost image's files, and what is granted to any.
const ALL_RATIO_MAX: u64 = 64;
const ALL_LEAST: u64 = 16 << 30;

/// What may still be unpacked of the compressed images of one disk.
#[derive(Debug)]
pub(super) struct Room {
    /// The limits that are left.
    spool: Spool,
    access: Access,
}

/// A stream, unpacked.
#[derive(Debug)]
pub(super) struct Unpacked {
    pub(super) bytes: Arc<dyn ReadAt>,
    /// How many of them are stored.
    pub(super) written: u64,
    /// Why they end before the stream does, where that is so.
    pub(super) broken: Option<String>,
}

impl Room {
    /// For a disk whose files have `stored` bytes.
    pub(super) fn new(stored: u64, options: &Options) -> Self {
        let all = stored.saturating_mul(ALL_RATIO_MAX).saturating_add(ALL_LEAST);
        let spool = Spool { size_max: options.spool.size_max.min(all), ..options.spool.clone() };
        Self { spool, access: options.access }
    }

    /// Unpacks the stream that `file` holds.
    ///
    /// # Errors
    /// [`Kind::LimitExceeded`], and [`Kind::Io`] where the file cannot be made or written.
    pub(super) fn unpack(&mut self, file: &Arc<dyn ReadAt>, packing: &str) -> Result<Unpacked> {
        let granted = |ratio: u64, least: u64| file.size().saturating_mul(ratio).saturating_add(least);
        let spool = Spool {
            folder: self.spool.folder.clone(),
            bytes_max: self.spool.bytes_max.min(granted(RATIO_MAX, LEAST)),
            size_max: self.spool.size_max.min(granted(LENGTH_RATIO_MAX, LENGTH_LEAST)),
        };
        let options = OpenOptions { spool, access: self.access, ..OpenOptions::default() };
        let (bytes, broken) = container::unpack(file, packing, &options).map_err(|error| {
            // The work is done, although nothing of it is kept.
            self.spend(0, error.offset().unwrap_or(0));
            error.context(format!("unpacked from {packing}"))
        })?;
        let written = bytes.size().saturating_sub(holes(bytes.as_ref())?);
        self.spend(written, bytes.size());
        if bytes.size() == 0 {
            return Err(Error::new(
                Kind::Truncated,
                broken.unwrap_or_else(|| "the stream is empty".to_owned()),
            ));
        }
        Ok(Unpacked { bytes, written, broken })
    }

    fn spend(&mut self, written: u64, length: u64) {
        self.spool.bytes_max = self.spool.bytes_max.saturating_sub(written);
        self.spool.size_max = self.spool.size_max.saturating_sub(length);
    }
}

/// Adds what only the container knows (clusters that no table refers to any more, internal snapshots): it is a part
/// of no file, and not decoded besides.
pub(super) fn add_remains(opened: &mut Opened, found: &Found, image: &dyn Image) {
    let remains = match image.residual() {
        Ok(remains) => remains,
        Err(error) => {
            opened.gaps.push(super::unread(found, None, error.to_string()));
            return;
        }
    };
    for (number, residual) in (1..).zip(remains) {
        let (base, size) = (opened.end, residual.file.size());
        let name = format!("{}!/{}", found.name, container_name(number));
        let mut volume = Volume::contiguous(name, VolumeKind::Gap, base..base.saturating_add(size));
        volume.areas.push(Area { range: 0..size, state: State::Container });
        let budget =
            residual.remains.iter().map(|remains| remains.range.end.saturating_sub(remains.range.start));
        let budget = budget.fold(0, u64::saturating_add);
        let reader = remaining(residual);
        let bytes = Arc::new(Shifted::new(reader.clone(), base));
        opened.decoded.push(Decoded { bytes, base, budget });
        opened.volumes.push(OpenVolume { volume, reader, content: Recognised::Unknown, nested: true });
        opened.advance(size);
    }
}
