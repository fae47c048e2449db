//! Where a rule's keywords stand in its matches, worked out on the rule's own automaton.
//!
//! Every match is attributed to the keyword that is complete first in it. Walking the regex's automaton and
//! the keywords' automaton side by side gives, for each keyword: how many bytes of a match can lie before it,
//! how many from it on, which bytes can follow it, and whether every match has one at all. All answers err on
//! the side of more: assertions such as `\b` count as true.

use super::gate::{Gate, Side};
use super::graph::{Graph, UNBOUNDED, Walked};
use super::ways::Ways;
use aho_corasick::automaton::{Automaton as _, StateID as KeywordState};
use aho_corasick::nfa::noncontiguous::NFA as Keywords;
use aho_corasick::{Anchored, MatchKind};
use regex_automata::nfa::thompson::NFA;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;
use std::rc::Rc;

/// Longest match in bytes that is looked at; what a regex allows beyond it is cut.
pub(super) const SPAN_MAX: usize = 4096;
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
    pub(super) ahead: Gate,
    /// What must lead up to it.
    pub(super) behind: Gate,
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
    let mut special: Vec<u8> = keywords.concat();
    if ignore_case {
        special.extend(special.to_ascii_uppercase());
    }
    special.sort_unstable();
    special.dedup();
    let (forward, backward) = Graph::both(nfa);
    let from = nfa.start_anchored().as_usize();
    let heads = Product::new(&forward, &automaton, special).walk(from, keywords.len());
    let mut beside =
        Beside { ahead: Ways::new(&forward), behind: Ways::new(&backward), gates: BTreeMap::new() };
    let mut known: BTreeMap<BTreeSet<usize>, (usize, Gate)> = BTreeMap::new();
    let mut placements = Vec::with_capacity(keywords.len());
    for (keyword, head) in keywords.iter().zip(&heads.keywords) {
        // Keywords that end at the same place of the regex share what follows.
        let (after, ahead) =
            known.entry(head.reached.clone()).or_insert_with(|| beside.ahead(&head.reached)).clone();
        let before = head.end.min(SPAN_MAX).saturating_sub(keyword.len());
        placements.push(Placement {
            before,
            after: after.min(SPAN_MAX) + if head.reached.is_empty() { 0 } else { keyword.len() },
            is_clipped: after > SPAN_MAX || head.end > SPAN_MAX,
            ahead,
            behind: beside.behind(&head.reached, keyword, ignore_case, before),
        });
    }
    Ok(Analysis { placements, has_bare_match: heads.has_bare_match })
}

/// The regex's and the keywords' automaton side by side, up to the first keyword that is complete.
///
/// A counted repetition makes tens of thousands of nodes, so they lie in a few flat lists.
struct Product<'a> {
    graph: &'a Graph,
    keywords: &'a Keywords,
    /// Bytes that stand in a keyword; all others lead the keywords' automaton to its start.
    special: Vec<u8>,
    /// For each state of the keywords' automaton the special bytes that do not lead to its start.
    turns: HashMap<KeywordState, Rc<[(u8, KeywordState)]>>,
    index: HashMap<Pair, usize, BuildHasherDefault<Mix>>,
    /// The states of each node.
    pairs: Vec<Pair>,
    nodes: Vec<Node>,
    /// Where the nodes lead, and how many bytes that consumes; node after node.
    steps: Vec<(usize, usize)>,
    /// Keywords that are complete behind a node, and the state of the regex there; node after node.
    completions: Vec<(usize, usize)>,
}

/// What is known of a state of both automata.
#[derive(Clone, Default)]
struct Node {
    /// Its part of the steps.
    steps: Range<usize>,
    /// Its part of the completions.
    completions: Range<usize>,
    is_match: bool,
    visit: Walked,
}

/// What leads up to the keywords.
#[derive(Default)]
struct Heads {
    keywords: Vec<Head>,
    has_bare_match: bool,
}

/// What leads up to one keyword.
#[derive(Clone, Default)]
struct Head {
    /// Most bytes of a match up to the keyword's end; [`UNBOUNDED`] where something repeats for ever.
    end: usize,
    /// States of the regex right behind the keyword.
    reached: BTreeSet<usize>,
}

type Pair = (usize, KeywordState);

/// A hash of two small numbers. Rules are no attackers; the default hash took most of the time.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(u64::from(byte)));
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        // Odd, with its bits spread evenly: the golden ratio.
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(u64::try_from(value).unwrap_or(u64::MAX));
    }
}

impl<'a> Product<'a> {
    fn new(graph: &'a Graph, keywords: &'a Keywords, special: Vec<u8>) -> Self {
        Self {
            graph,
            keywords,
            special,
            turns: HashMap::new(),
            index: HashMap::with_capacity_and_hasher(graph.len(), BuildHasherDefault::default()),
            pairs: Vec::with_capacity(graph.len()),
            nodes: Vec::with_capacity(graph.len()),
            steps: Vec::with_capacity(graph.len()),
            completions: Vec::new(),
        }
    }

    fn walk(&mut self, from: usize, count: usize) -> Heads {
        let root = self.node((from, self.start()));
        let (order, has_cycle) = self.topological(root);
        let mut heads = Heads { keywords: vec![Head::default(); count], has_bare_match: false };
        // The longest way to each node; every node comes behind those that lead to it.
        let mut longest = vec![0_usize; self.nodes.len()];
        for at in order {
            let here = if has_cycle { UNBOUNDED } else { longest[at] };
            let node = &self.nodes[at];
            heads.has_bare_match |= node.is_match;
            for &(next, len) in &self.steps[node.steps.clone()] {
                longest[next] = longest[next].max(here + len);
            }
            for &(keyword, target) in &self.completions[node.completions.clone()] {
                let head = &mut heads.keywords[keyword];
                head.end = head.end.max(here + 1);
                head.reached.insert(target);
            }
        }
        heads
    }

    fn start(&self) -> KeywordState {
        self.keywords.start_state(Anchored::No).unwrap_or_default()
    }

    /// All nodes that can be reached, each behind those that lead to it, and whether some lead in a circle.
    fn topological(&mut self, root: usize) -> (Vec<usize>, bool) {
        let mut stack = vec![(root, false)];
        let mut order = Vec::new();
        let mut has_cycle = false;
        while let Some((at, is_return)) = stack.pop() {
            if is_return {
                self.nodes[at].visit = Walked::Done;
                order.push(at);
                continue;
            }
            if self.nodes[at].visit != Walked::Unseen {
                continue;
            }
            self.nodes[at].visit = Walked::Open;
            self.expand(at);
            stack.push((at, true));
            for &(next, _) in &self.steps[self.nodes[at].steps.clone()] {
                match self.nodes[next].visit {
                    Walked::Unseen => stack.push((next, false)),
                    Walked::Open => has_cycle = true,
                    Walked::Done => {}
                }
            }
        }
        order.reverse();
        (order, has_cycle)
    }

    fn node(&mut self, pair: Pair) -> usize {
        let next = self.nodes.len();
        let at = *self.index.entry(pair).or_insert(next);
        if at == next {
            self.nodes.push(Node::default());
            self.pairs.push(pair);
        }
        at
    }

    /// Adds a way of `len` bytes to the node that is being expanded, whose steps start at `first`.
    fn step(&mut self, first: usize, pair: Pair, len: usize) {
        let step = (self.node(pair), len);
        if self.steps.get(first..).and_then(<[_]>::last) != Some(&step) {
            self.steps.push(step);
        }
    }

    /// Fills in where a node leads.
    fn expand(&mut self, at: usize) {
        let (state, keyword) = self.pairs[at];
        let (graph, keywords, start) = (self.graph, self.keywords, self.start());
        let (first_step, first_completion) = (self.steps.len(), self.completions.len());
        for &next in graph.silent(state) {
            self.step(first_step, (next, keyword), 0);
        }
        let turns = self.turns(keyword);
        for step in graph.steps(state) {
            let mut count = 0;
            for &(_, after) in turns.iter().filter(|(byte, _)| (step.low..=step.high).contains(byte)) {
                count += 1;
                if keywords.is_match(after) {
                    let found = 0..keywords.match_len(after);
                    let found = found.map(|found| keywords.match_pattern(after, found).as_usize());
                    self.completions.extend(found.map(|found| (found, step.next)));
                } else {
                    self.step(first_step, (step.next, after), 1);
                }
            }
            if usize::from(step.high - step.low) + 1 > count {
                self.step(first_step, (step.next, start), 1);
            }
        }
        let node = &mut self.nodes[at];
        node.is_match = graph.is_goal(state);
        node.steps = first_step..self.steps.len();
        node.completions = first_completion..self.completions.len();
    }

    /// The special bytes that lead from `state` elsewhere than to the start.
    fn turns(&mut self, state: KeywordState) -> Rc<[(u8, KeywordState)]> {
        let start = self.start();
        let (special, keywords) = (&self.special, self.keywords);
        let fresh = || {
            let next = |&byte: &u8| (byte, keywords.next_state(Anchored::No, state, byte));
            special.iter().map(next).filter(|(_, next)| *next != start).collect()
        };
        Rc::clone(self.turns.entry(state).or_insert_with(fresh))
    }
}

/// What can stand on either side of a keyword.
struct Beside<'a> {
    ahead: Ways<'a>,
    behind: Ways<'a>,
    /// The gates behind that are known, by the states before a keyword and the length that a match can have there.
    /// Most keywords of a rule stand at the same place of it.
    gates: BTreeMap<(Vec<usize>, usize), Gate>,
}

impl Beside<'_> {
    /// The most bytes that follow, and the gate for them.
    fn ahead(&mut self, reached: &BTreeSet<usize>) -> (usize, Gate) {
        let states: Vec<usize> = reached.iter().copied().collect();
        let after = self.ahead.len(&states);
        (after, Gate::new(&mut self.ahead, &states, after))
    }

    /// The gate for what leads up to a keyword that ends before the states `reached`.
    fn behind(&mut self, reached: &BTreeSet<usize>, keyword: &[u8], ignore_case: bool, len: usize) -> Gate {
        if len == 0 || reached.is_empty() {
            return Gate::default();
        }
        let graph = self.behind.graph();
        let mut states: Vec<usize> = reached.iter().copied().collect();
        for &byte in keyword.iter().rev() {
            let upper = if ignore_case { byte.to_ascii_uppercase() } else { byte };
            states = graph.after(&graph.closure(&states, &mut self.behind.marks), |step| {
                let has = |byte| (step.low..=step.high).contains(&byte);
                has(byte) || has(upper)
            });
        }
        let states = graph.closure(&states, &mut self.behind.marks);
        let fresh = || Gate::new(&mut self.behind, &states, len);
        self.gates.entry((states.clone(), len)).or_insert_with(fresh).clone()
    }
}

impl Placement {
    /// Whether no match is possible around a keyword, given all that a match can hold on both sides of it.
    pub(super) fn refuses(&self, behind: &[u8], ahead: &[u8]) -> bool {
        let behind = behind.get(behind.len().saturating_sub(self.before)..).unwrap_or_default();
        self.ahead.refuses(Side::Ahead(ahead), true) || self.behind.refuses(Side::Behind(behind), true)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use regex_automata::nfa::thompson;

    pub(in crate::detect) fn of(pattern: &str, keywords: &[&str], ignore_case: bool) -> Analysis {
        let nfa = thompson::Compiler::new()
            .configure(thompson::Config::new().utf8(false))
            .syntax(regex_automata::util::syntax::Config::new().unicode(false).utf8(false))
            .build(pattern)
            .unwrap();
        let keywords: Vec<Vec<u8>> = keywords.iter().map(|keyword| keyword.as_bytes().to_vec()).collect();
        analyse(&nfa, &keywords, ignore_case).unwrap()
    }

    #[test]
    fn lengths_around_a_keyword_follow_from_the_regex() {
        let cases = [
            (r"\bghp_[a-z]{36}\b", "ghp_", Some((0, 40))),
            (r"[a-z0-9]{0,9}key[ ]{0,2}=[0-9]{4,8}", "key", Some((9, 23))),
            (r"(?:ab|abc){2}-tail", "-tail", Some((6, 5))),
            (r"secret=[a-z]+", "secret=", None),
            (r"[a-z]*secret", "secret", None),
        ];
        for (pattern, keyword, expected) in cases {
            let placement = &of(pattern, &[keyword], false).placements[0];
            let found = (!placement.is_clipped).then_some((placement.before, placement.after));
            assert_eq!(found, expected, "{pattern}");
        }
    }

    #[test]
    fn a_match_without_a_keyword_is_noticed() {
        assert!(of("(?:abcd|efgh)[0-9]", &["abcd"], false).has_bare_match);
        assert!(!of("(?:abcd|efgh)[0-9]", &["abcd", "efgh"], false).has_bare_match);
        assert!(of("(?i)abcd[0-9]", &["abcd"], false).has_bare_match);
        assert!(!of("(?i)abcd[0-9]", &["abcd"], true).has_bare_match);
    }
}
