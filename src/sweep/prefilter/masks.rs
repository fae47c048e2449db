//! Masks with a bit for each byte of a block: what engines without instructions for masks do to them.

use super::blocks::{LINE, LINES, Scratch};

/// Turns the masks of short (0) and of long (1) windows from "is in the alphabet" into "a run starts": of
/// four bytes in the first, of six in the second; the third tells which bytes are zero. Returns the lines
/// that have any run, and those that have a run of as many characters with zeros between.
#[inline]
pub(super) fn runs(lines: usize, scratch: &mut Scratch) -> [u64; 3] {
    let [short, long, zero] = &mut scratch.masks;
    let mut starts = [0; 3];
    for line in 0..lines.min(LINES) {
        let pair = |masks: &[u64], line: usize| u128::from(masks[line]) | u128::from(masks[line + 1]) << 64;
        let (s, l, z) = (pair(short, line), pair(long, line), pair(zero, line));
        let s2 = s & s >> 1;
        let l2 = l & l >> 1;
        let ws = s & z >> 1;
        let wl = l & z >> 1;
        let wl2 = wl & wl >> 2;
        let wide = ws & ws >> 2 & ws >> 4 & s >> 6 | wl2 & wl2 >> 4 & wl >> 8 & l >> 10;
        let runs = [s2 & s2 >> 2, l2 & l2 >> 2 & l2 >> 4, wide];
        let [s4, l6, wide] = runs.map(|run| u64::try_from(run & u128::from(u64::MAX)).unwrap_or(0));
        for (starts, run) in starts.iter_mut().zip([s4, l6, wide]) {
            *starts |= u64::from(run != 0) << line;
        }
        short[line] = s4;
        long[line] = l6;
    }
    starts
}

/// Writes `base` plus the number of each bit in `mask`; the rest of `room` is overwritten with anything.
///
/// The first four are written whether they are there or not, because few lines have more, and a branch on
/// how many would be mispredicted.
#[inline]
pub(super) fn write_positions(room: &mut [u16; LINE], base: usize, mut mask: u64) {
    let count = usize::try_from(mask.count_ones()).unwrap_or(0);
    for (number, place) in room.iter_mut().enumerate() {
        if number >= 4 && number >= count {
            break;
        }
        let bit = usize::try_from(mask.trailing_zeros()).unwrap_or(0);
        *place = u16::try_from(base + bit).unwrap_or(0);
        mask &= mask.wrapping_sub(1);
    }
}
