//! What must follow a keyword for a match of its rule to be possible: a few looks at bytes that spare most
//! hits the regex.
//!
//! Everything here is read off the rule's own automaton, from the states behind the keyword: which bytes the
//! next positions can have, a byte that every way to a match passes, and a run of token characters that none
//! gets around. All answers err on the side of "possible"; assertions such as `\b` count as true.

use super::ways::Ways;

/// Bytes beside a keyword that the gate looks at one by one.
const STEPS_MAX: usize = 20;
/// How far the gate looks for a run.
const RUN_REACH_MAX: usize = 1024;

/// What must stand on one side of a keyword for a match to be possible.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate {
    /// For each of the next bytes, away from the keyword, the values it can have.
    steps: Vec<ByteSet>,
    /// What must stand somewhere on this side.
    needs: Vec<Need>,
}

/// Something that must stand somewhere beside a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) set: ByteSet,
    /// What may stand between the keyword and the first byte of `set`, for a need of a single byte.
    pub(super) stay: ByteSet,
    /// So many bytes of the set in a row, at least one.
    pub(super) len: usize,
    /// Within so many bytes of the keyword.
    pub(super) reach: usize,
}

/// The bytes on one side of a keyword, counted away from it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side<'a> {
    /// Those that follow the keyword.
    Ahead(&'a [u8]),
    /// Those that lead up to it, in the order in which they stand.
    Behind(&'a [u8]),
}

impl Side<'_> {
    fn len(self) -> usize {
        match self {
            Self::Ahead(bytes) | Self::Behind(bytes) => bytes.len(),
        }
    }

    fn first(self, count: usize) -> Self {
        match self {
            Self::Ahead(bytes) => Self::Ahead(bytes.get(..count).unwrap_or(bytes)),
            Self::Behind(bytes) => {
                Self::Behind(bytes.get(bytes.len().saturating_sub(count)..).unwrap_or_default())
            }
        }
    }
}

impl Gate {
    /// Reads the gate off the states beside a keyword, from which a match consumes at most `len` bytes.
    pub(super) fn new(ways: &mut Ways<'_>, states: &[usize], len: usize) -> Self {
        let mut needs = ways.bytes(states);
        if len <= RUN_REACH_MAX {
            needs.extend(ways.run(states, len));
        }
        Self { steps: steps(ways, states), needs }
    }

    /// Whether no match is possible, given the bytes beside the keyword. What lies beyond them is unknown,
    /// unless `is_all` says that no match goes further.
    pub(super) fn refuses(&self, side: Side<'_>, is_all: bool) -> bool {
        let is_wrong = |(byte, set): (&u8, &ByteSet)| !set.contains(*byte);
        let is_out = match side {
            Side::Ahead(bytes) => bytes.iter().zip(&self.steps).any(is_wrong),
            Side::Behind(bytes) => bytes.iter().rev().zip(&self.steps).any(is_wrong),
        };
        is_out
            || (is_all && side.len() < self.steps.len())
            || self.needs.iter().any(|need| need.fails(side, is_all))
    }
}

impl Need {
    fn fails(&self, side: Side<'_>, is_all: bool) -> bool {
        let near = side.first(self.reach);
        let is_known = is_all || near.len() == self.reach;
        match (self.len, near) {
            (1, Side::Ahead(bytes)) => self.lacks(bytes.iter(), is_known),
            (1, Side::Behind(bytes)) => self.lacks(bytes.iter().rev(), is_known),
            (_, Side::Ahead(bytes) | Side::Behind(bytes)) => is_known && !self.has_run(bytes),
        }
    }

    /// Whether the byte that is needed does not come, or something stands before it that may not.
    fn lacks<'b>(&self, mut bytes: impl Iterator<Item = &'b u8>, is_known: bool) -> bool {
        match bytes.find(|byte| !self.stay.contains(**byte)) {
            Some(byte) => !self.set.contains(*byte),
            None => is_known,
        }
    }

    /// A run of `len` covers one of every `len` neighbouring places, so only those are looked at first.
    fn has_run(&self, bytes: &[u8]) -> bool {
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

    pub(super) fn insert_range(&mut self, low: u8, high: u8) {
        for (half, bits) in self.0.iter_mut().enumerate() {
            let base = half * 128;
            let (low, high) = (usize::from(low).max(base), usize::from(high).min(base + 127));
            if low <= high {
                *bits |= (u128::MAX >> (127 - (high - low))) << (low - base);
            }
        }
    }

    fn is_full(self) -> bool {
        self.0 == [u128::MAX; 2]
    }

    pub(super) fn of(holds: impl Fn(u8) -> bool) -> Self {
        let mut set = Self::default();
        (0..=255).filter(|&byte| holds(byte)).for_each(|byte| set.insert(byte));
        set
    }

    pub(super) fn complement(self) -> Self {
        Self([!self.0[0], !self.0[1]])
    }

    pub(super) fn without(self, other: Self) -> Self {
        Self([self.0[0] & !other.0[0], self.0[1] & !other.0[1]])
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

/// For each of the next bytes the values with which a way can go on, as long as none has reached its goal.
fn steps(ways: &mut Ways<'_>, states: &[usize]) -> Vec<ByteSet> {
    let (graph, marks) = (ways.graph(), &mut ways.marks);
    let mut out = Vec::new();
    let mut layer = graph.closure(states, marks);
    while out.len() < STEPS_MAX && !layer.is_empty() && !layer.iter().any(|&state| graph.is_goal(state)) {
        let mut set = ByteSet::default();
        layer
            .iter()
            .flat_map(|&state| graph.steps(state))
            .for_each(|step| set.insert_range(step.low, step.high));
        out.push(set);
        layer = graph.closure(&graph.after(&layer, |_| true), marks);
    }
    // Trailing positions that let everything pass only cost time.
    while out.last().is_some_and(|set| set.is_full()) {
        out.pop();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::placement::tests::of;

    #[test]
    fn the_gate_refuses_what_cannot_become_a_match_and_nothing_else() {
        let token = &of("ghp_[a-z]{36}", &["ghp_"], false).placements[0].ahead;
        assert!(
            token.refuses(Side::Ahead(b"abc-"), false)
                && !token.refuses(Side::Ahead(b"abc"), false)
                && !token.refuses(Side::Ahead(&[b'a'; 36]), true)
        );
        let assignment = &of("(?i)password[ ]{0,9}[=:]x{1,20}", &["password"], true).placements[0].ahead;
        assert!(
            assignment.refuses(Side::Ahead(b" of the user"), true)
                && !assignment.refuses(Side::Ahead(b"   =xx"), true)
        );
        let bounded = &of("password.{0,20}=", &["password"], false).placements[0].ahead;
        assert!(
            bounded.refuses(Side::Ahead(&[b'a'; 21]), false)
                && !bounded.refuses(Side::Ahead(&[b'a'; 20]), false)
        );
    }

    #[test]
    fn ranges_of_bytes_are_inserted_whole() {
        for (low, high) in [(0, 0), (0, 255), (127, 128), (128, 255), (65, 90), (200, 201), (255, 255)] {
            let mut set = ByteSet::default();
            set.insert_range(low, high);
            assert_eq!(set, ByteSet::of(|byte| (low..=high).contains(&byte)), "{low}..={high}");
        }
    }

    #[test]
    fn a_run_is_found_wherever_it_stands() {
        let need =
            Need { set: ByteSet::of(|byte| byte == b'x'), stay: ByteSet::default(), len: 5, reach: 64 };
        for at in 0..20 {
            for len in 0..9 {
                let text = [vec![b'x'; 3], vec![b'.'; at + 1], vec![b'x'; len], vec![b'.'; 4]].concat();
                assert_eq!(need.has_run(&text), len >= 5, "{at} {len}");
            }
        }
    }

    #[test]
    fn what_leads_up_to_a_keyword_is_looked_at_too() {
        let behind = |pattern, keyword| of(pattern, &[keyword], true).placements[0].behind.clone();
        let pair = behind("(?i)user=[a-z]{1,9};[ ]{0,2}password=x", "password=");
        let refuses = |text: &[u8]| pair.refuses(Side::Behind(text), true);
        assert!(refuses(b"the ") && refuses(b"user=abc ") && refuses(b";user abc"));
        assert!(!refuses(b"user=abc; ") && !refuses(b"USER=abc;"));
        assert!(!behind("(?i)[a-z]{0,9}password=x", "password=").refuses(Side::Behind(b""), true));
    }
}
