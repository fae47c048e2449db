//! One self-contained HTML page: the verdict, what to do, the checklist, a map of the disk, all findings.
//!
//! Everything is readable without scripts; a script of a few lines adds search and filters. The page may
//! load nothing and run nothing else: its content-security policy names the digest of that one script.

mod checklist;
mod map;

use super::spool::{Group, Spool};
use super::{Format, Output, Report, Settings, failed, fails, words};
use crate::coverage::Gap;
use crate::error::Result;
use crate::finding::Finding;
use crate::record::{ExitReason, Header, Record, Summary};
use crate::rules::Severity;
use askama::Template;
use checklist::Item;
use map::{Map, Tick};
use sha2::{Digest as _, Sha256};
use std::io::Write as _;

pub(super) const FORMAT: Format = Format {
    name: "html",
    about: "one self-contained page, for people without this program",
    entries: false,
    create,
};

/// The page's only script.
const SCRIPT: &str = include_str!("../templates/report.js");

/// Gaps that are shown one by one.
const GAPS_SHOWN: usize = 200;

/// Blocks of findings with all their details; further ones are one line each.
const BLOCKS_FULL: usize = 5000;

/// Places of one secret that are listed.
const PLACES_SHOWN: usize = 20;

/// Kinds of findings that a step names.
const TITLES_SHOWN: usize = 4;

/// Steps of the list of what to do.
const STEPS_SHOWN: usize = 25;

struct Html {
    out: Output,
    header: Option<Header>,
    spool: Spool,
    gaps: Vec<Gap>,
    ticks: Vec<Tick>,
    started: bool,
    number: usize,
}

#[derive(Template)]
#[template(path = "head.html", config = "src/report/askama.toml")]
struct Head<'a> {
    policy: &'a str,
}

#[derive(Template)]
#[template(path = "image.html", config = "src/report/askama.toml")]
struct ImagePart<'a> {
    number: usize,
    summary: &'a Summary,
    header: &'a Header,
    decision: String,
    good: bool,
    steps: Vec<Step>,
    more_steps: usize,
    items: Vec<Item>,
    map: Map,
    gaps: &'a [Gap],
    more_gaps: u64,
    counts: Vec<(&'static str, u64)>,
}

/// Something to do, and what it settles.
struct Step {
    severity: &'static str,
    remedy: String,
    titles: Vec<String>,
    findings: usize,
}

#[derive(Template)]
#[template(path = "finding.html", config = "src/report/askama.toml")]
struct Block<'a> {
    severity: &'static str,
    first: &'a Finding,
    place: String,
    facts: String,
    accepted: Option<(&'static str, &'a str)>,
    fails: bool,
    pair: Option<(&'a Finding, String)>,
    others: Vec<String>,
    more: usize,
}

#[derive(Template)]
#[template(path = "line.html", config = "src/report/askama.toml")]
struct Line<'a> {
    severity: &'static str,
    title: &'a str,
    rule: &'a str,
    place: String,
    places: usize,
}

#[derive(Template)]
#[template(path = "foot.html", config = "src/report/askama.toml")]
struct Foot<'a> {
    script: &'a str,
}

fn create(out: Output, _settings: &Settings) -> Result<Box<dyn Report>> {
    let (gaps, ticks) = (Vec::new(), Vec::new());
    Ok(Box::new(Html { out, header: None, spool: Spool::new()?, gaps, ticks, started: false, number: 0 }))
}

impl Report for Html {
    fn write(&mut self, record: &Record<'_>) -> Result<()> {
        match record {
            Record::Scan(header) => self.header = Some((*header).clone()),
            Record::Finding(finding) => {
                self.ticks.extend(Tick::of(finding));
                self.spool.push(finding)?;
            }
            Record::Gap(gap) if self.gaps.len() < GAPS_SHOWN => self.gaps.push((*gap).clone()),
            Record::Gap(_) => {}
            Record::Summary(summary) => self.image(summary)?,
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.start()?;
        self.render(&Foot { script: SCRIPT })?;
        self.out.flush().map_err(failed)
    }
}

impl Html {
    fn start(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.started, true) {
            return Ok(());
        }
        let digest = data_encoding::BASE64.encode(&Sha256::digest(SCRIPT.as_bytes()));
        let policy = format!(
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        );
        self.render(&Head { policy: &policy })
    }

    fn image(&mut self, summary: &Summary) -> Result<()> {
        self.start()?;
        self.number += 1;
        let mut spool = std::mem::replace(&mut self.spool, Spool::new()?);
        let header = self.header.take().unwrap_or_default();
        let gaps = std::mem::take(&mut self.gaps);
        let ticks = std::mem::take(&mut self.ticks);
        let groups = spool.groups();
        let fail_on = summary.fail_on.unwrap_or(Severity::Info);
        let mut steps = steps(&mut spool, &groups, fail_on)?;
        let more_steps = steps.len().saturating_sub(STEPS_SHOWN);
        steps.truncate(STEPS_SHOWN);
        let all_gaps: u64 = summary.gaps.values().sum();
        let shown = u64::try_from(gaps.len()).unwrap_or(u64::MAX);
        let counts = words::SEVERITIES.map(|severity| {
            let name = words::severity(severity);
            (name, summary.by_severity.get(name).copied().unwrap_or(0))
        });
        self.render(&ImagePart {
            number: self.number,
            summary,
            header: &header,
            decision: words::decision(summary),
            good: summary.exit_reason == ExitReason::Clean,
            steps,
            more_steps,
            items: checklist::items(&summary.checks),
            map: Map::new(&header, summary, &gaps, &ticks),
            gaps: &gaps,
            more_gaps: all_gaps.saturating_sub(shown),
            counts: counts.to_vec(),
        })?;
        for (number, group) in groups.iter().enumerate() {
            self.group(&mut spool, group, (number < BLOCKS_FULL).then_some(fail_on))?;
        }
        self.out.write_all(b"</section></main>\n").map_err(failed)
    }

    /// A group of findings: with all details where there is a threshold to tell, else in one line.
    fn group(&mut self, spool: &mut Spool, group: &Group, fail_on: Option<Severity>) -> Result<()> {
        let Some((&first, others)) = group.places.split_first() else { return Ok(()) };
        let first = spool.get(first)?;
        let place = words::place(&first.place);
        let severity = words::severity(group.severity);
        let Some(fail_on) = fail_on else {
            let (title, rule, places) = (first.title.as_str(), first.rule.as_str(), group.places.len());
            return self.render(&Line { severity, title, rule, place, places });
        };
        let pair = group.pair.map(|pair| spool.get(pair)).transpose()?;
        let mut listed = Vec::new();
        for &other in others.iter().take(PLACES_SHOWN) {
            let other = spool.get(other)?;
            let state = other.place.state.map(words::state_phrase).unwrap_or_default();
            let fact = other.evidence.first().filter(|_| other.fingerprint.is_none());
            let rule = format!("{}, {}", other.title, other.rule);
            let detail = if other.rule == first.rule { fact.map_or(state, String::as_str) } else { &rule };
            listed.push(format!("{} ({detail})", words::place(&other.place)));
        }
        let accepted = match (&first.allowed, &first.known_good) {
            (Some(reason), _) => Some(("allowed", reason.as_str())),
            (None, Some(reason)) => Some(("known good", reason.as_str())),
            (None, None) => None,
        };
        self.render(&Block {
            severity,
            place,
            facts: words::circumstances(&first).join(" · "),
            accepted,
            fails: fails(&first, fail_on),
            pair: pair.as_ref().map(|pair| (pair, words::place(&pair.place))),
            others: listed,
            more: others.len().saturating_sub(PLACES_SHOWN),
            first: &first,
        })
    }

    fn render(&mut self, template: &impl Template) -> Result<()> {
        let text = template.render().map_err(|error| failed(std::io::Error::other(error)))?;
        writeln!(self.out, "{text}").map_err(failed)
    }
}

/// The remedies of what fails the gate, in the order of their severity, each once.
fn steps(spool: &mut Spool, groups: &[Group], fail_on: Severity) -> Result<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    for group in groups.iter().filter(|group| group.severity >= fail_on).take(BLOCKS_FULL) {
        for &place in group.places.iter().take(PLACES_SHOWN) {
            let finding = spool.get(place)?;
            if fails(&finding, fail_on) && !finding.remedy.is_empty() {
                add_step(&mut steps, finding);
            }
        }
    }
    Ok(steps)
}

/// Adds what a finding asks for to the step that asks for the same, or as a step of its own.
fn add_step(steps: &mut Vec<Step>, finding: Finding) {
    match steps.iter_mut().find(|step| step.remedy == finding.remedy) {
        Some(step) => {
            step.findings += 1;
            if !step.titles.contains(&finding.title) && step.titles.len() < TITLES_SHOWN {
                step.titles.push(finding.title);
            }
        }
        None => steps.push(Step {
            severity: words::severity(finding.severity),
            remedy: finding.remedy,
            titles: vec![finding.title],
            findings: 1,
        }),
    }
}

/// Filters for the templates.
#[allow(unreachable_pub, reason = "the macro makes its types public")]
mod filters {
    use askama::{Result, Values};
    use std::fmt::Display;

    /// Text without characters that could mislead; the template escapes the rest.
    #[askama::filter_fn]
    pub(super) fn plain(text: impl Display, _values: &dyn Values) -> Result<String> {
        Ok(crate::location::harmless(&text.to_string()).into_owned())
    }

    /// Bytes with a binary prefix.
    #[askama::filter_fn]
    pub(super) fn size(bytes: &u64, _values: &dyn Values) -> Result<String> {
        Ok(crate::report::words::size(*bytes))
    }

    /// A number in groups of three digits.
    #[askama::filter_fn]
    pub(super) fn grouped(number: &u64, _values: &dyn Values) -> Result<String> {
        Ok(crate::report::words::grouped(*number))
    }
}
