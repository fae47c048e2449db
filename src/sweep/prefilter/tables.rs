//! What the vector engines compile literals to.
//!
//! Windows of literals below six bytes are four bytes long, the others' six; each kind has its own alphabet
//! for the gate, its own tables for the stage and its own index. Engines differ in the code that a byte
//! becomes and in how many sets of tables they can afford: a [`Plan`] says both.

use super::buckets::{self, CODES, Frequencies};
use super::index::Index;
use super::rarity::Rarity;
use super::window::{self, Window};
use crate::rules::Literal;

/// Bytes of a window of a literal below [`LONG`] bytes.
pub(super) const SHORT: usize = 4;
/// Bytes of a window of a longer literal.
pub(super) const LONG: usize = 6;

/// One lookup table, aligned so that a load touches one cache line: which of eight buckets allow a code.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Table(pub(super) [u8; CODES]);

/// How many sets of tables are used: for each number of windows up to which it is enough, ascending; the last
/// is used for any number.
pub(super) type SetsByWindows = &'static [(usize, usize)];

/// What differs between the engines.
///
/// What a search costs per byte grows with the sets, what it costs per candidate shrinks.
#[derive(Debug)]
pub(super) struct Plan {
    /// The code of a byte, below [`CODES`]; the same for a letter in either case.
    pub(super) code: fn(u8) -> u8,
    /// Sets for windows of [`SHORT`] bytes.
    pub(super) short_sets: SetsByWindows,
    /// Sets for windows of [`LONG`] bytes.
    pub(super) long_sets: SetsByWindows,
}

/// The windows of one width, compiled.
#[derive(Debug)]
pub(super) struct Windows<const WIDTH: usize> {
    /// The bytes that stand in them, in either case.
    pub(super) alphabet: [bool; 256],
    /// For each set of eight buckets, a table for each position in the window.
    pub(super) sets: Vec<[Table; WIDTH]>,
    /// The windows by their bytes.
    pub(super) index: Index,
}

impl Plan {
    /// Compiles `literals`: those below [`LONG`] bytes, and the others.
    pub(super) fn compile(&self, literals: &[Literal], rarity: &Rarity) -> (Windows<SHORT>, Windows<LONG>) {
        let short = window::choose(literals, rarity, SHORT, |length| length < LONG);
        let long = window::choose(literals, rarity, LONG, |length| length >= LONG);
        // Dealing them to buckets is a good part of what a run takes to start.
        rayon::join(
            || self.windows(literals, rarity, &short, self.short_sets),
            || self.windows(literals, rarity, &long, self.long_sets),
        )
    }

    fn windows<const WIDTH: usize>(
        &self,
        literals: &[Literal],
        rarity: &Rarity,
        windows: &[Window],
        sets: SetsByWindows,
    ) -> Windows<WIDTH> {
        let alphabet = window::alphabet(literals, windows, WIDTH);
        let enough = sets.iter().find(|(most, _)| windows.len() <= *most).or(sets.last());
        let count = enough.map_or(1, |(_, count)| *count);
        let codes: Vec<[u8; WIDTH]> = windows
            .iter()
            .map(|window| {
                let bytes = window.bytes(literals, WIDTH);
                std::array::from_fn(|at| bytes.get(at).map_or(0, |&byte| (self.code)(byte)))
            })
            .collect();
        let tables = buckets::deal(&codes, &self.frequencies(&alphabet, rarity), count);
        Windows {
            alphabet,
            sets: tables.into_iter().map(|set| set.map(Table)).collect(),
            index: Index::new(literals, windows, WIDTH),
        }
    }

    /// Probabilities of the codes amid bytes of the alphabet, which are all that the gate lets through.
    fn frequencies(&self, alphabet: &[bool; 256], rarity: &Rarity) -> Frequencies {
        let mut frequencies: Frequencies = [0.0; CODES];
        for byte in (0..=255).filter(|&byte: &u8| alphabet[usize::from(byte)] && !byte.is_ascii_uppercase()) {
            frequencies[usize::from((self.code)(byte))] += rarity.byte(byte);
        }
        let sum: f32 = frequencies.iter().sum();
        frequencies.iter_mut().for_each(|frequency| *frequency /= sum);
        frequencies
    }
}

/// A byte's low five bits and, as the sixth, its bit 6: letters become 33 to 58 in either case, digits and
/// most punctuation stay below 32. Bytes outside of the alphabets may share a code with others: the gate has
/// left them out.
pub(super) fn code_of_six_bits(byte: u8) -> u8 {
    byte & 0x1f | (byte & 0x40) >> 1
}

/// An alphabet as two tables: a byte is in it when the entries of its low and its high four bits share a bit.
/// Holds ASCII exactly; above it, high halves are all in or all out.
#[derive(Debug)]
pub(super) struct Alphabet {
    pub(super) low: [u8; 16],
    pub(super) high: [u8; 16],
}

impl Alphabet {
    pub(super) fn new(members: &[bool; 256]) -> Self {
        let (mut low, mut high) = ([0; 16], [0; 16]);
        for (byte, _) in members.iter().enumerate().filter(|(_, is_in)| **is_in) {
            // Rows above ASCII share a bit with one below; any of its bytes may then pass the gate, too.
            low[byte % 16] |= 1 << (byte / 16 % 8);
            high[byte / 16] |= 1 << (byte / 16 % 8);
        }
        Self { low, high }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alphabet_holds_its_members_and_no_other_ascii() {
        let mut members = [false; 256];
        b"abcxyz0189_-.\xc3".iter().for_each(|&byte| members[usize::from(byte)] = true);
        let alphabet = Alphabet::new(&members);
        for (byte, &is_member) in members.iter().enumerate() {
            let is_in = alphabet.low[byte % 16] & alphabet.high[byte / 16] != 0;
            assert!(is_in || !is_member, "{byte:#x} is missing");
            // 0xc3 shares its row's bit with 0x43.
            assert!(!is_in || is_member || byte >= 0x80 || byte == 0x43, "{byte:#x} is too much");
        }
    }

    #[test]
    fn letters_have_one_code_in_either_case_and_share_it_with_no_digit() {
        for letter in b'a'..=b'z' {
            assert_eq!(code_of_six_bits(letter), code_of_six_bits(letter.to_ascii_uppercase()));
            assert!((b'0'..=b'9').all(|digit| code_of_six_bits(digit) != code_of_six_bits(letter)));
        }
    }
}
