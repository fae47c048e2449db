//! UTF-16: characters that alternate with zero bytes.

use super::Hit;
use super::blocks::{BLOCK, Block, LINE, LINES};
use super::window::Window;
use crate::rules::{Encoding, Literal};

/// Copies every other byte, from `parity` on, of the lines in `wide` and of those beside them.
///
/// The rest of `narrow` is left zero. Index `i` of `narrow` is byte `parity + 2 * i` of the block.
pub(super) fn narrow_lines(block: &Block, wide: u64, parity: usize, narrow: &mut Block) {
    narrow.fill(0);
    // A gate may want to see the character before a window, and a window ends in the line after.
    let copied = u128::from(wide) | u128::from(wide) << 1 | u128::from(wide) >> 1;
    let (from, _) = block.as_chunks::<LINE>();
    let (into, _) = narrow.as_chunks_mut::<{ LINE / 2 }>();
    for (line, (from, into)) in from.iter().zip(into).enumerate().take(LINES + 1) {
        if copied >> line & 1 == 1 {
            let (pairs, _) = from.as_chunks::<2>();
            for (byte, pair) in into.iter_mut().zip(pairs) {
                *byte = pair[parity % 2];
            }
        }
    }
}

/// Lines of the narrowed form of one block.
pub(super) const NARROW_LINES: usize = LINES / 2;

/// First position of the narrowed form that belongs to the next block.
pub(super) const NARROW_BLOCK: usize = BLOCK / 2;

/// Reports the literal of `window` if it stands in `bytes`, wide, with its window's first character at
/// `position`.
pub(super) fn confirm(
    literals: &[Literal],
    bytes: &[u8],
    position: usize,
    window: Window,
    hits: &mut Vec<Hit>,
) {
    let Some(literal) = literals.get(window.literal) else { return };
    let Some(first) = position.checked_sub(window.offset.saturating_mul(2)) else { return };
    let length = literal.bytes.len().saturating_mul(2);
    let here = |start: usize| bytes.get(start..).and_then(|rest| rest.get(..length));
    let is_same = |one: u8, other: u8| {
        if literal.ignore_case { one.eq_ignore_ascii_case(&other) } else { one == other }
    };
    let stands = |here: &[u8], character: usize, zero: usize| {
        let (units, _) = here.as_chunks::<2>();
        units
            .iter()
            .zip(&literal.bytes)
            .all(|(unit, &byte)| unit[zero] == 0 && is_same(unit[character], byte))
    };
    if here(first).is_some_and(|here| stands(here, 0, 1)) {
        hits.push(Hit { offset: first, literal: window.literal, encoding: Encoding::Utf16Le });
    }
    let Some(before) = first.checked_sub(1) else { return };
    if here(before).is_some_and(|here| stands(here, 1, 0)) {
        hits.push(Hit { offset: before, literal: window.literal, encoding: Encoding::Utf16Be });
    }
}
