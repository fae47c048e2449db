//! JUnit XML, for build servers: a suite an image, a case a finding, a case a check without findings.

use super::spool::Spool;
use super::{Format, Output, Report, Settings, failed, fails, words};
use crate::error::Result;
use crate::leftover::CheckState;
use crate::location::harmless;
use crate::record::{ExitReason, Record, Summary};
use crate::rules::Severity;
use askama::Template;
use std::io::Write as _;

pub(super) const FORMAT: Format =
    Format { name: "junit", about: "JUnit XML, for build servers", entries: false, create };

struct Junit {
    out: Output,
    spool: Spool,
}

/// The start of a suite, with the counts that stand there.
#[derive(Template)]
#[template(path = "junit_suite.xml", config = "src/report/askama.toml")]
struct Suite<'a> {
    name: &'a str,
    tests: u64,
    failures: u64,
    skipped: u64,
    error: Option<String>,
    /// What keeps the case that everything was read from being passed without being an error.
    limits: Option<String>,
}

/// A test case.
#[derive(Template)]
#[template(path = "junit_case.xml", config = "src/report/askama.toml")]
struct Case<'a> {
    class: &'a str,
    name: String,
    failure: Option<String>,
    skipped: Option<String>,
    output: String,
}

fn create(mut out: Output, _settings: &Settings) -> Result<Box<dyn Report>> {
    out.write_all(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"residue\">\n")
        .map_err(failed)?;
    Ok(Box::new(Junit { out, spool: Spool::new()? }))
}

impl Report for Junit {
    fn write(&mut self, record: &Record<'_>) -> Result<()> {
        match record {
            Record::Finding(finding) => self.spool.push(finding),
            Record::Summary(summary) => self.suite(summary),
            _ => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<()> {
        self.out.write_all(b"</testsuites>\n").map_err(failed)?;
        self.out.flush().map_err(failed)
    }
}

impl Junit {
    fn suite(&mut self, summary: &Summary) -> Result<()> {
        let mut spool = std::mem::replace(&mut self.spool, Spool::new()?);
        let findings = u64::try_from(spool.len()).unwrap_or(u64::MAX);
        let checks: Vec<_> = summary
            .checks
            .iter()
            .filter(|outcome| !matches!(outcome.state, CheckState::Finding { .. }))
            .collect();
        let not_evaluated =
            checks.iter().filter(|outcome| matches!(outcome.state, CheckState::NotEvaluated { .. })).count();
        let error = match summary.exit_reason {
            ExitReason::Incomplete | ExitReason::Unreadable => Some(words::decision(summary)),
            ExitReason::Clean | ExitReason::Findings => None,
        };
        let limits = error.is_none().then(|| words::reservations(summary)).flatten();
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let image = harmless(&summary.image);
        let suite = Suite {
            name: &image,
            tests: findings.saturating_add(number(checks.len())).saturating_add(1),
            failures: summary.failing,
            skipped: findings
                .saturating_sub(summary.failing)
                .saturating_add(number(not_evaluated))
                .saturating_add(u64::from(limits.is_some())),
            error,
            limits,
        };
        self.render(&suite)?;
        for outcome in checks {
            let skipped = match &outcome.state {
                CheckState::NotEvaluated { reason, .. } => {
                    Some(format!("not evaluated: {}", harmless(reason)))
                }
                _ => None,
            };
            let name = harmless(&outcome.check).into_owned();
            self.render(&Case { class: "checks", name, failure: None, skipped, output: String::new() })?;
        }
        for number in 0..spool.len() {
            self.finding(&mut spool, number, summary.fail_on.unwrap_or(Severity::Info))?;
        }
        self.out.write_all(b"  </testsuite>\n").map_err(failed)
    }

    fn finding(&mut self, spool: &mut Spool, number: usize, fail_on: Severity) -> Result<()> {
        let finding = spool.get(number)?;
        let title = format!("{}: {}", words::severity(finding.severity), harmless(&finding.title));
        let failed = fails(&finding, fail_on);
        let accepted = match (&finding.allowed, &finding.known_good) {
            (Some(reason), _) => format!(" (allowed: {})", harmless(reason)),
            (None, Some(reason)) => format!(" (known good: {})", harmless(reason)),
            (None, None) => String::new(),
        };
        let mut output = words::circumstances(&finding);
        output.extend(finding.secret_masked.iter().map(|masked| format!("secret: {masked}")));
        output.extend(finding.evidence.iter().cloned());
        output.push(format!("remedy: {}", finding.remedy));
        output.push(format!("id: {}", finding.id));
        let output: Vec<_> = output.iter().map(|line| harmless(line)).collect();
        let rule = harmless(&finding.rule);
        self.render(&Case {
            class: &rule,
            name: harmless(&words::place(&finding.place)).into_owned(),
            failure: failed.then(|| title.clone()),
            skipped: (!failed).then(|| format!("{title}{accepted}")),
            output: output.join("\n"),
        })
    }

    fn render(&mut self, template: &impl Template) -> Result<()> {
        let text = template.render().map_err(|error| failed(std::io::Error::other(error)))?;
        writeln!(self.out, "{text}").map_err(failed)
    }
}
