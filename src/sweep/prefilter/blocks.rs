//! The way of a slice through an engine, block by block.

use super::Hit;
use super::index::{Index, confirm_narrow};
use super::wide::{self, NARROW_BLOCK, NARROW_LINES};
use crate::rules::Literal;
use std::cell::RefCell;

/// Bytes of a block.
pub(super) const BLOCK: usize = 4096;
/// Bytes of a line, the unit of the gate.
pub(super) const LINE: usize = 64;
/// Lines of a block.
pub(super) const LINES: usize = BLOCK / LINE;

/// A block and the line after it, into which its windows reach.
pub(super) type Block = [u8; BLOCK + LINE];

/// Candidates of a block. Engines write in groups, so there is a line's worth of room behind the last.
pub(super) type Positions = [u16; BLOCK + LINE];

/// Candidates of one index.
#[derive(Debug)]
pub(super) struct Candidates {
    /// Where in the block a window may stand; each at most once.
    pub(super) positions: Positions,
    /// How many there are, at most [`BLOCK`].
    pub(super) count: usize,
}

impl Candidates {
    const NONE: Self = Self { positions: [0; BLOCK + LINE], count: 0 };
}

/// What an engine finds in a block.
#[derive(Debug)]
pub(super) struct Found {
    /// Candidates, by the engine's index.
    pub(super) candidates: [Candidates; 2],
    /// Lines in which a window in UTF-16 may start, a bit each.
    pub(super) wide: u64,
    /// Room for the engine, kept so that it is not cleared for each block.
    pub(super) scratch: Scratch,
}

/// Masks with a bit for each byte of a block, a word a line; behind the line after the block there is room
/// for vectors to run over.
pub(super) type Masks = [u64; LINES + 16];

/// A block's bytes in an engine's own code.
pub(super) type Codes = [u8; BLOCK + 2 * LINE];

/// Room for an engine to work in.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Scratch {
    /// The block in code.
    pub(super) codes: [Codes; 3],
    /// Masks of the block.
    pub(super) masks: [Masks; 3],
}

impl Scratch {
    const EMPTY: Self = Self { codes: [[0; BLOCK + 2 * LINE]; 3], masks: [[0; LINES + 16]; 3] };
}

/// An engine.
pub(super) trait Kernel {
    /// The indices that candidates belong to.
    fn indices(&self) -> [&Index; 2];

    /// Finds the candidates that start in the first `lines` lines of `block`, at most [`LINES`].
    ///
    /// Overwrites `found`. Says yes wherever a window starts, and may say yes elsewhere.
    fn probe(&self, block: &Block, lines: usize, found: &mut Found);
}

thread_local! {
    /// Room for one block. Slices are short at times, and clearing it would cost as much as searching one.
    static FOUND: RefCell<Found> =
        const { RefCell::new(Found { candidates: [Candidates::NONE; 2], wide: 0, scratch: Scratch::EMPTY }) };
}

/// Appends every occurrence of a literal in `bytes` to `hits`.
pub(super) fn scan<K: Kernel>(kernel: &K, literals: &[Literal], bytes: &[u8], hits: &mut Vec<Hit>) {
    FOUND.with_borrow_mut(|found| scan_with(kernel, literals, bytes, hits, found));
}

fn scan_with<K: Kernel>(
    kernel: &K,
    literals: &[Literal],
    bytes: &[u8],
    hits: &mut Vec<Hit>,
    found: &mut Found,
) {
    let mut sweep = Sweep { kernel, literals, bytes, narrow: [0; BLOCK + LINE], hits };
    let mut base = 0;
    while let Some(rest) = bytes.get(base..).filter(|rest| !rest.is_empty()) {
        match rest.first_chunk() {
            Some(block) => sweep.block(block, base, LINES, found),
            None => {
                // Zeros stand in for what is behind the end; hits are compared with the slice itself.
                let mut block = [0; BLOCK + LINE];
                for (into, from) in block.iter_mut().zip(rest) {
                    *into = *from;
                }
                sweep.block(&block, base, rest.len().div_ceil(LINE).min(LINES), found);
            }
        }
        base = base.saturating_add(BLOCK);
    }
}

/// A slice on its way through an engine.
struct Sweep<'a, K> {
    kernel: &'a K,
    literals: &'a [Literal],
    bytes: &'a [u8],
    /// UTF-16 of a block, narrowed.
    narrow: Block,
    hits: &'a mut Vec<Hit>,
}

impl<K: Kernel> Sweep<'_, K> {
    fn block(&mut self, block: &Block, base: usize, lines: usize, found: &mut Found) {
        self.kernel.probe(block, lines, found);
        for (index, candidates) in self.kernel.indices().into_iter().zip(&mut found.candidates) {
            let kept = index.sift(block, &mut candidates.positions, candidates.count);
            for &position in candidates.positions.iter().take(kept) {
                for window in index.at(block, position) {
                    let place = base.saturating_add(usize::from(position));
                    confirm_narrow(self.literals, self.bytes, place, window, self.hits);
                }
            }
        }
        if found.wide != 0 {
            self.wide(block, base, found);
        }
    }

    /// Narrows the lines with UTF-16 in them, once for each alignment, and searches the narrow form.
    #[cold]
    #[inline(never)]
    fn wide(&mut self, block: &Block, base: usize, found: &mut Found) {
        let lines = found.wide;
        for parity in [0, 1] {
            wide::narrow_lines(block, lines, parity, &mut self.narrow);
            self.kernel.probe(&self.narrow, NARROW_LINES, found);
            for (index, candidates) in self.kernel.indices().into_iter().zip(&mut found.candidates) {
                let kept = index.sift(&self.narrow, &mut candidates.positions, candidates.count);
                for &position in candidates.positions.iter().take(kept) {
                    let position_narrow = usize::from(position);
                    if position_narrow >= NARROW_BLOCK {
                        continue;
                    }
                    let place = base.saturating_add(parity).saturating_add(position_narrow * 2);
                    for window in index.at(&self.narrow, position) {
                        wide::confirm(self.literals, self.bytes, place, window, self.hits);
                    }
                }
            }
        }
    }
}
