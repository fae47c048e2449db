//! What is left of deleted streams: clusters that `$Bitmap` says are in use again belong to others.

use crate::filesystem::{DataRun, Entry, Layout, Place};
use std::ops::Range;

/// Free ranges that are kept; a volume with more is not compared.
pub(super) const RANGES_MAX: usize = 1 << 21;

/// The free ranges of a volume in bytes, ascending; `None` where they are not known.
#[derive(Debug, Default)]
pub(super) struct Free(pub(super) Option<Vec<Range<u64>>>);

impl Free {
    /// Takes what is in use again out of the runs of a deleted entry, and says so. `budget` bounds the pieces
    /// that runs fall into; what exceeds it stays as it is, with a note.
    pub(super) fn clip(&self, entry: &mut Entry, cluster: u64, budget: &mut usize) {
        let stored = |run: &DataRun| matches!(run.place, Place::At(_));
        if !entry.streams.iter().any(|stream| stream.runs().iter().any(stored)) {
            return;
        }
        let Some(free) = &self.0 else {
            entry.notes.push("not compared with $Bitmap: its clusters may be in use again".to_owned());
            return;
        };
        let (mut all, mut left) = (0_u64, 0_u64);
        for stream in &mut entry.streams {
            let (Layout::Runs(runs) | Layout::Encoded(runs) | Layout::Encrypted(runs)) = &mut stream.layout
            else {
                continue;
            };
            let Some(clipped) = clip_runs(runs, free, budget) else {
                entry.notes.push("compared with $Bitmap in part only: too many pieces".to_owned());
                return;
            };
            all = all.saturating_add(stored_bytes(runs));
            left = left.saturating_add(stored_bytes(&clipped));
            *runs = clipped;
        }
        let lost = all.saturating_sub(left);
        if lost > 0 {
            let unit = cluster.max(1);
            entry.notes.push(format!("{} of {} clusters overwritten: in use again", lost / unit, all / unit));
        }
    }
}

fn stored_bytes(runs: &[DataRun]) -> u64 {
    let stored = runs.iter().filter(|run| matches!(run.place, Place::At(_)));
    stored.fold(0, |sum, run| sum.saturating_add(run.length))
}

/// The free parts of `runs`; holes stay. `None` when the budget is used up.
fn clip_runs(runs: &[DataRun], free: &[Range<u64>], budget: &mut usize) -> Option<Vec<DataRun>> {
    let mut out = Vec::with_capacity(runs.len());
    for run in runs {
        let Place::At(start) = run.place else {
            out.push(*run);
            continue;
        };
        let end = start.saturating_add(run.length);
        let first = free.partition_point(|range| range.end <= start);
        for range in free.get(first..)?.iter().take_while(|range| range.start < end) {
            *budget = budget.checked_sub(1)?;
            let from = range.start.max(start);
            out.push(DataRun {
                logical: run.logical.saturating_add(from.saturating_sub(start)),
                length: range.end.min(end).saturating_sub(from),
                place: Place::At(from),
            });
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filesystem::{Stream, StreamName};

    fn run(logical: u64, length: u64, start: u64) -> DataRun {
        DataRun { logical, length, place: Place::At(start) }
    }

    fn deleted() -> Entry {
        let runs =
            vec![run(0, 40, 100), DataRun { logical: 40, length: 10, place: Place::Hole }, run(50, 10, 300)];
        let stream = Stream { name: StreamName::Data, size: 60, initialised: 60, layout: Layout::Runs(runs) };
        Entry { streams: vec![stream], ..Entry::default() }
    }

    #[test]
    fn parts_in_use_again_are_taken_out_and_counted() {
        let mut entry = deleted();
        let free = Free(Some(vec![0..110, 120..130, 305..400]));
        free.clip(&mut entry, 5, &mut 100);
        let hole = DataRun { logical: 40, length: 10, place: Place::Hole };
        assert_eq!(entry.streams[0].runs(), [run(0, 10, 100), run(20, 10, 120), hole, run(55, 5, 305)]);
        assert_eq!(entry.notes, ["5 of 10 clusters overwritten: in use again"]);
    }

    #[test]
    fn an_untouched_entry_has_no_note_and_an_unknown_bitmap_does() {
        for (free, budget, note) in [
            (Some(Range { start: 0, end: 1000 }), 9, None),
            (None, 9, Some("not compared")),
            (Some(Range { start: 0, end: 1000 }), 1, Some("in part only")),
        ] {
            let mut entry = deleted();
            Free(free.map(|range| [range].to_vec())).clip(&mut entry, 5, &mut budget.clone());
            assert_eq!(
                entry.notes.first().map(|text| note.is_some_and(|n| text.contains(n))),
                note.map(|_| true)
            );
            assert_eq!(entry.streams, deleted().streams);
        }
    }
}
