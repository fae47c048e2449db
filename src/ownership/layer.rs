//! One layer of an ownership map: runs sorted by place, made free of overlaps.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

/// A stretch of the volume that an owner holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Volume offset.
    pub(super) start: u64,
    /// Length in bytes, above zero.
    pub(super) length: u64,
    /// Offset in the owner's stream.
    pub(super) logical: u64,
    /// Index of the owner.
    pub(super) owner: u32,
}

impl Run {
    pub(super) fn end(&self) -> u64 {
        self.start.saturating_add(self.length)
    }

    /// Offset in the owner's stream of the byte at volume offset `offset`.
    fn at(&self, offset: u64) -> u64 {
        self.logical.saturating_add(offset.saturating_sub(self.start))
    }

    /// Whether `next` is the same owner's content straight on.
    fn continues_in(&self, next: &Self) -> bool {
        self.owner == next.owner && self.end() == next.start && self.at(next.start) == next.logical
    }

    fn contains(&self, offset: u64) -> bool {
        self.start <= offset && offset < self.end()
    }

    /// The same run without its first bytes up to volume offset `start`.
    fn starting_at(self, start: u64) -> Self {
        let cut = start.saturating_sub(self.start);
        Self {
            start,
            length: self.length.saturating_sub(cut),
            logical: self.logical.saturating_add(cut),
            ..self
        }
    }
}

/// What a layer says of a place.
pub(super) enum Spot {
    /// A run holds it.
    Inside(Run),
    /// No run holds it; the range up to the neighbours.
    Between(Range<u64>),
}

/// Runs of one layer: `first` without overlaps, `shared` with those parts that an earlier run holds already.
#[derive(Debug, Default)]
pub(super) struct Layer {
    first: Vec<Run>,
    shared: Vec<Run>,
}

impl Layer {
    /// Sorts the runs; where two overlap, the one that starts first (then the lower owner) holds the bytes.
    pub(super) fn new(mut runs: Vec<Run>) -> Self {
        runs.sort_unstable_by_key(|run| (run.start, run.owner, run.logical, run.length));
        if runs.windows(2).all(|pair| matches!(pair, [one, other] if one.end() <= other.start)) {
            runs.shrink_to_fit();
            return Self { first: runs, shared: Vec::new() };
        }
        let (mut first, mut shared) = (Vec::with_capacity(runs.len()), Vec::new());
        let mut covered = 0;
        for run in runs {
            if run.start < covered {
                shared.push(Run { length: run.length.min(covered.saturating_sub(run.start)), ..run });
            }
            if run.end() > covered {
                let rest = run.starting_at(run.start.max(covered));
                covered = rest.end();
                first.push(rest);
            }
        }
        Self { first, shared }
    }

    /// Sorts the runs; where two overlap, the one whose owner has the higher rank (then the lower owner) holds
    /// the bytes.
    pub(super) fn ranked(mut runs: Vec<Run>, rank: &dyn Fn(u32) -> i64) -> Self {
        runs.sort_unstable_by_key(|run| (run.start, run.owner, run.logical, run.length));
        if runs.windows(2).all(|pair| matches!(pair, [one, other] if one.end() <= other.start)) {
            return Self::new(runs);
        }
        let mut first: Vec<Run> = Vec::with_capacity(runs.len());
        // Runs that reach over the place at hand, the one that holds it on top.
        let mut open = BinaryHeap::new();
        let mut at = 0;
        let mut next = runs.iter().copied().peekable();
        loop {
            while let Some(run) = next.next_if(|run| run.start <= at) {
                open.push((rank(run.owner), Reverse((run.owner, run.logical)), run.start, run.end()));
            }
            while open.peek().is_some_and(|(.., end)| *end <= at) {
                open.pop();
            }
            let border = next.peek().map(|run| run.start);
            let Some((_, Reverse((owner, logical)), start, end)) = open.peek().copied() else {
                match border {
                    Some(border) => at = border,
                    None => break,
                }
                continue;
            };
            let to = border.map_or(end, |border| border.min(end));
            let run = Run { start, length: end.saturating_sub(start), logical, owner }.starting_at(at);
            let piece = Run { length: to.saturating_sub(at), ..run };
            match first.last_mut() {
                Some(last) if last.continues_in(&piece) => {
                    last.length = last.length.saturating_add(piece.length)
                }
                _ => first.push(piece),
            }
            at = to;
        }
        // Owners of shared bytes are told apart when they are asked for.
        Self { first, shared: runs }
    }

    pub(super) fn len(&self) -> usize {
        self.first.len().saturating_add(self.shared.len())
    }

    pub(super) fn find(&self, offset: u64) -> Spot {
        let next = self.first.partition_point(|run| run.start <= offset);
        let before = next.checked_sub(1).and_then(|index| self.first.get(index));
        match before {
            Some(run) if run.contains(offset) => Spot::Inside(*run),
            _ => {
                let start = before.map_or(0, Run::end);
                let end = self.first.get(next).map_or(u64::MAX, |run| run.start);
                Spot::Between(start..end)
            }
        }
    }

    /// Runs without overlaps that start in `range`, in order.
    pub(super) fn within(&self, range: &Range<u64>) -> impl Iterator<Item = Run> + '_ {
        let from = self.first.partition_point(|run| run.start < range.start);
        let to = self.first.partition_point(|run| run.start < range.end);
        self.first.get(from..to).unwrap_or_default().iter().copied()
    }

    /// Whether a run holds the byte at `offset`.
    pub(super) fn holds(&self, offset: u64) -> bool {
        matches!(self.find(offset), Spot::Inside(_))
    }

    /// The run of `first` at `offset` and those of `shared`, as far as a bounded search finds them.
    pub(super) fn all_at(&self, offset: u64, max: usize) -> impl Iterator<Item = Run> + '_ {
        /// Shared runs that are looked at; a hostile map may stack any number of them.
        const LOOK_BACK: usize = 256;
        let first = match self.find(offset) {
            Spot::Inside(run) => Some(run),
            Spot::Between(_) => None,
        };
        let next = self.shared.partition_point(|run| run.start <= offset);
        let look = self.shared.get(next.saturating_sub(LOOK_BACK)..next).unwrap_or_default();
        let others = look.iter().filter(move |run| run.contains(offset));
        let is_same = move |run: &Run| {
            first.is_some_and(|first| first.owner == run.owner && first.at(offset) == run.at(offset))
        };
        first.into_iter().chain(others.filter(move |run| !is_same(run)).copied().take(max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(start: u64, length: u64, owner: u32) -> Run {
        Run { start, length, logical: 0, owner }
    }

    #[test]
    fn of_overlapping_runs_the_first_holds_and_the_rest_is_shared() {
        let layer = Layer::new(vec![run(100, 100, 1), run(150, 100, 2), run(160, 10, 3), run(400, 10, 4)]);
        let owner = |offset| match layer.find(offset) {
            Spot::Inside(run) => Some((run.owner, run.logical)),
            Spot::Between(_) => None,
        };
        assert_eq!((owner(99), owner(100), owner(199)), (None, Some((1, 0)), Some((1, 0))));
        assert_eq!((owner(200), owner(249), owner(250)), (Some((2, 50)), Some((2, 50)), None));
        let all: Vec<_> = layer.all_at(165, 8).map(|run| run.owner).collect();
        assert_eq!(all, [1, 2, 3]);
        assert!(matches!(layer.find(300), Spot::Between(gap) if gap == (250..400)));
    }

    #[test]
    fn of_ranked_runs_the_highest_holds_and_the_others_are_still_there() {
        let runs = vec![run(100, 100, 1), run(120, 20, 2), run(150, 100, 3), run(400, 10, 4)];
        let layer = Layer::ranked(runs, &|owner| [0, 5, 9, 1, 0].get(owner as usize).copied().unwrap());
        let owner = |offset| match layer.find(offset) {
            Spot::Inside(run) => Some((run.owner, run.logical + offset - run.start)),
            Spot::Between(_) => None,
        };
        let expected = [
            (99, None),
            (100, Some((1, 0))),
            (119, Some((1, 19))),
            (120, Some((2, 0))),
            (139, Some((2, 19))),
            (140, Some((1, 40))),
            (199, Some((1, 99))),
            (200, Some((3, 50))),
            (249, Some((3, 99))),
            (250, None),
            (405, Some((4, 5))),
        ];
        for (offset, expected) in expected {
            assert_eq!(owner(offset), expected, "{offset}");
        }
        let all: Vec<_> = layer.all_at(130, 8).map(|run| run.owner).collect();
        assert_eq!(all, [2, 1]);
        assert_eq!(layer.all_at(405, 8).count(), 1);
    }
}
