//! What the findings of a scan say of the checks: those that only a scan can answer (secrets in files, and in
//! what was deleted), and those whose findings all turned out to be known good.

use super::{Options, Outcome};
use crate::coverage::GapKind;
use crate::finding::Finding;
use crate::leftover::{Catalogue, CheckState, Within};
use crate::location::State;
use crate::rules::Category;
use std::collections::HashMap;

/// Why such a check is not evaluated when rules were left out.
const PARTIAL: &str = "not applicable: only some rules were asked for";

/// A check that found only what packages brought is clean.
pub(super) fn excuse(outcome: &mut Outcome, findings: &[Finding]) {
    let mut good: HashMap<&str, u64> = HashMap::new();
    for finding in findings.iter().filter(|finding| finding.known_good.is_some()) {
        for check in finding.checks.iter().chain([&finding.rule]) {
            *good.entry(check).or_default() += 1;
        }
    }
    for answer in &mut outcome.checks {
        let CheckState::Finding { count } = &mut answer.state else { continue };
        *count = count.saturating_sub(good.get(answer.check.as_str()).copied().unwrap_or(0));
        if *count == 0 {
            answer.state = CheckState::Clean;
        }
    }
}

/// Sets the state of the checks that only a scan can answer. Bytes that were not read keep a check without
/// findings from being clean.
pub(super) fn give(catalogue: &Catalogue, options: &Options, outcome: &mut Outcome, findings: &[Finding]) {
    let is_partial = !options.only.is_empty() || !options.skip.is_empty();
    let lost = outcome.gaps.iter().find(|gap| gap.kind != GapKind::Limited).map(|gap| gap.reason.clone());
    let has_systems = !outcome.checks.iter().all(|one| matches!(one.state, CheckState::NotEvaluated { .. }));
    for (check, answer) in catalogue.checks().iter().zip(&mut outcome.checks) {
        let Some(within) = check.within.filter(|_| answer.check == check.id) else { continue };
        let count = findings.iter().filter(|finding| counts(finding, within)).count();
        answer.state = match (count, &lost) {
            // Whoever asks for some rules only knows nothing of the others.
            (0, _) if is_partial => CheckState::NotEvaluated { reason: PARTIAL.to_owned(), limited: false },
            (0, Some(reason)) => CheckState::NotEvaluated { reason: reason.clone(), limited: false },
            (0, None) if !has_systems && within == Within::Files => continue,
            (0, None) => CheckState::Clean,
            (count, _) => CheckState::Finding { count: u64::try_from(count).unwrap_or(u64::MAX) },
        };
    }
}

fn counts(finding: &Finding, within: Within) -> bool {
    let is_live = matches!(finding.place.state, Some(State::Allocated | State::Orphan | State::Swap));
    let is_secret = finding.category != Category::Leftover && finding.known_good.is_none();
    is_secret && is_live == (within == Within::Files)
}
