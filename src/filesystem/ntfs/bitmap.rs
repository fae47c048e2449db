//! `$Bitmap`: which clusters are in use, a bit each, lowest first.

use crate::error::{Error, Result};
use crate::io::ReadAt;
use std::ops::Range;

/// Bytes of the bitmap read at a time.
const CHUNK: usize = 256 << 10;

/// Visits the free clusters of a volume with `clusters` of them, in ascending order and coalesced. Bits past
/// the end of the volume are not looked at.
///
/// # Errors
/// When the bitmap cannot be read or ends early; what was visited before is right.
pub(super) fn free(bitmap: &dyn ReadAt, clusters: u64, visit: &mut dyn FnMut(Range<u64>)) -> Result<()> {
    let length = clusters.div_ceil(8);
    let mut free: Option<Range<u64>> = None;
    let mut outcome = Ok(());
    if bitmap.size() < length {
        outcome = Err(Error::truncated("$Bitmap", 0, length, bitmap.size()));
    }
    let end = length.min(bitmap.size());
    let mut buffer = vec![0; CHUNK];
    let mut at = 0_u64;
    while at < end {
        let step = usize::try_from(end.saturating_sub(at)).unwrap_or(CHUNK).min(CHUNK);
        let Some(chunk) = buffer.get_mut(..step) else { break };
        if let Err(error) = bitmap.read_at(at, chunk) {
            outcome = Err(error.context("$Bitmap"));
            break;
        }
        for (byte, &bits) in (at..).zip(chunk.iter()) {
            each_run(bits, byte.saturating_mul(8), clusters, &mut |run| match &mut free {
                Some(before) if before.end == run.start => before.end = run.end,
                _ => {
                    if let Some(done) = free.replace(run) {
                        visit(done);
                    }
                }
            });
        }
        at = at.saturating_add(u64::try_from(step).unwrap_or(u64::MAX));
    }
    if let Some(last) = free {
        visit(last);
    }
    outcome
}

/// The free clusters that one byte of the bitmap stands for, the first of which is `first`.
fn each_run(bits: u8, first: u64, clusters: u64, visit: &mut dyn FnMut(Range<u64>)) {
    let clip = |range: Range<u64>| range.start..range.end.min(clusters);
    match bits {
        0xff => {}
        0 => visit(clip(first..first.saturating_add(8))),
        _ => {
            for bit in (0..8_u32).filter(|bit| bits >> bit & 1 == 0) {
                let cluster = first.saturating_add(u64::from(bit));
                if cluster < clusters {
                    visit(cluster..cluster.saturating_add(1));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_clusters_are_coalesced_and_end_with_the_volume() {
        let visited = |bytes: Vec<u8>, clusters| {
            let mut ranges = Vec::new();
            let outcome = free(&bytes, clusters, &mut |range| ranges.push((range.start, range.end)));
            (ranges, outcome.is_ok())
        };
        assert_eq!(visited(vec![0b0000_1111, 0, 0b1111_1110], 24), (vec![(4, 17)], true));
        assert_eq!(visited(vec![0xff, 0b1010_1010], 11), (vec![(8, 9), (10, 11)], true));
        assert_eq!(visited(vec![0xff, 0], 10), (vec![(8, 10)], true));
        assert_eq!(visited(vec![0], 64), (vec![(0, 8)], false));
    }
}
