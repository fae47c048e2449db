//! Times that contradict each other, over all files of a system.
//!
//! Writing to a file sets both its modification time and the change time of its entry. A program can set the
//! first to any value, the second only the system sets: a file that was modified after its entry last changed,
//! or created after it, has a time that somebody chose, or lived through a clock that was put back.

use super::{Condition, Found, Kind, Whole, parameters};
use crate::error::Result;
use crate::filesystem::{Entry, EntryKind, EntryState, Role, Walked};
use crate::leftover::hit::Hit;
use crate::leftover::tree::{Node, Spot};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::ops::ControlFlow;

pub(super) const KIND: Kind =
    Kind { name: "timestamps", cases: &[], build: |table| Ok(Box::new(parameters::<Timestamps>(table)?)) };

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Timestamps {}

/// Files that are named; the rest is counted.
const NAMED_MAX: usize = 200;
/// Clocks of writers and of the file system may be this far apart.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(120);

impl Condition for Timestamps {
    fn judge(&self, _: &Hit<'_>, _: &mut Vec<Found>) -> Result<()> {
        Ok(())
    }

    fn conclude(&self, whole: Whole<'_>, out: &mut Vec<(Option<Spot>, Found)>) -> Result<()> {
        let root = whole.tree.root();
        let filesystem = whole.tree.filesystem(root.node)?;
        let mut more = 0_u64;
        let mut odd = Vec::new();
        filesystem.walk(&mut |walked| {
            if let Walked::Entry(entry) = walked
                && let Some(contradiction) = contradiction(&entry)
            {
                if odd.len() < NAMED_MAX {
                    odd.push((entry.id, contradiction));
                } else {
                    more += 1;
                }
            }
            ControlFlow::Continue(())
        })?;
        for (id, contradiction) in odd {
            let Some(path) = filesystem.paths(id)?.all.into_iter().next() else { continue };
            let spot = Spot { node: Node { source: root.node.source, id }, path };
            out.push((Some(spot), Found { evidence: vec![contradiction], ..Found::default() }));
        }
        if more > 0 {
            let evidence = vec![format!("more files with such times: {more}")];
            out.push((None, Found { evidence, ..Found::default() }));
        }
        Ok(())
    }
}

/// What contradicts what; `None` for most files.
fn contradiction(entry: &Entry) -> Option<String> {
    let counts =
        entry.kind == EntryKind::File && entry.state == EntryState::Allocated && entry.role == Role::Content;
    let changed = entry.times.changed.filter(|_| counts)?;
    let later = |time: Option<Timestamp>| time.filter(|time| time.duration_since(changed) > TOLERANCE);
    if let Some(modified) = later(entry.times.modified) {
        return Some(format!("modified {modified}, after the entry last changed: {changed}"));
    }
    let created = later(entry.times.created)?;
    Some(format!("created {created}, after the entry last changed: {changed}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filesystem::Times;

    #[test]
    fn only_times_that_cannot_follow_from_use_contradict() {
        let at = |seconds| Some(Timestamp::from_second(seconds).unwrap());
        let entry = |modified, changed, created| Entry {
            kind: EntryKind::File,
            times: Times {
                modified: at(modified),
                changed: at(changed),
                created: at(created),
                ..Times::default()
            },
            ..Entry::default()
        };
        // An unpacked archive: old modification time, everything else from the day of unpacking.
        assert_eq!(contradiction(&entry(1000, 90_000, 90_000)), None);
        assert_eq!(contradiction(&entry(90_060, 90_000, 1000)), None);
        assert!(contradiction(&entry(99_000, 90_000, 1000)).unwrap().starts_with("modified"));
        assert!(contradiction(&entry(1000, 90_000, 99_000)).unwrap().starts_with("created"));
        let directory = Entry { kind: EntryKind::Directory, ..entry(99_000, 90_000, 1000) };
        assert_eq!(contradiction(&directory), None);
    }
}
