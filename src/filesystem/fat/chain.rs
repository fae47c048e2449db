//! From the first cluster of a file to its data runs.

use super::boot::Geometry;
use super::table::{Link, Table};
use crate::error::{Error, Kind, Result};
use crate::filesystem::{DataRun, Place};
use std::ops::Range;

/// Clusters behind the end of a file that are followed: what was reserved and not used.
const BEYOND_MAX: u64 = 1 << 16;
/// Pieces of a deleted file; one in more pieces was not laid out the way that is assumed.
const PIECES_MAX: usize = 4096;

/// The runs of a chain, and why they end early, where they do.
#[derive(Debug, Default)]
pub(super) struct Chain {
    pub(super) runs: Vec<DataRun>,
    pub(super) error: Option<Error>,
}

impl Chain {
    /// Bytes that the runs hold.
    pub(super) fn length(&self) -> u64 {
        self.runs.last().map_or(0, DataRun::end)
    }

    fn add(&mut self, at: u64, length: u64) {
        let logical = self.length();
        match self.runs.last_mut() {
            Some(DataRun { place: Place::At(start), length: last, .. })
                if start.checked_add(*last) == Some(at) =>
            {
                *last = last.saturating_add(length);
            }
            _ => self.runs.push(DataRun { logical, length, place: Place::At(at) }),
        }
    }
}

/// Follows the table from `first` on. A chain has to hold `size` bytes at least; without a size (a directory) it
/// may have any length up to `length_max` bytes.
pub(super) fn follow(
    geometry: &Geometry,
    table: &Table,
    first: u32,
    size: Option<u64>,
    length_max: u64,
) -> Chain {
    let mut chain = Chain::default();
    let beyond = BEYOND_MAX.saturating_mul(geometry.cluster);
    let limit = size.map_or(length_max, |size| size.saturating_add(beyond));
    // One cluster of the chain, moved on at powers of two, is met again where the chain is a circle.
    let (mut cluster, mut mark, mut steps, mut power) = (first, 0, 0_u64, 1_u64);
    loop {
        let Some(at) = geometry.offset(cluster) else {
            chain.error = Some(bad_number(geometry, cluster));
            break;
        };
        chain.add(at, geometry.cluster);
        if cluster == mark {
            chain.error = Some(Error::corrupt(at, "chain of clusters", "an end", "a circle"));
            break;
        }
        if chain.length() >= limit {
            break;
        }
        steps = steps.saturating_add(1);
        if steps == power {
            (mark, power, steps) = (cluster, power.saturating_mul(2), 0);
        }
        match table.next(cluster) {
            Ok(Link::Next(next)) => cluster = next,
            Ok(Link::End) => break,
            Ok(link) => {
                let found = if link == Link::Free { "a free cluster" } else { "a bad cluster" };
                chain.error =
                    Some(Error::corrupt(at, "chain of clusters", "an end or a next cluster", found));
                break;
            }
            Err(error) => {
                chain.error = Some(error);
                break;
            }
        }
    }
    finish(chain, size)
}

fn finish(mut chain: Chain, size: Option<u64>) -> Chain {
    if chain.error.is_none() && size.is_some_and(|size| chain.length() < size) {
        let expected = format!("{} bytes", size.unwrap_or(0));
        chain.error =
            Some(Error::corrupt(0, "chain of clusters", expected, format!("{} bytes", chain.length())));
    }
    chain
}

fn bad_number(geometry: &Geometry, cluster: u32) -> Error {
    let last = geometry.clusters.saturating_add(1);
    Error::corrupt(geometry.table.0, "cluster number", format!("2 to {last}"), cluster)
}

/// The run of a file that exFAT keeps in one piece without a chain.
pub(super) fn contiguous(geometry: &Geometry, first: u32, size: u64) -> Chain {
    let mut chain = Chain::default();
    let clusters = size.div_ceil(geometry.cluster);
    let last = u64::from(first).checked_add(clusters).and_then(|end| u32::try_from(end.checked_sub(1)?).ok());
    match (geometry.offset(first), last.and_then(|last| geometry.offset(last))) {
        (Some(at), Some(_)) => chain.add(at, clusters.saturating_mul(geometry.cluster)),
        _ => chain.error = Some(bad_number(geometry, last.unwrap_or(first))),
    }
    chain
}

/// The runs that a deleted file of `size` bytes had if it lay in the free clusters from its first one on; none
/// where that one is in use again or not enough of them follow.
///
/// # Errors
/// [`Kind::NotFound`] where there are none, and why.
pub(super) fn assumed(
    geometry: &Geometry,
    free: &[Range<u32>],
    first: u32,
    size: u64,
) -> Result<Vec<DataRun>> {
    let gone = |why: &str| Error::new(Kind::NotFound, why);
    let mut left = size.div_ceil(geometry.cluster);
    let mut chain = Chain::default();
    let at = free.partition_point(|range| range.end <= first);
    let mut ranges = free.get(at..).unwrap_or_default().iter();
    let mut range = ranges.next().filter(|range| range.contains(&first)).map(|range| first..range.end);
    if range.is_none() {
        return Err(gone("its first cluster is in use again, or is none"));
    }
    while left > 0 {
        let Some(piece) = range else { return Err(gone("fewer free clusters follow than it had")) };
        if chain.runs.len() >= PIECES_MAX {
            return Err(gone("the free clusters that follow lie in too many pieces"));
        }
        let taken = u64::from(piece.end.saturating_sub(piece.start)).min(left);
        let start = geometry.offset(piece.start).ok_or_else(|| bad_number(geometry, piece.start))?;
        chain.add(start, taken.saturating_mul(geometry.cluster));
        left = left.saturating_sub(taken);
        range = ranges.next().cloned();
    }
    Ok(chain.runs)
}
