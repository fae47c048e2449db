//! Secrets and leftovers that are the same bytes become one finding that names both.
//!
//! The rule that found the secret says what it is and where its bytes lie on the disk, the check says what the
//! place means and how to clean it. The finding of the rule stays, with the check's name, title and remedy.

use crate::finding::{Finding, Secret};
use crate::location::State;
use std::collections::HashMap;

/// A check may point at the line or block around its secret: the secret starts at most this far behind.
const REACH: u64 = 4096;

/// Findings, with an index of those that have a secret in a file in use.
pub(super) struct Twins {
    findings: Vec<Finding>,
    by_file: HashMap<(String, u64), Vec<usize>>,
}

impl Twins {
    /// The findings of the rules.
    pub(super) fn new(findings: Vec<Finding>) -> Self {
        let mut twins = Self { findings: Vec::with_capacity(findings.len()), by_file: HashMap::new() };
        findings.into_iter().for_each(|finding| twins.push(finding));
        twins
    }

    fn push(&mut self, finding: Finding) {
        if let Some(key) = key(&finding) {
            self.by_file.entry(key).or_default().push(self.findings.len());
        }
        self.findings.push(finding);
    }

    /// Adds the finding of a check: to the finding that has its secret, where there is one. A leftover that is
    /// a whole file stays its own, whatever secrets the file holds.
    pub(super) fn add(&mut self, finding: Finding, is_about_file: bool) {
        if is_about_file {
            self.findings.push(finding);
            return;
        }
        let near = key(&finding).and_then(|key| self.by_file.get(&key));
        let twin = near.and_then(|near| {
            let is_twin =
                |&&index: &&usize| self.findings.get(index).is_some_and(|own| is_same(own, &finding));
            near.iter().find(is_twin).copied()
        });
        match twin.and_then(|index| self.findings.get_mut(index)) {
            Some(twin) => join(twin, &finding),
            None => self.push(finding),
        }
    }

    /// All findings.
    pub(super) fn finish(self) -> Vec<Finding> {
        self.findings
    }
}

/// The file whose content the secret stands in.
fn key(finding: &Finding) -> Option<(String, u64)> {
    let place = &finding.place;
    let is_content =
        place.state == Some(State::Allocated) && place.stream.is_none() && place.member.is_none();
    let has_secret = finding.secret.is_some() && place.file_offset.is_some();
    Some((place.volume.clone(), place.inode.filter(|_| is_content && has_secret)?))
}

/// Whether the check points at the secret of the other finding.
fn is_same(own: &Finding, check: &Finding) -> bool {
    let (Some(at), Some(from)) = (own.place.file_offset, check.place.file_offset) else { return false };
    let (Some(one), Some(other)) = (&own.secret, &check.secret) else { return false };
    let (one, other) = (Secret::expose(one), Secret::expose(other));
    let length = u64::try_from(other.len()).unwrap_or(u64::MAX);
    let is_near = at.abs_diff(from) <= REACH || (from..from.saturating_add(length)).contains(&at);
    is_near && (holds(one, other) || holds(other, one))
}

/// Whether `part` stands in `whole`. White space at the ends does not count: blocks end with or without a
/// line end.
fn holds(whole: &[u8], part: &[u8]) -> bool {
    let part = part.trim_ascii();
    !part.is_empty() && whole.windows(part.len()).any(|window| window == part)
}

fn join(finding: &mut Finding, check: &Finding) {
    if finding.rule == check.rule || finding.checks.contains(&check.rule) {
        return;
    }
    finding.checks.push(check.rule.clone());
    finding.evidence.push(format!("check {}: {}", check.rule, check.title));
    let fresh: Vec<String> =
        check.evidence.iter().filter(|line| !finding.evidence.contains(line)).cloned().collect();
    finding.evidence.extend(fresh);
    finding.severity = finding.severity.max(check.severity);
    if finding.remedy.is_empty() {
        finding.remedy.clone_from(&check.remedy);
    } else if !check.remedy.is_empty() && !finding.remedy.contains(&check.remedy) {
        finding.remedy = format!("{}; {}", check.remedy, finding.remedy);
    }
}
