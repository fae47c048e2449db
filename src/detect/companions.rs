//! Words that stand in every match besides the keyword, looked for before a regex with a long reach runs.

use super::required;
use crate::rules::Literal;
use aho_corasick::{AhoCorasick, MatchKind};
use regex_syntax::hir::Hir;

/// Most sets of words that are looked for.
const SETS_MAX: usize = 8;

/// Sets of words, one of each of which stands in every match.
#[derive(Debug, Default)]
pub(super) struct Companions {
    search: Option<AhoCorasick>,
    /// The set of each word.
    sets: Vec<usize>,
    /// A bit for each set.
    all: u32,
}

impl Companions {
    /// Reads the words off a regex, without those that its keywords themselves contain.
    pub(super) fn new(hir: &Hir, keywords: &[Literal]) -> Self {
        let sets = required::in_parts(hir).into_iter().filter(|set| !is_in_every(set, keywords));
        let mut words: Vec<Vec<u8>> = Vec::new();
        let (mut owners, mut all) = (Vec::new(), 0);
        for (index, set) in sets.take(SETS_MAX).enumerate() {
            owners.extend(set.iter().map(|_| index));
            words.extend(set.into_iter().map(|word| word.bytes));
            all |= 1 << index;
        }
        if words.is_empty() {
            return Self::default();
        }
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .build(&words)
            .ok();
        Self { search, sets: owners, all }
    }

    /// Whether some set has no word in `bytes`, which hold all of any match.
    pub(super) fn are_missing(&self, bytes: &[u8]) -> bool {
        let Some(search) = &self.search else { return false };
        let mut seen = 0;
        for word in search.find_overlapping_iter(bytes) {
            seen |= self.sets.get(word.pattern().as_usize()).map_or(0, |set| 1 << set);
            if seen == self.all {
                return false;
            }
        }
        true
    }
}

/// Whether each keyword contains a word of the set, so that looking for it says nothing.
fn is_in_every(set: &[Literal], keywords: &[Literal]) -> bool {
    keywords.iter().all(|keyword| {
        set.iter().any(|word| {
            let mut windows = keyword.bytes.windows(word.bytes.len());
            windows.any(|window| window.eq_ignore_ascii_case(&word.bytes))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::compile::parse;

    #[test]
    fn words_of_every_match_are_missed_and_nothing_else() {
        let hir =
            parse(r"(?i:gmail)(?s:.){0,60}?(?i:pass(?:word)?|pwd)[ ]{0,4}=[ ]{0,4}(?:\d{4}|none)").unwrap();
        let keyword = Literal { bytes: b"gmail".to_vec(), ignore_case: true };
        let companions = Companions::new(&hir, &[keyword]);
        assert!(companions.are_missing(b"gmail = 1234") && companions.are_missing(b""));
        assert!(!companions.are_missing(b"gmail PWD = 1234") && !companions.are_missing(b"passwort"));
    }
}
