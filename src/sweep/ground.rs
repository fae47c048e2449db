//! What lies where on the disk: volumes with their owners, found by disk offset.

use crate::filesystem::{EntryId, FileSystem};
use crate::io::ReadAt;
use crate::location::State;
use crate::ownership::{Hold, OwnerMap};
use crate::volume::Volume;
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
}

impl Land {
    /// Who holds the byte at volume offset `offset`.
    pub(super) fn hold(&self, offset: u64) -> Hold {
        match &self.map {
            Some(map) => map.hold(offset),
            None => Hold::bare(self.state.unwrap_or(State::Unallocated), 0..self.volume.size()),
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
        if self.map.is_some() { Some(hold.state) } else { self.state }
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
            for segment in &entry.volume.segments {
                let over = Stretch {
                    disk: segment.disk_offset,
                    length: segment.length,
                    land,
                    volume_offset: segment.volume_offset,
                };
                stretches = lay_over(&stretches, over);
            }
        }
        Self { lands, stretches }
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
    pub(super) fn within(&self, disk: &std::ops::Range<u64>) -> impl Iterator<Item = Stretch> + '_ {
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

/// Cuts `over` out of the stretches and puts it there; keeps the order by disk offset.
fn lay_over(stretches: &[Stretch], over: Stretch) -> Vec<Stretch> {
    let mut out = Vec::with_capacity(stretches.len().saturating_add(2));
    for stretch in stretches {
        let before_end = stretch.end().min(over.disk);
        if stretch.disk < before_end {
            out.push(Stretch { length: before_end.saturating_sub(stretch.disk), ..*stretch });
        }
        let after = stretch.disk.max(over.end());
        if after < stretch.end() {
            out.push(Stretch {
                disk: after,
                length: stretch.end().saturating_sub(after),
                volume_offset: stretch.to_volume(after),
                ..*stretch
            });
        }
    }
    if over.length > 0 {
        out.push(over);
    }
    out.sort_unstable_by_key(|stretch| stretch.disk);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logical_volume_lies_over_its_partition() {
        let stretch = |disk, length, land, volume_offset| Stretch { disk, length, land, volume_offset };
        let laid = lay_over(&[stretch(0, 100, 0, 0), stretch(100, 100, 1, 0)], stretch(120, 50, 2, 7));
        assert_eq!(
            laid,
            [stretch(0, 100, 0, 0), stretch(100, 20, 1, 0), stretch(120, 50, 2, 7), stretch(170, 30, 1, 70)]
        );
    }
}
