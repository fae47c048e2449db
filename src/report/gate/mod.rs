//! The gate: may this image leave? Counts what speaks against it and gives the reason for the exit code.

mod allow;
mod baseline;

pub use allow::{AllowList, entry};
pub use baseline::Earlier;

use crate::finding::{Baseline, Finding};
use crate::record::{ExitReason, Summary};
use crate::rules::{Severity, Verdict};
use jiff::civil::Date;

/// What lets an image pass.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Severity from which on a finding fails the gate.
    pub fail_on: Severity,
    /// Whether work cut short by a budget and locked archives make a scan incomplete.
    pub strict: bool,
    /// Whether bytes that were not read or not understood, and damaged structures, are accepted.
    pub accept_gaps: bool,
}

/// What is accepted beforehand.
#[derive(Debug)]
pub struct Accepted {
    /// Findings that somebody answers for.
    pub allow: AllowList,
    /// Findings of an earlier scan, where there is one.
    pub earlier: Option<Earlier>,
    /// The day on which allow-list entries must not have expired.
    pub today: Date,
}

impl Accepted {
    /// Marks a finding as allowed, known or new.
    pub fn mark(&mut self, finding: &mut Finding) {
        finding.allowed = self.allow.allows(finding, self.today);
        finding.baseline = self.earlier.as_ref().map(|earlier| earlier.judge(finding));
    }
}

/// The gate over one image. Findings pass by one after the other; the summary ends it.
#[derive(Debug)]
pub struct Gate {
    policy: Policy,
    failing: u64,
    allowed: u64,
    in_baseline: u64,
}

/// Whether a finding fails a gate: bad enough, likely enough, and neither known good nor accepted nor known
/// from the baseline.
pub fn fails(finding: &Finding, fail_on: Severity) -> bool {
    finding.severity >= fail_on
        && finding.verdict > Verdict::Possible
        && finding.known_good.is_none()
        && finding.allowed.is_none()
        && finding.baseline != Some(Baseline::Known)
}

impl Gate {
    /// A gate that nothing has passed.
    pub fn new(policy: Policy) -> Self {
        Self { policy, failing: 0, allowed: 0, in_baseline: 0 }
    }

    /// Counts a finding.
    pub fn count(&mut self, finding: &Finding) {
        let increment = |count: &mut u64, by: bool| *count = count.saturating_add(u64::from(by));
        increment(&mut self.failing, fails(finding, self.policy.fail_on));
        increment(&mut self.allowed, finding.allowed.is_some());
        increment(&mut self.in_baseline, finding.baseline == Some(Baseline::Known));
    }

    /// Writes threshold, counts and verdict into the summary of the image.
    pub fn judge(self, summary: &mut Summary) {
        summary.fail_on = Some(self.policy.fail_on);
        summary.failing = self.failing;
        summary.unchecked = summary.missing_checks().0;
        summary.allowed = self.allowed;
        summary.in_baseline = self.in_baseline;
        summary.exit_reason = if is_unreadable(summary) {
            ExitReason::Unreadable
        } else if self.is_incomplete(summary) {
            ExitReason::Incomplete
        } else if self.failing > 0 {
            ExitReason::Findings
        } else {
            ExitReason::Clean
        };
    }

    fn is_incomplete(&self, summary: &Summary) -> bool {
        let gaps = |kind: &str| summary.gaps.get(kind).is_some_and(|&number| number > 0);
        let coverage = &summary.coverage;
        let (missing, not_made) = summary.missing_checks();
        let lost = missing > 0
            || coverage.unread > 0
            || summary.container.is_some_and(|container| container.unread > 0)
            || ["unread", "opaque", "damaged"].into_iter().any(gaps);
        let cut_short = gaps("limited") || not_made > 0;
        // Counts that do not add up are an error of this program, which nobody can accept in advance.
        let container = summary.container.unwrap_or_default();
        !coverage.is_whole()
            || !container.is_whole()
            || (lost && !self.policy.accept_gaps)
            || (cut_short && self.policy.strict)
    }
}

fn is_unreadable(summary: &Summary) -> bool {
    let coverage = &summary.coverage;
    summary.error.is_some() || coverage.size == 0 || coverage.unread == coverage.size
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::Coverage;
    use crate::leftover::{CheckOutcome, CheckState};

    fn summary(scanned: u64, unread: u64, gap: Option<&str>) -> Summary {
        let coverage =
            Coverage { size: 100, scanned, blank: 100 - scanned - unread, unread, ..Coverage::default() };
        let gaps = gap.into_iter().map(|kind| (kind.to_owned(), 1)).collect();
        Summary { coverage, gaps, ..Summary::default() }
    }

    #[test]
    fn exit_reasons_follow_reading_before_findings() {
        use ExitReason::{Clean, Findings, Incomplete, Unreadable};
        // scanned, unread, gap, failing, strict, accept gaps, expected
        let cases = [
            (50, 0, None, 0, false, false, Clean),
            (50, 0, None, 2, false, false, Findings),
            (50, 10, None, 2, false, false, Incomplete),
            (50, 10, None, 2, false, true, Findings),
            (50, 0, Some("opaque"), 0, false, false, Incomplete),
            (50, 0, Some("opaque"), 0, true, true, Clean),
            (50, 0, Some("limited"), 0, false, false, Clean),
            (50, 0, Some("limited"), 0, true, true, Incomplete),
            (50, 0, Some("damaged"), 0, false, false, Incomplete),
            (50, 0, Some("damaged"), 0, true, true, Clean),
            (0, 100, None, 2, false, true, Unreadable),
        ];
        for (scanned, unread, gap, failing, strict, accept_gaps, expected) in cases {
            let policy = Policy { fail_on: Severity::Medium, strict, accept_gaps };
            let mut summary = summary(scanned, unread, gap);
            Gate { failing, ..Gate::new(policy) }.judge(&mut summary);
            assert_eq!(summary.exit_reason, expected, "{scanned} {unread} {gap:?} {failing} {strict}");
        }
    }

    #[test]
    fn a_check_that_could_not_be_made_is_never_clean() {
        let outcome = |reason: &str, limited| CheckOutcome {
            check: "c".to_owned(),
            item: "i".to_owned(),
            state: CheckState::NotEvaluated { reason: reason.to_owned(), limited },
        };
        // reason, limited, strict, accept gaps, expected
        let cases = [
            ("/etc: damaged", false, false, false, ExitReason::Incomplete),
            ("/etc: damaged", false, false, true, ExitReason::Clean),
            ("not built", true, false, false, ExitReason::Clean),
            ("not built", true, true, false, ExitReason::Incomplete),
            ("not applicable: no Windows system found", false, true, false, ExitReason::Clean),
        ];
        for (reason, limited, strict, accept_gaps, expected) in cases {
            let policy = Policy { fail_on: Severity::Medium, strict, accept_gaps };
            let mut summary = Summary { checks: vec![outcome(reason, limited)], ..summary(50, 0, None) };
            Gate::new(policy).judge(&mut summary);
            assert_eq!(summary.exit_reason, expected, "{reason} {strict} {accept_gaps}");
        }
    }

    #[test]
    fn counts_that_do_not_add_up_are_never_clean() {
        let policy = Policy { fail_on: Severity::Info, strict: false, accept_gaps: true };
        let mut wrong = summary(50, 0, None);
        wrong.coverage.size = 101;
        Gate::new(policy).judge(&mut wrong);
        assert_eq!(wrong.exit_reason, ExitReason::Incomplete);
    }
}
