//! What lies where on the disk: volumes with their owners, found by disk offset.

use super::Encoded;
use crate::filesystem::{EntryId, FileSystem};
use crate::io::ReadAt;
use crate::location::State;
use crate::ownership::{Hold, OwnerMap};
use crate::volume::{Area, Volume};
use std::ops::Range;
use std::sync::Arc;

/// A volume with all that is known of its bytes.
#[derive(Debug)]
pub struct Land {
    /// The volume.
    pub volume: Volume,
    /// Its bytes.
    pub reader: Arc<dyn ReadAt>,
    /// The file system in it, where one is read.
    pub filesystem: Option<Arc<dyn FileSystem>>,
    /// Who owns its bytes, where a file system says so.
    pub map: Option<OwnerMap>,
    /// State of its bytes where no map is; `None` for content of an unknown kind.
    pub state: Option<State>,
    /// Whether it is no part of a disk: a container's own bytes, whose places count from behind the disk's end
    /// on, or a tree of files. Such places mean nothing to a reader of the report.
    pub outside: bool,
    /// Streams, by entry and index, that are lands of their own once decoded, and not decoded besides.
    pub opened: Vec<(EntryId, u16)>,
}

impl Land {
    /// Who holds the byte at volume offset `offset`.
    pub(super) fn hold(&self, offset: u64) -> Hold {
        match &self.map {
            Some(map) => map.hold(offset),
            None => match self.area(offset) {
                Ok(area) => Hold::bare(area.state, area.range.clone()),
                Err(between) => Hold::bare(self.state.unwrap_or(State::Unallocated), between),
            },
        }
    }

    /// What the volume system says of the byte at `offset`, or the range around it of which it says nothing.
    fn area(&self, offset: u64) -> Result<&Area, Range<u64>> {
        let areas = &self.volume.areas;
        let next = areas.partition_point(|area| area.range.end <= offset);
        match areas.get(next) {
            Some(area) if area.range.start <= offset => Ok(area),
            area => {
                let before = next.checked_sub(1).and_then(|before| areas.get(before));
                let end = area.map_or(self.volume.size(), |area| area.range.start);
                Err(before.map_or(0, |area| area.range.end)..end)
            }
        }
    }

    /// Where on the disk a reader of the report finds a place, and where in the land.
    pub fn shown_place(&self, disk: Option<u64>) -> (Option<u64>, Option<u64>) {
        let inside = |disk: u64| disk.checked_sub(self.volume.disk_start());
        match (self.outside, &self.filesystem) {
            (false, _) => (disk, None),
            (true, None) => (None, disk.and_then(inside)),
            // What lies where in a tree without a disk is of no use to anybody.
            (true, Some(_)) => (None, None),
        }
    }

    /// How gaps call an entry whose path is not known.
    pub(super) fn number(&self, entry: EntryId) -> String {
        match &self.filesystem {
            Some(filesystem) => format!("inode {}", filesystem.number(entry)),
            None => format!("inode {}", entry.0),
        }
    }

    /// How findings call bytes that `hold` holds.
    pub(super) fn state(&self, hold: &Hold) -> Option<State> {
        let is_known = self.map.is_some() || self.area(hold.span.start).is_ok();
        if is_known { Some(hold.state) } else { self.state }
    }
}

/// A stretch of the disk that belongs to one land.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) disk: u64,
    pub(super) length: u64,
    pub(super) land: usize,
    pub(super) volume_offset: u64,
}

impl Stretch {
    pub(super) fn end(&self) -> u64 {
        self.disk.saturating_add(self.length)
    }

    /// The same stretch without its bytes before disk offset `disk`; `None` where nothing is left.
    fn starting_at(self, disk: u64) -> Option<Self> {
        let cut = disk.saturating_sub(self.disk);
        let length = self.length.checked_sub(cut).filter(|&length| length > 0)?;
        let volume_offset = self.volume_offset.saturating_add(cut);
        Some(Self { disk: self.disk.saturating_add(cut), length, volume_offset, ..self })
    }

    pub(super) fn contains(&self, disk: u64) -> bool {
        self.disk <= disk && disk < self.end()
    }

    pub(super) fn to_volume(self, disk: u64) -> u64 {
        self.volume_offset.saturating_add(disk.saturating_sub(self.disk))
    }
}

/// All lands of a disk, by disk offset. Later lands lie over earlier ones (logical volumes over partitions).
#[derive(Debug)]
pub struct Ground {
    /// The lands: first those that tile the disk, in disk order, then logical volumes.
    pub lands: Vec<Land>,
    stretches: Vec<Stretch>,
}

impl Ground {
    /// Lays out `lands`.
    pub fn new(lands: Vec<Land>) -> Self {
        let mut stretches: Vec<Stretch> = Vec::new();
        for (land, entry) in lands.iter().enumerate() {
            let segments = entry.volume.segments.iter();
            let over = segments.map(|segment| Stretch {
                disk: segment.disk_offset,
                length: segment.length,
                land,
                volume_offset: segment.volume_offset,
            });
            stretches = lay_over(&stretches, over.collect());
        }
        Self { lands, stretches }
    }

    /// Whether a stream is a land of its own once decoded.
    pub(super) fn is_opened(&self, item: &Encoded) -> bool {
        self.lands.get(item.land).is_some_and(|land| land.opened.contains(&(item.entry, item.stream)))
    }

    /// How gaps call an entry whose path is not known.
    pub fn shown(&self, land: usize, entry: EntryId) -> String {
        self.lands.get(land).map_or_else(|| format!("inode {}", entry.0), |land| land.number(entry))
    }

    /// The stretch at a disk offset.
    pub(super) fn at(&self, disk: u64) -> Option<Stretch> {
        let next = self.stretches.partition_point(|stretch| stretch.disk <= disk);
        let stretch = self.stretches.get(next.checked_sub(1)?)?;
        stretch.contains(disk).then_some(*stretch)
    }

    /// The offset of a byte of the disk in the volume that it belongs to, with that volume's land.
    pub fn to_volume(&self, disk: u64) -> Option<(usize, u64)> {
        self.at(disk).map(|stretch| (stretch.land, stretch.to_volume(disk)))
    }

    /// The land called `name`.
    pub fn land(&self, name: &str) -> Option<&Land> {
        self.lands.iter().find(|land| land.volume.name == name)
    }

    /// Visits the parts of a range of the disk that have one owner each, with the state of their bytes; `None`
    /// where nobody knows what they are.
    pub fn states(
        &self,
        disk: &std::ops::Range<u64>,
        visit: &mut dyn FnMut(std::ops::Range<u64>, Option<State>),
    ) {
        for stretch in self.within(disk) {
            let Some(land) = self.lands.get(stretch.land) else { continue };
            let end = stretch.volume_offset.saturating_add(stretch.length);
            let mut at = stretch.volume_offset;
            while at < end {
                let hold = land.hold(at);
                let next = hold.span.end.min(end).max(at.saturating_add(1));
                let start = stretch.disk.saturating_add(at.saturating_sub(stretch.volume_offset));
                visit(start..start.saturating_add(next.saturating_sub(at)), land.state(&hold));
                at = next;
            }
        }
    }

    /// The parts of stretches that lie within a range of the disk.
    pub(super) fn within(&self, disk: &Range<u64>) -> impl Iterator<Item = Stretch> + '_ {
        let (start, end) = (disk.start, disk.end);
        let first = self.stretches.partition_point(|stretch| stretch.end() <= start);
        let rest = self.stretches.get(first..).unwrap_or_default();
        rest.iter().take_while(move |stretch| stretch.disk < end).map(move |stretch| {
            let from = stretch.disk.max(start);
            let to = stretch.end().min(end);
            Stretch {
                disk: from,
                length: to.saturating_sub(from),
                volume_offset: stretch.to_volume(from),
                ..*stretch
            }
        })
    }
}

/// Cuts `over` out of the stretches and puts it there; keeps the order by disk offset. Where stretches of `over`
/// overlap each other, the first holds the bytes.
fn lay_over(stretches: &[Stretch], mut over: Vec<Stretch>) -> Vec<Stretch> {
    over.sort_unstable_by_key(|stretch| (stretch.disk, stretch.volume_offset));
    let mut out = Vec::with_capacity(stretches.len().saturating_add(over.len()));
    let mut below = stretches.iter().copied();
    let mut rest = below.next();
    for over in over {
        let covered = out.last().map_or(0, Stretch::end);
        let Some(over) = over.starting_at(covered) else { continue };
        while let Some(stretch) = rest.and_then(|stretch| stretch.starting_at(covered)) {
            let before = over.disk.saturating_sub(stretch.disk).min(stretch.length);
            if before > 0 {
                out.push(Stretch { length: before, ..stretch });
            }
            rest = stretch.starting_at(over.end());
            if rest.is_some() {
                break;
            }
            rest = below.next();
        }
        out.push(over);
    }
    let covered = out.last().map_or(0, Stretch::end);
    out.extend(rest.into_iter().chain(below).filter_map(|stretch| stretch.starting_at(covered)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logical_volume_lies_over_its_partition() {
        let stretch = |disk, length, land, volume_offset| Stretch { disk, length, land, volume_offset };
        let laid = lay_over(&[stretch(0, 100, 0, 0), stretch(100, 100, 1, 0)], vec![stretch(120, 50, 2, 7)]);
        assert_eq!(
            laid,
            [stretch(0, 100, 0, 0), stretch(100, 20, 1, 0), stretch(120, 50, 2, 7), stretch(170, 30, 1, 70)]
        );
    }

    #[test]
    fn whatever_is_laid_over_each_byte_has_one_land() {
        let over = |at: u64, length| Stretch { disk: at, length, land: 9, volume_offset: at };
        let base: Vec<_> =
            (0..10).map(|n| Stretch { disk: n * 10, length: 10, land: 1, volume_offset: 0 }).collect();
        let cases: [&[(u64, u64)]; 6] = [
            &[(0, 100)],
            &[(5, 10), (5, 20), (40, 1), (41, 9)],
            &[(0, 5), (95, 50), (200, 3)],
            &[(10, 10), (20, 10), (10, 0)],
            &[(33, 34), (34, 2), (60, 20)],
            &[],
        ];
        for case in cases {
            let laid = lay_over(&base, case.iter().map(|&(at, length)| over(at, length)).collect());
            assert!(laid.windows(2).all(|pair| pair[0].end() <= pair[1].disk), "{case:?}: {laid:?}");
            for byte in 0..250 {
                let wanted = if case.iter().any(|&(at, length)| (at..at + length).contains(&byte)) {
                    Some(9)
                } else {
                    (byte < 100).then_some(1)
                };
                let found = laid.iter().find(|stretch| stretch.contains(byte));
                assert_eq!(found.map(|stretch| stretch.land), wanted, "{case:?} at {byte}");
                let right = found.is_none_or(|found| {
                    found.to_volume(byte) == if found.land == 9 { byte } else { byte % 10 }
                });
                assert!(right, "{case:?} at {byte}");
            }
        }
    }
}
