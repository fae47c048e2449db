//! Files against the packages that they belong to, as the package databases in the image know them.

use super::{Condition, Found, Kind, Whole, parameters};
use crate::error::Result;
use crate::filesystem::EntryKind;
use crate::knowngood::{self, Node, Standing};
use crate::leftover::hit::Hit;
use crate::leftover::tree::Spot;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const KIND: Kind =
    Kind { name: "package", cases: &[], build: |table| Ok(Box::new(parameters::<Package>(table)?)) };

/// Parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Package {
    /// What counts.
    want: Want,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Want {
    /// Programs and libraries whose digest differs from the one that their package records.
    Differs,
    /// Files that are not as a package brought them, and whose entry changed in the last days of the image, an
    /// hour or more behind most of the others.
    Recent,
}

/// Days before the newest change of all that matched.
const RECENT_DAYS: i64 = 30;

impl Condition for Package {
    fn judge(&self, hit: &Hit<'_>, out: &mut Vec<Found>) -> Result<()> {
        let is_program = || {
            let name = hit.name();
            hit.entry.owner.mode.is_some_and(|mode| mode & 0o111 != 0)
                || name.ends_with(b".so")
                || name.windows(4).any(|part| part == b".so.")
        };
        let counts = match self.want {
            Want::Differs => is_program(),
            Want::Recent => true,
        };
        if hit.entry.kind == EntryKind::File && hit.entry.size() > 0 && counts {
            let times = &hit.entry.times;
            let changed = times.changed.or(times.modified);
            let evidence = changed.map(|time| format!("{CHANGED}{time}")).into_iter().collect();
            out.push(Found { evidence, ..Found::default() });
        }
        Ok(())
    }

    fn keeps(&self) -> bool {
        true
    }

    fn conclude(&self, whole: Whole<'_>, out: &mut Vec<(Option<Spot>, Found)>) -> Result<()> {
        match self.want {
            Want::Differs => {
                let standings = standings(&whole);
                for (spot, mut found) in whole.kept {
                    if let Some(Standing::Modified { package }) = standing(&standings, &spot) {
                        found.evidence.insert(0, format!("package: {package} records another digest"));
                        out.push((Some(spot), found));
                    }
                }
                Ok(())
            }
            Want::Recent => {
                let mut times: Vec<_> = whole.kept.iter().filter_map(|(_, found)| changed(found)).collect();
                times.sort_unstable();
                // Half of all came with the installation, which is no change.
                let usual = times.get(times.len().saturating_sub(1) / 2).copied();
                let ends = usual.zip(times.last().copied());
                let is_recent = |found: &Found| {
                    changed(found).zip(ends).is_some_and(|(time, (usual, newest))| {
                        newest.duration_since(time).as_hours() < RECENT_DAYS * 24
                            && time.duration_since(usual).as_hours() >= 1
                    })
                };
                let kept = whole.kept.into_iter().filter(|(_, found)| is_recent(found)).collect();
                without_unmodified(Whole { kept, ..whole }, out)
            }
        }
    }
}

const CHANGED: &str = "changed: ";

fn changed(found: &Found) -> Option<jiff::Timestamp> {
    found.evidence.iter().find_map(|line| line.strip_prefix(CHANGED)?.parse().ok())
}

/// Hands on what was kept, but for unmodified files of packages.
pub(super) fn without_unmodified(whole: Whole<'_>, out: &mut Vec<(Option<Spot>, Found)>) -> Result<()> {
    let standings = standings(&whole);
    for (spot, mut found) in whole.kept {
        match standing(&standings, &spot) {
            Some(Standing::Unmodified { .. }) => continue,
            Some(Standing::Modified { package }) => {
                found.evidence.push(format!("package: {package} records another digest"));
            }
            None => found.evidence.push("package: none".to_owned()),
        }
        out.push((Some(spot), found));
    }
    Ok(())
}

type Standings = BTreeMap<Node, Standing>;

fn standing<'s>(standings: &'s Standings, spot: &Spot) -> Option<&'s Standing> {
    standings.get(&node(spot))
}

fn node(spot: &Spot) -> Node {
    Node { volume: spot.node.source, entry: spot.node.id }
}

/// How everything that was kept stands to the packages of its system.
fn standings(whole: &Whole<'_>) -> Standings {
    let wanted: BTreeSet<Node> = whole.kept.iter().map(|(spot, _)| node(spot)).collect();
    knowngood::compare(&whole.tree.volumes(), &wanted)
}
