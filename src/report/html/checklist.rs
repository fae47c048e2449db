//! The founding checklist as a table: each item found, clean or not evaluated.

use super::words;
use crate::finding::Finding;
use crate::leftover::{CheckOutcome, CheckState};
use crate::rules::{Category, Verdict};
use std::collections::BTreeMap;

/// The items of the checklist in its order, then those that this program adds. An item that is not listed
/// stands behind them.
const ORDER: [&str; 11] = [
    "users and passwords",
    "Sysprep",
    "SSH keys",
    "Credential Manager",
    "shell history",
    "temporary files and logs",
    "hard-coded credentials",
    "business data and caches",
    "Sysprep and Windows clean-up",
    "instance identity",
    "image readiness",
];

/// A row of the table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Item {
    /// Name of the item.
    pub name: String,
    /// `found`, `clean` or `not evaluated`.
    pub state: &'static str,
    /// The same as a class of the style sheet.
    pub class: &'static str,
    /// Checks that found something, with their counts.
    pub found: Vec<String>,
    /// Secrets that the sweep found and that belong to the item.
    pub secrets: u64,
    /// Number of checks without a finding.
    pub clean: usize,
    /// Why checks were not evaluated though they should have been, and how many.
    pub not_evaluated: Vec<String>,
    /// The same for checks that are for another sort of system.
    pub not_applicable: Vec<String>,
}

/// Secrets by the item that they belong to.
pub(super) type Secrets = BTreeMap<&'static str, u64>;

/// Counts a finding of the sweep, unless it is known good or no more than possible.
pub(super) fn count(secrets: &mut Secrets, finding: &Finding) {
    let item = match finding.category {
        Category::Leftover => return,
        Category::PrivateKey => "SSH keys",
        Category::PasswordHash => "users and passwords",
        Category::Pii => "business data and caches",
        _ => "hard-coded credentials",
    };
    if finding.known_good.is_none() && finding.verdict > Verdict::Possible {
        let count = secrets.entry(item).or_default();
        *count = count.saturating_add(1);
    }
}

/// The items of all checks. One finding makes an item found; it is clean when checks were made, none of them
/// found anything, and none that should have been made is missing.
pub(super) fn items(checks: &[CheckOutcome], secrets: &Secrets) -> Vec<Item> {
    let rank = |name: &str| ORDER.iter().position(|item| *item == name).unwrap_or(ORDER.len());
    let mut by_item: BTreeMap<(usize, &str), Vec<&CheckOutcome>> = BTreeMap::new();
    for outcome in checks {
        by_item.entry((rank(&outcome.item), &outcome.item)).or_default().push(outcome);
    }
    let of = |name: &str| secrets.get(name).copied().unwrap_or(0);
    by_item.into_iter().map(|((_, name), outcomes)| item(name, &outcomes, of(name))).collect()
}

fn item(name: &str, outcomes: &[&CheckOutcome], secrets: u64) -> Item {
    let mut item = Item { name: name.to_owned(), secrets, ..Item::default() };
    let mut missing: BTreeMap<&str, usize> = BTreeMap::new();
    let mut others: BTreeMap<&str, usize> = BTreeMap::new();
    for outcome in outcomes {
        match &outcome.state {
            CheckState::Clean => item.clean += 1,
            CheckState::Finding { count } => item.found.push(match count {
                1 => outcome.check.clone(),
                more => format!("{} ({})", outcome.check, words::grouped(*more)),
            }),
            CheckState::NotEvaluated { reason, .. } if outcome.state.is_gap() => {
                *missing.entry(reason).or_default() += 1;
            }
            CheckState::NotEvaluated { reason, .. } => *others.entry(reason).or_default() += 1,
        }
    }
    let counted = |reasons: BTreeMap<&str, usize>| -> Vec<String> {
        reasons.into_iter().map(|(reason, count)| format!("{count}: {reason}")).collect()
    };
    (item.state, item.class) = match (item.found.is_empty() && secrets == 0, missing.is_empty(), item.clean) {
        (false, _, _) => ("found", "found"),
        (true, true, 1..) => ("clean", "clean"),
        (true, _, _) => ("not evaluated", "open"),
    };
    item.not_evaluated = counted(missing);
    item.not_applicable = counted(others);
    item
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_clean_only_when_checks_were_made_and_none_is_missing() {
        let outcome = |item: &str, state| CheckOutcome { check: "c".into(), item: item.into(), state };
        let skipped = |reason: &str| CheckState::NotEvaluated { reason: reason.into(), limited: false };
        let other = "not applicable: no Windows system found";
        let checks = [
            outcome("a", CheckState::Clean),
            outcome("a", CheckState::Finding { count: 2 }),
            outcome("b", CheckState::Clean),
            outcome("b", skipped(other)),
            outcome("c", skipped(other)),
            outcome("d", CheckState::Clean),
            outcome("d", skipped("damaged")),
            outcome("SSH keys", CheckState::Clean),
        ];
        let secrets = Secrets::from([("SSH keys", 1)]);
        let states: Vec<_> =
            items(&checks, &secrets).into_iter().map(|item| (item.name, item.state)).collect();
        let expected = [
            ("SSH keys", "found"),
            ("a", "found"),
            ("b", "clean"),
            ("c", "not evaluated"),
            ("d", "not evaluated"),
        ];
        assert_eq!(states, expected.map(|(name, state)| (name.to_owned(), state)));
    }
}
