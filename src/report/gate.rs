//! The gate: may this image leave? Counts what speaks against it and gives the reason for the exit code.

use crate::finding::Finding;
use crate::record::{ExitReason, Summary};
use crate::rules::{Severity, Verdict};

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

/// The gate over one image. Findings pass by one after the other; the summary ends it.
#[derive(Debug)]
pub struct Gate {
    policy: Policy,
    failing: u64,
}

impl Gate {
    /// A gate that nothing has passed.
    pub fn new(policy: Policy) -> Self {
        Self { policy, failing: 0 }
    }

    /// Counts a finding. Known-good ones and ones that are only possible do not fail the gate.
    pub fn count(&mut self, finding: &Finding) {
        let counts = finding.known_good.is_none() && finding.verdict > Verdict::Possible;
        if counts && finding.severity >= self.policy.fail_on {
            self.failing = self.failing.saturating_add(1);
        }
    }

    /// Writes threshold, counts and verdict into the summary of the image.
    pub fn judge(self, summary: &mut Summary) {
        summary.fail_on = Some(self.policy.fail_on);
        summary.failing = self.failing;
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
        let lost = coverage.unread > 0 || ["unread", "opaque", "damaged"].into_iter().any(gaps);
        let cut_short = gaps("limited");
        // Counts that do not add up are an error of this program, which nobody can accept in advance.
        !coverage.is_whole() || (lost && !self.policy.accept_gaps) || (cut_short && self.policy.strict)
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
            Gate { policy, failing }.judge(&mut summary);
            assert_eq!(summary.exit_reason, expected, "{scanned} {unread} {gap:?} {failing} {strict}");
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
