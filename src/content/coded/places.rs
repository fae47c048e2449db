//! Where encoded text may be: one block of [`BLOCK`] bytes in each [`STRIDE`] is tested.

use super::super::block::{ALL, BLOCK, Bits, Block};
use super::{LONG, STRIDE, end_of_line, is_base64, wide};

/// Blocks are tested in steps of so many.
const STEP: usize = STRIDE / BLOCK;
/// Which bytes of a block are characters in text in UTF-16, where the others are zero.
const EVEN: Bits = 0x5555;
const ODD: Bits = EVEN << 1;
/// How many pairs of tested blocks a long run has in UTF-16, where two blocks hold as many characters as one.
const WIDE_LONG: usize = LONG * wide::UNIT;

/// Places in `bytes` where a run may be: where a block looks like encoded text, where a run has become long,
/// and the first and last block, over which one may come in or go out. The same for text in UTF-16.
pub fn places(bytes: &[u8], found: &mut Vec<usize>) {
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let (mut narrow, mut wide) = (Streak::new(0, LONG), Streak::new(1, WIDE_LONG));
    let mut until = 0;
    let mut tests = blocks.iter().step_by(STEP).enumerate();
    // Nearly all blocks are passed by, so that is a loop of its own.
    let near = |(test, block)| {
        let near = near(block);
        (near == ALL || near == EVEN || near == ODD).then_some((test, block, near))
    };
    while let Some((test, block, near)) = tests.find_map(near) {
        let at = test.saturating_mul(STRIDE);
        if near == ALL && is_plain(block) {
            let is_long = narrow.add(test);
            if at >= until && (is_long || is_text(block)) {
                found.push(at);
                until = end_of_line(bytes, at);
            }
        } else if near != ALL
            && let Some(pair) = wide_pair(bytes, at)
        {
            let is_long = wide.add(test);
            if at >= until && (is_long || is_text(&pair)) {
                found.push(at);
                until = end_of_wide_line(bytes, at);
            }
        }
    }
    let tail = bytes.len().saturating_sub(BLOCK);
    let last = bytes.get(tail..).and_then(|rest| rest.first_chunk());
    let is_run = last.is_some_and(is_plain) || wide_pair(bytes, tail).is_some();
    if is_run && tail >= until {
        found.push(tail);
    }
}

/// How long a run has been lasting, in tests. Line breaks interrupt it, so that a test which fails only takes one
/// away.
struct Streak {
    first: usize,
    next: usize,
    lasting: usize,
    long: usize,
}

impl Streak {
    /// Before the test `first`, at which a run may come in that is long already.
    fn new(first: usize, long: usize) -> Self {
        Self { first, next: first, lasting: long.saturating_sub(1), long }
    }

    /// Counts a test that did not fail; says whether the run has become long.
    fn add(&mut self, test: usize) -> bool {
        let failed = test.saturating_sub(self.next);
        let is_inside = self.next == self.first && failed > 0;
        let before = if is_inside { 0 } else { self.lasting.saturating_sub(failed) };
        self.lasting = before.saturating_add(1).min(self.long.saturating_mul(2));
        self.next = test.saturating_add(1);
        self.lasting == self.long
    }
}

/// The characters of text in UTF-16 in the block at `at` and in the tested block before it, if both may belong to a
/// run. Characters that are four apart are here as well, so that the block is tested like one of other text.
fn wide_pair(bytes: &[u8], at: usize) -> Option<[u8; BLOCK]> {
    let block = |at: usize| bytes.get(at..)?.first_chunk::<BLOCK>();
    let (one, other) = (block(at.checked_sub(STRIDE)?)?, block(at)?);
    let is_second = one.first() == Some(&0);
    let blocks = [*one, *other];
    let (units, _) = blocks.as_flattened().as_chunks::<{ wide::UNIT }>();
    let mut pair = [0; BLOCK];
    for (into, &[first, second]) in pair.iter_mut().zip(units) {
        *into = match (is_second, first, second) {
            (false, character, 0) | (true, 0, character) => character,
            _ => return None,
        };
    }
    is_plain(&pair).then_some(pair)
}

/// Where the characters of the alphabets end in text in UTF-16 that `at` lies in.
fn end_of_wide_line(bytes: &[u8], at: usize) -> usize {
    let first = if bytes.get(at) == Some(&0) { at.saturating_add(1) } else { at };
    let (units, _) = bytes.get(first..).unwrap_or_default().as_chunks::<{ wide::UNIT }>();
    let length = units.iter().take_while(|[low, high]| is_base64(*low) && *high == 0).count();
    first.saturating_add(length.saturating_mul(wide::UNIT))
}

/// What a character may be in the text that [`is_text`] looks for, as bits.
static ROLES: [u8; 256] = {
    let mut roles = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => {
                byte += 1;
                continue;
            }
        };
        roles[byte as usize] = IN_BASE64
            | if value & 0b10_0000 == 0 { FIRST } else { 0 }
            | if value & 0b00_1000 == 0 { SECOND } else { 0 }
            | if value & 0b00_0010 == 0 { THIRD } else { 0 }
            | if byte.is_ascii_hexdigit() { DIGIT } else { 0 }
            | if matches!(byte, b'0' | b'2'..=b'7') { HIGH_DIGIT } else { 0 };
        byte += 1;
    }
    roles
};
/// It belongs to Base64.
const IN_BASE64: u8 = 1;
/// It may be the first, second or third of a group of four.
const FIRST: u8 = 2;
const SECOND: u8 = 4;
const THIRD: u8 = 8;
/// It is a hexadecimal digit, and may be the first of two.
const DIGIT: u8 = 16;
const HIGH_DIGIT: u8 = 32;

/// Whether a block may be out of the middle of text in ASCII or UTF-16 that was encoded: the highest bit of each
/// byte is zero. In Base64 these are bits of the first three characters of four, in hexadecimal form the first
/// digits of two are 0 or 2 to 7.
fn is_text(block: &[u8; BLOCK]) -> bool {
    if !may_be_text(block) {
        return false;
    }
    // What all characters at the same place of a group may be; blocks hold whole groups, wherever those start.
    let mut roles = [u8::MAX; 4];
    let (groups, _) = block.as_chunks::<4>();
    for group in groups {
        for (all, &byte) in roles.iter_mut().zip(group) {
            *all &= ROLES.get(usize::from(byte)).copied().unwrap_or(0);
        }
    }
    let [a, b, c, d] = roles;
    let has = |all: u8, role: u8| all & role != 0;
    let starts =
        |[first, second, third]: [u8; 3]| has(first, FIRST) && has(second, SECOND) && has(third, THIRD);
    let is_base64 = has(a & b & c & d, IN_BASE64);
    let is_hex = has(a & b & c & d, DIGIT) && (has(a & c, HIGH_DIGIT) || has(b & d, HIGH_DIGIT));
    is_base64 && (is_hex || [[a, b, c], [b, c, d], [c, d, a], [d, a, b]].into_iter().any(starts))
}

/// Whether a block has what each kind of such text has: digits of hexadecimal numbers only, or one place in all
/// groups of four at which the first character of a group of Base64 may stand.
#[inline]
fn may_be_text(block: &[u8; BLOCK]) -> bool {
    let block = Block::new(block);
    let firsts = block.within(b'A'..=b'Z').or(block.within(b'a'..=b'f')).bits();
    let halves = firsts & firsts >> 8;
    let digits = block.within(b'0'..=b'9').or(block.lower().within(b'a'..=b'f'));
    halves & halves >> 4 & 0xf != 0 || digits.bits() == ALL
}

/// Which bytes lie in the range that holds all of both alphabets, and somewhat more.
#[inline]
fn near(block: &[u8; BLOCK]) -> Bits {
    Block::new(block).within(b'+'..=b'z').bits()
}

/// Whether all bytes are letters, digits or one of `+,-./_`: somewhat more than the alphabets have.
#[inline]
fn is_plain(block: &[u8; BLOCK]) -> bool {
    let block = Block::new(block);
    let letters = block.lower().within(b'a'..=b'z');
    letters.or(block.within(b'+'..=b'9')).or(block.is(b'_')).bits() == ALL
}

#[cfg(test)]
mod tests {
    use super::super::RUN_MIN;
    use super::*;

    /// Text of one byte a character, and in both byte orders of UTF-16.
    const WIDTHS: [fn(u8) -> Vec<u8>; 3] = [|byte| vec![byte], |byte| vec![byte, 0], |byte| vec![0, byte]];

    fn found_in(bytes: &[u8]) -> Vec<usize> {
        let mut found = Vec::new();
        places(bytes, &mut found);
        found
    }

    #[test]
    fn a_run_is_seen_wherever_it_lies() {
        for width in WIDTHS {
            let unit = width(b'Q').len();
            for (at, length) in (0..80).flat_map(|at| (RUN_MIN..RUN_MIN + 40).map(move |length| (at, length)))
            {
                let mut bytes = vec![b' '; at];
                bytes.extend((0..length).flat_map(|_| width(b'Q')));
                bytes.resize(600, b' ');
                let run = at..at + length * unit;
                assert!(found_in(&bytes).iter().any(|place| run.contains(place)), "{unit} {at} {length}");
            }
        }
    }

    #[test]
    fn a_run_over_a_border_is_seen_on_one_side_of_it() {
        for width in WIDTHS {
            let run: Vec<u8> = (0..RUN_MIN).flat_map(|_| width(b'7')).collect();
            for before in 0..run.len() {
                let (one, other) = run.split_at(before);
                let one = [vec![b' '; 201 - before], one.to_vec()].concat();
                let other = [other, &[b' '; 200]].concat();
                assert!(
                    !found_in(&one).is_empty() || !found_in(&other).is_empty(),
                    "{before} {:?}",
                    width(b'7')
                );
            }
        }
    }

    #[test]
    fn a_long_run_is_seen_whatever_it_holds() {
        // Not text: the first bit of each byte is set.
        let run = "+vX58/j7".repeat(40);
        for width in WIDTHS {
            let long: Vec<u8> = b" ".iter().chain(run.as_bytes()).flat_map(|&byte| width(byte)).collect();
            for before in 0..64 {
                let bytes = [vec![b' '; before + 64], long.clone(), vec![b' '; 64]].concat();
                assert_eq!(found_in(&bytes).len(), 1, "{before} {:?}", width(b'7'));
            }
        }
    }

    #[test]
    fn words_and_numbers_in_utf_16_are_no_places() {
        let text =
            "The quick brown fox jumps over 1234567890 lazy dogs; ConfigurationManager.GetSection(42).\r\n";
        for width in WIDTHS {
            let bytes: Vec<u8> = text.repeat(20).bytes().flat_map(width).collect();
            assert_eq!(found_in(&bytes), [0_usize; 0], "{:?}", width(b'7'));
        }
        for other in [b'Q', b' '] {
            let bytes: Vec<u8> =
                (0..400).flat_map(|at| [b'Q', if at % 9 == 0 { other } else { 0 }]).collect();
            assert!(found_in(&bytes).is_empty(), "{other}");
        }
    }
}
