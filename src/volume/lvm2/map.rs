//! From a volume group to the places of its logical volumes on the disk.

use super::group::{Group, Logical, Part};
use crate::error::{Error, Kind, Result};
use crate::volume::{Segment, Volume};
use std::collections::BTreeMap;
use std::ops::Range;

/// Logical volumes in logical volumes.
const DEPTH_MAX: usize = 8;
/// Segments of one volume, which narrow stripes make many.
const SEGMENTS_MAX: usize = 1 << 21;

/// Maps logical volumes of one group.
pub(super) struct Mapper<'a> {
    pub(super) group: &'a Group,
    /// The physical volumes that are in the image, by the names that segments use.
    pub(super) present: BTreeMap<&'a str, &'a Volume>,
}

impl Mapper<'_> {
    /// Length of a logical volume in bytes.
    pub(super) fn length(&self, logical: &Logical) -> u64 {
        let ends = logical.segments.iter().map(|part| part.start.saturating_add(part.extents));
        ends.max().unwrap_or(0).saturating_mul(self.group.extent)
    }

    /// The places of a logical volume, by volume offset; what lies on absent physical volumes is left out.
    ///
    /// # Errors
    /// [`Kind::Unsupported`] for segments that are not laid out as they are read, [`Kind::Corrupt`] for
    /// absurd ones, [`Kind::LimitExceeded`].
    pub(super) fn segments(&self, logical: &Logical, depth: usize) -> Result<Vec<Segment>> {
        if depth > DEPTH_MAX {
            let message = format!("logical volumes nested deeper than {DEPTH_MAX}, or in a circle");
            return Err(Error::new(Kind::LimitExceeded, message));
        }
        let (mut out, mut covered) = (Vec::new(), 0_u64);
        for part in &logical.segments {
            let start = part.start.saturating_mul(self.group.extent);
            if start < covered {
                let found = format!("one at extent {}", part.start);
                return Err(Error::corrupt(0, "logical volume", "segments one after the other", found));
            }
            self.part(part, start, depth, &mut out)?;
            covered = start.saturating_add(part.extents.saturating_mul(self.group.extent));
        }
        Ok(out)
    }

    /// Adds the places of one segment, which starts at `start` of its volume.
    fn part(&self, part: &Part, start: u64, depth: usize, out: &mut Vec<Segment>) -> Result<()> {
        let length = part.extents.saturating_mul(self.group.extent);
        let count = u64::try_from(part.sources.len()).unwrap_or(u64::MAX);
        match part.kind.as_str() {
            "striped" | "linear" if count == 1 => self.source(part, 0, (0..length, start), depth, out),
            // Each mirror holds everything.
            "mirror" if count > 0 => self.source(part, 0, (0..length, start), depth, out),
            "striped" if count > 1 => {
                let stripe = part.stripe;
                if stripe == 0 || length.checked_rem(count).is_none_or(|rest| rest != 0) {
                    let found = format!("{count} stripes of {stripe} bytes");
                    return Err(Error::corrupt(0, "striped segment", "stripes that fill its extents", found));
                }
                let rows = length.div_ceil(stripe.saturating_mul(count)).saturating_mul(count);
                if rows > u64::try_from(SEGMENTS_MAX).unwrap_or(u64::MAX) {
                    let message = format!("more than {SEGMENTS_MAX} stripes in one volume");
                    return Err(Error::new(Kind::LimitExceeded, message));
                }
                for row in 0..rows {
                    let at = row.saturating_mul(stripe);
                    let inside = row.checked_div(count).unwrap_or(0).saturating_mul(stripe);
                    let column = usize::try_from(row.checked_rem(count).unwrap_or(0)).unwrap_or(0);
                    let range = inside..inside.saturating_add(stripe.min(length.saturating_sub(at)));
                    self.source(part, column, (range, start.saturating_add(at)), depth, out)?;
                }
                Ok(())
            }
            other => Err(Error::unsupported(format!("segments of the type {other} are not read"))),
        }
    }

    /// Adds the places of a range of one source of a segment, which becomes the volume's bytes from `at` on.
    fn source(
        &self,
        part: &Part,
        column: usize,
        (range, at): (Range<u64>, u64),
        depth: usize,
        out: &mut Vec<Segment>,
    ) -> Result<()> {
        let Some((name, extent)) = part.sources.get(column) else { return Ok(()) };
        let base = extent.saturating_mul(self.group.extent);
        let shifted = |start: u64| {
            let start = start.saturating_add(base);
            start.saturating_add(range.start)..start.saturating_add(range.end)
        };
        if let Some(member) = self.group.members.get(name) {
            if let Some(volume) = self.present.get(name.as_str()) {
                volume.carve(shifted(member.start), at, out);
            }
        } else if let Some(logical) = self.group.volumes.iter().find(|logical| logical.name == *name) {
            let segments = self.segments(logical, depth.saturating_add(1))?;
            let length = self.length(logical);
            Volume::new("", crate::volume::VolumeKind::Logical, length, segments).carve(shifted(0), at, out);
        } else {
            let found = crate::location::escape(name.as_bytes());
            return Err(Error::corrupt(0, "segment", "a volume of the group", found));
        }
        if out.len() > SEGMENTS_MAX {
            return Err(Error::new(
                Kind::LimitExceeded,
                format!("more than {SEGMENTS_MAX} pieces in one volume"),
            ));
        }
        Ok(())
    }
}
