//! Blocks of zeros, which no rule can match in.

use crate::io::is_zero;
use std::ops::Range;

/// Granularity of blank detection in bytes.
pub const BLOCK: usize = 4096;

/// The ranges of `bytes` that are not blank, coalesced; blocks are cut at multiples of [`BLOCK`] counted from
/// the slice's first byte plus `skew`, the slice's own distance from such a multiple.
pub fn written(bytes: &[u8], skew: usize) -> Vec<Range<usize>> {
    let mut out: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let step = BLOCK.saturating_sub(at.saturating_add(skew) % BLOCK).max(1);
        let end = at.saturating_add(step).min(bytes.len());
        if !bytes.get(at..end).is_none_or(is_zero) {
            match out.last_mut() {
                Some(last) if last.end == at => last.end = end,
                _ => out.push(at..end),
            }
        }
        at = end;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_blocks_of_zeros_are_left_out() {
        let mut bytes = vec![0; 5 * BLOCK];
        bytes[BLOCK + 1] = 1;
        bytes[2 * BLOCK] = 1;
        bytes[4 * BLOCK + 4095] = 1;
        assert_eq!(written(&bytes, 0), [BLOCK..3 * BLOCK, 4 * BLOCK..5 * BLOCK]);
        assert_eq!(
            written(&bytes[100..], 100),
            [BLOCK - 100..3 * BLOCK - 100, 4 * BLOCK - 100..5 * BLOCK - 100]
        );
        assert!(written(&[0; 70], 0).is_empty());
    }
}
