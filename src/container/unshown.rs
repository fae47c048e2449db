//! An older state of a disk without what another state shows as well.

use super::sparse::{Layout, Place, Sparse};
use crate::error::Result;
use crate::io::{Backing, Extent, ReadAt, check_range};
use std::sync::Arc;

/// Units that one call of `map` joins at most.
const UNITS_MAX: usize = 4096;

/// An older state; units that one of the other states has in the same place count as holes, and so does what
/// the older state does not store itself.
#[derive(Debug)]
pub(super) struct Unshown<L> {
    disk: Arc<Sparse<L>>,
    shown: Vec<L>,
}

impl<L: Layout> Unshown<L> {
    /// `disk` without what the states in `shown` have.
    pub(super) fn new(disk: Arc<Sparse<L>>, shown: Vec<L>) -> Self {
        Self { disk, shown }
    }

    /// How many bytes from `offset` on are hidden, or are not.
    fn step(&self, offset: u64, max: u64) -> (u64, bool) {
        let piece = self.disk.piece(offset, max);
        let mut length = piece.length;
        let hidden = match &piece.place {
            Place::Hole | Place::Parent => true,
            Place::Missing { .. } => false,
            Place::Stored { .. } | Place::Encoded { .. } => {
                self.shown.iter().filter(|layout| offset < layout.size()).any(|layout| {
                    let other = layout.locate(offset);
                    length = length.min(other.length.max(1));
                    is_same(&piece.place, &other.place)
                })
            }
        };
        (length, hidden)
    }
}

/// Whether two states have a unit in the same place of the same file.
fn is_same(one: &Place, other: &Place) -> bool {
    match (one, other) {
        (Place::Stored { file, at }, Place::Stored { file: other, at: place })
        | (Place::Encoded { file, at, .. }, Place::Encoded { file: other, at: place, .. }) => {
            file == other && at == place
        }
        _ => false,
    }
}

impl<L: Layout> ReadAt for Unshown<L> {
    fn size(&self) -> u64 {
        self.disk.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.disk.read_at(offset, buffer)
    }

    fn map(&self, offset: u64, max: u64) -> Result<Extent> {
        check_range(self.size(), offset, 1)?;
        let max = max.min(self.size().saturating_sub(offset)).max(1);
        let (mut length, hidden) = self.step(offset, max);
        for _ in 0..UNITS_MAX {
            let left = max.saturating_sub(length);
            if left == 0 {
                break;
            }
            match self.step(offset.saturating_add(length), left) {
                (more, same) if same == hidden => length = length.saturating_add(more),
                _ => break,
            }
        }
        if hidden { Ok(Extent { length, backing: Backing::Hole }) } else { self.disk.map(offset, length) }
    }

    fn slice(&self, offset: u64, max: u64) -> Option<&[u8]> {
        self.disk.slice(offset, max)
    }

    fn faulted(&self, offset: u64, length: u64) -> bool {
        self.disk.faulted(offset, length)
    }

    fn release(&self, offset: u64, length: u64) {
        self.disk.release(offset, length);
    }
}
