//! The engine that others are tested against: Aho-Corasick automata, one an encoding.

use super::Hit;
use crate::error::{Error, Kind, Result};
use crate::rules::{Encoding, Literal};
use aho_corasick::{AhoCorasick, MatchKind};

/// The literals as automata that ignore case.
#[derive(Debug)]
pub(super) struct Automaton {
    encodings: Vec<(Encoding, AhoCorasick)>,
}

impl Automaton {
    /// Compiles `literals`.
    ///
    /// # Errors
    /// [`Kind::Usage`] when there is too much of them.
    pub(super) fn new(literals: &[Literal]) -> Result<Self> {
        let mut encodings = Vec::new();
        for encoding in [Encoding::Narrow, Encoding::Utf16Le, Encoding::Utf16Be] {
            let automaton = AhoCorasick::builder()
                .match_kind(MatchKind::Standard)
                .ascii_case_insensitive(true)
                .build(literals.iter().map(|literal| encode(&literal.bytes, encoding)))
                .map_err(|source| {
                    Error::new(Kind::Usage, "the rules' literals cannot be compiled").with_source(source)
                })?;
            encodings.push((encoding, automaton));
        }
        Ok(Self { encodings })
    }

    /// Appends every occurrence in `bytes` to `hits`.
    pub(super) fn scan(&self, literals: &[Literal], bytes: &[u8], hits: &mut Vec<Hit>) {
        for (encoding, automaton) in &self.encodings {
            for found in automaton.find_overlapping_iter(bytes) {
                let index = found.pattern().as_usize();
                let Some(literal) = literals.get(index) else { continue };
                // The automata ignore case; a literal that does not is compared here.
                let is_exact = literal.ignore_case
                    || bytes.get(found.range()).is_some_and(|at| at == encode(&literal.bytes, *encoding));
                if is_exact {
                    hits.push(Hit { offset: found.start(), literal: index, encoding: *encoding });
                }
            }
        }
    }
}

/// The bytes of a literal on the medium.
fn encode(bytes: &[u8], encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Narrow => bytes.to_vec(),
        Encoding::Utf16Le => bytes.iter().flat_map(|&byte| [byte, 0]).collect(),
        Encoding::Utf16Be => bytes.iter().flat_map(|&byte| [0, byte]).collect(),
    }
}
