//! What a walk finds, check by check: leftovers, sums over directories, and what could not be looked at.

use super::catalogue::{Check, Checks, Look, Report};
use super::conditions::Found;
use super::hit::Hit;
use super::tree::Spot;
use super::{CheckOutcome, CheckState, Leftover};
use crate::error::{Error, Kind};
use crate::location::escape;
use crate::rules::Severity;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Leftovers of one check that are given one by one; the rest is counted.
const FINDINGS_MAX: u64 = 1000;
/// Directories of one check that are summed up apart.
const SUMS_MAX: usize = 1000;
/// Names of files that a sum gives as examples.
const EXAMPLES: usize = 3;

/// Everything found so far.
#[derive(Debug)]
pub(crate) struct Collector<'c> {
    checks: &'c Checks,
    tallies: Vec<Tally>,
    leftovers: Vec<Leftover>,
}

/// What tells two leftovers of one check apart: source, entry, place, and the facts where no place does.
type Key = (usize, u64, Option<(u64, u64)>, String);

/// What is known of one check.
#[derive(Debug, Default)]
struct Tally {
    looked: bool,
    count: u64,
    problem: Option<String>,
    problems: u64,
    /// Problems that are more than a limit of this program.
    losses: u64,
    sums: BTreeMap<(usize, Vec<u8>), Sum>,
    reported: BTreeSet<Key>,
}

/// Entries below a directory.
#[derive(Debug)]
struct Sum {
    base: Spot,
    severity: Severity,
    count: u64,
    bytes: u64,
    oldest: Option<Timestamp>,
    newest: Option<Timestamp>,
    largest: Vec<(u64, Vec<u8>)>,
}

impl<'c> Collector<'c> {
    pub(crate) fn new(checks: &'c Checks) -> Self {
        let tallies = checks.checks.iter().map(|_| Tally::default()).collect();
        Self { checks, tallies, leftovers: Vec::new() }
    }

    fn tally(&mut self, look: usize) -> Option<&mut Tally> {
        let check = self.checks.looks.get(look)?.check;
        self.tallies.get_mut(check)
    }

    /// Says that a look was taken in a system that it is for.
    pub(crate) fn looked(&mut self, look: usize) {
        if let Some(tally) = self.tally(look) {
            tally.looked = true;
        }
    }

    /// Says that something that a look needs could not be read.
    pub(crate) fn problem(&mut self, look: usize, what: &str) {
        self.note(look, what, false);
    }

    fn note(&mut self, look: usize, what: &str, limited: bool) {
        if let Some(tally) = self.tally(look) {
            tally.losses = tally.losses.saturating_add(u64::from(!limited));
            tally.problems = tally.problems.saturating_add(1);
            tally.problem.get_or_insert_with(|| what.to_owned());
        }
    }

    /// As [`problem`](Self::problem), for a path.
    pub(crate) fn unreadable(&mut self, look: usize, path: &[u8], error: &Error) {
        self.note(look, &format!("{}: {error}", escape(path)), error.kind() == Kind::LimitExceeded);
    }

    /// Takes what a condition found at a hit; `base` is the directory that the pattern names.
    pub(crate) fn take(&mut self, look: usize, base: &Spot, hit: &Hit<'_>, found: Vec<Found>) {
        let checks = self.checks;
        let Some(place) = checks.looks.get(look) else { return };
        let Some(check) = checks.checks.get(place.check) else { return };
        for one in found {
            match place.report {
                Report::Each => self.take_one(place, check, hit, one),
                Report::Directory => self.add_up(place, check, base, hit, &one),
            }
        }
    }

    /// Takes what a condition says of a whole system.
    pub(crate) fn take_whole(&mut self, look: usize, root: &Spot, found: Found) {
        let checks = self.checks;
        let Some(place) = checks.looks.get(look) else { return };
        let Some(check) = checks.checks.get(place.check) else { return };
        let Some(tally) = self.tallies.get_mut(place.check) else { return };
        tally.count += 1;
        if tally.count > FINDINGS_MAX {
            return;
        }
        let severity = level(check, place, &found);
        self.leftovers.push(leftover(check, root, severity, found));
    }

    fn take_one(&mut self, look: &Look, check: &Check, hit: &Hit<'_>, mut found: Found) {
        let Some(tally) = self.tallies.get_mut(look.check) else { return };
        let facts = if found.place.is_none() { found.evidence.join("\n") } else { String::new() };
        let key = (hit.spot.node.source, hit.spot.node.id.0, found.place, facts);
        if tally.reported.contains(&key) {
            return;
        }
        tally.count += 1;
        if tally.count > FINDINGS_MAX {
            return;
        }
        tally.reported.insert(key);
        found.evidence.extend(circumstances(hit));
        let severity = level(check, look, &found);
        self.leftovers.push(leftover(check, hit.spot, severity, found));
    }

    fn add_up(&mut self, look: &Look, check: &Check, base: &Spot, hit: &Hit<'_>, found: &Found) {
        let Some(tally) = self.tallies.get_mut(look.check) else { return };
        let key = (base.node.source, base.path.clone());
        if tally.sums.len() >= SUMS_MAX && !tally.sums.contains_key(&key) {
            tally.count += 1;
            return;
        }
        let severity = level(check, look, found);
        let sum = tally.sums.entry(key).or_insert_with(|| Sum {
            base: base.clone(),
            severity,
            count: 0,
            bytes: 0,
            oldest: None,
            newest: None,
            largest: Vec::new(),
        });
        sum.add(hit, severity);
    }

    /// Ends one site: sums become leftovers.
    pub(crate) fn end_site(&mut self) {
        for (tally, check) in self.tallies.iter_mut().zip(&self.checks.checks) {
            for sum in std::mem::take(&mut tally.sums).into_values() {
                tally.count += 1;
                self.leftovers.push(sum.leftover(check));
            }
            tally.reported.clear();
        }
    }

    /// All leftovers in a stable order, and how each check ended.
    pub(crate) fn finish(mut self, systems: &[&str]) -> (Vec<Leftover>, Vec<CheckOutcome>) {
        self.leftovers.sort_by(|one, other| {
            (one.source, &one.path, one.place, &one.check, &one.title).cmp(&(
                other.source,
                &other.path,
                other.place,
                &other.check,
                &other.title,
            ))
        });
        let pending: BTreeMap<usize, &str> =
            self.checks.looks.iter().filter_map(|look| Some((look.check, look.pending?))).collect();
        let outcomes = self.checks.checks.iter().zip(&self.tallies).enumerate();
        let outcomes = outcomes.map(|(index, (check, tally))| CheckOutcome {
            check: check.id.clone(),
            item: check.item.clone(),
            state: state(check, tally, pending.get(&index).copied(), systems),
        });
        (self.leftovers, outcomes.collect())
    }
}

/// How a check ended. What could not be looked at is never clean.
fn state(check: &Check, tally: &Tally, pending: Option<&str>, systems: &[&str]) -> CheckState {
    if tally.count > 0 {
        return CheckState::Finding { count: tally.count };
    }
    let mut limited = false;
    let reason = if let Some(problem) = &tally.problem {
        limited = tally.losses == 0;
        match tally.problems {
            1 => problem.clone(),
            more => format!("{problem} (and {} more)", more - 1),
        }
    } else if let (Some(reason), true) = (pending, tally.looked) {
        // A condition that is not there at all says so itself.
        limited = true;
        reason.to_owned()
    } else if !tally.looked {
        let wanted = match (check.linux.is_empty(), check.windows.is_empty()) {
            (false, true) => "Linux",
            (true, false) => "Windows",
            _ => "Linux or Windows",
        };
        let found = if systems.is_empty() { "none".to_owned() } else { systems.join(", ") };
        format!("{} no {wanted} system found (found: {found})", super::NOT_APPLICABLE)
    } else {
        return CheckState::Clean;
    };
    CheckState::NotEvaluated { reason, limited }
}

/// Severity: that of the case, else that of the look, else that of the check.
fn level(check: &Check, look: &Look, found: &Found) -> Severity {
    let case = found.case.and_then(|case| check.levels.get(case)).copied();
    case.or(look.severity).unwrap_or(check.severity)
}

fn leftover(check: &Check, spot: &Spot, severity: Severity, found: Found) -> Leftover {
    let title = if found.detail.is_empty() {
        check.title.clone()
    } else {
        format!("{}: {}", check.title, shorten(&escape(&found.detail)))
    };
    let remedy = match check.rotate.as_str() {
        "" => check.remedy.clone(),
        rotate => format!("{}; then {rotate}", check.remedy),
    };
    Leftover {
        source: spot.node.source,
        check: check.id.clone(),
        title,
        severity,
        entry: spot.node.id,
        path: spot.path.clone(),
        place: found.place,
        evidence: found.evidence,
        remedy,
        secret: found.secret,
        is_about_file: found.is_about_file,
    }
}

/// A title stays on one line of a terminal.
fn shorten(text: &str) -> String {
    const CHARACTERS: usize = 80;
    if text.chars().count() <= CHARACTERS {
        return text.to_owned();
    }
    text.chars().take(CHARACTERS - 1).chain(['…']).collect()
}

/// Owner and links of a hit.
pub(crate) fn circumstances(hit: &Hit<'_>) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(uid) = hit.entry.owner.uid {
        let name = hit.system.user_name(uid).map_or_else(|| "unknown user".to_owned(), escape);
        out.push(format!("owner: {name} (uid {uid})"));
    }
    if hit.link.is_some() {
        out.push(format!("linked from: {}", escape(hit.seen)));
    } else if hit.seen != hit.spot.path {
        out.push(format!("seen as: {}", escape(hit.seen)));
    }
    out
}

impl Sum {
    fn add(&mut self, hit: &Hit<'_>, severity: Severity) {
        self.severity = self.severity.max(severity);
        self.count += 1;
        let size = hit.entry.size();
        self.bytes = self.bytes.saturating_add(size);
        if let Some(time) = hit.entry.times.modified {
            self.oldest = Some(self.oldest.map_or(time, |oldest| oldest.min(time)));
            self.newest = Some(self.newest.map_or(time, |newest| newest.max(time)));
        }
        let is_large = self.largest.len() < EXAMPLES || self.largest.iter().any(|(other, _)| *other < size);
        if is_large {
            self.largest.push((size, hit.spot.path.clone()));
            self.largest.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
            self.largest.truncate(EXAMPLES);
        }
    }

    fn leftover(self, check: &Check) -> Leftover {
        let mut evidence = vec![format!("entries: {}", self.count), format!("size: {} bytes", self.bytes)];
        for (name, time) in [("oldest", self.oldest), ("newest", self.newest)] {
            evidence.extend(time.map(|time| format!("{name}: {time}")));
        }
        let names = self.largest.iter();
        evidence.extend(names.map(|(size, path)| format!("holds: {} ({size} bytes)", escape(path))));
        let found = Found { evidence, ..Found::default() };
        leftover(check, &self.base, self.severity, found)
    }
}
