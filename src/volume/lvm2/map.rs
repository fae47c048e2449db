//! From a volume group to the places of its logical volumes on the disk.

use super::group::{Group, Logical, Part};
use crate::error::{Error, Kind, Result};
use crate::volume::{Segment, Volume, VolumeKind};
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;

/// Logical volumes in logical volumes.
const DEPTH_MAX: usize = 8;
/// Segments of one volume, which narrow stripes make many.
const SEGMENTS_MAX: usize = 1 << 21;
/// Pieces that all volumes over one disk are made of, those left out and those of volumes in volumes included:
/// volumes that name each other many times are more work than any of them is long.
pub(super) const PIECES_MAX: usize = 1 << 22;

/// Maps logical volumes of one group.
pub(super) struct Mapper<'a> {
    pub(super) group: &'a Group,
    /// The physical volumes that are in the image, by the names that segments use.
    pub(super) present: BTreeMap<&'a str, &'a Volume>,
    /// What is left of [`PIECES_MAX`].
    pub(super) pieces: &'a Cell<usize>,
}

/// A physical or logical volume that a segment takes bytes from, and the first of them; nothing where it is absent.
type Source<'a> = Option<(Cow<'a, Volume>, u64)>;

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
            "striped" | "linear" if count == 1 => {
                self.carve(&self.source(part, 0, depth)?, 0..length, start, out)
            }
            // Each mirror holds everything.
            "mirror" if count > 0 => self.carve(&self.source(part, 0, depth)?, 0..length, start, out),
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
                let sources = (0..part.sources.len()).map(|column| self.source(part, column, depth));
                let sources = sources.collect::<Result<Vec<_>>>()?;
                for row in 0..rows {
                    let at = row.saturating_mul(stripe);
                    let inside = row.checked_div(count).unwrap_or(0).saturating_mul(stripe);
                    let column = usize::try_from(row.checked_rem(count).unwrap_or(0)).unwrap_or(0);
                    let range = inside..inside.saturating_add(stripe.min(length.saturating_sub(at)));
                    let source = sources.get(column).unwrap_or(&None);
                    self.carve(source, range, start.saturating_add(at), out)?;
                }
                Ok(())
            }
            other => Err(Error::unsupported(format!("segments of the type {other} are not read"))),
        }
    }

    /// One source of a segment.
    fn source(&self, part: &Part, column: usize, depth: usize) -> Result<Source<'_>> {
        let Some((name, extent)) = part.sources.get(column) else { return Ok(None) };
        let base = extent.saturating_mul(self.group.extent);
        if let Some(member) = self.group.members.get(name) {
            let volume = self.present.get(name.as_str());
            return Ok(volume.map(|volume| (Cow::Borrowed(*volume), base.saturating_add(member.start))));
        }
        let Some(logical) = self.group.find(name) else {
            let found = crate::location::escape(name.as_bytes());
            return Err(Error::corrupt(0, "segment", "a volume of the group", found));
        };
        let segments = self.segments(logical, depth.saturating_add(1))?;
        let volume = Volume::new("", VolumeKind::Logical, self.length(logical), segments);
        Ok(Some((Cow::Owned(volume), base)))
    }

    /// Adds the places of a range of a source, which becomes the volume's bytes from `at` on.
    fn carve(&self, source: &Source<'_>, range: Range<u64>, at: u64, out: &mut Vec<Segment>) -> Result<()> {
        let before = out.len();
        if let Some((volume, base)) = source {
            volume.carve(base.saturating_add(range.start)..base.saturating_add(range.end), at, out);
        }
        let spent = out.len().saturating_sub(before).max(1);
        let left = self.pieces.get().checked_sub(spent).filter(|_| out.len() <= SEGMENTS_MAX);
        let left = left.ok_or_else(|| {
            let message = format!("more than {SEGMENTS_MAX} pieces in one volume, or {PIECES_MAX} in all");
            Error::new(Kind::LimitExceeded, message)
        })?;
        self.pieces.set(left);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{group, text};
    use super::*;

    /// A group of one absent disk and of these logical volumes.
    fn read(volumes: &str) -> Group {
        let disk = "pv0 { id = \"a\" pe_start = 1 pe_count = 1 }";
        let text =
            format!("vg {{ extent_size = 1 physical_volumes {{ {disk} }} logical_volumes {{ {volumes} }} }}");
        group::read(&text::parse(text.as_bytes()).unwrap()).unwrap()
    }

    /// A volume of so many segments, all at the start of another.
    fn volume(name: &str, below: &str, parts: usize) -> String {
        let part = |number| {
            let range = format!("start_extent = {number} extent_count = 1");
            format!("s{number} {{ {range} type = \"striped\" stripes = [\"{below}\", 0] }}\n")
        };
        format!("{name} {{ {} }}\n", (0..parts).map(part).collect::<String>())
    }

    /// Volumes in volumes.
    fn nested(depth: usize, parts: usize) -> Group {
        let below =
            |level: usize| level.checked_sub(1).map_or("pv0".to_owned(), |below| format!("lv{below}"));
        let all = (0..depth).map(|level| volume(&format!("lv{level}"), &below(level), parts));
        read(&all.collect::<String>())
    }

    /// The places of a volume, and how many pieces they took.
    fn segments(group: &Group, name: &str) -> (Result<Vec<Segment>>, usize) {
        let pieces = Cell::new(PIECES_MAX);
        let mapper = Mapper { group, present: BTreeMap::new(), pieces: &pieces };
        let segments = mapper.segments(group.find(name).unwrap(), 0);
        (segments, PIECES_MAX - pieces.get())
    }

    #[test]
    fn volumes_that_name_each_other_many_times_are_given_up() {
        let (few, spent) = segments(&nested(3, 10), "lv2");
        assert_eq!((few.unwrap(), spent), (Vec::new(), 1110));
        // A hundred to the power of eight.
        let (many, _) = segments(&nested(8, 100), "lv7");
        assert_eq!(many.unwrap_err().kind(), Kind::LimitExceeded);
    }

    #[test]
    fn a_striped_volume_maps_each_half_once() {
        let halves = "type = \"striped\" stripe_size = 1 stripes = [\"half\", 0, \"half\", 0]";
        let wide = format!("wide {{ s {{ start_extent = 0 extent_count = 20000 {halves} }} }}");
        let (segments, spent) = segments(&read(&(volume("half", "pv0", 10_000) + &wide)), "wide");
        assert_eq!((segments.unwrap(), spent), (Vec::new(), 40_000));
    }
}
