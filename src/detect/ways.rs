//! Ways through a rule's automaton: what all of them, from some states to a goal, have in common.

use super::gate::{ByteSet, Need};
use super::graph::{Graph, Marks, UNBOUNDED};
use std::ops::RangeInclusive;

/// How far from a keyword a byte is looked for that must stand there.
const BYTE_REACH_MAX: usize = 512;
/// How many single bytes are asked for.
const BYTES_MAX: usize = 3;

/// Sets of bytes that a match may have to pass, the rarest first. Once one single byte is needed, those of
/// several are not asked for.
const PASSES: [&[u8]; 12] = [
    b"@",
    b";",
    b"<",
    b">",
    b"=",
    b":",
    b"\"",
    b"=:",
    b"=:>",
    b"=:>,|?(",
    b"=:>,|?(\"'`",
    b"=:>,|?(\"'` \t\r\n",
];

/// For each byte the [`PASSES`] that it belongs to, a bit each.
static IN_PASSES: [u16; 256] = {
    let mut bits = [0; 256];
    let mut index = 0;
    while index < PASSES.len() {
        let mut at = 0;
        while at < PASSES[index].len() {
            bits[PASSES[index][at] as usize] |= 1 << index;
            at += 1;
        }
        index += 1;
    }
    bits
};

/// Whether a byte belongs to a set.
type Holds = fn(u8) -> bool;

/// Kinds of runs, the narrowest first, and the shortest run of each that is worth looking for.
const RUNS: [(Holds, usize); 4] = [
    (|byte| byte.is_ascii_digit(), 6),
    (|byte| byte.is_ascii_hexdigit(), 8),
    (|byte| byte.is_ascii_alphanumeric(), 10),
    (|byte| byte.is_ascii_alphanumeric() || b"+/=_-.~%".contains(&byte), 12),
];

/// Lengths of runs that are tried.
const RUN_LENS: [usize; 9] = [6, 8, 12, 16, 20, 24, 32, 40, 64];

/// Answers about the ways from states of a graph to its goals. What takes a walk over the graph is kept.
#[derive(Debug)]
pub(super) struct Ways<'a> {
    graph: &'a Graph,
    /// The longest ways without each set of [`PASSES`]; the last one forbids nothing.
    longest: Vec<Option<Longest>>,
    /// Which of [`PASSES`] some step cannot do without, a bit each; a way gets around the others.
    passes: u16,
    /// Marks for walks over the graph.
    pub(super) marks: Marks,
    /// For each of [`RUNS`] and of [`RUN_LENS`], how long a run may be at each state.
    allowances: Vec<Option<Vec<Option<usize>>>>,
}

impl<'a> Ways<'a> {
    pub(super) fn new(graph: &'a Graph) -> Self {
        let longest = (0..=PASSES.len()).map(|_| None).collect();
        let passes = graph.all_steps().iter().fold(0, |passes, step| {
            // Each set has its bit; steps that take many bytes are in none of them.
            let is_narrow = usize::from(step.high - step.low) < PASSES[PASSES.len() - 1].len();
            let common = |range: RangeInclusive<u8>| {
                range.fold(u16::MAX, |bits, byte| bits & IN_PASSES[usize::from(byte)])
            };
            passes | if is_narrow { common(step.low..=step.high) } else { 0 }
        });
        let allowances = vec![None; RUNS.len() * RUN_LENS.len()];
        Self { graph, longest, passes, marks: Marks::default(), allowances }
    }

    /// The graph that the answers are about.
    pub(super) fn graph(&self) -> &'a Graph {
        self.graph
    }

    /// The longest way of all; [`UNBOUNDED`] where something repeats for ever.
    pub(super) fn len(&mut self, states: &[usize]) -> usize {
        self.longest(PASSES.len(), ByteSet::default()).of(self.graph, states).len
    }

    fn longest(&mut self, index: usize, forbidden: ByteSet) -> Longest {
        let graph = self.graph;
        self.longest[index].take().unwrap_or_else(|| Longest::new(graph, forbidden))
    }

    /// Bytes that every way to a goal passes.
    pub(super) fn bytes(&mut self, states: &[usize]) -> Vec<Need> {
        let mut needs: Vec<Need> = Vec::new();
        for (index, bytes) in PASSES.iter().enumerate() {
            if needs.len() == BYTES_MAX || (bytes.len() > 1 && !needs.is_empty()) {
                break;
            }
            if self.passes & 1 << index == 0 {
                continue;
            }
            let set = ByteSet::of(|byte| bytes.contains(&byte));
            if self.longest[index].is_none() && self.graph.has_way_without(states, set) {
                continue;
            }
            let mut longest = self.longest(index, set);
            let way = longest.of(self.graph, states);
            self.longest[index] = Some(longest);
            if !way.has_goal && way.len < BYTE_REACH_MAX {
                let stay = self.graph.bytes_without(states, set);
                needs.push(Need { set, stay, len: 1, reach: way.len + 1 });
            }
        }
        needs
    }

    /// The run that no way to a goal gets around, within `reach` bytes.
    pub(super) fn run(&mut self, states: &[usize], reach: usize) -> Option<Need> {
        RUNS.iter().enumerate().find_map(|(kind, (holds, shortest))| {
            let set = ByteSet::of(holds);
            let fits = RUN_LENS.partition_point(|len| len < shortest);
            // Where a run cannot be avoided, no shorter one can.
            let lens = RUN_LENS.get(fits..).unwrap_or_default();
            if !self.is_forced(states, set, (kind, fits)) {
                return None;
            }
            let (mut forced, mut free) = (0, lens.len());
            while free - forced > 1 {
                let middle = usize::midpoint(forced, free);
                if self.is_forced(states, set, (kind, fits + middle)) {
                    forced = middle;
                } else {
                    free = middle;
                }
            }
            Some(Need { set, stay: ByteSet::default(), len: *lens.get(forced)?, reach })
        })
    }

    /// Whether every way to a goal has a run of this kind and length.
    fn is_forced(&mut self, states: &[usize], set: ByteSet, (kind, len): (usize, usize)) -> bool {
        let graph = self.graph;
        let allowance = self.allowances[kind * RUN_LENS.len() + len]
            .get_or_insert_with(|| allowance(graph, set, RUN_LENS[len]));
        states.iter().all(|&state| allowance[state].is_none())
    }
}

/// For each state the longest run of bytes in `set` that may lie right before it so that a goal can still be
/// reached without a run of `len`; none where it cannot at all. Grows until nothing changes.
fn allowance(graph: &Graph, set: ByteSet, len: usize) -> Vec<Option<usize>> {
    let below = set.below();
    let mut known: Vec<Option<usize>> = vec![None; graph.len()];
    loop {
        let mut is_changed = false;
        for &state in graph.order() {
            let mut best = if graph.is_goal(state) { Some(len - 1) } else { known[state] };
            for &next in graph.silent(state) {
                best = best.max(known[next]);
            }
            for step in graph.steps(state) {
                let Some(allowed) = known[step.next] else { continue };
                let inside = below[usize::from(step.high) + 1] - below[usize::from(step.low)];
                if usize::from(inside) <= usize::from(step.high - step.low) {
                    best = Some(len - 1);
                } else if let Some(rest) = allowed.checked_sub(1) {
                    best = best.max(Some(rest));
                }
            }
            is_changed |= best != known[state];
            known[state] = best;
        }
        // Without a circle every state came behind those that it leads to.
        if !is_changed || !graph.has_circle() {
            return known;
        }
    }
}

/// The longest way from a state on, without some bytes.
#[derive(Debug)]
struct Longest {
    /// How many of the byte values below each are allowed.
    allowed_below: [u16; 257],
    /// For each state, once it is known.
    known: Vec<Visit>,
}

/// What is known of a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Visit {
    #[default]
    Unseen,
    Open,
    Done(Way),
}

/// A longest way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Way {
    /// Most bytes it consumes; [`UNBOUNDED`] where something repeats for ever.
    len: usize,
    /// Whether a goal can be reached.
    has_goal: bool,
}

impl Way {
    fn or(self, other: Self) -> Self {
        Self { len: self.len.max(other.len), has_goal: self.has_goal || other.has_goal }
    }
}

impl Longest {
    fn new(graph: &Graph, forbidden: ByteSet) -> Self {
        Self { allowed_below: forbidden.complement().below(), known: vec![Visit::Unseen; graph.len()] }
    }

    fn of(&mut self, graph: &Graph, states: &[usize]) -> Way {
        states.iter().fold(Way::default(), |way, &state| way.or(self.visit(graph, state)))
    }

    /// Depth first, with a stack of its own: a repetition is as deep as its count.
    fn visit(&mut self, graph: &Graph, start: usize) -> Way {
        let mut stack = vec![start];
        while let Some(&state) = stack.last() {
            if let Visit::Done(_) = self.known[state] {
                stack.pop();
                continue;
            }
            let is_return = self.known[state] == Visit::Open;
            self.known[state] = Visit::Open;
            let mut way = Way { len: 0, has_goal: graph.is_goal(state) };
            let mut waits = false;
            let mut go = |next: usize, len: usize| match self.known[next] {
                Visit::Done(rest) => way = way.or(Way { len: rest.len.saturating_add(len), ..rest }),
                // A state that is still open leads back to itself.
                Visit::Open => way.len = UNBOUNDED,
                Visit::Unseen if is_return => {}
                Visit::Unseen => {
                    waits = true;
                    stack.push(next);
                }
            };
            graph.silent(state).iter().for_each(|&next| go(next, 0));
            for step in graph.steps(state) {
                if self.allowed_below[usize::from(step.high) + 1] > self.allowed_below[usize::from(step.low)]
                {
                    go(step.next, 1);
                }
            }
            if !waits {
                way.len = way.len.min(UNBOUNDED);
                self.known[state] = Visit::Done(way);
                stack.pop();
            }
        }
        match self.known[start] {
            Visit::Done(way) => way,
            _ => Way::default(),
        }
    }
}
