//! Secrets and leftovers that are the same bytes become one finding that names both.
//!
//! The rule that found the secret says what it is and where its bytes lie on the disk, the check says what the
//! place means and how to clean it. The finding of the rule stays, with the check's name, title and remedy.

use crate::finding::Finding;
use crate::location::State;
use std::collections::HashMap;

/// A check may point at the line or block around its secret: the secret starts at most this far behind.
const REACH: u64 = 1024;

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
        let near =
            key(&finding).and_then(|key| self.by_file.get(&key)).map(Vec::as_slice).unwrap_or_default();
        // The same secret may stand in a file several times: the nearest place is the one meant.
        let twin = near
            .iter()
            .filter_map(|&index| Some((distance(self.findings.get(index)?, &finding)?, index)))
            .min()
            .map(|(_, index)| index);
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

/// How far the secret of a finding is from where the check points, when it is the secret that the check means.
/// What a check says twice, it says of two places.
fn distance(own: &Finding, check: &Finding) -> Option<u64> {
    let (at, from) = (own.place.file_offset?, check.place.file_offset?);
    let (one, other) = (own.secret.as_ref()?.expose(), check.secret.as_ref()?.expose());
    let is_said = own.rule == check.rule || own.checks.contains(&check.rule);
    let is_near = at.abs_diff(from) <= REACH;
    (!is_said && is_near && (holds(one, other) || holds(other, one))).then(|| at.abs_diff(from))
}

/// Whether `part` stands in `whole`. White space at the ends does not count: blocks end with or without a
/// line end.
fn holds(whole: &[u8], part: &[u8]) -> bool {
    let part = part.trim_ascii();
    !part.is_empty() && whole.windows(part.len()).any(|window| window == part)
}

fn join(finding: &mut Finding, check: &Finding) {
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
