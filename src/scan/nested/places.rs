//! Where the bytes of a disk image in a file lie on the outer disk.

use super::{Found, STEP};
use crate::container::Image;
use crate::error::{Error, Kind, Result};
use crate::filesystem::{DataRun, Place, StreamName};
use crate::io::{Backing, Extent};
use crate::scan::disk::OpenVolume;
use crate::volume::Segment;
use std::ops::Range;

/// Pieces of one nested disk that lie apart from each other, and answers of its tables.
const PIECES_MAX: usize = 1 << 20;
const ANSWERS_MAX: usize = 1 << 23;

/// Where the bytes of a nested disk lie.
#[derive(Default)]
pub(super) struct Places {
    pub(super) segments: Vec<Segment>,
    /// Ranges of the disk that exist only decoded.
    pub(super) decoded: Vec<Range<u64>>,
    /// Bytes that cannot be had.
    pub(super) missing: u64,
}

/// Where the bytes of `image`, which lies in the file `found`, are; what exists only decoded gets addresses from
/// `base` on. So does all of an image that was unpacked.
pub(super) fn places(outer: &OpenVolume, found: &Found, image: &dyn Image, base: u64) -> Result<Places> {
    let stream = found.entry.stream(&StreamName::Data);
    let (runs, written) =
        stream.map_or((&[][..], 0), |stream| (stream.runs(), stream.initialised.min(stream.size)));
    let mut places = Places::default();
    let (mut at, size) = (0, image.size());
    let mut answers = 0_usize;
    while at < size {
        answers = answers.saturating_add(1);
        if answers > ANSWERS_MAX || places.segments.len() > PIECES_MAX {
            return Err(Error::new(Kind::LimitExceeded, format!("more than {PIECES_MAX} pieces")));
        }
        let left = size.saturating_sub(at);
        // What the tables cannot tell is missing; the next place may be sound.
        let extent = image.map(at, left).unwrap_or_else(|error| Extent {
            length: STEP.min(left),
            backing: Backing::Missing { reason: error.to_string().into() },
        });
        let length = extent.length.clamp(1, left);
        match extent.backing {
            Backing::Hole => {}
            Backing::Missing { .. } => places.missing = places.missing.saturating_add(length),
            Backing::Encoded { .. } => places.decode(base, at, length),
            Backing::Stored { .. } if found.packing.is_some() => places.decode(base, at, length),
            Backing::Stored { host } => {
                let end = host.saturating_add(length).min(written);
                places.stored(outer, runs, host..end, at);
            }
        }
        at = at.saturating_add(length);
    }
    Ok(places)
}

impl Places {
    fn add(&mut self, segment: Segment) {
        match self.segments.last_mut() {
            Some(last) if last.end() == segment.volume_offset && last.disk_end() == segment.disk_offset => {
                last.length = last.length.saturating_add(segment.length);
            }
            _ => self.segments.push(segment),
        }
    }

    /// Bytes that exist only decoded: they get addresses of their own.
    fn decode(&mut self, base: u64, at: u64, length: u64) {
        let end = at.saturating_add(length);
        match self.decoded.last_mut() {
            Some(last) if last.end == at => last.end = end,
            _ => self.decoded.push(at..end),
        }
        self.add(Segment { volume_offset: at, disk_offset: base.saturating_add(at), length });
    }

    /// Bytes of the file as they are, which become those of the disk from `at` on.
    fn stored(&mut self, outer: &OpenVolume, runs: &[DataRun], file: Range<u64>, at: u64) {
        // What no run holds is zeros.
        let first = runs.partition_point(|run| run.end() <= file.start);
        for run in runs.get(first..).unwrap_or_default().iter().take_while(|run| run.logical < file.end) {
            let part = run.logical.max(file.start)..run.end().min(file.end);
            let to = at.saturating_add(part.start.saturating_sub(file.start));
            match run.place {
                Place::At(start) => {
                    let from = start.saturating_add(part.start.saturating_sub(run.logical));
                    let until = from.saturating_add(part.end.saturating_sub(part.start));
                    for piece in outer.volume.pieces(from..until) {
                        let volume_offset = to.saturating_add(piece.volume_offset.saturating_sub(from));
                        self.add(Segment { volume_offset, ..piece });
                    }
                }
                Place::Hole | Place::Unwritten(_) | Place::Superseded(_) => {}
            }
        }
    }
}
