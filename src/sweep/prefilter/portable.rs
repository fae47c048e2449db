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
/// Bytes that the stage looks at together.
const GROUP: usize = 8;
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
        let both = |span: &[u8]| span.windows(WIDTH).map(|window| rarity.window(window)).sum();
        let spans = window::choose_by(literals, SPAN, |_| true, both);
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
        let [members, zeros, marks] = &mut found.scratch.codes;
        self.gate.classify(block, members, zeros);
        mark_runs(members, zeros, marks);
        found.wide = lines_with(WIDE_RUN, marks) & u64::MAX >> (LINES - lines.clamp(1, LINES));
        // The second list, for which there is no index, holds the groups.
        let [candidates, groups] = &mut found.candidates;
        list_groups(marks, lines, groups);
        self.stage(block, groups, candidates);
        groups.count = 0;
    }
}

/// Mark of a place behind which four bytes of the alphabet start.
const RUN: u8 = 1;
/// Mark of a place two behind which four characters of the alphabet with zeros between them start.
const WIDE_RUN: u8 = 2;

/// Marks where runs start. `members` and `zeros` are two places behind: a place is marked for the run that
/// starts one byte before it, or one character before it, so that one of the literal's two windows starts
/// at an even place of the line.
fn mark_runs(members: &Codes, zeros: &Codes, marks: &mut Codes) {
    for (at, mark) in marks.iter_mut().enumerate().take(BLOCK) {
        let run = members[at + 1] & members[at + 2] & members[at + 3] & members[at + 4];
        let characters = members[at] & members[at + 2] & members[at + 4] & members[at + 6];
        let between = zeros[at + 1] & zeros[at + 3] & zeros[at + 5];
        *mark = run & RUN | characters & between & WIDE_RUN;
    }
}

/// Lines that have a place with `mark`.
fn lines_with(mark: u8, marks: &Codes) -> u64 {
    let (lines, _) = marks.as_chunks::<LINE>();
    lines.iter().take(LINES).enumerate().fold(0, |found, (line, marks)| {
        let any = marks.iter().fold(0, |any, mark| any | mark);
        found | u64::from(any & mark != 0) << line
    })
}

/// Lists the groups of eight bytes in the first `lines` lines that have a place marked [`RUN`], by number.
fn list_groups(marks: &Codes, lines: usize, groups: &mut Candidates) {
    let (words, _) = marks.as_chunks::<GROUP>();
    let mut count = 0;
    for (group, word) in words.iter().enumerate().take(lines.min(LINES) * LINE / GROUP) {
        groups.positions[count % BLOCK] = u16::try_from(group).unwrap_or(0);
        count += usize::from(u64::from_ne_bytes(*word) & u64::from_ne_bytes([RUN; GROUP]) != 0);
    }
    groups.count = count;
}

impl Portable {
    /// Collects the even places of the groups at which a window may start.
    fn stage(&self, block: &Block, groups: &Candidates, candidates: &mut Candidates) {
        let mut count = 0;
        for &group in groups.positions.iter().take(groups.count) {
            let start = usize::from(group) * GROUP % BLOCK;
            let (here, next) = (load(block, start), load(block, start + 6));
            for (step, window) in [here, here >> 16, here >> 32, next].into_iter().enumerate() {
                candidates.positions[count % BLOCK] = u16::try_from(start + 2 * step).unwrap_or(0);
                count += usize::from(self.index.admits(window) != 0);
            }
        }
        candidates.count = count;
    }
}

/// The eight bytes from `start`.
fn load(block: &Block, start: usize) -> u64 {
    block[start..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
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
