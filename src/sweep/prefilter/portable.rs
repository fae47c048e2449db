//! The engine for every machine, in safe Rust.
//!
//! The gate is written so that the compiler turns it into whatever vector instructions the target promises;
//! its answers are gathered to masks with a bit for each byte. The stage looks at some places only, since a
//! literal has several windows, a byte apart, of which one starts at such a place wherever the literal stands:
//!
//! - a literal below seven bytes has two windows of three bytes, looked for at every other place;
//! - a longer one has four windows of four bytes, looked for at every fourth place.
//!
//! A window that passes a [`Sieve`], which is small enough to stay in the processor's nearest cache, is a
//! candidate.

use super::blocks::{BLOCK, Block, Candidates, Found, Kernel, LINE, LINES, Masks};
use super::index::Index;
use super::rarity::Rarity;
use super::window::{self, Window};
use crate::rules::Literal;

/// Bytes of the part of a literal below [`LONG_SPAN`] bytes that its windows cover.
const SHORT_SPAN: usize = 4;
/// Bytes of a window of it.
const SHORT: usize = 3;
/// Places at which its windows are looked for, as a mask.
const SHORT_PLACES: u64 = 0x5555_5555_5555_5555;

/// Bytes of the part of a longer literal that its windows cover.
const LONG_SPAN: usize = 7;
/// Bytes of a window of it.
const LONG: usize = 4;
/// Places at which its windows are looked for, as a mask.
const LONG_PLACES: u64 = 0x1111_1111_1111_1111;

/// The compiled literals.
#[derive(Debug)]
pub(super) struct Portable {
    gate: Gate,
    short: Sieve<SHORT>,
    long: Sieve<LONG>,
    short_index: Index,
    long_index: Index,
}

impl Portable {
    /// Compiles `literals`.
    pub(super) fn new(literals: &[Literal], rarity: &Rarity) -> Self {
        let cost = |span: &[u8], width| span.windows(width).map(|window| rarity.window(window)).sum();
        let short_spans =
            window::choose_by(literals, SHORT_SPAN, |length| length < LONG_SPAN, |span| cost(span, SHORT));
        let long_spans =
            window::choose_by(literals, LONG_SPAN, |length| length >= LONG_SPAN, |span| cost(span, LONG));
        let mut alphabet = window::alphabet(literals, &short_spans, SHORT_SPAN);
        for (into, from) in alphabet.iter_mut().zip(window::alphabet(literals, &long_spans, LONG_SPAN)) {
            *into |= from;
        }
        let short = windows(&short_spans, SHORT_SPAN - SHORT);
        let long = windows(&long_spans, LONG_SPAN - LONG);
        Self {
            gate: Gate::new(&alphabet),
            short: Sieve::new(literals, &short),
            long: Sieve::new(literals, &long),
            short_index: Index::new(literals, &short, SHORT),
            long_index: Index::new(literals, &long, LONG),
        }
    }
}

/// The windows that start in the spans, the last `more` bytes behind the first.
fn windows(spans: &[Window], more: usize) -> Vec<Window> {
    let of_span =
        |&span: &Window| (0..=more).map(move |at| Window { offset: span.offset.saturating_add(at), ..span });
    spans.iter().flat_map(of_span).collect()
}

impl Kernel for Portable {
    fn indices(&self) -> [&Index; 2] {
        [&self.short_index, &self.long_index]
    }

    fn probe(&self, block: &Block, lines: usize, found: &mut Found) {
        let lines = lines.min(LINES);
        let [members, short, long] = &mut found.scratch.masks;
        self.gate.classify(block, lines, members);
        found.wide = self.gate.wide_lines(block, lines, members);
        mark_places(lines, members, short, long);
        let [short_candidates, long_candidates] = &mut found.candidates;
        self.short.stage(block, &short[..lines], short_candidates);
        self.long.stage(block, &long[..lines], long_candidates);
    }
}

/// A range of bytes: its first and how many follow.
#[derive(Clone, Copy, Debug)]
struct Range {
    first: u8,
    more: u8,
}

/// Two ranges that cover the alphabet.
#[derive(Debug)]
struct Gate {
    ranges: [Range; 2],
    /// Ones if zero is in the alphabet.
    zero: u64,
}

impl Gate {
    /// Covers `alphabet` with ranges, leaving out the widest gap.
    fn new(alphabet: &[bool; 256]) -> Self {
        let members: Vec<u8> = (0..=255_u8).filter(|&byte| alphabet[usize::from(byte)]).collect();
        let gaps = members.array_windows().map(|&[one, other]| (one, other));
        let cut = gaps.max_by_key(|&(one, other)| other - one);
        let (first, last) = (members.first().copied().unwrap_or(0), members.last().copied().unwrap_or(0));
        let (end, start) = cut.unwrap_or((last, last));
        let ranges = [Range { first, more: end - first }, Range { first: start, more: last - start }];
        Self { ranges, zero: if alphabet[0] { u64::MAX } else { 0 } }
    }

    /// 0xff for a byte that may be in the alphabet, 0 for the others.
    fn admits(&self, byte: u8) -> u8 {
        let within = |range: Range| u8::from(byte.wrapping_sub(range.first) <= range.more);
        0_u8.wrapping_sub(within(self.ranges[0]) | within(self.ranges[1]))
    }

    /// Fills `members` with what may be in the alphabet, of the given lines and the one after.
    fn classify(&self, block: &Block, lines: usize, members: &mut Masks) {
        let (from, _) = block.as_chunks::<LINE>();
        for (bytes, members) in from.iter().zip(members).take(lines + 1) {
            *members = mask_where(bytes, |byte| self.admits(byte));
        }
    }

    /// Lines in which four characters with zeros between them start, or may have started before the block.
    fn wide_lines(&self, block: &Block, lines: usize, members: &Masks) -> u64 {
        let (from, _) = block.as_chunks::<LINE>();
        let mut found = 0;
        for line in 0..lines {
            let pair = u128::from(members[line]) | u128::from(members[line + 1]) << 64;
            // Where no zero is a member, members alternate with others. Few lines without UTF-16 have that.
            let others = !pair | u128::from(self.zero) | u128::from(self.zero) << 64;
            let character = pair & others >> 1;
            let three = character & character >> 2 & pair >> 4;
            let may_be = three & character >> 4 & pair >> 6;
            let first = if line == 0 { three & 0b11 } else { 0 };
            if low(may_be | first) == 0 {
                continue;
            }
            let is_zero = |line: usize| {
                u128::from(mask_where(&from[line], |byte| 0_u8.wrapping_sub(u8::from(byte == 0))))
            };
            let zeros = is_zero(line) | is_zero(line + 1) << 64;
            let between = zeros >> 1 & zeros >> 3;
            found |= u64::from(low(may_be & between & zeros >> 5 | first & between) != 0) << line;
        }
        found
    }
}

/// The lower half.
fn low(mask: u128) -> u64 {
    u64::try_from(mask & u128::from(u64::MAX)).unwrap_or(0)
}

/// A bit for each byte of a line for which `class` is 0xff; it is 0 for the others.
#[inline]
fn mask_where(bytes: &[u8; LINE], class: impl Fn(u8) -> u8) -> u64 {
    let mut classes = [0; LINE];
    for (class_of, &byte) in classes.iter_mut().zip(bytes) {
        *class_of = class(byte);
    }
    let mut mask = [0; LINE / 8];
    let (words, _) = classes.as_chunks::<8>();
    for (bits, word) in mask.iter_mut().zip(words) {
        // Bit `n` of byte `n`; the product's highest byte is the sum of all bytes.
        let diagonal = u64::from_le_bytes(*word) & 0x8040_2010_0804_0201;
        [.., *bits] = diagonal.wrapping_mul(0x0101_0101_0101_0101).to_le_bytes();
    }
    u64::from_le_bytes(mask)
}

/// Marks the places at which a short and a long window may start as far as the alphabet goes: a span of the
/// alphabet has started there or as many bytes before as there are other windows in it.
///
/// What is before the block is taken for members.
fn mark_places(lines: usize, members: &Masks, short: &mut Masks, long: &mut Masks) {
    let mut before = u64::MAX;
    let (mut fours_before, mut sevens_before) = (0, 0);
    // The first turn is for the line before the block; its marks are overwritten.
    for (line, &next) in members.iter().enumerate().take(lines + 1) {
        let here = before;
        before = next;
        let pair = u128::from(here) | u128::from(next) << 64;
        let twos = pair & pair >> 1;
        let fours = twos & twos >> 2;
        let sevens = low(fours & fours >> 3);
        let fours = low(fours);
        if let Some(line) = line.checked_sub(1) {
            short[line] = (fours | fours << 1 | fours_before >> 63) & SHORT_PLACES;
            let started = sevens << 1 | sevens << 2 | sevens << 3;
            let started_before = sevens_before >> 61 | sevens_before >> 62 | sevens_before >> 63;
            long[line] = (sevens | started | started_before) & LONG_PLACES;
        }
        (fours_before, sevens_before) = (fours, sevens);
    }
}

/// Bits of a sieve's hash.
const SIEVE_BITS: u32 = 16;
/// Words of a sieve.
const SIEVE_WORDS: usize = 1 << (SIEVE_BITS - 5);
/// Odd, with its bits spread evenly: the golden ratio.
const MULTIPLIER: u32 = 0x9E37_79B1;
/// Folds the case of letters, and some other bytes.
const FOLD: u32 = 0x2020_2020;

/// A hashed bitmap of windows of `WIDTH` bytes, at most four.
#[derive(Debug)]
struct Sieve<const WIDTH: usize> {
    bitmap: Box<[u32; SIEVE_WORDS]>,
}

impl<const WIDTH: usize> Sieve<WIDTH> {
    fn new(literals: &[Literal], windows: &[Window]) -> Self {
        let mut bitmap = Box::new([0; SIEVE_WORDS]);
        for window in windows {
            let mut bytes = [0; 4];
            for (into, from) in bytes.iter_mut().zip(window.bytes(literals, WIDTH)) {
                *into = *from;
            }
            let (word, bit) = Self::place(u32::from_le_bytes(bytes));
            bitmap[word] |= 1 << bit;
        }
        Self { bitmap }
    }

    /// Word and bit of the window that `bytes` starts with (in its low end).
    fn place(bytes: u32) -> (usize, u32) {
        // A narrower window's bytes are shifted to the high end, where they still decide the whole hash.
        let key = (bytes | FOLD) << (32 - 8 * WIDTH);
        let hash = key.wrapping_mul(MULTIPLIER) >> (32 - SIEVE_BITS);
        (usize::try_from(hash / 32).unwrap_or(0) % SIEVE_WORDS, hash % 32)
    }

    /// Collects the places among those in `lines` at which a window may start.
    fn stage(&self, block: &Block, lines: &[u64], candidates: &mut Candidates) {
        let mut count = 0;
        for (line, &places) in lines.iter().enumerate() {
            let mut places = places;
            while places != 0 {
                let bit = usize::try_from(places.trailing_zeros()).unwrap_or(0);
                places &= places - 1;
                let at = (line * LINE + bit) % BLOCK;
                candidates.positions[count % BLOCK] = u16::try_from(at).unwrap_or(0);
                let (word, bit) = Self::place(load(block, at));
                count += usize::from(self.bitmap[word] >> bit & 1 != 0);
            }
        }
        candidates.count = count;
    }
}

/// The four bytes from `start`.
fn load(block: &Block, start: usize) -> u32 {
    block[start..].first_chunk().map_or(0, |word| u32::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_covers_its_alphabet_with_few_others() {
        let mut alphabet = [false; 256];
        b"abcxyzABCXYZ0189_-.".iter().for_each(|&byte| alphabet[usize::from(byte)] = true);
        let gate = Gate::new(&alphabet);
        for byte in 0..=255 {
            if alphabet[usize::from(byte)] {
                assert_eq!(gate.admits(byte), 0xff, "{byte:#x}");
            }
        }
        assert_eq!([0, b' ', b'\n', 0x80, 0xff].map(|byte| gate.admits(byte)), [0; 5]);
    }

    #[test]
    fn a_mask_has_a_bit_for_each_byte_of_its_line() {
        for place in 0..LINE {
            let mut line = [0; LINE];
            line[place] = 7;
            let is_seven = |byte| if byte == 7 { 0xff } else { 0 };
            assert_eq!(mask_where(&line, is_seven), 1 << place);
        }
    }

    #[test]
    fn places_are_marked_wherever_a_span_stands() {
        for start in 0..2 * LINE - LONG_SPAN {
            for (span, width) in [(SHORT_SPAN, SHORT), (LONG_SPAN, LONG)] {
                let pair = ((1_u128 << span) - 1) << start;
                let mut members: Masks = [0; LINES + 16];
                (members[0], members[1]) = (low(pair), low(pair >> 64));
                let (mut short, mut long) = (members, members);
                mark_places(2, &members, &mut short, &mut long);
                let (marks, step) = if width == SHORT { (short, 2) } else { (long, 4) };
                let place = start.next_multiple_of(step);
                assert_eq!(marks[place / LINE] >> (place % LINE) & 1, 1, "{span} from {start}");
            }
        }
    }
}
