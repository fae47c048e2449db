//! What must follow a keyword for a match of its rule to be possible: a few looks at bytes that spare most
//! hits the regex.
//!
//! Everything here is read off the rule's own automaton, from the states behind the keyword: which bytes the
//! next positions can have, a byte that every way to a match passes, and a run of token characters that none
//! gets around. All answers err on the side of "possible"; assertions such as `\b` count as true.

use super::ways::{Ways, closure, ranges};
use regex_automata::nfa::thompson::{NFA, State};
use regex_automata::util::primitives::StateID;
use std::collections::BTreeSet;

/// Bytes after a keyword that the gate looks at one by one.
const STEPS_MAX: usize = 20;
/// How far the gate looks for a run.
const RUN_REACH_MAX: usize = 1024;

/// What must follow a keyword for a match to be possible.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate {
    /// For each of the next bytes the values it can have.
    steps: Vec<ByteSet>,
    /// What must stand somewhere after the keyword.
    needs: Vec<Need>,
}

/// Something that must stand somewhere after a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) set: ByteSet,
    /// So many bytes of the set in a row, at least one.
    pub(super) len: usize,
    /// Within so many bytes after the keyword.
    pub(super) reach: usize,
}

impl Gate {
    /// Reads the gate off the states behind a keyword, from which a match consumes at most `after` bytes.
    pub(super) fn new(nfa: &NFA, reached: &BTreeSet<StateID>, ways: &mut Ways<'_>, after: usize) -> Self {
        let mut needs = ways.bytes(reached);
        if after <= RUN_REACH_MAX {
            needs.extend(ways.run(reached, after));
        }
        Self { steps: steps(nfa, reached), needs }
    }

    /// Whether no match is possible, given the bytes that follow the keyword. What lies beyond them is
    /// unknown, unless `is_all` says that no match goes further.
    pub(super) fn refuses(&self, following: &[u8], is_all: bool) -> bool {
        if following.iter().zip(&self.steps).any(|(&byte, set)| !set.contains(byte)) {
            return true;
        }
        self.needs.iter().any(|need| {
            let near = match following.get(..need.reach) {
                Some(near) => near,
                None if is_all => following,
                None => return false,
            };
            !need.is_met(near)
        })
    }
}

impl Need {
    /// A run of `len` covers one of every `len` neighbouring places, so only those are looked at first.
    fn is_met(&self, bytes: &[u8]) -> bool {
        let mut at = self.len.saturating_sub(1);
        while let Some(&byte) = bytes.get(at) {
            if !self.set.contains(byte) {
                at += self.len;
                continue;
            }
            let is_in = |byte: &&u8| self.set.contains(**byte);
            let before = bytes[..at].iter().rev().take(self.len).take_while(is_in).count();
            let wanted = self.len.saturating_sub(before + 1);
            let behind = bytes[at + 1..].iter().take(wanted).take_while(is_in).count();
            if behind == wanted {
                return true;
            }
            // The byte behind the run is outside of the set.
            at += behind + 1 + self.len;
        }
        false
    }
}

/// A set of byte values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ByteSet([u128; 2]);

impl ByteSet {
    fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 7)] |= 1 << (byte & 127);
    }

    pub(super) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 7)] & (1 << (byte & 127)) != 0
    }

    fn insert_range(&mut self, start: u8, end: u8) {
        (start..=end).for_each(|byte| self.insert(byte));
    }

    fn is_full(self) -> bool {
        self.0 == [u128::MAX; 2]
    }

    pub(super) fn of(holds: impl Fn(u8) -> bool) -> Self {
        let mut set = Self::default();
        (0..=255).filter(|&byte| holds(byte)).for_each(|byte| set.insert(byte));
        set
    }

    /// How many of the values below each are in the set.
    pub(super) fn below(self) -> [u16; 257] {
        let mut below = [0; 257];
        for byte in 0..=255_u8 {
            let at = usize::from(byte);
            below[at + 1] = below[at] + u16::from(self.contains(byte));
        }
        below
    }
}

/// For each of the next bytes the values with which the automaton can go on.
fn steps(nfa: &NFA, reached: &BTreeSet<StateID>) -> Vec<ByteSet> {
    let mut out = Vec::new();
    let mut layer = closure(nfa, reached.iter().copied());
    let has_match = |layer: &BTreeSet<StateID>| {
        layer.iter().any(|&state| matches!(nfa.state(state), State::Match { .. }))
    };
    while out.len() < STEPS_MAX && !has_match(&layer) && !layer.is_empty() {
        let mut set = ByteSet::default();
        let mut targets = BTreeSet::new();
        for &state in &layer {
            ranges(nfa.state(state), |start, end, next| {
                set.insert_range(start, end);
                targets.insert(next);
            });
        }
        out.push(set);
        layer = closure(nfa, targets);
    }
    // Trailing positions that let everything pass only cost time.
    while out.last().is_some_and(|set| set.is_full()) {
        out.pop();
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::detect::placement::tests::of;

    #[test]
    fn the_gate_refuses_what_cannot_become_a_match_and_nothing_else() {
        let token = &of("ghp_[a-z]{36}", &["ghp_"], false).placements[0].gate;
        assert!(
            token.refuses(b"abc-", false)
                && !token.refuses(b"abc", false)
                && !token.refuses(&[b'a'; 36], true)
        );
        let assignment = &of("(?i)password[ ]{0,9}[=:]x{1,20}", &["password"], true).placements[0].gate;
        assert!(assignment.refuses(b" of the user", true) && !assignment.refuses(b"   =xx", true));
        let bounded = &of("password.{0,20}=", &["password"], false).placements[0].gate;
        assert!(bounded.refuses(&[b'a'; 21], false) && !bounded.refuses(&[b'a'; 20], false));
    }
}
