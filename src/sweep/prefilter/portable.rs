//! The engine for every machine, in safe Rust.
//!
//! The gate is written so that the compiler turns it into whatever vector instructions the target promises.
//! The stage looks at every other byte only: each literal has two windows of three bytes, one byte apart, of
//! which one starts at an even place wherever the literal stands.

use super::blocks::{BLOCK, Block, Candidates, Codes, Found, Kernel, LINE, LINES};
use super::index::Index;
use super::rarity::Rarity;
use super::window::{self, Window};
use crate::rules::Literal;

/// Bytes of the part of a literal that both its windows cover.
const SPAN: usize = 4;
/// Bytes of a window.
const WIDTH: usize = 3;
/// Ranges of bytes that the alphabet is covered with.
const RANGES: usize = 3;

/// The compiled literals.
#[derive(Debug)]
pub(super) struct Portable {
    gate: Gate,
    index: Index,
    /// The second index that engines may have; without windows.
    none: Index,
}

/// A range of folded bytes: its first and how many follow.
#[derive(Clone, Copy, Debug)]
struct Range {
    first: u8,
    more: u8,
}

/// Ranges that cover the folded alphabet.
#[derive(Debug)]
struct Gate {
    ranges: [Range; RANGES],
}

impl Portable {
    /// Compiles `literals`.
    pub(super) fn new(literals: &[Literal], rarity: &Rarity) -> Self {
        let spans = window::choose(literals, rarity, SPAN, |_| true);
        let windows: Vec<Window> = spans
            .iter()
            .flat_map(|&span| [span, Window { offset: span.offset.saturating_add(1), ..span }])
            .collect();
        Self {
            gate: Gate::new(&window::alphabet(literals, &spans, SPAN)),
            index: Index::new(literals, &windows, WIDTH),
            none: Index::new(literals, &[], WIDTH),
        }
    }
}

impl Gate {
    /// Covers `alphabet` with ranges, leaving out the widest gaps.
    fn new(alphabet: &[bool; 256]) -> Self {
        let mut folded = [false; 256];
        for (byte, _) in (0..=255_u8).zip(alphabet).filter(|(_, is_in)| **is_in) {
            folded[usize::from(fold(byte))] = true;
        }
        let members: Vec<u8> = (0..=255_u8).filter(|&byte| folded[usize::from(byte)]).collect();
        let mut gaps: Vec<(u8, u8)> = members.array_windows().map(|&[one, other]| (one, other)).collect();
        gaps.sort_by_key(|&(one, other)| other - one);
        let mut cuts = gaps.split_off(gaps.len().saturating_sub(RANGES - 1));
        cuts.sort_unstable();
        let (first, last) = (members.first().copied(), members.last().copied());
        let starts = first.into_iter().chain(cuts.iter().map(|&(_, start)| start));
        let ends = cuts.iter().map(|&(end, _)| end).chain(last);
        let mut covering = starts.zip(ends).map(|(first, end)| Range { first, more: end - first });
        let any = covering.next().unwrap_or(Range { first: 0, more: 255 });
        Self { ranges: [any, covering.next().unwrap_or(any), covering.next().unwrap_or(any)] }
    }

    /// 0xff for a byte that may be in the alphabet, 0 for the others.
    fn admits(&self, byte: u8) -> u8 {
        let byte = fold(byte);
        let within = |range: &Range| u8::from(byte.wrapping_sub(range.first) <= range.more);
        let [one, two, three] = &self.ranges;
        0_u8.wrapping_sub(within(one) | within(two) | within(three))
    }
}

impl Gate {
    /// Classifies a block; places in `members` and `zeros` are two behind those in the block, and what is
    /// before the block is taken for anything.
    fn classify(&self, block: &Block, members: &mut Codes, zeros: &mut Codes) {
        let [Some((before, members)), Some((zeros_before, zeros))] =
            [members, zeros].map(|codes| codes.split_first_chunk_mut::<2>())
        else {
            return;
        };
        *before = [0xff; 2];
        *zeros_before = [0xff; 2];
        for ((&byte, member), zero) in block.iter().zip(members).zip(zeros) {
            *member = self.admits(byte);
            *zero = 0_u8.wrapping_sub(u8::from(byte == 0));
        }
    }
}

/// Folds the case of letters, and some other bytes.
fn fold(byte: u8) -> u8 {
    byte | 0x20
}

impl Kernel for Portable {
    fn indices(&self) -> [&Index; 2] {
        [&self.index, &self.none]
    }

    fn probe(&self, block: &Block, lines: usize, found: &mut Found) {
        let [members, zeros] = &mut found.scratch.codes;
        self.gate.classify(block, members, zeros);
        let [mut narrow, mut wide] = [0_u64; 2];
        for line in 0..lines.min(LINES) {
            let start = line * LINE;
            let members = members[start..].first_chunk();
            let zeros = zeros[start..].first_chunk();
            if let Some((members, zeros)) = members.zip(zeros) {
                narrow |= u64::from(has_run(members)) << line;
                wide |= u64::from(has_wide_run(members, zeros)) << line;
            }
        }
        found.wide = wide;
        let [candidates, none] = &mut found.candidates;
        none.count = 0;
        self.stage(block, narrow, candidates);
    }
}

/// A line's classes: two bytes before it, the line, and as much behind it as a run can reach into.
type Classes = [u8; LINE + 8];

/// Whether a run of four bytes of the alphabet starts in the line or one byte before it, so that one of its
/// two windows starts at an even place of the line.
fn has_run(members: &Classes) -> bool {
    let mut any = 0;
    for at in 1..=LINE {
        any |= members[at] & members[at + 1] & members[at + 2] & members[at + 3];
    }
    any != 0
}

/// Whether four characters of the alphabet with zeros between them start in the line or less than a
/// character before it.
fn has_wide_run(members: &Classes, zeros: &Classes) -> bool {
    let mut any = 0;
    for at in 0..LINE {
        let characters = members[at] & members[at + 2] & members[at + 4] & members[at + 6];
        any |= characters & zeros[at + 1] & zeros[at + 3] & zeros[at + 5];
    }
    any != 0
}

impl Portable {
    /// Collects the even places of `lines` at which a window may start.
    fn stage(&self, block: &Block, mut lines: u64, candidates: &mut Candidates) {
        let mut count = 0;
        while lines != 0 {
            let line = usize::try_from(lines.trailing_zeros()).unwrap_or(0) % LINES;
            lines &= lines - 1;
            for group in 0..LINE / 8 {
                let start = line * LINE + group * 8;
                let (here, next) = (load(block, start), load(block, start + 6));
                for (step, window) in [here, here >> 16, here >> 32, next].into_iter().enumerate() {
                    candidates.positions[count % BLOCK] = u16::try_from(start + 2 * step).unwrap_or(0);
                    count += self.index.admits(window);
                }
            }
        }
        candidates.count = count;
    }
}

/// The eight bytes from `start`.
fn load(block: &Block, start: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&block[start..start + 8]);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_covers_its_alphabet_with_few_others() {
        let mut alphabet = [false; 256];
        b"abcxyz0189_-.".iter().for_each(|&byte| alphabet[usize::from(byte)] = true);
        let gate = Gate::new(&alphabet);
        for byte in 0..=255 {
            if alphabet[usize::from(byte)] {
                assert_eq!(gate.admits(byte), 0xff, "{byte:#x}");
            }
        }
        assert_eq!([0, b' ', b'=', 0x80, 0xff].map(|byte| gate.admits(byte)), [0; 5]);
    }
}
