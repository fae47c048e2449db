//! A rule's automaton as a graph that can be walked from either end.

use super::gate::ByteSet;
use regex_automata::nfa::thompson::{NFA, State};

/// A length without bound.
pub(super) const UNBOUNDED: usize = usize::MAX / 4;

/// States and the ways between them. Assertions such as `\b` count as true.
#[derive(Debug)]
pub(super) struct Graph {
    silent: Edges<usize>,
    steps: Edges<Step>,
    /// Whether a walk may end at each state.
    goals: Vec<bool>,
    /// States, each behind those that it leads to, as far as there is no circle.
    order: Vec<usize>,
    has_circle: bool,
}

/// A way that consumes one byte between `low` and `high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) low: u8,
    pub(super) high: u8,
    pub(super) next: usize,
}

/// The edges that leave each state.
#[derive(Debug)]
struct Edges<T> {
    starts: Vec<usize>,
    all: Vec<T>,
}

impl<T: Copy> Edges<T> {
    fn new(count: usize, mut edges: Vec<(usize, T)>) -> Self {
        edges.sort_by_key(|(from, _)| *from);
        let mut starts = vec![0; count + 1];
        for &(from, _) in &edges {
            starts[from + 1] += 1;
        }
        for at in 0..count {
            starts[at + 1] += starts[at];
        }
        Self { starts, all: edges.into_iter().map(|(_, edge)| edge).collect() }
    }

    fn of(&self, state: usize) -> &[T] {
        &self.all[self.starts[state]..self.starts[state + 1]]
    }
}

impl Graph {
    /// The ways from each state towards a match, and the ways back towards the regex's start.
    pub(super) fn both(nfa: &NFA) -> (Self, Self) {
        let count = nfa.states().len();
        let (mut silent, mut steps) = (Vec::new(), Vec::new());
        let mut goals = vec![false; count];
        for (from, state) in nfa.states().iter().enumerate() {
            match state {
                State::Look { next, .. } | State::Capture { next, .. } => {
                    silent.push((from, next.as_usize()))
                }
                State::Union { alternates } => {
                    silent.extend(alternates.iter().map(|next| (from, next.as_usize())));
                }
                State::BinaryUnion { alt1, alt2 } => {
                    silent.extend([(from, alt1.as_usize()), (from, alt2.as_usize())]);
                }
                State::Match { .. } => goals[from] = true,
                State::Fail => {}
                consuming => {
                    ranges(consuming, |low, high, next| steps.push((from, Step { low, high, next })))
                }
            }
        }
        let start = nfa.start_anchored().as_usize();
        let back_silent = silent.iter().map(|&(from, to)| (to, from)).collect();
        let back_steps = steps.iter().map(|&(from, step)| (step.next, Step { next: from, ..step })).collect();
        let mut starts = vec![false; count];
        starts[start] = true;
        let ends = (0..count).filter(|&state| goals[state]).collect();
        (Self::new(silent, steps, goals, vec![start]), Self::new(back_silent, back_steps, starts, ends))
    }

    fn new(
        silent: Vec<(usize, usize)>,
        steps: Vec<(usize, Step)>,
        goals: Vec<bool>,
        roots: Vec<usize>,
    ) -> Self {
        let count = goals.len();
        let mut graph = Self {
            silent: Edges::new(count, silent),
            steps: Edges::new(count, steps),
            goals,
            order: Vec::new(),
            has_circle: false,
        };
        (graph.order, graph.has_circle) = graph.post_order(roots);
        graph
    }

    /// How many states there are.
    pub(super) fn len(&self) -> usize {
        self.goals.len()
    }

    /// Whether a walk may end at this state.
    pub(super) fn is_goal(&self, state: usize) -> bool {
        self.goals[state]
    }

    /// Where this state leads without a byte.
    pub(super) fn silent(&self, state: usize) -> &[usize] {
        self.silent.of(state)
    }

    /// Where this state leads with a byte.
    pub(super) fn steps(&self, state: usize) -> &[Step] {
        self.steps.of(state)
    }

    /// All ways that consume a byte.
    pub(super) fn all_steps(&self) -> &[Step] {
        &self.steps.all
    }

    /// Whether some states lead back to themselves.
    pub(super) fn has_circle(&self) -> bool {
        self.has_circle
    }

    /// All states that the roots lead to, each behind those that it leads to as far as there is no circle.
    pub(super) fn order(&self) -> &[usize] {
        &self.order
    }

    /// `states` and all that they lead to without a byte, sorted.
    pub(super) fn closure(&self, states: &[usize], marks: &mut Marks) -> Vec<usize> {
        marks.clear(self.len());
        let mut stack = states.to_vec();
        let mut out = Vec::with_capacity(states.len());
        while let Some(state) = stack.pop() {
            if marks.set(state) {
                stack.extend(self.silent(state));
                out.push(state);
            }
        }
        out.sort_unstable();
        out
    }

    /// The states that `states` lead to with a byte for which `holds` of its range says so, sorted.
    pub(super) fn after(&self, states: &[usize], holds: impl Fn(&Step) -> bool) -> Vec<usize> {
        let mut out: Vec<usize> = states
            .iter()
            .flat_map(|&state| self.steps(state).iter().filter(|step| holds(step)).map(|step| step.next))
            .collect();
        out.sort_unstable();
        out.dedup();
        out
    }

    /// All bytes on ways from `states` that pass none of `forbidden`.
    pub(super) fn bytes_without(&self, states: &[usize], forbidden: ByteSet) -> ByteSet {
        let allowed = forbidden.complement();
        let below = allowed.below();
        let mut seen = vec![false; self.goals.len()];
        let mut stack = states.to_vec();
        let mut set = ByteSet::default();
        while let Some(state) = stack.pop() {
            if std::mem::replace(&mut seen[state], true) {
                continue;
            }
            stack.extend(self.silent(state));
            for step in self.steps(state) {
                if below[usize::from(step.high) + 1] > below[usize::from(step.low)] {
                    set.insert_range(step.low, step.high);
                    stack.push(step.next);
                }
            }
        }
        set.without(forbidden)
    }

    /// Whether some way from `states` to a goal passes none of `forbidden`.
    pub(super) fn has_way_without(&self, states: &[usize], forbidden: ByteSet) -> bool {
        let below = forbidden.complement().below();
        let mut seen = vec![false; self.goals.len()];
        let mut stack = states.to_vec();
        while let Some(state) = stack.pop() {
            if std::mem::replace(&mut seen[state], true) {
                continue;
            }
            if self.goals[state] {
                return true;
            }
            stack.extend(self.silent(state));
            let open = |step: &&Step| below[usize::from(step.high) + 1] > below[usize::from(step.low)];
            stack.extend(self.steps(state).iter().filter(open).map(|step| step.next));
        }
        false
    }

    fn post_order(&self, roots: Vec<usize>) -> (Vec<usize>, bool) {
        let mut order = Vec::with_capacity(self.goals.len());
        let mut walked = vec![Walked::default(); self.goals.len()];
        let mut stack: Vec<(usize, bool)> = roots.into_iter().map(|root| (root, false)).collect();
        let mut has_circle = false;
        while let Some((state, is_return)) = stack.pop() {
            if is_return {
                walked[state] = Walked::Done;
                order.push(state);
            } else if walked[state] == Walked::Unseen {
                walked[state] = Walked::Open;
                stack.push((state, true));
                let nexts = self.silent(state).iter().copied();
                for next in nexts.chain(self.steps(state).iter().map(|step| step.next)) {
                    match walked[next] {
                        Walked::Unseen => stack.push((next, false)),
                        Walked::Open => has_circle = true,
                        Walked::Done => {}
                    }
                }
            }
        }
        (order, has_circle)
    }
}

/// How far a walk over states has come with one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Walked {
    #[default]
    Unseen,
    Open,
    Done,
}

/// Marks on states that are all taken off at once.
#[derive(Debug, Default)]
pub(super) struct Marks {
    round: u32,
    seen: Vec<u32>,
}

impl Marks {
    fn clear(&mut self, count: usize) {
        self.seen.resize(count, 0);
        self.round += 1;
    }

    /// Marks a state; whether it had no mark.
    fn set(&mut self, state: usize) -> bool {
        std::mem::replace(&mut self.seen[state], self.round) != self.round
    }
}

/// The ranges of bytes that a state consumes, and where each leads.
fn ranges(state: &State, mut each: impl FnMut(u8, u8, usize)) {
    match state {
        State::ByteRange { trans } => each(trans.start, trans.end, trans.next.as_usize()),
        State::Sparse(sparse) => {
            sparse.transitions.iter().for_each(|trans| each(trans.start, trans.end, trans.next.as_usize()));
        }
        State::Dense(dense) => (0..=255)
            .filter_map(|byte| Some((byte, dense.matches_byte(byte)?)))
            .for_each(|(byte, next)| each(byte, byte, next.as_usize())),
        _ => {}
    }
}
