//! What to do, in order: the remedies of what fails the gate, the worst first, each once.

use super::words;
use crate::error::Result;
use crate::report::spool::{Group, Spool};
use crate::rules::Severity;
use std::collections::{BTreeMap, BTreeSet};

/// Kinds of findings that a step names.
const TITLES_SHOWN: usize = 4;

/// Something to do, and what it settles.
pub(super) struct Step {
    pub(super) severity: Severity,
    pub(super) remedy: String,
    pub(super) titles: Vec<String>,
    /// The first place, as an example.
    pub(super) place: String,
    pub(super) findings: u64,
}

/// The steps in order.
pub(super) fn steps(spool: &mut Spool, groups: &[Group], fail_on: Severity) -> Result<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    let mut by_remedy: BTreeMap<u64, usize> = BTreeMap::new();
    let mut titles: BTreeSet<(usize, u64)> = BTreeSet::new();
    let places = groups.iter().flat_map(|group| group.places.iter().chain(group.pair.iter()));
    for &place in places {
        if spool.is_accepted(place) || spool.severity(place) < fail_on {
            continue;
        }
        let (remedy, title) = spool.keys(place);
        let number = *by_remedy.entry(remedy).or_insert(steps.len());
        // Only what is seen for the first time is read again.
        if titles.insert((number, title)) {
            let finding = spool.get(place)?;
            if number == steps.len() {
                steps.push(Step {
                    severity: finding.severity,
                    remedy: finding.remedy,
                    titles: Vec::new(),
                    place: words::place(&finding.place),
                    findings: 0,
                });
            }
            if let Some(step) = steps.get_mut(number).filter(|step| step.titles.len() < TITLES_SHOWN) {
                step.titles.push(finding.title);
            }
        }
        if let Some(step) = steps.get_mut(number) {
            step.findings = step.findings.saturating_add(1);
        }
    }
    steps.retain(|step| !step.remedy.is_empty());
    steps.sort_by_key(|step| std::cmp::Reverse(step.severity));
    Ok(steps)
}

impl Step {
    /// Name of the severity.
    pub(super) fn severity(&self) -> &'static str {
        words::severity(self.severity)
    }
}
