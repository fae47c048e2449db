//! Where a rule's keywords stand in its matches, worked out on the rule's own automaton.
//!
//! Every match is attributed to the keyword that is complete first in it. Walking the regex's automaton and
//! the keywords' automaton side by side gives, for each keyword: how many bytes of a match can lie before it,
//! how many from it on, which bytes can follow it, and whether every match has one at all. All answers err on
//! the side of more: assertions such as `\b` count as true.

use aho_corasick::automaton::Automaton as _;
use aho_corasick::automaton::StateID as KeywordState;
use aho_corasick::nfa::noncontiguous::NFA as Keywords;
use aho_corasick::{Anchored, MatchKind};
use regex_automata::nfa::thompson::{NFA, State};
use regex_automata::util::primitives::StateID;
use std::collections::BTreeSet;

/// Longest match in bytes that is looked at; what a regex allows beyond it is cut.
pub(super) const SPAN_MAX: usize = 4096;
/// Bytes after a keyword that the gate looks at one by one.
const GATE_LEN_MAX: usize = 20;
/// How far the gate looks for a separator.
const SEPARATOR_REACH_MAX: usize = 128;

/// Where one keyword stands in the matches that are attributed to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Placement {
    /// Most bytes of a match before the keyword.
    pub(super) before: usize,
    /// Most bytes of a match from the keyword's first byte on.
    pub(super) after: usize,
    /// Whether the regex allows longer matches than [`SPAN_MAX`].
    pub(super) is_clipped: bool,
    /// What must follow.
    pub(super) gate: Gate,
}

/// What must follow a keyword for a match to be possible.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate {
    /// For each of the next bytes the values it can have.
    steps: Vec<ByteSet>,
    /// One of these bytes must stand within so many bytes after the keyword.
    separator: Option<(ByteSet, usize)>,
}

impl Gate {
    /// Whether no match is possible, given the bytes that follow the keyword. What lies beyond them is
    /// unknown.
    pub(super) fn refuses(&self, following: &[u8]) -> bool {
        if following.iter().zip(&self.steps).any(|(&byte, set)| !set.contains(byte)) {
            return true;
        }
        self.separator.as_ref().is_some_and(|(set, reach)| {
            following.get(..*reach).is_some_and(|near| !near.iter().any(|&byte| set.contains(byte)))
        })
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

    fn is_full(self) -> bool {
        self.0 == [u128::MAX; 2]
    }

    fn of(bytes: &[u8]) -> Self {
        let mut set = Self::default();
        bytes.iter().for_each(|&byte| set.insert(byte));
        set
    }
}

/// What is known of a rule's matches.
#[derive(Clone, Debug)]
pub(super) struct Analysis {
    /// For each keyword, in the order in which they were given.
    pub(super) placements: Vec<Placement>,
    /// Whether some match may hold no keyword.
    pub(super) has_bare_match: bool,
}

/// Works out where `keywords` (lower case when `ignore_case`) stand in the matches of `nfa`.
///
/// # Errors
/// A sentence, when the keywords do not compile.
pub(super) fn analyse(nfa: &NFA, keywords: &[Vec<u8>], ignore_case: bool) -> Result<Analysis, String> {
    let automaton = Keywords::builder()
        .match_kind(MatchKind::Standard)
        .ascii_case_insensitive(ignore_case)
        .build(keywords)
        .map_err(|error| error.to_string())?;
    let mut special = ByteSet::default();
    for &byte in keywords.iter().flatten() {
        special.insert(byte);
        if ignore_case {
            special.insert(byte.to_ascii_uppercase());
        }
    }
    let walk = Walk {
        nfa,
        keywords: &automaton,
        lens: keywords.iter().map(Vec::len).collect(),
        alphabet: alphabet(nfa, special),
    };
    Ok(walk.run())
}

/// One byte of each class that neither automaton tells apart: every byte of a keyword, and one other byte of
/// each class of the regex.
fn alphabet(nfa: &NFA, special: ByteSet) -> Vec<u8> {
    let mut classes = ByteSet::default();
    (0..=255)
        .filter(|&byte| {
            let class = nfa.byte_classes().get(byte);
            let is_first = !classes.contains(class);
            if special.contains(byte) {
                return true;
            }
            classes.insert(class);
            is_first
        })
        .collect()
}

struct Walk<'a> {
    nfa: &'a NFA,
    keywords: &'a Keywords,
    lens: Vec<usize>,
    alphabet: Vec<u8>,
}

/// States of the regex's and the keywords' automaton at the same place of a text.
type Layer = BTreeSet<(StateID, KeywordState)>;

impl Walk<'_> {
    fn run(&self) -> Analysis {
        let count = self.lens.len();
        let mut out = Analysis { placements: vec![Placement::default(); count], has_bare_match: false };
        let mut reached: Vec<BTreeSet<StateID>> = vec![BTreeSet::new(); count];
        let start = self.keywords.start_state(Anchored::No).unwrap_or_default();
        let first = closure(self.nfa, [self.nfa.start_anchored()]);
        let mut layer: Layer = first.into_iter().map(|state| (state, start)).collect();
        for consumed in 1..=SPAN_MAX + 1 {
            out.has_bare_match |=
                layer.iter().any(|&(state, _)| matches!(self.nfa.state(state), State::Match { .. }));
            let next = self.advance(&layer, |keyword, target| {
                let placement = &mut out.placements[keyword];
                placement.before = placement.before.max(consumed - self.lens[keyword]);
                placement.is_clipped |= consumed > SPAN_MAX;
                reached[keyword].insert(target);
            });
            if next.is_empty() {
                break;
            }
            if next == layer {
                // The part before the keyword repeats without bound.
                for (placement, states) in out.placements.iter_mut().zip(&reached) {
                    if !states.is_empty() {
                        placement.before = SPAN_MAX;
                        placement.is_clipped = true;
                    }
                }
                break;
            }
            layer = next;
        }
        for ((placement, states), len) in out.placements.iter_mut().zip(reached).zip(&self.lens) {
            self.look_ahead(placement, states, *len);
        }
        out
    }

    /// One byte further wherever no keyword is complete; `complete` hears where one is.
    fn advance(&self, layer: &Layer, mut complete: impl FnMut(usize, StateID)) -> Layer {
        let mut next = Layer::new();
        for &(state, keyword_state) in layer {
            for &byte in &self.alphabet {
                let Some(target) = step(self.nfa, state, byte) else { continue };
                let after = self.keywords.next_state(Anchored::No, keyword_state, byte);
                if !self.keywords.is_match(after) {
                    next.insert((target, after));
                    continue;
                }
                for found in 0..self.keywords.match_len(after) {
                    complete(self.keywords.match_pattern(after, found).as_usize(), target);
                }
            }
        }
        next.into_iter()
            .flat_map(|(state, keyword)| {
                closure(self.nfa, [state]).into_iter().map(move |inner| (inner, keyword))
            })
            .collect()
    }

    fn look_ahead(&self, placement: &mut Placement, states: BTreeSet<StateID>, len: usize) {
        let first = closure(self.nfa, states);
        let (ahead, is_clipped) = longest(self.nfa, &first, SPAN_MAX);
        placement.after = len + ahead;
        placement.is_clipped |= is_clipped;
        placement.gate = Gate { steps: steps(self.nfa, &first), separator: separator(self.nfa, &first) };
    }
}

/// For each of the next bytes the values with which the automaton can go on.
fn steps(nfa: &NFA, first: &BTreeSet<StateID>) -> Vec<ByteSet> {
    let mut out = Vec::new();
    let mut layer = first.clone();
    while out.len() < GATE_LEN_MAX && !has_match(nfa, &layer) && !layer.is_empty() {
        let mut set = ByteSet::default();
        (0..=255)
            .filter(|&byte| layer.iter().any(|&state| step(nfa, state, byte).is_some()))
            .for_each(|byte| set.insert(byte));
        out.push(set);
        layer = advance(nfa, &layer, &|_| true);
    }
    // Trailing positions that let everything pass only cost time.
    while out.last().is_some_and(|set| set.is_full()) {
        out.pop();
    }
    out
}

/// The smallest set of separators without which the automaton cannot reach a match.
fn separator(nfa: &NFA, first: &BTreeSet<StateID>) -> Option<(ByteSet, usize)> {
    const CHOICES: [&[u8]; 6] = [b"=", b"=:", b"=:>", b"=:>,|?(", b"=:>,|?(\"'`", b"=:>,|?(\"'` \t\r\n"];
    CHOICES.iter().find_map(|bytes| {
        let set = ByteSet::of(bytes);
        let mut layer = first.clone();
        for distance in 0..SEPARATOR_REACH_MAX {
            if has_match(nfa, &layer) {
                return None;
            }
            layer = advance(nfa, &layer, &|byte| !set.contains(byte));
            if layer.is_empty() {
                return Some((set, distance + 1));
            }
        }
        None
    })
}

/// The most bytes that the automaton can consume up to a match, at most `max`, and whether it was cut there.
fn longest(nfa: &NFA, first: &BTreeSet<StateID>, max: usize) -> (usize, bool) {
    let mut layer = first.clone();
    let mut longest = 0;
    for consumed in 0..=max {
        if has_match(nfa, &layer) {
            longest = consumed;
        }
        let next = advance(nfa, &layer, &|_| true);
        if next.is_empty() {
            return (longest, false);
        }
        if next == layer {
            break;
        }
        layer = next;
    }
    (max, true)
}

fn has_match(nfa: &NFA, states: &BTreeSet<StateID>) -> bool {
    states.iter().any(|&state| matches!(nfa.state(state), State::Match { .. }))
}

/// All states one allowed byte further.
fn advance(nfa: &NFA, states: &BTreeSet<StateID>, allowed: &dyn Fn(u8) -> bool) -> BTreeSet<StateID> {
    let mut targets = BTreeSet::new();
    for &state in states {
        let mut go = |start: u8, end: u8, next: StateID| {
            if (start..=end).any(allowed) {
                targets.insert(next);
            }
        };
        match nfa.state(state) {
            State::ByteRange { trans } => go(trans.start, trans.end, trans.next),
            State::Sparse(sparse) => {
                sparse.transitions.iter().for_each(|trans| go(trans.start, trans.end, trans.next));
            }
            State::Dense(dense) => (0..=255)
                .filter_map(|byte| Some((byte, dense.matches_byte(byte)?)))
                .for_each(|(byte, next)| go(byte, byte, next)),
            _ => {}
        }
    }
    closure(nfa, targets)
}

/// Where `byte` leads.
fn step(nfa: &NFA, state: StateID, byte: u8) -> Option<StateID> {
    match nfa.state(state) {
        State::ByteRange { trans } => trans.matches_byte(byte).then_some(trans.next),
        State::Sparse(sparse) => sparse.matches_byte(byte),
        State::Dense(dense) => dense.matches_byte(byte),
        _ => None,
    }
}

/// All states that are reached without consuming a byte, assertions taken as true.
fn closure(nfa: &NFA, states: impl IntoIterator<Item = StateID>) -> BTreeSet<StateID> {
    let mut stack: Vec<StateID> = states.into_iter().collect();
    let mut seen = BTreeSet::new();
    let mut out = BTreeSet::new();
    while let Some(state) = stack.pop() {
        if !seen.insert(state) {
            continue;
        }
        match nfa.state(state) {
            State::Look { next, .. } | State::Capture { next, .. } => stack.push(*next),
            State::Union { alternates } => stack.extend(alternates.iter()),
            State::BinaryUnion { alt1, alt2 } => stack.extend([*alt1, *alt2]),
            State::Fail => {}
            State::ByteRange { .. } | State::Sparse(_) | State::Dense(_) | State::Match { .. } => {
                out.insert(state);
            }
        }
    }
    out
}
