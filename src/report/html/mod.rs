//! One self-contained HTML page: the verdict, what to do, the checklist, a map of the disk, all findings.
//!
//! Everything is readable without scripts; a script of a few lines adds search and filters. The page may
//! load nothing and run nothing else: its content-security policy names the digest of that one script.

mod checklist;
mod map;
mod steps;

use super::spool::{Group, Spool};
use super::{Format, Output, Report, Settings, failed, fails, words};
use crate::coverage::Gap;
use crate::error::Result;
use crate::finding::Finding;
use crate::record::{DiskMap, ExitReason, Header, Record, Summary};
use crate::rules::Severity;
use askama::Template;
use checklist::Item;
use map::{Map, Tick};
use sha2::{Digest as _, Sha256};
use std::io::Write as _;
use steps::Step;

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

/// Blocks and lines that a browser lays out together.
const CHUNK: usize = 50;

/// Places of one secret that are listed.
const PLACES_SHOWN: usize = 20;

/// Steps of the list of what to do.
const STEPS_SHOWN: usize = 25;

struct Html {
    out: Output,
    header: Option<Header>,
    spool: Spool,
    gaps: Vec<Gap>,
    map: Option<DiskMap>,
    ticks: Vec<Tick>,
    secrets: checklist::Secrets,
    started: bool,
    number: usize,
}

#[derive(Template)]
#[template(path = "head.html", config = "src/report/askama.toml")]
struct Head<'a> {
    policy: &'a str,
    image: &'a str,
}

#[derive(Template)]
#[template(path = "image.html", config = "src/report/askama.toml")]
struct ImagePart<'a> {
    number: usize,
    summary: &'a Summary,
    header: &'a Header,
    verdict: &'a str,
    sentence: String,
    class: &'static str,
    steps: Vec<Step>,
    more_steps: usize,
    items: Vec<Item>,
    map: Map,
    gaps: &'a [Gap],
    more_gaps: u64,
    counts: Vec<(&'static str, u64)>,
    zones: Vec<(&'static str, &'static str)>,
    total: u64,
}

#[derive(Template)]
#[template(path = "finding.html", config = "src/report/askama.toml")]
struct Block<'a> {
    severity: &'static str,
    zone: &'static str,
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
    zone: &'static str,
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
    let (header, map, spool) = (None, None, Spool::new()?);
    let secrets = checklist::Secrets::new();
    Ok(Box::new(Html { out, header, spool, gaps, map, ticks, secrets, started: false, number: 0 }))
}

impl Report for Html {
    fn write(&mut self, record: &Record<'_>) -> Result<()> {
        match record {
            Record::Scan(header) => self.header = Some((*header).clone()),
            Record::Finding(finding) => {
                self.ticks.push(Tick::of(finding));
                checklist::count(&mut self.secrets, finding);
                self.spool.push(finding)?;
            }
            Record::Gap(gap) if self.gaps.len() < GAPS_SHOWN => self.gaps.push((*gap).clone()),
            Record::Map(map) => self.map = Some((*map).clone()),
            Record::Gap(_) | Record::Key(_) | Record::History(_) => {}
            Record::Summary(summary) => self.image(summary)?,
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.start("")?;
        self.render(&Foot { script: SCRIPT })?;
        self.out.flush().map_err(failed)
    }
}

impl Html {
    fn start(&mut self, image: &str) -> Result<()> {
        if std::mem::replace(&mut self.started, true) {
            return Ok(());
        }
        let digest = data_encoding::BASE64.encode(&Sha256::digest(SCRIPT.as_bytes()));
        let policy = format!(
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        );
        self.render(&Head { policy: &policy, image })
    }

    fn image(&mut self, summary: &Summary) -> Result<()> {
        self.start(&summary.image)?;
        self.number += 1;
        let mut spool = std::mem::replace(&mut self.spool, Spool::new()?);
        let header = self.header.take().unwrap_or_default();
        let gaps = std::mem::take(&mut self.gaps);
        let ticks = std::mem::take(&mut self.ticks);
        let groups = spool.groups();
        let fail_on = summary.fail_on.unwrap_or(Severity::Info);
        let secrets = std::mem::take(&mut self.secrets);
        let map = self.map.take().unwrap_or_default();
        let mut steps = steps::steps(&mut spool, &groups, fail_on)?;
        let more_steps = steps.len().saturating_sub(STEPS_SHOWN);
        steps.truncate(STEPS_SHOWN);
        let all_gaps: u64 = summary.gaps.values().sum();
        let shown = u64::try_from(gaps.len()).unwrap_or(u64::MAX);
        let counts = words::SEVERITIES.map(|severity| {
            let name = words::severity(severity);
            (name, summary.by_severity.get(name).copied().unwrap_or(0))
        });
        let (verdict, sentence, class) = headline(summary);
        self.render(&ImagePart {
            number: self.number,
            summary,
            header: &header,
            verdict: &verdict,
            sentence,
            class,
            steps,
            more_steps,
            items: checklist::items(&summary.checks, &secrets),
            map: Map::new(&header, summary, &map, &gaps, &ticks),
            gaps: &gaps,
            more_gaps: all_gaps.saturating_sub(shown),
            counts: counts.to_vec(),
            zones: map::zones(),
            total: summary.by_severity.values().sum(),
        })?;
        let (full, short) = groups.split_at(BLOCKS_FULL.min(groups.len()));
        for part in full.chunks(CHUNK) {
            self.part("blocks", &mut spool, part, Some(fail_on))?;
        }
        if !short.is_empty() {
            let more = words::grouped(u64::try_from(short.len()).unwrap_or(u64::MAX));
            let text =
                format!("<p class=\"printed\">{more} more are on the page, and are not printed.</p>\n");
            self.out.write_all(text.as_bytes()).map_err(failed)?;
        }
        for part in short.chunks(CHUNK) {
            self.part("lines", &mut spool, part, None)?;
        }
        self.out.write_all(b"</section></main>\n").map_err(failed)
    }

    /// Groups that a browser lays out together, when they come into view.
    fn part(
        &mut self,
        class: &str,
        spool: &mut Spool,
        groups: &[Group],
        fail_on: Option<Severity>,
    ) -> Result<()> {
        self.out.write_all(format!("<div class=\"{class}\">\n").as_bytes()).map_err(failed)?;
        groups.iter().try_for_each(|group| self.group(spool, group, fail_on))?;
        self.out.write_all(b"</div>\n").map_err(failed)
    }

    /// A group of findings: with all details where there is a threshold to tell, else in one line.
    fn group(&mut self, spool: &mut Spool, group: &Group, fail_on: Option<Severity>) -> Result<()> {
        let Some((&first, others)) = group.places.split_first() else { return Ok(()) };
        let first = spool.get(first)?;
        let place = words::place(&first.place);
        let (severity, zone) = (words::severity(group.severity), map::class_of(&first));
        let Some(fail_on) = fail_on else {
            let (title, rule, places) = (first.title.as_str(), first.rule.as_str(), group.places.len());
            return self.render(&Line { severity, zone, title, rule, place, places });
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
            zone,
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

/// The verdict as a word, the rest of its sentence, and the class of the style sheet.
fn headline(summary: &Summary) -> (String, String, &'static str) {
    let (verdict, class) = match summary.exit_reason {
        ExitReason::Clean => ("Clean", "good"),
        ExitReason::Findings => ("Do not release", "bad"),
        ExitReason::Incomplete => ("Incomplete", "open"),
        ExitReason::Unreadable => ("Not read", "bad"),
    };
    let decision = words::decision(summary);
    let rest = decision.split_once(": ").map_or(decision.as_str(), |(_, rest)| rest);
    let but = words::reservations(summary).map(|but| format!(", {but}")).unwrap_or_default();
    (format!("{verdict}{but}"), rest.to_owned(), class)
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
