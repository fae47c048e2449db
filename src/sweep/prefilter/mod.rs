//! The first stage: where in a slice of bytes does a literal of any rule stand?
//!
//! Works on whatever slice it is given, remembers nothing between slices, and reports every occurrence of
//! every literal, overlapping ones included, in narrow (ASCII, UTF-8) and UTF-16 form.

use crate::error::{Error, Kind, Result};
use crate::rules::{Encoding, Literal};
use aho_corasick::{AhoCorasick, MatchKind};

/// An occurrence of a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hit {
    /// Offset of its first byte in the slice.
    pub offset: usize,
    /// Index of the literal, in the order in which they were given.
    pub literal: usize,
    /// How it is encoded.
    pub encoding: Encoding,
}

/// A set of literals, compiled for searching.
#[derive(Debug)]
pub struct Prefilter {
    narrow: AhoCorasick,
    wide: AhoCorasick,
    literals: Vec<Literal>,
}

impl Prefilter {
    /// Compiles `literals`.
    ///
    /// # Errors
    /// [`Kind::Usage`] when a literal is too short or there are too many of them.
    pub fn new(literals: &[Literal]) -> Result<Self> {
        let wide: Vec<Vec<u8>> = literals
            .iter()
            .map(|literal| literal.bytes.iter().flat_map(|&byte| [byte, 0]).collect())
            .collect();
        let narrow = build(literals.iter().map(|literal| literal.bytes.as_slice()))?;
        Ok(Self { narrow, wide: build(wide.iter().map(Vec::as_slice))?, literals: literals.to_vec() })
    }

    /// Length of the longest literal in bytes, in its widest encoding: what two neighbouring slices must
    /// share so that no occurrence is lost at their seam.
    pub fn reach(&self) -> usize {
        self.literals.iter().map(|literal| literal.bytes.len() * 2).max().unwrap_or(0)
    }

    /// The literals, by index.
    pub fn literals(&self) -> &[Literal] {
        &self.literals
    }

    /// Appends every occurrence in `bytes` to `hits`, in no particular order.
    pub fn scan(&self, bytes: &[u8], hits: &mut Vec<Hit>) {
        for found in self.narrow.find_overlapping_iter(bytes) {
            let hit = Hit {
                offset: found.start(),
                literal: found.pattern().as_usize(),
                encoding: Encoding::Narrow,
            };
            if self.is_exact(bytes, hit) {
                hits.push(hit);
            }
        }
        for found in self.wide.find_overlapping_iter(bytes) {
            let hit = Hit {
                offset: found.start(),
                literal: found.pattern().as_usize(),
                encoding: Encoding::Utf16Le,
            };
            if self.is_exact(bytes, hit) {
                hits.push(hit);
            }
        }
    }

    /// The automata ignore case; a literal that does not is compared here.
    fn is_exact(&self, bytes: &[u8], hit: Hit) -> bool {
        let Some(literal) = self.literals.get(hit.literal) else { return false };
        literal.ignore_case
            || bytes.get(hit.offset..).is_some_and(|rest| {
                rest.iter().step_by(hit.encoding.width()).zip(&literal.bytes).all(|(one, other)| one == other)
            })
    }
}

fn build<'a>(patterns: impl Iterator<Item = &'a [u8]>) -> Result<AhoCorasick> {
    AhoCorasick::builder()
        .match_kind(MatchKind::Standard)
        .ascii_case_insensitive(true)
        .build(patterns)
        .map_err(|source| {
            Error::new(Kind::Usage, "the rules' literals cannot be compiled").with_source(source)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_occurrences_in_both_encodings_are_reported() {
        let literal = |bytes: &[u8], ignore_case| Literal { bytes: bytes.to_vec(), ignore_case };
        let prefilter = Prefilter::new(&[literal(b"abcd", true), literal(b"bcde", false)]).unwrap();
        let mut hits = Vec::new();
        prefilter.scan(b"xABCde  a\0b\0c\0d\0e\0", &mut hits);
        hits.sort_unstable();
        let hit = |offset, literal, encoding| Hit { offset, literal, encoding };
        assert_eq!(
            hits,
            [hit(1, 0, Encoding::Narrow), hit(8, 0, Encoding::Utf16Le), hit(10, 1, Encoding::Utf16Le)]
        );
    }
}
