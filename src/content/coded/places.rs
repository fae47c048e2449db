//! Where encoded text may be: one block of [`BLOCK`] bytes in each [`STRIDE`] is tested.

use super::super::block::{ALL, BLOCK, Block};
use super::{LONG, STRIDE, end_of_line};

/// Places in `bytes` where a run may be: where a block looks like encoded text, where a run has become long,
/// and the first and last block, over which one may come in or go out.
pub fn places(bytes: &[u8], found: &mut Vec<usize>) {
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let step = STRIDE / BLOCK;
    // Line breaks interrupt a run, so that a block which is none only takes one away.
    let (mut until, mut lasting) = (0, LONG - 1);
    for (index, block) in blocks.iter().enumerate().step_by(step) {
        if !is_plain(block) {
            lasting = if index == 0 { 0 } else { lasting.saturating_sub(1) };
            continue;
        }
        lasting = lasting.saturating_add(1).min(2 * LONG);
        let at = index.saturating_mul(BLOCK);
        if at >= until && (lasting == LONG || is_text(block)) {
            found.push(at);
            until = end_of_line(bytes, at);
        }
    }
    let tail = bytes.len().saturating_sub(BLOCK);
    if bytes.get(tail..).and_then(|rest| rest.first_chunk()).is_some_and(is_plain) && tail >= until {
        found.push(tail);
    }
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

/// Whether all bytes are letters, digits or one of `+,-./_`: somewhat more than the alphabets have. Most blocks
/// hold something out of the range of all these.
#[inline]
fn is_plain(block: &[u8; BLOCK]) -> bool {
    let block = Block::new(block);
    block.within(b'+'..=b'z').bits() == ALL && {
        let letters = block.lower().within(b'a'..=b'z');
        letters.or(block.within(b'+'..=b'9')).or(block.is(b'_')).bits() == ALL
    }
}

#[cfg(test)]
mod tests {
    use super::super::RUN_MIN;
    use super::*;

    #[test]
    fn a_run_is_seen_wherever_it_lies() {
        for (at, length) in (0..80).flat_map(|at| (RUN_MIN..RUN_MIN + 40).map(move |length| (at, length))) {
            let mut bytes = vec![b' '; 300];
            bytes[at..at + length].fill(b'Q');
            let mut found = Vec::new();
            places(&bytes, &mut found);
            assert!(found.iter().any(|place| (at..at + length).contains(place)), "{at} {length}");
        }
    }

    #[test]
    fn a_run_over_a_border_is_seen_on_one_side_of_it() {
        for before in 0..RUN_MIN {
            let (mut one, mut other) = (vec![b' '; 100], vec![b' '; 100]);
            one[100 - before..].fill(b'Q');
            other[..RUN_MIN - before].fill(b'Q');
            let mut found = Vec::new();
            places(&one, &mut found);
            places(&other, &mut found);
            assert!(!found.is_empty(), "{before}");
        }
    }
}
