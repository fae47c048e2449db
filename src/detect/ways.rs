//! Ways through a rule's automaton: what every way from a state to a match has in common.

use super::gate::{ByteSet, Need};
use regex_automata::nfa::thompson::{NFA, State};
use regex_automata::util::primitives::StateID;
use std::collections::BTreeSet;

/// A length without bound.
pub(super) const UNBOUNDED: usize = usize::MAX / 4;
/// How far from a keyword a byte is looked for that must follow it.
const BYTE_REACH_MAX: usize = 512;
/// How many single bytes are asked for.
const BYTES_MAX: usize = 3;

/// Sets of bytes that a match may have to pass, the rarest first. Once one single byte is needed, those of
/// several are not asked for.
const PASSES: [&[u8]; 11] =
    [b"@", b"<", b">", b"=", b":", b"\"", b"=:", b"=:>", b"=:>,|?(", b"=:>,|?(\"'`", b"=:>,|?(\"'` \t\r\n"];

/// Kinds of runs, the narrowest first, and the shortest run of each that is worth looking for.
const RUNS: [(fn(u8) -> bool, usize); 4] = [
    (|byte| byte.is_ascii_digit(), 6),
    (|byte| byte.is_ascii_hexdigit(), 8),
    (|byte| byte.is_ascii_alphanumeric(), 10),
    (|byte| byte.is_ascii_alphanumeric() || b"+/=_-.~%".contains(&byte), 12),
];

/// Lengths of runs that are tried, the longest first.
const RUN_LENS: [usize; 9] = [64, 40, 32, 24, 20, 16, 12, 8, 6];

/// Answers about the ways from states of an automaton to its match.
pub(super) struct Ways<'a> {
    nfa: &'a NFA,
    /// What each set of [`PASSES`] leaves when it is forbidden.
    without: Vec<(ByteSet, Longest<'a>)>,
    /// For each of [`RUNS`] and of [`RUN_LENS`], how long a run may be at each state. Worked out when asked.
    allowances: Vec<Option<Vec<Option<usize>>>>,
    /// States, each behind those that it leads to, as far as there is no circle.
    order: Vec<StateID>,
}

impl<'a> Ways<'a> {
    pub(super) fn new(nfa: &'a NFA) -> Self {
        let without = PASSES
            .iter()
            .map(|bytes| {
                let set = ByteSet::of(|byte| bytes.contains(&byte));
                (set, Longest::new(nfa, set))
            })
            .collect();
        Self { nfa, without, allowances: vec![None; RUNS.len() * RUN_LENS.len()], order: post_order(nfa) }
    }

    /// Bytes that every way to a match passes.
    pub(super) fn bytes(&mut self, reached: &BTreeSet<StateID>) -> Vec<Need> {
        let mut needs: Vec<Need> = Vec::new();
        for (bytes, (set, longest)) in PASSES.iter().zip(&mut self.without) {
            if needs.len() == BYTES_MAX || (bytes.len() > 1 && !needs.is_empty()) {
                break;
            }
            let way = longest.of(reached);
            if !way.has_match && way.len < BYTE_REACH_MAX {
                needs.push(Need { set: *set, len: 1, reach: way.len + 1 });
            }
        }
        needs
    }

    /// The run that no way to a match gets around.
    pub(super) fn run(&mut self, reached: &BTreeSet<StateID>, reach: usize) -> Option<Need> {
        for (kind, (holds, shortest)) in RUNS.iter().enumerate() {
            let set = ByteSet::of(holds);
            for (place, &len) in RUN_LENS.iter().enumerate().filter(|(_, len)| *len >= shortest) {
                let at = kind * RUN_LENS.len() + place;
                let (nfa, order) = (self.nfa, &self.order);
                let allowance =
                    self.allowances[at].get_or_insert_with(|| Self::allowance(nfa, order, set, len));
                if reached.iter().all(|state| allowance[state.as_usize()].is_none()) {
                    return Some(Need { set, len, reach });
                }
            }
        }
        None
    }

    /// For each state the longest run of bytes in `set` that may lie right before it so that a match can
    /// still be reached without a run of `len`; none where it cannot at all. Grows until nothing changes.
    fn allowance(nfa: &NFA, order: &[StateID], set: ByteSet, len: usize) -> Vec<Option<usize>> {
        let below = set.below();
        let mut known: Vec<Option<usize>> = vec![None; nfa.states().len()];
        loop {
            let mut is_changed = false;
            for &state in order {
                let mut best = known[state.as_usize()];
                if matches!(nfa.state(state), State::Match { .. }) {
                    best = Some(len - 1);
                }
                silent(nfa.state(state), |next| best = best.max(known[next.as_usize()]));
                ranges(nfa.state(state), |start, end, next| {
                    let Some(allowed) = known[next.as_usize()] else { return };
                    let inside = below[usize::from(end) + 1] - below[usize::from(start)];
                    if usize::from(inside) <= usize::from(end - start) {
                        best = Some(len - 1);
                    } else if let Some(rest) = allowed.checked_sub(1) {
                        best = best.max(Some(rest));
                    }
                });
                if best != known[state.as_usize()] {
                    known[state.as_usize()] = best;
                    is_changed = true;
                }
            }
            if !is_changed {
                return known;
            }
        }
    }
}

/// All states, each behind those that it leads to as far as there is no circle.
fn post_order(nfa: &NFA) -> Vec<StateID> {
    let mut order = Vec::with_capacity(nfa.states().len());
    let mut seen = vec![false; nfa.states().len()];
    let mut stack = vec![(nfa.start_anchored(), false)];
    while let Some((state, is_return)) = stack.pop() {
        if is_return {
            order.push(state);
            continue;
        }
        if std::mem::replace(&mut seen[state.as_usize()], true) {
            continue;
        }
        stack.push((state, true));
        silent(nfa.state(state), |next| stack.push((next, false)));
        ranges(nfa.state(state), |_, _, next| stack.push((next, false)));
    }
    order
}

/// The longest way from a state on, without some bytes.
pub(super) struct Longest<'a> {
    nfa: &'a NFA,
    /// How many of the byte values below each are allowed.
    allowed_below: [u16; 257],
    /// For each state, once it is known.
    known: Vec<Visit>,
}

/// What is known of a state.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Visit {
    #[default]
    Unseen,
    Open,
    Done(Way),
}

/// A longest way.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Way {
    /// Most bytes it consumes; [`UNBOUNDED`] where something repeats for ever.
    pub(super) len: usize,
    /// Whether a match can be reached.
    pub(super) has_match: bool,
}

impl Way {
    fn or(self, other: Self) -> Self {
        Self { len: self.len.max(other.len), has_match: self.has_match || other.has_match }
    }
}

impl<'a> Longest<'a> {
    pub(super) fn new(nfa: &'a NFA, forbidden: ByteSet) -> Self {
        let allowed_below = ByteSet::of(|byte| !forbidden.contains(byte)).below();
        Self { nfa, allowed_below, known: vec![Visit::Unseen; nfa.states().len()] }
    }

    pub(super) fn of(&mut self, states: &BTreeSet<StateID>) -> Way {
        states.iter().fold(Way::default(), |way, &state| way.or(self.visit(state)))
    }

    /// Depth first, with a stack of its own: a repetition is as deep as its count.
    fn visit(&mut self, start: StateID) -> Way {
        let mut stack = vec![start];
        while let Some(&state) = stack.last() {
            if let Visit::Done(_) = self.known[state.as_usize()] {
                stack.pop();
                continue;
            }
            let is_return = self.known[state.as_usize()] == Visit::Open;
            self.known[state.as_usize()] = Visit::Open;
            let mut way = Way { len: 0, has_match: matches!(self.nfa.state(state), State::Match { .. }) };
            let mut waits = false;
            self.successors(state, |next, len, known| match known {
                Visit::Done(rest) => way = way.or(Way { len: rest.len.saturating_add(len), ..rest }),
                // A state that is still open leads back to itself.
                Visit::Open => way.len = UNBOUNDED,
                Visit::Unseen if is_return => {}
                Visit::Unseen => {
                    waits = true;
                    stack.push(next);
                }
            });
            if !waits {
                way.len = way.len.min(UNBOUNDED);
                self.known[state.as_usize()] = Visit::Done(way);
                stack.pop();
            }
        }
        match self.known[start.as_usize()] {
            Visit::Done(way) => way,
            _ => Way::default(),
        }
    }

    fn successors(&self, state: StateID, mut each: impl FnMut(StateID, usize, Visit)) {
        let mut go = |next: StateID, len: usize| each(next, len, self.known[next.as_usize()]);
        let is_open = |start: u8, end: u8| {
            self.allowed_below[usize::from(end) + 1] > self.allowed_below[usize::from(start)]
        };
        let here = self.nfa.state(state);
        silent(here, |next| go(next, 0));
        ranges(here, |start, end, next| {
            if is_open(start, end) {
                go(next, 1);
            }
        });
    }
}

/// The states that are reached from a state without consuming a byte.
fn silent(state: &State, mut each: impl FnMut(StateID)) {
    match state {
        State::Look { next, .. } | State::Capture { next, .. } => each(*next),
        State::Union { alternates } => alternates.iter().copied().for_each(each),
        State::BinaryUnion { alt1, alt2 } => [*alt1, *alt2].into_iter().for_each(each),
        _ => {}
    }
}

/// The ranges of bytes that a state consumes, and where each leads.
pub(super) fn ranges(state: &State, mut each: impl FnMut(u8, u8, StateID)) {
    match state {
        State::ByteRange { trans } => each(trans.start, trans.end, trans.next),
        State::Sparse(sparse) => {
            sparse.transitions.iter().for_each(|trans| each(trans.start, trans.end, trans.next));
        }
        State::Dense(dense) => (0..=255)
            .filter_map(|byte| Some((byte, dense.matches_byte(byte)?)))
            .for_each(|(byte, next)| each(byte, byte, next)),
        _ => {}
    }
}

/// All consuming and matching states that are reached without consuming a byte.
pub(super) fn closure(nfa: &NFA, states: impl IntoIterator<Item = StateID>) -> BTreeSet<StateID> {
    let mut stack: Vec<StateID> = states.into_iter().collect();
    let mut seen = BTreeSet::new();
    let mut out = BTreeSet::new();
    while let Some(state) = stack.pop() {
        if !seen.insert(state) {
            continue;
        }
        let here = nfa.state(state);
        silent(here, |next| stack.push(next));
        if !matches!(here, State::Fail) && !here.is_epsilon() {
            out.insert(state);
        }
    }
    out
}
