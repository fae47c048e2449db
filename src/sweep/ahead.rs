//! Searching for literals while it is not yet known what owns the bytes.
//!
//! Reading the metadata of a file system is the work of one thread. The others need no owner to search the
//! first units for literals: what they find is kept, and handled when the sweep comes to the unit.

use super::Plan;
use super::blank;
use super::confirm::{to_u64, to_usize};
use super::prefilter::{Hit, Prefilter};
use crate::io::{Backing, ReadAt};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// Hits that are kept; a disk made to have more is searched again in the sweep.
const HITS_MAX: usize = 1 << 22;

/// What the first pieces of a disk hold, by their place.
#[derive(Debug, Default)]
pub struct Ahead {
    pieces: BTreeMap<u64, Piece>,
    /// Hits in all of them.
    kept: usize,
    /// Where the next unit starts.
    next: u64,
}

/// The hits in one piece.
#[derive(Debug)]
struct Piece {
    length: usize,
    hits: Vec<Hit>,
}

impl Ahead {
    /// Whether nothing was searched.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The hits in the piece of `length` bytes at `disk`, if just that piece was searched.
    pub(super) fn hits(&self, disk: u64, length: usize) -> Option<&[Hit]> {
        self.pieces.get(&disk).filter(|piece| piece.length == length).map(|piece| piece.hits.as_slice())
    }
}

/// Searches units of `unit` bytes of `disk` from where `found` ends on, until `stop` is set: those that can be
/// borrowed, since copying is left to the sweep. Runs in the calling rayon pool.
pub fn ahead(disk: &dyn ReadAt, unit: u64, prefilter: &Prefilter, stop: &AtomicBool, found: &mut Ahead) {
    let mut plan = Plan { disk, unit: unit.max(1), at: found.next, budget: u64::MAX };
    while !stop.load(Ordering::Relaxed) && found.kept < HITS_MAX {
        let batch = plan.next_batch();
        if batch.units.is_empty() && batch.missing.is_empty() {
            break;
        }
        let search = |range: &Range<u64>| match stop.load(Ordering::Relaxed) {
            true => Vec::new(),
            false => pieces(disk, range, prefilter),
        };
        let searched: Vec<_> = batch.units.par_iter().map(search).collect();
        for (start, piece) in searched.into_iter().flatten() {
            found.kept = found.kept.saturating_add(piece.hits.len());
            found.pieces.insert(start, piece);
        }
        // Units of this batch that were stopped are left to the sweep.
        found.next = plan.at;
    }
}

/// Searches the pieces of a unit just as the sweep will cut them.
fn pieces(disk: &dyn ReadAt, range: &Range<u64>, prefilter: &Prefilter) -> Vec<(u64, Piece)> {
    let mut found = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let Ok(extent) = disk.map(at, range.end.saturating_sub(at)) else { break };
        let next = at.saturating_add(extent.length.max(1)).min(range.end);
        if matches!(extent.backing, Backing::Stored { .. }) {
            while let Some(bytes) = disk.slice(at, next.saturating_sub(at)).filter(|_| at < next) {
                let mut hits = Vec::new();
                let skew = to_usize(at % to_u64(blank::BLOCK));
                for range in blank::written(bytes, skew) {
                    search(prefilter, bytes, range.start, &range, &mut hits);
                }
                // What could not be delivered is read again by the sweep.
                if !disk.faulted(at, to_u64(bytes.len())) {
                    found.push((at, Piece { length: bytes.len(), hits }));
                }
                at = at.saturating_add(to_u64(bytes.len()));
            }
        }
        at = next;
    }
    disk.release(range.start, range.end.saturating_sub(range.start));
    found
}

/// Searches `bytes` for the literals that start in `part` of a written range, which starts at `written`.
pub(super) fn search(
    prefilter: &Prefilter,
    bytes: &[u8],
    written: usize,
    part: &Range<usize>,
    hits: &mut Vec<Hit>,
) {
    // A literal in UTF-16 may have its first zero byte in a blank block before.
    let from = if part.start == written { part.start.saturating_sub(1) } else { part.start };
    let to = part.end.saturating_add(prefilter.reach()).min(bytes.len());
    let first = hits.len();
    prefilter.scan(bytes.get(from..to).unwrap_or_default(), hits);
    let mut kept = first;
    for at in first..hits.len() {
        let Some(mut hit) = hits.get(at).copied() else { break };
        hit.offset = hit.offset.saturating_add(from);
        // What starts behind the part is found with the next one.
        if let (true, Some(place)) = (hit.offset < part.end, hits.get_mut(kept)) {
            *place = hit;
            kept = kept.saturating_add(1);
        }
    }
    hits.truncate(kept);
}
