//! The founding checklist as a table: each item clean, found or not evaluated.

use crate::leftover::{CheckOutcome, CheckState};
use std::collections::BTreeMap;

/// A row of the table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Item {
    /// Name of the item.
    pub name: String,
    /// `found`, `clean` or `not evaluated`.
    pub state: &'static str,
    /// Checks that found something, with their counts.
    pub found: Vec<String>,
    /// Number of checks without a finding.
    pub clean: usize,
    /// Why checks were not evaluated, and how many.
    pub not_evaluated: Vec<String>,
}

/// The items of all checks, in the order of their names. One finding makes an item found; an item is clean
/// when at least one of its checks was made and none found anything.
pub(super) fn items(checks: &[CheckOutcome]) -> Vec<Item> {
    let mut by_item: BTreeMap<&str, Vec<&CheckOutcome>> = BTreeMap::new();
    for outcome in checks {
        by_item.entry(&outcome.item).or_default().push(outcome);
    }
    by_item.into_iter().map(|(name, outcomes)| item(name, &outcomes)).collect()
}

fn item(name: &str, outcomes: &[&CheckOutcome]) -> Item {
    let mut item = Item { name: name.to_owned(), ..Item::default() };
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for outcome in outcomes {
        match &outcome.state {
            CheckState::Clean => item.clean += 1,
            CheckState::Finding { count } => item.found.push(format!("{} ({count})", outcome.check)),
            CheckState::NotEvaluated { reason } => *reasons.entry(reason).or_default() += 1,
        }
    }
    item.not_evaluated = reasons.into_iter().map(|(reason, count)| format!("{count}: {reason}")).collect();
    item.state = match (item.found.is_empty(), item.clean) {
        (false, _) => "found",
        (true, 1..) => "clean",
        (true, 0) => "not evaluated",
    };
    item
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_clean_only_when_a_check_was_made_and_none_found_anything() {
        let outcome = |item: &str, state| CheckOutcome { check: "c".into(), item: item.into(), state };
        let skipped = || CheckState::NotEvaluated { reason: "no system".into() };
        let checks = [
            outcome("a", CheckState::Clean),
            outcome("a", CheckState::Finding { count: 2 }),
            outcome("b", CheckState::Clean),
            outcome("b", skipped()),
            outcome("c", skipped()),
        ];
        let states: Vec<_> = items(&checks).into_iter().map(|item| (item.name, item.state)).collect();
        let expected = [("a", "found"), ("b", "clean"), ("c", "not evaluated")];
        assert_eq!(states, expected.map(|(name, state)| (name.to_owned(), state)));
    }
}
